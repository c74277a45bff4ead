/* SPDX-License-Identifier: MIT */
/*
 * Random cron expressions: what holds for all of them, and around changes of the clocks a model
 * that looks at every minute. CS_SEED repeats a run, CS_CASES sets its length.
 */
#include "core/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "random.h"

#define CASES	   4000
#define STEPS	   12
#define FIRST_TIME INT64_C(0)
#define LAST_TIME  INT64_C(7258118400) /* 2200 */
#define AROUND_S   (8 * 3600)

static const char *const zone_names[] = { "Europe/Berlin", "America/New_York", "Australia/Sydney",
	"Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca",
	"Asia/Shanghai", "Pacific/Chatham", "Europe/Dublin", "UTC" };
static struct zone *zones[ARRAY_LEN(zone_names)];

static uint64_t seed, cases;

/* An item of a field that goes from MIN to MAX, with a ~ as long as DRAWS are left. */
static void
random_item(char *out, size_t size, int min, int max, int *draws)
{
	int a = (int)between(min, max), b = (int)between(a, max), c = (int)between(b, max);
	int step = (int)between(1, max - min);

	switch (between(0, *draws > 0 ? 7 : 5)) {
	case 0:
		snprintf(out, size, "*/%d", step);
		break;
	case 1:
		snprintf(out, size, "%d-%d", a, b);
		break;
	case 2:
		snprintf(out, size, "%d-%d/%d", a, b, step);
		break;
	case 3:
		snprintf(out, size, "%d/%d", a, step);
		break;
	case 6:
		snprintf(out, size, "%d~%d", a, b);
		--*draws;
		break;
	case 7:
		snprintf(out, size, "%d~%d-%d/1~%d", a, b, c, step);
		--*draws;
		break;
	default:
		snprintf(out, size, "%d", a);
	}
}

static void
add_field(char *expr, int min, int max, int64_t all_in, int *draws)
{
	char item[40];

	strcat(expr, *expr != '\0' ? " " : "");
	if (one_in(all_in)) {
		strcat(expr, "*");
		return;
	}
	for (int more = one_in(4) ? 2 : 0; more >= 0; more--) {
		random_item(item, sizeof(item), min, max, draws);
		strcat(expr, item);
		strcat(expr, more > 0 ? "," : "");
	}
}

static struct cron
random_cron(char expr[512], bool seconds, int draws)
{
	struct fault f = { .lang = LANG_EN };
	struct cron c;

	*expr = '\0';
	if (seconds)
		add_field(expr, 0, 59, 4, &draws);
	add_field(expr, 0, 59, 4, &draws);
	add_field(expr, 0, 23, 3, &draws);
	add_field(expr, 1, 31, 2, &draws);
	add_field(expr, 1, 12, 2, &draws);
	add_field(expr, 0, 7, 2, &draws);
	if (cron_parse(expr, &c, &f) != CS_OK)
		fail_msg("%s: %s", expr, f.reason);
	return c;
}

static void
check_laws(uint64_t number)
{
	size_t zone = rng() % ARRAY_LEN(zones);
	const struct zone *z = zones[zone];
	int64_t at = between(FIRST_TIME, LAST_TIME), next, again;
	char expr[512];
	struct cron c = random_cron(expr, one_in(2), CRON_DRAWN_MAX);

	for (int i = 0; i < STEPS && cron_next(&c, z, at, "salt", &next); i++) {
		int64_t from = between(at, next - 1);
		bool ok = next > at && cron_next(&c, z, next - 1, "salt", &again) &&
			  again == next && cron_next(&c, z, from, "salt", &again) && again == next;

		if (!ok)
			fail_msg("CS_SEED=%llu, case %llu: %s in %s after %lld: %lld, then %lld",
			    (unsigned long long)seed, (unsigned long long)number, expr,
			    zone_names[zone], (long long)at, (long long)next, (long long)again);
		at = next;
	}
}

static void
test_laws(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < cases; i++)
		check_laws(i);
}

/* Does the clock on the wall show what C names? Without draws. */
static bool
shows(const struct cron *c, int64_t local)
{
	time_t t = local;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	return (c->fixed[CRON_SECOND] >> tm.tm_sec & 1) != 0 &&
	       (c->fixed[CRON_MINUTE] >> tm.tm_min & 1) != 0 &&
	       (c->fixed[CRON_HOUR] >> tm.tm_hour & 1) != 0 &&
	       (c->fixed[CRON_DAY] >> tm.tm_mday & 1) != 0 &&
	       (c->fixed[CRON_MONTH] >> (tm.tm_mon + 1) & 1) != 0 &&
	       (c->fixed[CRON_WEEKDAY] >> tm.tm_wday & 1) != 0;
}

static bool
model(const struct cron *c, const struct zone *z, int64_t at)
{
	int64_t local = zone_local(z, at);

	if (c->real_time)
		return shows(c, local);
	for (int64_t missing = zone_local(z, at - 1) + 1; missing < local; missing++)
		if (shows(c, missing))
			return true;
	return shows(c, local) && zone_utc(z, local) == at;
}

/* Every minute around a change, which are all at full minutes by now. */
static void
check_change(uint64_t number)
{
	size_t zone = rng() % ARRAY_LEN(zones);
	const struct zone *z = zones[zone];
	int64_t change = zone_span_at(z, between(FIRST_TIME, LAST_TIME)).end, next;
	char expr[512];
	struct cron c = random_cron(expr, false, 0);

	if (change == INT64_MAX || change > LAST_TIME)
		change = LAST_TIME;
	next = change - AROUND_S;
	for (int64_t at = next + 60; at < change + AROUND_S; at += 60) {
		bool due = cron_next(&c, z, at - 60, NULL, &next) && next == at;

		if (due != model(&c, z, at))
			fail_msg("CS_SEED=%llu, change %llu: %s in %s at %lld: %s",
			    (unsigned long long)seed, (unsigned long long)number, expr,
			    zone_names[zone], (long long)at, due ? "runs" : "does not run");
	}
}

static void
test_changes(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < cases / 8; i++)
		check_change(i);
}

static int
setup(void **state)
{
	const char *given = getenv("CS_SEED"), *length = getenv("CS_CASES");
	struct fault f = { 0 };

	(void)state;
	seed = rng_state = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	cases = length != NULL ? strtoull(length, NULL, 0) : CASES;
	print_message(
	    "# CS_SEED=%llu, %llu cases\n", (unsigned long long)seed, (unsigned long long)cases);
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (zone_open(zone_names[i], &zones[i], &f) != CS_OK)
			return 1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		zone_free(zones[i]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_laws),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests_name("properties of cron", tests, setup, teardown);
}
