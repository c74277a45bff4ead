/* SPDX-License-Identifier: MIT */
/*
 * Years are counted from 1 March here, so that the leap day is a year's last, and in eras of 400
 * years, after which the calendar repeats itself to the weekday.
 */
#include "core/civil.h"

#define ERA_YEARS   400
#define ERA_DAYS    146097
#define EPOCH_DAYS  719468 /* 1970-01-01 since 1 March of year 0 */
#define MARCH	    3
#define FIRST_WDAY  4 /* 1970-01-01 was a Thursday */
#define WEEK	    7
#define YEAR_MONTHS 12

int64_t
civil_floor(int64_t seconds, int64_t unit)
{
	int64_t q = seconds / unit;

	return q - (seconds % unit < 0);
}

bool
civil_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
civil_month_len(int64_t year, int month)
{
	static const int len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return len[month - 1] + (month == 2 && civil_is_leap(year));
}

/* Days of a year before month M of it (0 is March): 153 days are five months from March on. */
static int
days_before(int m)
{
	return (153 * m + 2) / 5;
}

int64_t
civil_days(int64_t year, int month, int day)
{
	int m = (month + YEAR_MONTHS - MARCH) % YEAR_MONTHS;
	int64_t y = year - (month < MARCH);
	int64_t era = civil_floor(y, ERA_YEARS);
	int64_t in_era = y - era * ERA_YEARS;

	return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + days_before(m) + day -
	       1 - EPOCH_DAYS;
}

struct civil
civil_of_days(int64_t days)
{
	int64_t era = civil_floor(days + EPOCH_DAYS, ERA_DAYS);
	int64_t d = days + EPOCH_DAYS - era * ERA_DAYS;
	int64_t y = (d - d / 1460 + d / 36524 - d / (ERA_DAYS - 1)) / 365;
	int in_year = (int)(d - (365 * y + y / 4 - y / 100));
	int m = (5 * in_year + 2) / 153;
	struct civil c = { .month = (m + MARCH - 1) % YEAR_MONTHS + 1 };

	c.day = in_year - days_before(m) + 1;
	c.year = era * ERA_YEARS + y + (c.month < MARCH);
	return c;
}

int
civil_weekday(int64_t days)
{
	int64_t since = days + FIRST_WDAY;

	return (int)(since - civil_floor(since, WEEK) * WEEK);
}
