/* SPDX-License-Identifier: MIT */
/* What cron expressions draw: one for each period, within its range, by salt, always the same. */
#include "tests/unit/cron_rows.h"

#include "core/civil.h"

/* What is drawn for one salt. These never change: daemons of different versions agree. */
static void
test_draws_are_kept(void **state)
{
	static const struct row rows[] = {
		{ "0~59 * * * * *", D26,
		    { "2026-01-01T00:00:06", "2026-01-01T00:01:19", "2026-01-01T00:02:55" } },
		{ "0~59 * * * *", D26,
		    { "2026-01-01T00:34", "2026-01-01T01:40", "2026-01-01T02:30" } },
		{ "0 0~23 * * *", D26,
		    { "2026-01-01T04:00", "2026-01-02T11:00", "2026-01-03T15:00" } },
		{ "0 0 1~31 * *", D26,
		    { "2026-01-16T00:00", "2026-02-07T00:00", "2026-03-27T00:00" } },
		{ "0 0 1 1~12 *", D26,
		    { "2026-11-01T00:00", "2027-04-01T00:00", "2028-08-01T00:00" } },
		{ "0 0 * * 1~7", D26,
		    { "2026-01-04T00:00", "2026-01-06T00:00", "2026-01-17T00:00" } },
		{ "0~9,30~39 0~23 * * *", D26,
		    { "2026-01-01T13:08", "2026-01-01T13:34", "2026-01-02T14:02" } },
	};

	(void)state;
	check_rows("UTC", rows, ARRAY_LEN(rows));
}

/* The next N occurrences of EXPR. */
static void
list(const char *expr, const char *salt, int64_t *out, size_t n)
{
	struct cron c = parsed(expr);
	int64_t at = utc_of(D26) - 1;

	for (size_t i = 0; i < n; i++) {
		assert_true(cron_next(&c, NULL, at, salt, &at));
		out[i] = at;
	}
}

/* One in each period, within its range, and not always the same one. */
static void
test_one_a_period(void **state)
{
	static const struct {
		const char *expr;
		int64_t period_s, offset_s, low_s, high_s;
	} cases[] = {
		{ "10~50 * * * * *", 60, 0, 10, 50 },
		{ "0~59 * * * *", 3600, 0, 0, 3540 },
		{ "20~30 * * * *", 3600, 0, 1200, 1800 },
		{ "30 9~17 * * *", 86400, 0, 9 * 3600 + 1800, 17 * 3600 + 1800 },
		/* 1970-01-01 was a Thursday: weeks from Monday on */
		{ "0 0 * * 1~7", 604800, 259200, 0, 518400 },
		{ "0 0 * * TUE~FRI", 604800, 259200, 86400, 345600 },
		{ "0 0 * * FRI~SUN", 604800, 259200, 345600, 518400 },
	};
	int64_t at[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t other = 0;

		list(cases[i].expr, "salt", at, ARRAY_LEN(at));
		for (size_t k = 1; k < ARRAY_LEN(at); k++) {
			int64_t in = at[k] + cases[i].offset_s;
			int64_t before = at[k - 1] + cases[i].offset_s;

			assert_int_equal(in / cases[i].period_s, before / cases[i].period_s + 1);
			in %= cases[i].period_s;
			other += in != before % cases[i].period_s;
			assert_in_range(in, cases[i].low_s, cases[i].high_s);
		}
		assert_in_range(other, ARRAY_LEN(at) / 2, ARRAY_LEN(at) - 1);
	}
}

/* Months and years have no fixed length. A day is drawn among those that the month has. */
static void
test_one_a_month_and_year(void **state)
{
	int64_t at[600];
	size_t last_days = 0;

	(void)state;
	list("0 0 1~31 * *", "salt", at, ARRAY_LEN(at));
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct civil c = civil_of_days(at[i] / CIVIL_DAY_S);

		assert_int_equal(c.year, 2026 + i / 12);
		assert_int_equal(c.month, i % 12 + 1);
		last_days += c.day > 28;
	}
	assert_in_range(last_days, 1, 150);
	list("0 0 30~31 * *", "salt", at, 11);
	assert_int_equal(civil_of_days(at[10] / CIVIL_DAY_S).month, 12);
	list("0 0 1 3~9 *", "salt", at, 100);
	for (size_t i = 0; i < 100; i++) {
		struct civil c = civil_of_days(at[i] / CIVIL_DAY_S);

		assert_int_equal(c.year, 2026 + i);
		assert_in_range(c.month, 3, 9);
	}
}

/* Wherever a number may stand. */
static void
test_draws_in_items(void **state)
{
	int64_t at[200];

	(void)state;
	/* a beginning drawn each hour, then every 15 minutes */
	list("0~14/15 * * * *", "x", at, 200);
	for (size_t i = 4; i < 200; i++) {
		assert_int_equal(at[i] / 3600, at[i - 4] / 3600 + 1);
		assert_true(i % 4 == 0 || at[i] - at[i - 1] == 900);
	}
	/* a step drawn each day: 0, 8, 16 or 0, 12 */
	list("0 */8~12 * * *", "x", at, 200);
	for (size_t i = 1; i < 200; i++) {
		int64_t day = at[i] / CIVIL_DAY_S * CIVIL_DAY_S;

		assert_true(at[i] == day || at[i - 1] >= day);
		assert_true(at[i] == day ||
			    (at[i] - at[i - 1] >= 8 * 3600 && at[i] - at[i - 1] <= 12 * 3600));
	}
	/* both ends */
	list("0 1~3-5~8 * * *", "x", at, 200);
	for (size_t i = 0; i < 200; i++)
		assert_in_range(at[i] % CIVIL_DAY_S, 3600, 8 * 3600);
	/* two of a field are drawn apart: sums would be even if both drew alike */
	size_t odd = 0;
	list("0~19,40~59 0 * * *", "x", at, 200);
	for (size_t i = 0; i < 200; i += 2)
		odd += (at[i] / 60 + at[i + 1] / 60) % 2 != 0;
	assert_in_range(odd, 25, 75);
	/* one of one is no draw */
	list("5~5 0 * * *", "x", at, 1);
	assert_int_equal(at[0], utc_of("2026-01-01T00:05"));
}

/* Another task draws otherwise; the same task always the same, wherever the search begins. */
static void
test_salt(void **state)
{
	int64_t a[200], b[200];
	struct cron c = parsed("0~59 0~23 * * *");
	size_t same = 0, minutes = 0;
	uint64_t seen = 0;

	(void)state;
	list("0~59 0~23 * * *", "a", a, 200);
	list("0~59 0~23 * * *", "b", b, 200);
	for (size_t i = 0; i < 200; i++) {
		int64_t at;

		same += a[i] == b[i];
		seen |= UINT64_C(1) << a[i] / 60 % 60;
		assert_true(cron_next(&c, NULL, a[i] - 1, "a", &at));
		assert_int_equal(at, a[i]);
	}
	assert_in_range(same, 0, 10);
	for (; seen != 0; seen &= seen - 1)
		minutes++;
	assert_in_range(minutes, 45, 60);
	list("0~59 0~23 * * *", NULL, a, 200);
	list("0~59 0~23 * * *", "", b, 200);
	assert_memory_equal(a, b, sizeof(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draws_are_kept),
		cmocka_unit_test(test_one_a_period),
		cmocka_unit_test(test_one_a_month_and_year),
		cmocka_unit_test(test_draws_in_items),
		cmocka_unit_test(test_salt),
	};

	return cmocka_run_group_tests_name("draws of cron", tests, NULL, NULL);
}
