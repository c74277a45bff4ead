/* SPDX-License-Identifier: MIT */
/*
 * Cron expressions. The input is three lines: an expression, the rule of a time zone (UTC where it
 * is none), and up to eight bytes of the time to begin at. What is refused must say why, in text
 * that may be shown; what falls due must do so whichever way it is asked for.
 */
#include "core/cron.h"

#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPR_SIZE 256
#define RULE_SIZE 64
#define STEPS	  4
#define YEAR_S	  INT64_C(31556952)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* The next line of DATA, cut to SIZE. */
static void
take_line(const uint8_t **data, size_t *n, char *out, size_t size)
{
	const uint8_t *end = *n > 0 ? memchr(*data, '\n', *n) : NULL;
	size_t len = end != NULL ? (size_t)(end - *data) : *n;
	size_t kept = len < size ? len : size - 1;

	memcpy(out, *data, kept);
	out[kept] = '\0';
	len += end != NULL;
	*data += len;
	*n -= len;
}

/* A file without changes: one type, UTC, and RULE. */
static struct zone *
zone_of(const char *rule)
{
	static const unsigned char first[44] = "TZif2";
	unsigned char second[44] = "TZif2", file[2 * 44 + 8 + RULE_SIZE + 2] = { 0 };
	struct zone *zone = NULL;
	size_t len = strlen(rule);

	second[39] = second[43] = 1; /* types, characters */
	memcpy(file, first, 44);
	memcpy(file + 44, second, 44);
	/* six bytes of the type and one of its name are zero */
	file[95] = '\n';
	memcpy(file + 96, rule, len);
	file[96 + len] = '\n';
	return zone_parse(file, 97 + len, &zone) == CS_OK ? zone : NULL;
}

static void
check_next(const struct cron *c, const struct zone *zone, int64_t at)
{
	int64_t next, again;

	for (int i = 0; i < STEPS && cron_next(c, zone, at, "salt", &next); i++) {
		must(next > at);
		must(cron_next(c, zone, next - 1, "salt", &again) && again == next);
		must(cron_next(c, zone, at + (next - at) / 2, "salt", &again) &&
		     (again == next || next - at == 1));
		at = next;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char expr[EXPR_SIZE], rule[RULE_SIZE];
	struct fault f = { .lang = LANG_EN };
	struct zone *zone;
	struct cron c;
	int64_t at = 0;

	take_line(&data, &n, expr, sizeof(expr));
	take_line(&data, &n, rule, sizeof(rule));
	memcpy(&at, data, n < sizeof(at) ? n : sizeof(at));
	if (cron_parse(expr, &c, &f) != CS_OK) {
		must(f.reason[0] != '\0' && parse_is_utf8(f.reason, strlen(f.reason)));
		return 0;
	}
	zone = zone_of(rule);
	check_next(&c, zone, at);
	check_next(&c, zone, at % (200 * YEAR_S));
	zone_free(zone);
	return 0;
}
