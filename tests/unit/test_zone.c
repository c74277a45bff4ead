/* SPDX-License-Identifier: MIT */
/*
 * Time zones: every zone of the system against the C library, which reads the same files by other
 * code; the rules of footers; local times that are missing or come twice; files cut short or
 * damaged.
 */
#include "core/zone.h"

#include "base/parse.h"
#include "core/zone_rule.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ZONE_DIR   "/usr/share/zoneinfo"
#define FIRST_TIME INT64_C(-2208988800) /* 1900 */
#define LAST_TIME  INT64_C(7289654400)	/* 2201 */
#define STEP_S	   (INT64_C(86400) * 11 + 3607)

static struct zone *
open_zone(const char *name)
{
	struct fault f = { 0 };
	struct zone *z;

	if (zone_open(name, &z, &f) != CS_OK)
		fail_msg("%s cannot be opened", name);
	return z;
}

static int64_t
utc_of(const char *text)
{
	int64_t t;

	assert_true(parse_time_utc(text, &t));
	return t;
}

/* Against the C library. */

static size_t zones_seen, changes_seen;

static int32_t
libc_offset(int64_t at)
{
	time_t t = at;
	struct tm tm;

	assert_non_null(localtime_r(&t, &tm));
	return (int32_t)tm.tm_gmtoff;
}

static void
check_time(const struct zone *z, const char *name, int64_t at)
{
	struct zone_span span = zone_span_at(z, at);

	assert_true(span.start <= at && at < span.end);
	if (span.offset_s != libc_offset(at))
		fail_msg("%s at %lld: %d instead of %d", name, (long long)at, span.offset_s,
		    libc_offset(at));
}

/* Every change, and times between them. */
static void
check_zone(const char *name)
{
	struct zone *z = open_zone(name);

	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
	for (int64_t at = FIRST_TIME; at < LAST_TIME; at += STEP_S)
		check_time(z, name, at);
	for (int64_t at = zone_span_at(z, FIRST_TIME).end; at < LAST_TIME;
	     at = zone_span_at(z, at).end) {
		check_time(z, name, at - 1);
		check_time(z, name, at);
		assert_int_equal(zone_span_at(z, at).start, at);
		changes_seen++;
	}
	zones_seen++;
	zone_free(z);
}

/* Names of zones are capitalised; "posix" and "right" are the same zones again. */
static int
visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + sizeof(ZONE_DIR);
	struct stat target;

	(void)st;
	(void)ftw;
	if (type == FTW_DP || name[0] < 'A' || name[0] > 'Z' || strchr(name, '.') != NULL)
		return 0;
	if (stat(path, &target) == 0 && S_ISREG(target.st_mode))
		check_zone(name);
	return 0;
}

static void
test_against_libc(void **state)
{
	(void)state;
	assert_int_equal(nftw(ZONE_DIR, visit, 16, FTW_PHYS | FTW_DEPTH), 0);
	print_message("# %zu zones, %zu changes\n", zones_seen, changes_seen);
	assert_true(zones_seen > 300);
	unsetenv("TZ");
}

static void
test_names(void **state)
{
	static const char *const bad[] = {
		"Nowhere/City",
		"/etc/localtime",
		"/usr/share/zoneinfo/UTC",
		"../zoneinfo/UTC",
		"Europe/../UTC",
		"./UTC",
		"Europe",
		"Europe/",
		"zone.tab",
		"tzdata.zi",
		"UTC ",
		" UTC",
		"CET-1CEST",
		"柏林",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	struct zone *z;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fault f = { .lang = LANG_EN };

		assert_int_equal(zone_open(bad[i], &z, &f), CS_EINVALID);
		assert_null(z);
		assert_string_equal(f.field, "timezone");
		assert_true(f.reason[0] != '\0');
	}
	zone_free(open_zone(""));
	zone_free(open_zone("Etc/GMT+12"));
	zone_free(open_zone("America/Argentina/ComodRivadavia"));
	zone_free(NULL);
}

static void
test_utc(void **state)
{
	struct zone *z = open_zone("UTC");
	const struct zone *const zones[] = { NULL, z };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct zone_span span = zone_span_at(zones[i], 1);

		assert_true(span.start == INT64_MIN && span.end == INT64_MAX);
		assert_int_equal(span.offset_s, 0);
		assert_int_equal(zone_local(zones[i], -5), -5);
		assert_int_equal(zone_utc(zones[i], -5), -5);
	}
	zone_free(z);
}

static void
test_local_times(void **state)
{
	static const struct {
		const char *zone, *local, *utc;
	} cases[] = {
		{ "Asia/Shanghai", "2026-01-01T00:00:00", "2025-12-31T16:00:00" },
		{ "Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59" },
		{ "Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00" },
		{ "Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:00:00" },
		{ "Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00" },
		{ "Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00" },
		{ "Europe/Berlin", "2026-03-29T03:00:01", "2026-03-29T01:00:01" },
		{ "Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00" },
		{ "Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59" },
		{ "Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00" },
		{ "America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00" },
		{ "Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:30:00" },
		{ "Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00" },
		{ "Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30T09:59:59" },
		{ "Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00" },
		{ "Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00" },
		{ "Europe/Berlin", "2199-03-31T02:30:00", "2199-03-31T01:00:00" },
		{ "Europe/Berlin", "2199-07-01T00:00:00", "2199-06-30T22:00:00" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct zone *z = open_zone(cases[i].zone);
		char text[32];

		render_time_utc(text, sizeof(text), zone_utc(z, utc_of(cases[i].local)));
		assert_string_equal(text, cases[i].utc);
		zone_free(z);
	}
}

/* Whatever shows on the clock has a first time at which it does. */
static void
test_round_trip(void **state)
{
	struct zone *z = open_zone("Africa/Casablanca");

	(void)state;
	for (int64_t at = FIRST_TIME; at < LAST_TIME; at += STEP_S / 7) {
		int64_t back = zone_utc(z, zone_local(z, at));

		assert_true(back <= at && zone_local(z, back) == zone_local(z, at));
	}
	zone_free(z);
}

/* Rules. */

static void
test_rules(void **state)
{
	static const struct {
		const char *rule, *at;
		int offset_s;
	} cases[] = {
		{ "CET-1", "2026-07-01T00:00:00", 3600 },
		{ "<-03>3", "2026-07-01T00:00:00", -10800 },
		{ "<+0545>-5:45", "2026-07-01T00:00:00", 20700 },
		{ "LMT+0:01:15", "2026-07-01T00:00:00", -75 },
		{ "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59", -18000 },
		{ "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00", -14400 },
		{ "EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59", -14400 },
		{ "EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00", -18000 },
		{ "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00", 39600 },
		{ "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00", 36000 },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-04T14:59:59", 39600 },
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-04T15:00:00", 37800 },
		/* hours beyond a day and before it, as zones have had them */
		{ "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59", 7200 },
		{ "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00", 10800 },
		{ "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59", -10800 },
		{ "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00", -7200 },
		/* day 60 with and without 29 February before it: 1 March both; the other count */
		{ "AAA0BBB,J60/0,J300/0", "2024-02-29T23:59:59", 0 },
		{ "AAA0BBB,J60/0,J300/0", "2024-03-01T00:00:00", 3600 },
		{ "AAA0BBB,J60/0,J300/0", "2026-03-01T00:00:00", 3600 },
		{ "AAA0BBB,59/0,300/0", "2024-02-29T00:00:00", 3600 },
		{ "AAA0BBB,59/0,300/0", "2026-02-28T23:59:59", 0 },
		/* daylight saving time all year */
		{ "XXX3EDT4,0/0,J365/23", "2026-01-01T02:59:59", -14400 },
		{ "XXX3EDT4,0/0,J365/23", "2026-01-01T03:00:00", -14400 },
		{ "XXX3EDT4,0/0,J365/23", "2026-07-01T00:00:00", -14400 },
		{ "XXX3EDT4,0/0,J365/23", "2026-12-31T23:59:59", -14400 },
		/* standard time in summer */
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00", 0 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00", 3600 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t at = utc_of(cases[i].at);
		struct zone_rule rule;
		struct zone_span span;

		assert_true(zone_rule_parse(cases[i].rule, &rule));
		span = zone_rule_span(&rule, at);
		if (span.offset_s != cases[i].offset_s || span.start > at || span.end <= at)
			fail_msg("%s at %s: %d", cases[i].rule, cases[i].at, span.offset_s);
	}
}

static void
test_bad_rules(void **state)
{
	static const char *const bad[] = { "", "C", "CE-1", "CET", "CET-", "CET-25", "CET-1x",
		"CET-1:60", "CET-1:00:60", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
		"CET-1CEST,M3.5.0,M10.5.0x", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5,M10.5.0", "CET-1CEST,J0,J366", "CET-1CEST,J1,J366",
		"CET-1CEST,0,366", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0/,M10.5.0",
		"<CET-1", "<CE>-1", "<C T>-1", "CET-1CE,M3.5.0,M10.5.0",
		"CET-1CEST-1-1,M3.5.0,M10.5.0", "CET-00000001", "CET--1", "CET- 1" };
	struct zone_rule rule;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (zone_rule_parse(bad[i], &rule))
			fail_msg("%s is accepted", bad[i]);
}

/* Files. */

static size_t
read_zone_file(const char *name, unsigned char *data)
{
	char path[128];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), ZONE_DIR "/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	n = fread(data, 1, ZONE_FILE_MAX, file);
	fclose(file);
	return n;
}

/* In a block of its own, so that a sanitizer sees every byte too many. */
static bool
parses(const unsigned char *data, size_t n)
{
	unsigned char *copy = malloc(n > 0 ? n : 1);
	struct zone *z = NULL;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, data, n);
	ok = zone_parse(copy, n, &z) == CS_OK;
	assert_true(ok == (z != NULL));
	for (int64_t at = FIRST_TIME; ok && at < LAST_TIME; at += 50 * STEP_S) {
		struct zone_span span = zone_span_at(z, at);

		assert_true(span.start <= at && at < span.end);
	}
	zone_free(z);
	free(copy);
	return ok;
}

static void
test_cut_short(void **state)
{
	static unsigned char data[ZONE_FILE_MAX];
	size_t n = read_zone_file("Europe/Berlin", data);

	(void)state;
	assert_true(parses(data, n));
	for (size_t i = 0; i < n; i++)
		assert_false(parses(data, i));
	data[n] = '\n';
	assert_false(parses(data, n + 1));
}

/* No damage leads astray; most is noticed. */
static void
test_damaged(void **state)
{
	static const unsigned char changes[] = { 0x01, 0x80, 0xff };
	static unsigned char data[ZONE_FILE_MAX];
	size_t n = read_zone_file("Australia/Lord_Howe", data);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(changes); k++) {
			data[i] ^= changes[k];
			parses(data, n);
			data[i] ^= changes[k];
		}
	}
	for (size_t i = 0; i < 4; i++) {
		data[i] ^= 1;
		assert_false(parses(data, n));
		data[i] ^= 1;
	}
	data[4] = '\0';
	assert_false(parses(data, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_local_times),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_against_libc),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
