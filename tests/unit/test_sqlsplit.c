/* SPDX-License-Identifier: MIT */
/* Splitting of SQL scripts: delimiters, quotes, comments, line numbers, broken input. */
#include "db/sqlsplit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* WANT: the statements of SCRIPT as "LINE:text", one "|" between two; an error as "!LINE". */
static const struct {
	const char *script, *want;
} cases[] = {
	{ "", "" },
	{ " \n\t ", "" },
	{ ";;\n;", "" },
	{ "-- nothing\n# at all\n/* here; */", "" },
	{ "a", "1:a" },
	{ "a;b", "1:a|1:b" },
	{ " a ;\n\n b ; ", "1:a|3:b" },
	{ "a ';' b; c", "1:a ';' b|1:c" },
	{ "a \";\" `;` b;", "1:a \";\" `;` b" },
	{ "a 'it''s;' ; b", "1:a 'it''s;'|1:b" },
	{ "a '\\';' ; b", "1:a '\\';'|1:b" },
	{ "a `\\` ; b", "1:a `\\`|1:b" },
	{ "a -- x; y\n; b", "1:a -- x; y|2:b" },
	{ "a # x; 'y\n; b", "1:a # x; 'y|2:b" },
	{ "a /* x; ' */ ; b", "1:a /* x; ' */|1:b" },
	{ "5--1; b", "1:5--1|1:b" },
	{ "--\na", "2:a" },
	{ "a --", "1:a --" },
	{ "/*! SET x = 1 */; b", "1:/*! SET x = 1 */|1:b" },
	{ "/*M!100 a; */; b", "1:/*M!100 a; */|1:b" },
	{ "DELIMITER $$\na; b; $$\nDELIMITER ;\nc;", "2:a; b;|4:c" },
	{ "delimiter //\nx '//' // y//", "2:x '//'|2:y" },
	{ "DELIMITER $$  \r\na $ b $$", "2:a $ b" },
	{ "DELIMITERS; a", "1:DELIMITERS|1:a" },
	{ "a DELIMITER x; b", "1:a DELIMITER x|1:b" },
	{ "DELIMITER\n", "!1" },
	{ "DELIMITER 12345678901234567\n", "!1" },
	{ "a;\n'b", "1:a|!2" },
	{ "a;\n\n/* b", "1:a|!3" },
	{ "a;\nb /* c", "1:a|!2" },
	{ "'\\", "!1" },
};

/* From memory of exactly its size, so that a read beyond it does not go unnoticed. */
static void
render(const char *script, size_t len, char *out, size_t size)
{
	char *copy = malloc(len > 0 ? len : 1);
	struct sqlsplit s;
	struct sqlsplit_stmt stmt;
	size_t n = 0;

	memcpy(copy, script, len);
	sqlsplit_init(&s, copy, len);
	out[0] = '\0';
	while (sqlsplit_next(&s, &stmt))
		n += (size_t)snprintf(out + n, size - n, "%s%d:%.*s", n > 0 ? "|" : "", stmt.line,
		    (int)stmt.len, stmt.text);
	if (s.error != NULL)
		snprintf(out + n, size - n, "%s!%d", n > 0 ? "|" : "", stmt.line);
	free(copy);
}

static void
test_split(void **state)
{
	char got[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		render(cases[i].script, strlen(cases[i].script), got, sizeof(got));
		if (strcmp(got, cases[i].want) != 0)
			fail_msg(
			    "\"%s\": got \"%s\", want \"%s\"", cases[i].script, got, cases[i].want);
	}
}

/* Whatever the input is cut to, it ends. */
static void
test_prefixes(void **state)
{
	char got[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t len = 0; len < strlen(cases[i].script); len++)
			render(cases[i].script, len, got, sizeof(got));
	render("a\0'b\0;'\0; c", 11, got, sizeof(got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests_name("sqlsplit", tests, NULL, NULL);
}
