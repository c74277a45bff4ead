/* SPDX-License-Identifier: MIT */
/*
 * Rules for all years. Parsed by functions that take one element each off a cursor and say whether
 * it was there. Asked about a time, a rule lists the changes of the years around it: rules may
 * reach some days into a neighbouring year, and both changes of a year may coincide with each other
 * (daylight saving time all year is written so).
 */
#include "core/zone_rule.h"

#include "base/parse.h"
#include "core/civil.h"

#include <stdio.h>
#include <string.h>

#define HOUR_S	     3600
#define NAME_MIN     3
#define OFFSET_HOURS 24
#define TIME_HOURS   167 /* RFC 8536: a week, either way */
#define DEFAULT_S    (2 * HOUR_S)
#define LETTERS	     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	     "0123456789"

/* Years before and after that of a time whose changes may matter to it. */
#define YEARS_AROUND 2
#define NCHANGES     (2 * (2 * YEARS_AROUND + 1))

struct change {
	int64_t at;
	int32_t offset_s;
};

static bool
take_char(const char **p, char c)
{
	bool there = **p == c;

	*p += there;
	return there;
}

static bool
take_number(const char **p, int min, int max, int *out)
{
	char digits[4] = "";
	size_t n = strspn(*p, DIGITS);
	int64_t value;

	if (n >= sizeof(digits))
		return false;
	memcpy(digits, *p, n);
	if (!parse_int(digits, min, max, &value))
		return false;
	*p += n;
	*out = (int)value;
	return true;
}

/* "CET" or "<+0330>": only the end of it matters. */
static bool
take_name(const char **p)
{
	bool quoted = take_char(p, '<');
	size_t n = strspn(*p, quoted ? LETTERS DIGITS "+-" : LETTERS);

	*p += n;
	return n >= NAME_MIN && (!quoted || take_char(p, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool
take_time(const char **p, int max_hours, int32_t *out)
{
	bool negative = take_char(p, '-');
	int h, m = 0, s = 0;

	if (!negative)
		take_char(p, '+');
	if (!take_number(p, 0, max_hours, &h))
		return false;
	if (take_char(p, ':') && !take_number(p, 0, 59, &m))
		return false;
	if (take_char(p, ':') && !take_number(p, 0, 59, &s))
		return false;
	*out = (negative ? -1 : 1) * (h * HOUR_S + m * 60 + s);
	return true;
}

/* POSIX counts offsets westward. */
static bool
take_offset(const char **p, int32_t *out)
{
	if (!take_time(p, OFFSET_HOURS, out))
		return false;
	*out = -*out;
	return true;
}

/* ",M3.5.0/2": one of the three forms, and the time of day. */
static bool
take_day(const char **p, struct zone_day *out)
{
	bool ok;

	*out = (struct zone_day){ .kind = ZONE_DAY_OF_YEAR, .time_s = DEFAULT_S };
	if (!take_char(p, ','))
		return false;
	if (take_char(p, 'M')) {
		out->kind = ZONE_DAY_WEEKDAY;
		ok = take_number(p, 1, 12, &out->month) && take_char(p, '.') &&
		     take_number(p, 1, 5, &out->week) && take_char(p, '.') &&
		     take_number(p, 0, 6, &out->weekday);
	} else if (take_char(p, 'J')) {
		out->kind = ZONE_DAY_JULIAN;
		ok = take_number(p, 1, 365, &out->day);
	} else {
		ok = take_number(p, 0, 365, &out->day);
	}
	return ok && (!take_char(p, '/') || take_time(p, TIME_HOURS, &out->time_s));
}

bool
zone_rule_parse(const char *text, struct zone_rule *out)
{
	const char *p = text;

	*out = (struct zone_rule){ 0 };
	if (!take_name(&p) || !take_offset(&p, &out->std_s))
		return false;
	if (*p == '\0')
		return true;
	out->has_dst = true;
	out->dst_s = out->std_s + HOUR_S;
	if (!take_name(&p) || (*p != ',' && !take_offset(&p, &out->dst_s)))
		return false;
	return take_day(&p, &out->dst_start) && take_day(&p, &out->dst_end) && *p == '\0';
}

static int64_t
weekday_of_month(const struct zone_day *d, int64_t year)
{
	int64_t first = civil_days(year, d->month, 1);
	int day = (d->weekday - civil_weekday(first) + 7) % 7 + 7 * (d->week - 1);

	return first + (day < civil_month_len(year, d->month) ? day : day - 7);
}

/* Local seconds. */
static int64_t
when(const struct zone_day *d, int64_t year)
{
	int64_t days;

	if (d->kind == ZONE_DAY_WEEKDAY)
		days = weekday_of_month(d, year);
	else if (d->kind == ZONE_DAY_JULIAN)
		days = civil_days(year, 1, d->day) + (civil_is_leap(year) && d->day >= 60);
	else
		days = civil_days(year, 1, 1 + d->day);
	return days * CIVIL_DAY_S + d->time_s;
}

/* Keeps LIST in order; of changes at the same time the one added last counts. */
static void
add_change(struct change *list, size_t n, int64_t at, int32_t offset_s)
{
	for (; n > 0 && list[n - 1].at > at; n--)
		list[n] = list[n - 1];
	list[n] = (struct change){ at, offset_s };
}

struct zone_span
zone_rule_span(const struct zone_rule *rule, int64_t utc)
{
	struct zone_span span = { INT64_MIN, INT64_MAX, rule->std_s };
	struct change list[NCHANGES];
	int64_t year;
	size_t n = 0;

	if (!rule->has_dst)
		return span;
	year = civil_of_days(civil_floor(utc, CIVIL_DAY_S)).year;
	for (int64_t y = year - YEARS_AROUND; y <= year + YEARS_AROUND; y++) {
		add_change(list, n++, when(&rule->dst_start, y) - rule->std_s, rule->dst_s);
		add_change(list, n++, when(&rule->dst_end, y) - rule->dst_s, rule->std_s);
	}
	for (size_t i = 0; i < n; i++) {
		if (list[i].at > utc) {
			span.end = list[i].at;
			break;
		}
		span.start = list[i].at;
		span.offset_s = list[i].offset_s;
	}
	return span;
}
