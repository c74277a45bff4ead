/* SPDX-License-Identifier: MIT */
/* The calendar, against the C library's and against itself. */
#include "core/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void
check_day(int64_t days)
{
	time_t at = days * CIVIL_DAY_S;
	struct tm tm = { 0 };
	struct civil c = civil_of_days(days);

	assert_non_null(gmtime_r(&at, &tm));
	assert_int_equal(c.year, tm.tm_year + 1900);
	assert_int_equal(c.month, tm.tm_mon + 1);
	assert_int_equal(c.day, tm.tm_mday);
	assert_int_equal(civil_weekday(days), tm.tm_wday);
	assert_int_equal(civil_days(c.year, c.month, c.day), days);
	assert_in_range(c.day, 1, civil_month_len(c.year, c.month));
}

static void
test_against_libc(void **state)
{
	(void)state;
	/* 801 to 2599 day by day, then other ages by a step that meets every day of the year. */
	for (int64_t days = -427000; days < 230000; days++)
		check_day(days);
	for (int64_t days = -100000000; days < 100000000; days += 1009)
		check_day(days);
}

static void
test_dates(void **state)
{
	(void)state;
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_days(1969, 12, 31), -1);
	assert_int_equal(civil_days(2000, 3, 1), 11017);
	assert_int_equal(civil_days(1, 1, 1), -719162);
	assert_int_equal(civil_days(0, 2, 29) + 1, civil_days(0, 3, 1));
	/* A day may lie outside its month. */
	assert_int_equal(civil_days(2026, 1, 366), civil_days(2027, 1, 1));
	assert_int_equal(civil_days(2026, 3, 0), civil_days(2026, 2, 28));
	assert_true(civil_is_leap(2000) && civil_is_leap(2024) && civil_is_leap(2400));
	assert_false(civil_is_leap(1900) || civil_is_leap(2100) || civil_is_leap(2026));
	assert_int_equal(civil_month_len(2024, 2), 29);
	assert_int_equal(civil_month_len(2100, 2), 28);
}

static void
test_floor(void **state)
{
	(void)state;
	assert_int_equal(civil_floor(7, 7), 1);
	assert_int_equal(civil_floor(6, 7), 0);
	assert_int_equal(civil_floor(0, 7), 0);
	assert_int_equal(civil_floor(-1, 7), -1);
	assert_int_equal(civil_floor(-7, 7), -1);
	assert_int_equal(civil_floor(-8, 7), -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_libc),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_floor),
	};

	return cmocka_run_group_tests_name("civil", tests, NULL, NULL);
}
