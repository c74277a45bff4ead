/* SPDX-License-Identifier: MIT */
/*
 * The Gregorian calendar as arithmetic on day numbers (0 is 1970-01-01), for any year of up to
 * nine digits. No time zones, no process-global state.
 */
#ifndef CS_CORE_CIVIL_H
#define CS_CORE_CIVIL_H

#include "base/base.h"

#define CIVIL_DAY_S 86400

struct civil {
	int64_t year;
	int month, day; /* from 1 */
};

/* The day number of a date; DAY may lie outside its month and is counted on from there. */
int64_t civil_days(int64_t year, int month, int day);
struct civil civil_of_days(int64_t days);
/* 0 is Sunday. */
int civil_weekday(int64_t days);
bool civil_is_leap(int64_t year);
int civil_month_len(int64_t year, int month);
/* SECONDS / UNIT, rounded down: also before 1970. */
int64_t civil_floor(int64_t seconds, int64_t unit);

#endif
