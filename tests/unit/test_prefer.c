/* SPDX-License-Identifier: MIT */
/* Preferences: hand-written cases, and random lists against a model that keeps them as arrays. */
#include "core/prefer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CASES 10000
#define MAX   6

static void
test_nodes(void **state)
{
	static const struct {
		const char *list;
		int64_t node;
		bool has;
		size_t n;
	} cases[] = {
		{ "", 1, false, 0 },
		{ "1", 1, true, 1 },
		{ "1", 11, false, 1 },
		{ "11", 1, false, 1 },
		{ "1,7", 7, true, 2 },
		{ "1,7,", 7, true, 2 },
		{ ",7", 7, false, 0 },
		{ "1 ,7", 7, false, 1 },
		{ "1;7", 7, false, 1 },
		{ "-1", 1, false, 0 },
		{ "+1", 1, false, 0 },
		{ " 1", 1, false, 0 },
		{ "99999999999999999999", 9, false, 0 },
	};
	int64_t out[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(prefer_has_node(cases[i].list, cases[i].node), cases[i].has);
		assert_int_equal(
		    prefer_parse_nodes(cases[i].list, out, ARRAY_LEN(out)), cases[i].n);
	}
	assert_int_equal(prefer_parse_nodes("1,2,3,4,5", out, 2), 2);
	assert_int_equal(out[1], 2);
}

static void
test_quotas(void **state)
{
	static const struct {
		const char *list;
		int64_t node;
		bool elsewhere;
	} cases[] = {
		{ "", 1, false },
		{ "1=3", 1, false },
		{ "1=3", 2, true },
		{ "1=0", 2, false },
		{ "1=-2", 2, false },
		{ "1=3,2=3", 1, false },
		{ "1=3,2=4", 1, true },
		{ "1=3,2=4", 2, false },
		{ "2=4,1=-1", 1, true },
		{ "1=3,2", 3, true },
		{ "1", 2, false },
		{ "1=", 2, false },
		{ "3=1,3=5,1=2", 3, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
		    prefer_is_elsewhere(cases[i].list, cases[i].node), cases[i].elsewhere);
}

/* The rule itself: most quota left has the preference; without quota left there is none. */
static bool
model(const int64_t *ids, const int64_t *left, size_t n, int64_t node)
{
	int64_t mine = 0;

	for (size_t i = 0; i < n; i++) {
		if (ids[i] == node)
			mine = left[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (ids[i] != node && left[i] > 0 && left[i] > mine)
			return true;
	}
	return false;
}

static void
test_random(void **state)
{
	const char *given = getenv("CS_SEED");
	unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 20240101;

	(void)state;
	printf("# seed %u, %d cases\n", seed, CASES);
	srandom(seed);
	for (int c = 0; c < CASES; c++) {
		int64_t ids[MAX], left[MAX], node = random() % 8 + 1;
		size_t n = (size_t)random() % MAX;
		char text[256] = "";

		for (size_t i = 0; i < n; i++) {
			ids[i] = (int64_t)i + 1;
			left[i] = random() % 6 - 2;
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%lld=%lld",
			    i > 0 ? "," : "", (long long)ids[i], (long long)left[i]);
		}
		if (prefer_is_elsewhere(text, node) != model(ids, left, n, node))
			fail_msg("case %d: node %lld of \"%s\"", c, (long long)node, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
