/* SPDX-License-Identifier: MIT */
/* The statement table: parameters, columns and ids of every row of stmt.def agree with its SQL. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

static const struct {
	const char *id, *params, *cols, *sql;
} rows[] = {
#define STMT(id, params, cols, sql) { #id, params, cols, sql },
#include "db/stmt.def"
#undef STMT
};

/* Question marks outside quotes. */
static size_t
count_marks(const char *sql)
{
	size_t n = 0;
	char quote = '\0';

	for (; *sql != '\0'; sql++) {
		if (quote != '\0')
			quote = *sql == quote ? '\0' : quote;
		else if (strchr("'\"`", *sql) != NULL)
			quote = *sql;
		else
			n += *sql == '?';
	}
	assert_int_equal(quote, '\0');
	return n;
}

static void
test_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].params);

		if (count_marks(rows[i].sql) != n || strspn(rows[i].params, "sibSIB") != n)
			fail_msg("%s: \"%s\" for %zu question marks", rows[i].id, rows[i].params,
			    count_marks(rows[i].sql));
	}
}

static bool
starts_with(const char *sql, const char *word)
{
	return strncasecmp(sql, word, strlen(word)) == 0;
}

/* What a statement declares as text is compared with keys: it says that it is of their type. */
static void
test_text_type(void **state)
{
	static const char type[] = "VARCHAR(255)", text[] = " {{text}} ";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *p = rows[i].sql;

		while ((p = strstr(p, type)) != NULL) {
			p += sizeof(type) - 1;
			if (strncmp(p, text, sizeof(text) - 1) != 0)
				fail_msg("%s: VARCHAR(255) without {{text}}", rows[i].id);
		}
	}
}

/* What can be told without a server: whether there are columns at all. */
static void
test_cols(void **state)
{
	static const char *const query[] = { "SELECT ", "WITH ", "SHOW ", "(SELECT " };
	static const char *const action[] = { "INSERT ", "UPDATE ", "DELETE ", "REPLACE ", "SET " };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *sql = rows[i].sql;
		bool returns = rows[i].cols[0] != '\0';

		if (strspn(rows[i].cols, "sitb") != strlen(rows[i].cols))
			fail_msg("%s: unknown column type in \"%s\"", rows[i].id, rows[i].cols);
		for (size_t k = 0; k < ARRAY_LEN(query); k++)
			if (starts_with(sql, query[k]) && !returns)
				fail_msg("%s: a query without columns", rows[i].id);
		for (size_t k = 0; k < ARRAY_LEN(action); k++)
			if (starts_with(sql, action[k]) &&
			    returns != (strstr(sql, " RETURNING ") != NULL))
				fail_msg("%s: columns without a result", rows[i].id);
	}
}

static void
test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strchr(rows[i].sql, ';') != NULL || strstr(rows[i].sql, "SELECT *") != NULL ||
		    strstr(rows[i].sql, "--") != NULL)
			fail_msg("%s: semicolon, comment or SELECT *", rows[i].id);
		for (size_t k = 0; k < i; k++)
			if (strcmp(rows[i].id, rows[k].id) == 0 ||
			    strcmp(rows[i].sql, rows[k].sql) == 0)
				fail_msg("%s: the same as %s", rows[i].id, rows[k].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_text_type),
		cmocka_unit_test(test_cols),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("stmt", tests, NULL, NULL);
}
