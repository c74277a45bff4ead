/* SPDX-License-Identifier: MIT */
/*
 * Cron expressions, and when they fall due. Pure. The rules:
 *
 *   [second] minute hour day-of-month month day-of-week
 *
 * A field is a list of items with commas: "*" or "?" (all), n, a-b, each with "/step"; n/step goes
 * on to the end of the field. Months and weekdays have names (JAN, MON, in any case); Sunday is 0
 * and 7. Without seconds it is second 0. A day must match day of month and day of week both.
 *
 * Wherever a number may stand, "a~b" is one of a to b, drawn anew for each period that the field
 * lies within (a minute in an hour, an hour in a day, a day in a month, a month in a year, a
 * weekday in a week from Monday on) by a hash of salt, field and period: the same everywhere and
 * always.
 *
 * Where the clocks change, an expression whose second, minute or hour begins with "*" goes by real
 * time: it runs whenever the clock shows a time that matches. Any other names times of day: one
 * that does not exist runs once right after the gap, one that comes twice the first time only.
 */
#ifndef CS_CORE_CRON_H
#define CS_CORE_CRON_H

#include "base/err.h"
#include "core/zone.h"

#define CRON_DRAWN_MAX 8 /* items with a "~" */

enum cron_field {
	CRON_SECOND,
	CRON_MINUTE,
	CRON_HOUR,
	CRON_DAY,
	CRON_MONTH,
	CRON_WEEKDAY,
	CRON__FIELDS
};

/* A number, or one that is drawn from low to high. */
struct cron_value {
	int low, high;
};

struct cron_item {
	enum cron_field field;
	bool single; /* its last is its first */
	struct cron_value first, last, step;
};

/* A plain value: to be copied at will. */
struct cron {
	uint64_t fixed[CRON__FIELDS]; /* bit n: n matches in every period */
	struct cron_item drawn[CRON_DRAWN_MAX];
	size_t ndrawn;
	bool real_time;
};

/* Reads EXPR. CS_EINVALID, its field "cron_exp", with a reason that names the field of the
 * expression and quotes what is wrong; *OUT is then undefined. */
enum cs_err cron_parse(const char *expr, struct cron *out, struct fault *f) cs_mustcheck;
/*
 * The first occurrence strictly after AFTER_UTC (seconds, as *NEXT_UTC). SALT: the task's id, NULL
 * is "". False: it never comes, or not before the year 10000.
 */
bool cron_next(const struct cron *c, const struct zone *zone, int64_t after_utc, const char *salt,
    int64_t *next_utc);

#endif
