/* SPDX-License-Identifier: MIT */
/* Tables of what falls due when, for the tests of cron expressions. Times are UTC. */
#ifndef CS_TESTS_UNIT_CRON_ROWS_H
#define CS_TESTS_UNIT_CRON_ROWS_H

#include "base/parse.h"
#include "core/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define D26   "2026-01-01T00:00" /* a Thursday */
#define NEVER ""

/* TEXT may leave out the seconds. */
static inline int64_t
utc_of(const char *text)
{
	char full[32];
	int64_t t;

	snprintf(full, sizeof(full), "%s%s", text,
	    strlen(text) == strlen("2026-01-01T00:00") ? ":00" : "");
	if (!parse_time_utc(full, &t))
		fail_msg("%s is no time", text);
	return t;
}

static inline struct zone *
open_zone(const char *name)
{
	struct fault f = { 0 };
	struct zone *z;

	if (zone_open(name, &z, &f) != CS_OK)
		fail_msg("%s cannot be opened", name);
	return z;
}

static inline struct cron
parsed(const char *expr)
{
	struct fault f = { .lang = LANG_EN };
	struct cron c;

	if (cron_parse(expr, &c, &f) != CS_OK)
		fail_msg("%s: %s: %s", expr, f.field, f.reason);
	return c;
}

struct row {
	const char *expr, *after;
	const char *next[4]; /* NEVER ends them; NULL: not looked at */
};

static inline void
check_rows(const char *zone, const struct row *rows, size_t n)
{
	struct zone *z = open_zone(zone);

	for (; n-- > 0; rows++) {
		struct cron c = parsed(rows->expr);
		int64_t at = utc_of(rows->after);

		for (size_t i = 0; i < ARRAY_LEN(rows->next) && rows->next[i] != NULL; i++) {
			const char *want = rows->next[i];
			char text[32] = NEVER;
			bool comes = cron_next(&c, z, at, "", &at);

			if (comes)
				render_time_utc(text, sizeof(text), at);
			if (comes != (*want != '\0') || (comes && at != utc_of(want)))
				fail_msg("%s in %s after %s, number %zu: \"%s\" instead of \"%s\"",
				    rows->expr, zone, rows->after, i + 1, text, want);
		}
	}
	zone_free(z);
}

#endif
