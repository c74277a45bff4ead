/* SPDX-License-Identifier: MIT */
/* Cron expressions: every form of a field, years, and what is refused and how. */
#include "tests/unit/cron_rows.h"

static void
test_forms(void **state)
{
	static const struct row rows[] = {
		{ "* * * * *", D26, { "2026-01-01T00:01", "2026-01-01T00:02" } },
		{ "? ? ? ? ?", "2026-01-01T00:00:59", { "2026-01-01T00:01", "2026-01-01T00:02" } },
		{ "*/15 * * * *", D26,
		    { "2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:45",
			"2026-01-01T01:00" } },
		{ "0/15 * * * *", "2026-01-01T00:44:59",
		    { "2026-01-01T00:45", "2026-01-01T01:00" } },
		{ "5,35 * * * *", D26,
		    { "2026-01-01T00:05", "2026-01-01T00:35", "2026-01-01T01:05" } },
		{ "35,5,5,35-35 * * * *", D26,
		    { "2026-01-01T00:05", "2026-01-01T00:35", "2026-01-01T01:05" } },
		{ "10-11 * * * *", D26,
		    { "2026-01-01T00:10", "2026-01-01T00:11", "2026-01-01T01:10" } },
		{ "10-20/5 * * * *", D26,
		    { "2026-01-01T00:10", "2026-01-01T00:15", "2026-01-01T00:20",
			"2026-01-01T01:10" } },
		{ "50/5 * * * *", D26,
		    { "2026-01-01T00:50", "2026-01-01T00:55", "2026-01-01T01:50" } },
		{ "10-12/30 * * * *", D26, { "2026-01-01T00:10", "2026-01-01T01:10" } },
		{ "*/60 */24 * * *", D26, { "2026-01-02T00:00", "2026-01-03T00:00" } },
		{ "1,*/30,58-59 0 * * *", D26,
		    { "2026-01-01T00:01", "2026-01-01T00:30", "2026-01-01T00:58",
			"2026-01-01T00:59" } },
		{ "0 */6 * * *", D26,
		    { "2026-01-01T06:00", "2026-01-01T12:00", "2026-01-01T18:00",
			"2026-01-02T00:00" } },
		{ "0 9-17/4 * * *", D26,
		    { "2026-01-01T09:00", "2026-01-01T13:00", "2026-01-01T17:00",
			"2026-01-02T09:00" } },
		{ "05 007 * * *", D26, { "2026-01-01T07:05", "2026-01-02T07:05" } },
		{ " \t59  23\t31 12 * \n", D26, { "2026-12-31T23:59", "2027-12-31T23:59" } },
		/* days of the month */
		{ "0 0 */10 * *", D26,
		    { "2026-01-11T00:00", "2026-01-21T00:00", "2026-01-31T00:00",
			"2026-02-01T00:00" } },
		{ "0 0 31 * *", D26,
		    { "2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00",
			"2026-07-31T00:00" } },
		{ "0 0 30,31 2,3 *", D26,
		    { "2026-03-30T00:00", "2026-03-31T00:00", "2027-03-30T00:00" } },
		/* months */
		{ "0 0 1 */3 *", D26,
		    { "2026-04-01T00:00", "2026-07-01T00:00", "2026-10-01T00:00",
			"2027-01-01T00:00" } },
		{ "0 0 1 jul,JAN *", D26, { "2026-07-01T00:00", "2027-01-01T00:00" } },
		{ "0 0 1 Oct-Dec/2 *", D26,
		    { "2026-10-01T00:00", "2026-12-01T00:00", "2027-10-01T00:00" } },
		{ "0 0 1 11/1 *", D26,
		    { "2026-11-01T00:00", "2026-12-01T00:00", "2027-11-01T00:00" } },
		/* days of the week: Sunday is 0 and 7, and ends a range */
		{ "0 0 * * MON", D26, { "2026-01-05T00:00", "2026-01-12T00:00" } },
		{ "0 0 * * 0", D26, { "2026-01-04T00:00", "2026-01-11T00:00" } },
		{ "0 0 * * 7", D26, { "2026-01-04T00:00", "2026-01-11T00:00" } },
		{ "0 0 * * sun", D26, { "2026-01-04T00:00", "2026-01-11T00:00" } },
		{ "0 0 * * 7/2", D26, { "2026-01-04T00:00", "2026-01-11T00:00" } },
		{ "0 0 * * 1-5", D26,
		    { "2026-01-02T00:00", "2026-01-05T00:00", "2026-01-06T00:00" } },
		{ "0 0 * * Sat-Sun", D26,
		    { "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00" } },
		{ "0 0 * * 6-7", D26,
		    { "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00" } },
		{ "0 0 * * 6-0", D26,
		    { "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00" } },
		{ "0 0 * * SUN-MON", D26,
		    { "2026-01-04T00:00", "2026-01-05T00:00", "2026-01-11T00:00" } },
		{ "0 0 * * 0-7", D26,
		    { "2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00" } },
		{ "0 0 * * MON-SUN", D26,
		    { "2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00" } },
		{ "0 0 * * */2", D26,
		    { "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-06T00:00",
			"2026-01-08T00:00" } },
		{ "0 0 * * 5/1", D26,
		    { "2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00",
			"2026-01-09T00:00" } },
		{ "0 0 * * MON/2", D26,
		    { "2026-01-02T00:00", "2026-01-04T00:00", "2026-01-05T00:00",
			"2026-01-07T00:00" } },
		{ "0 0 ? * 2", D26, { "2026-01-06T00:00", "2026-01-13T00:00" } },
		/* both days must match */
		{ "0 0 13 * 5", D26,
		    { "2026-02-13T00:00", "2026-03-13T00:00", "2026-11-13T00:00",
			"2027-08-13T00:00" } },
		{ "0 0 1,15 * 1", D26,
		    { "2026-06-01T00:00", "2026-06-15T00:00", "2027-02-01T00:00" } },
		/* six fields: seconds first */
		{ "*/20 * * * * *", D26,
		    { "2026-01-01T00:00:20", "2026-01-01T00:00:40", "2026-01-01T00:01" } },
		{ "30 0 9 * * MON", D26, { "2026-01-05T09:00:30", "2026-01-12T09:00:30" } },
		{ "59 59 23 31 12 *", D26, { "2026-12-31T23:59:59", "2027-12-31T23:59:59" } },
		{ "0 0 0 1 1 ?", D26, { "2027-01-01T00:00" } },
		/* strictly after */
		{ "0 0 1 1 *", "2025-12-31T23:59:59", { "2026-01-01T00:00" } },
		{ "0 0 0 1 1 *", D26, { "2027-01-01T00:00" } },
	};

	(void)state;
	check_rows("UTC", rows, ARRAY_LEN(rows));
}

static void
test_years(void **state)
{
	static const struct row rows[] = {
		{ "0 0 29 2 *", D26, { "2028-02-29T00:00", "2032-02-29T00:00" } },
		{ "0 0 29 2 *", "1999-03-01T00:00", { "2000-02-29T00:00", "2004-02-29T00:00" } },
		{ "0 0 29 2 *", "2096-03-01T00:00", { "2104-02-29T00:00" } },
		{ "0 0 29 2 *", "2196-02-29T00:00", { "2204-02-29T00:00" } },
		{ "0 0 29 2 1", D26,
		    { "2044-02-29T00:00", "2072-02-29T00:00", "2112-02-29T00:00" } },
		{ "0 0 29 2 SUN", D26,
		    { "2032-02-29T00:00", "2060-02-29T00:00", "2088-02-29T00:00",
			"2128-02-29T00:00" } },
		{ "0 0 1 1 *", "1969-12-31T23:59:59", { "1970-01-01T00:00", "1971-01-01T00:00" } },
		{ "0 0 1 1 *", "1968-06-01T00:00", { "1969-01-01T00:00", "1970-01-01T00:00" } },
		{ "59 23 31 12 *", "2199-01-01T00:00", { "2199-12-31T23:59", "2200-12-31T23:59" } },
		{ "0 0 28 2 6", "2197-01-01T00:00", { "2201-02-28T00:00" } },
		/* dates that never come, and the end of time */
		{ "0 0 30 2 *", D26, { NEVER } },
		{ "0 0 31 2,4,6,9,11 *", D26, { NEVER } },
		{ "* * 30-31 FEB *", "1970-01-01T00:00", { NEVER } },
		{ "0 0 31~31 4 1~5", D26, { NEVER } },
		{ "0 0 1 1 *", "9998-06-01T00:00", { "9999-01-01T00:00", NEVER } },
		{ "* * * * *", "9999-12-31T23:59", { NEVER } },
	};
	struct cron c = parsed("0 0 1 1 *");
	int64_t at;

	(void)state;
	check_rows("UTC", rows, ARRAY_LEN(rows));
	check_rows("Europe/Berlin", rows + 10, 4);
	assert_true(cron_next(&c, NULL, INT64_MIN, NULL, &at));
	assert_int_equal(at, utc_of("0001-01-01T00:00"));
	assert_false(cron_next(&c, NULL, INT64_MAX, NULL, &at));
}

static void
test_refused(void **state)
{
	static const struct {
		const char *expr, *reason;
	} cases[] = {
		{ "", "should have 5 or 6 fields, has 0" },
		{ " ", "should have 5 or 6 fields, has 0" },
		{ "* * * *", "should have 5 or 6 fields, has 4" },
		{ "* * * * * * *", "should have 5 or 6 fields, has 7" },
		{ "@daily", "should have 5 or 6 fields, has 1" },
		{ "60 * * * *", "minute: values of \"60\" should be within 0-59" },
		{ "60 * * * * *", "second: values of \"60\" should be within 0-59" },
		{ "* 24 * * *", "hour: values of \"24\" should be within 0-23" },
		{ "* * 0 * *", "day of month: values of \"0\" should be within 1-31" },
		{ "* * 32 * *", "day of month: values of \"32\" should be within 1-31" },
		{ "* * * 13 *", "month: values of \"13\" should be within 1-12, JAN-DEC" },
		{ "* * * 0 *", "month: values of \"0\" should be within 1-12, JAN-DEC" },
		{ "* * * * 8", "day of week: values of \"8\" should be within 0-7, SUN-SAT" },
		{ "* * * MON *", "month: values of \"MON\" should be within 1-12, JAN-DEC" },
		{ "* * * * JAN", "day of week: values of \"JAN\" should be within 0-7, SUN-SAT" },
		{ "* * * * MONDAY",
		    "day of week: values of \"MONDAY\" should be within 0-7, SUN-SAT" },
		{ "MON * * * *", "minute: values of \"MON\" should be within 0-59" },
		{ "-1 * * * *", "minute: values of \"-1\" should be within 0-59" },
		{ "+1 * * * *", "minute: values of \"+1\" should be within 0-59" },
		{ "1.5 * * * *", "minute: values of \"1.5\" should be within 0-59" },
		{ "0001 * * * *", "minute: values of \"0001\" should be within 0-59" },
		{ "** * * * *", "minute: values of \"**\" should be within 0-59" },
		{ "*5 * * * *", "minute: values of \"*5\" should be within 0-59" },
		{ "*-5 * * * *", "minute: values of \"*-5\" should be within 0-59" },
		{ "5-* * * * *", "minute: values of \"5-*\" should be within 0-59" },
		{ "1-2-3 * * * *", "minute: values of \"1-2-3\" should be within 0-59" },
		{ "5- * * * *", "minute: values of \"5-\" should be within 0-59" },
		{ "1,,2 * * * *", "minute: values of \"\" should be within 0-59" },
		{ "1,2, * * * *", "minute: values of \"\" should be within 0-59" },
		{ ", * * * *", "minute: values of \"\" should be within 0-59" },
		{ "/5 * * * *", "minute: values of \"/5\" should be within 0-59" },
		{ "1,70,2 * * * *", "minute: values of \"70\" should be within 0-59" },
		{ "9-5 * * * *", "minute: \"9-5\" ends before it begins" },
		{ "* * * DEC-JAN *", "month: \"DEC-JAN\" ends before it begins" },
		{ "* * * * 5-1", "day of week: \"5-1\" ends before it begins" },
		{ "* * * * 7-3", "day of week: \"7-3\" ends before it begins" },
		{ "*/0 * * * *", "minute: the step of \"*/0\" should be within 1-60" },
		{ "*/61 * * * *", "minute: the step of \"*/61\" should be within 1-60" },
		{ "* */25 * * *", "hour: the step of \"*/25\" should be within 1-24" },
		{ "* * * * */8", "day of week: the step of \"*/8\" should be within 1-7" },
		{ "*/ * * * *", "minute: the step of \"*/\" should be within 1-60" },
		{ "*/5/5 * * * *", "minute: the step of \"*/5/5\" should be within 1-60" },
		{ "*/-5 * * * *", "minute: the step of \"*/-5\" should be within 1-60" },
		{ "* * * * 1/MON", "day of week: the step of \"1/MON\" should be within 1-7" },
		{ "~ * * * *", "minute: values of \"~\" should be within 0-59" },
		{ "1~ * * * *", "minute: values of \"1~\" should be within 0-59" },
		{ "~5 * * * *", "minute: values of \"~5\" should be within 0-59" },
		{ "1~2~3 * * * *", "minute: values of \"1~2~3\" should be within 0-59" },
		{ "*~5 * * * *", "minute: values of \"*~5\" should be within 0-59" },
		{ "0~60 * * * *", "minute: values of \"0~60\" should be within 0-59" },
		{ "9~5 * * * *", "minute: \"9~5\" ends before it begins" },
		{ "1~9-5 * * * *", "minute: \"1~9-5\" ends before it begins" },
		{ "*/0~3 * * * *", "minute: the step of \"*/0~3\" should be within 1-60" },
		{ "0~1,0~1,0~1,0~1,0~1,0~1,0~1,0~1,0~9 * * * *",
		    "minute: \"0~9\" is one item with ~ too many" },
		{ "* * L * *", "day of month: values of \"L\" should be within 1-31" },
		{ "* * * * 5#2", "day of week: values of \"5#2\" should be within 0-7, SUN-SAT" },
		{ "每天 * * * *", "minute: values of \"每天\" should be within 0-59" },
		{ "\x1b[2J\xff * * * *", "minute: values of \"?[2J?\" should be within 0-59" },
		{ "12345678901234567890123456 * * * *",
		    "minute: values of \"123456789012345678901234…\" should be within 0-59" },
		{ "零一二三四五六七八九 * * * *",
		    "minute: values of \"零一二三四五六七…\" should be within 0-59" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault f = { .lang = LANG_EN };
		struct cron c;

		if (cron_parse(cases[i].expr, &c, &f) != CS_EINVALID)
			fail_msg("%s is accepted", cases[i].expr);
		assert_string_equal(f.reason, cases[i].reason);
		assert_string_equal(f.field, "cron_exp");
	}
}

static void
test_refused_in_chinese(void **state)
{
	struct fault f = { .lang = LANG_ZH };
	struct cron c;

	(void)state;
	assert_int_equal(cron_parse("0 24 * * *", &c, &f), CS_EINVALID);
	assert_string_equal(f.reason, "小时字段：“24” 的取值应在 0-23 之内");
	assert_int_equal(cron_parse("0 24 *", &c, &f), CS_EINVALID);
	assert_string_equal(f.reason, "应为 5 或 6 个字段，现有 3 个");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_years),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_in_chinese),
	};

	return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
