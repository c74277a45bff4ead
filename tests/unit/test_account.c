/* SPDX-License-Identifier: MIT */
/* A login's turns: pace, budget and holds, across processes. */
#include "agent/account.h"

#include "base/clock.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TAKERS 8
#define TURNS  20

static char dir[] = "/tmp/test_account.XXXXXX";

static struct account
account_named(const char *name)
{
	return (struct account){
		.dir = dir, .name = name, .credential = "c", .hold_s = 100, .hold_max_s = 350
	};
}

static struct account_turn
take(const struct account *a)
{
	struct account_turn t = { 0 };
	struct fault f = { 0 };

	if (account_take(a, true, &t, &f) != CS_OK)
		fail_msg("%s", f.detail);
	return t;
}

static void
test_pace(void **state)
{
	struct account a = account_named("pace");
	struct account_turn t;

	(void)state;
	a.pause_ms = 100000;
	a.jitter_ms = 50000;
	t = take(&a);
	assert_int_equal(t.state, ACCOUNT_FREE);
	assert_int_equal(t.wait_ms, 0);
	t = take(&a);
	assert_in_range(t.wait_ms, 100000 - 60000, 150000);
	t = take(&a);
	assert_in_range(t.wait_ms, 200000 - 60000, 300000);
}

static void
test_budget(void **state)
{
	struct account a = account_named("budget");
	struct account_turn t;
	struct fault f = { 0 };

	(void)state;
	a.daily = 2;
	assert_int_equal(take(&a).state, ACCOUNT_FREE);
	assert_int_equal(account_take(&a, false, &t, &f), CS_OK); /* does not count */
	assert_int_equal(take(&a).state, ACCOUNT_FREE);
	t = take(&a);
	assert_int_equal(t.state, ACCOUNT_SPENT);
	assert_in_range(t.hold_s, 1, 25 * 3600);
	assert_int_equal(account_look(&a, &t, &f), CS_OK);
	assert_int_equal(t.state, ACCOUNT_SPENT);
	assert_int_equal(account_take(&a, false, &t, &f), CS_OK);
	assert_int_equal(t.state, ACCOUNT_FREE);
	a.daily = 3;
	assert_int_equal(take(&a).state, ACCOUNT_FREE);
}

/* The state file, with TEXT put in for what follows KEY up to the next comma. */
static void
change_state(const char *key, const char *text)
{
	char path[512] = "", old[1024] = "", *at;
	DIR *d = opendir(dir);
	FILE *file;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strstr(e->d_name, ".json") != NULL)
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	}
	closedir(d);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(old, 1, sizeof(old) - 1, file) > 0);
	fclose(file);
	at = strstr(old, key);
	assert_non_null(at);
	at += strlen(key);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%.*s%s%s", (int)(at - old), old, text, at + strcspn(at, ",}"));
	fclose(file);
}

static void
test_limit(void **state)
{
	struct account a = account_named("limit"), other = account_named("other");
	struct account_turn t;
	struct fault f = { 0 };
	int64_t s;

	(void)state;
	take(&a);
	assert_int_equal(account_limit(&a, &s, &f), CS_OK);
	assert_int_equal(s, 100);
	t = take(&a);
	assert_int_equal(t.state, ACCOUNT_LIMITED);
	assert_in_range(t.hold_s, 40, 100);
	/* a request that was under way as well: no second hold */
	assert_int_equal(account_limit(&a, &s, &f), CS_OK);
	assert_in_range(s, 40, 100);
	/* nor does an answer that was under way end it */
	assert_int_equal(account_succeed(&a, &f), CS_OK);
	assert_int_equal(take(&a).state, ACCOUNT_LIMITED);
	/* a new credential does not help */
	a.credential = "d";
	assert_int_equal(take(&a).state, ACCOUNT_LIMITED);
	assert_int_equal(take(&other).state, ACCOUNT_FREE);
}

/* Holds in a row double, up to the most; a success begins anew. */
static void
test_doubling(void **state)
{
	static const int64_t want[] = { 100, 200, 350, 350 };
	struct account a = account_named("doubling");
	struct fault f = { 0 };
	int64_t s;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(account_limit(&a, &s, &f), CS_OK);
		assert_int_equal(s, want[i]);
		change_state("\"held_until\":", "1");
		assert_int_equal(take(&a).state, ACCOUNT_FREE);
	}
	assert_int_equal(account_succeed(&a, &f), CS_OK);
	assert_int_equal(account_limit(&a, &s, &f), CS_OK);
	assert_int_equal(s, 100);
}

static void
test_expiry(void **state)
{
	struct account a = account_named("expiry");
	struct account_turn t;
	struct fault f = { 0 };
	int64_t s;

	(void)state;
	assert_int_equal(account_expire(&a, &s, &f), CS_OK);
	assert_int_equal(s, 100);
	t = take(&a);
	assert_int_equal(t.state, ACCOUNT_EXPIRED);
	a.credential = "new";
	assert_int_equal(take(&a).state, ACCOUNT_FREE);
}

static void
test_broken_file(void **state)
{
	struct account a = account_named("broken");
	struct account_turn t;
	struct fault f = { 0 };
	int64_t s;

	(void)state;
	assert_int_equal(account_limit(&a, &s, &f), CS_OK);
	change_state("\"held\":", "nonsense");
	assert_int_equal(take(&a).state, ACCOUNT_FREE);
	/* whole again */
	assert_int_equal(account_limit(&a, &s, &f), CS_OK);
	assert_int_equal(take(&a).state, ACCOUNT_LIMITED);
	/* the clock was in the future once */
	change_state("\"held_until\":", "1");
	change_state("\"next_ms\":", "99999999999999");
	assert_int_equal(take(&a).wait_ms, 0);
	a.dir = "/nowhere";
	assert_int_equal(account_take(&a, true, &t, &f), CS_EIO);
	assert_non_null(strstr(f.detail, "cannot open /nowhere/account-"));
}

/* Of many processes at once none gets a turn that another has, and none is lost. */
static void
test_together(void **state)
{
	struct account a = account_named("together");
	struct account_turn t;

	(void)state;
	a.pause_ms = 100000;
	for (int i = 0; i < TAKERS; i++) {
		if (fork() != 0)
			continue;
		for (int j = 0; j < TURNS; j++)
			take(&a);
		_exit(0);
	}
	for (int status, i = 0; i < TAKERS; i++) {
		wait(&status);
		assert_int_equal(status, 0);
	}
	t = take(&a);
	assert_in_range(t.wait_ms, (TAKERS * TURNS - 1) * a.pause_ms, TAKERS * TURNS * a.pause_ms);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

/* Each test has the directory for itself. */
static int
empty_dir(void **state)
{
	DIR *d = opendir(dir);
	char path[512];

	(void)state;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_pace, empty_dir),
		cmocka_unit_test_teardown(test_budget, empty_dir),
		cmocka_unit_test_teardown(test_limit, empty_dir),
		cmocka_unit_test_teardown(test_doubling, empty_dir),
		cmocka_unit_test_teardown(test_expiry, empty_dir),
		cmocka_unit_test_teardown(test_broken_file, empty_dir),
		cmocka_unit_test_teardown(test_together, empty_dir),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
