/* SPDX-License-Identifier: MIT */
/* Choosing a node: one readable example per rule. test_select_property.c looks for the rest. */
#include "core/select.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NODE(i, used, cap)                                                                         \
	{                                                                                          \
		.id = (i), .open = (used), .capacity = (cap), .available = true                    \
	}

static const char *const feed_a[] = { "a" };
static const char *const feed_b[] = { "b" };
static const char *const feed_ab[] = { "a", "b" };

static int64_t
pick(struct selector *s)
{
	return select_node(s, feed_a, 1, NULL, 0);
}

static void
test_least_loaded(void **state)
{
	/* (open + 1) / capacity: 3/10, 2/8, 4/17 */
	const struct select_node nodes[] = { NODE(1, 2, 10), NODE(2, 1, 8), NODE(3, 3, 17) };
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), NULL, 0);

	(void)state;
	assert_non_null(s);
	assert_int_equal(select_free_capacity(s), 8 + 7 + 14);
	assert_int_equal(pick(s), 3); /* 4/17 */
	assert_int_equal(pick(s), 2); /* 2/8 before 5/17 */
	assert_int_equal(pick(s), 3); /* 5/17 before 3/10 */
	assert_int_equal(pick(s), 1); /* 3/10 before 6/17 */
	assert_int_equal(select_free_capacity(s), 8 + 7 + 14 - 4);
	select_free(s);
}

static void
test_ties(void **state)
{
	struct select_node nodes[] = {
		NODE(9, 0, 10), /* 1/10, free 10, idle since 5 */
		NODE(4, 1, 20), /* 2/20, free 19 */
		NODE(5, 0, 10), /* idle longer than 9 */
		NODE(3, 0, 10), /* idle as long as 5, smaller id */
	};
	struct selector *s;

	(void)state;
	nodes[0].idle_since = 5;
	nodes[2].idle_since = nodes[3].idle_since = 2;
	s = select_new(nodes, ARRAY_LEN(nodes), NULL, 0);
	assert_non_null(s);
	assert_int_equal(pick(s), 4); /* larger free capacity */
	assert_int_equal(pick(s), 3); /* smaller id */
	assert_int_equal(pick(s), 5); /* idle longer */
	assert_int_equal(pick(s), 9);
	select_free(s);
}

static void
test_capacity_and_availability(void **state)
{
	struct select_node nodes[] = { NODE(1, 1, 2), NODE(2, 2, 2), NODE(3, 9, 2),
		NODE(4, 0, 99) };
	struct selector *s;

	(void)state;
	nodes[3].available = false;
	s = select_new(nodes, ARRAY_LEN(nodes), NULL, 0);
	assert_non_null(s);
	assert_int_equal(select_free_capacity(s), 1);
	assert_int_equal(pick(s), 1);
	assert_int_equal(select_free_capacity(s), 0);
	assert_int_equal(pick(s), 0);
	assert_int_equal(pick(s), 0);
	select_free(s);
}

static void
test_nobody(void **state)
{
	struct selector *s = select_new(NULL, 0, NULL, 0);

	(void)state;
	assert_non_null(s);
	assert_int_equal(select_free_capacity(s), 0);
	assert_int_equal(pick(s), 0);
	assert_int_equal(select_node(s, NULL, 0, NULL, 0), 0);
	select_free(s);
	select_free(NULL);
}

static void
test_quota_comes_first(void **state)
{
	const struct select_node nodes[] = { NODE(1, 0, 10), NODE(2, 8, 10), NODE(3, 7, 10) };
	const struct select_quota quotas[] = {
		{ .node = 2, .feed = "a", .quota = 3, .open = 1 }, /* 2 left */
		{ .node = 3, .feed = "a", .quota = 1, .open = 0 }, /* 1 left */
		{ .node = 1, .feed = "b", .quota = 9, .open = 0 }, /* another feed */
		{ .node = 7, .feed = "a", .quota = 9, .open = 0 }, /* no such node */
	};
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), quotas, ARRAY_LEN(quotas));

	(void)state;
	assert_non_null(s);
	assert_int_equal(pick(s), 2); /* most left */
	assert_int_equal(pick(s), 3); /* 1 left each: the less loaded */
	assert_int_equal(pick(s), 2); /* the last of the quota, and of its capacity */
	assert_int_equal(pick(s), 1); /* no quota left: the least loaded */
	select_free(s);
}

static void
test_quota_is_no_capacity(void **state)
{
	const struct select_node nodes[] = { NODE(1, 0, 1), NODE(2, 4, 10) };
	const struct select_quota quotas[] = {
		{ .node = 1, .feed = "a", .quota = 100, .open = 0 },
		{ .node = 2, .feed = "a", .quota = 0, .open = 0 },
	};
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), quotas, ARRAY_LEN(quotas));

	(void)state;
	assert_non_null(s);
	assert_int_equal(pick(s), 1);
	assert_int_equal(pick(s), 2);
	select_free(s);
}

static void
test_several_feeds_add_up(void **state)
{
	const struct select_node nodes[] = { NODE(1, 0, 10), NODE(2, 0, 10) };
	const struct select_quota quotas[] = {
		{ .node = 1, .feed = "a", .quota = 3, .open = 0 },
		{ .node = 2, .feed = "a", .quota = 2, .open = 0 },
		{ .node = 2, .feed = "b", .quota = 2, .open = 0 },
		{ .node = 1, .feed = "b", .quota = 1, .open = 5 }, /* used up, not negative */
	};
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), quotas, ARRAY_LEN(quotas));

	(void)state;
	assert_non_null(s);
	assert_int_equal(select_node(s, feed_ab, 2, NULL, 0), 2); /* 4 left against 3 */
	assert_int_equal(select_node(s, feed_ab, 2, NULL, 0), 1); /* 2 left against 3 */
	select_free(s);
}

static void
test_failed_come_last(void **state)
{
	const struct select_node nodes[] = { NODE(1, 0, 10), NODE(2, 1, 10), NODE(3, 8, 10) };
	const struct select_quota quotas[] = { { .node = 2, .feed = "a", .quota = 5, .open = 0 } };
	static const int64_t two[] = { 2, 1, 2, 77 }, all[] = { 3, 1, 2 };
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), quotas, ARRAY_LEN(quotas));

	(void)state;
	assert_non_null(s);
	assert_int_equal(select_node(s, feed_a, 1, two, 4), 3); /* neither quota nor load helps */
	assert_int_equal(select_node(s, feed_a, 1, two, 4), 3);
	assert_int_equal(select_node(s, feed_a, 1, two, 4), 2); /* 3 is full: by quota among them */
	assert_int_equal(select_node(s, NULL, 0, all, 3), 1);	/* by load among them */
	assert_int_equal(pick(s), 2); /* a failure counts for the work that failed only */
	select_free(s);
}

/* Who handed it back gets it not even where nobody else is left. */
static void
test_barred(void **state)
{
	const struct select_node nodes[] = { NODE(1, 0, 10), NODE(2, 1, 10), NODE(3, 9, 10) };
	const struct select_quota quotas[] = { { .node = 1, .feed = "a", .quota = 5, .open = 0 } };
	static const int64_t one[] = { 1 }, two[] = { 1, 2 }, all[] = { 1, 2, 3, 77 };
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), quotas, ARRAY_LEN(quotas));

	(void)state;
	assert_non_null(s);
	select_bar(s, one, 1);
	assert_int_equal(select_node(s, feed_a, 1, one, 1), 2); /* neither quota nor load helps */
	select_bar(s, two, 2);
	assert_int_equal(select_node(s, feed_a, 1, all, 3), 3); /* a failure is better */
	select_bar(s, two, 2);
	assert_int_equal(select_node(s, feed_a, 1, two, 2), 0); /* 3 is full */
	select_bar(s, one, 1);
	assert_int_equal(select_node(s, NULL, 0, two, 2), 2); /* of those that failed the other */
	select_bar(s, all, 4);
	assert_int_equal(select_node(s, NULL, 0, NULL, 0), 0);
	assert_int_equal(pick(s), 1); /* for one choice only */
	select_free(s);
}

/* The same load to a double, where the tie would go to node 1. */
static void
test_exact(void **state)
{
	const int64_t big = INT64_C(1) << 53;
	const struct select_node nodes[] = {
		NODE(1, big + 1, 2 * big + 4), /* (2^53 + 2) / (2^54 + 4) = 1/2 */
		NODE(2, big - 1, 2 * big + 1), /* 2^53 / (2^54 + 1) < 1/2, less free capacity */
	};
	struct selector *s = select_new(nodes, ARRAY_LEN(nodes), NULL, 0);

	(void)state;
	assert_non_null(s);
	assert_int_equal(pick(s), 2);
	select_free(s);
}

/* What is assigned already: quotas keep it, want it elsewhere, or do not care. */
static void
test_by_quota(void **state)
{
	const struct select_node nodes[] = { NODE(1, 4, 10), NODE(2, 0, 2), NODE(3, 0, 10) };
	const struct select_quota quotas[] = { { 1, "a", 2, 3 }, { 2, "b", 5, 0 },
		{ 3, "b", 1, 0 } };
	const int64_t two[] = { 2, 3 };
	struct selector *s = select_new(nodes, 3, quotas, 3);

	(void)state;
	assert_non_null(s);
	assert_int_equal(select_by_quota(s, 1, feed_a, 1, NULL, 0), 0); /* one too many of three */
	assert_int_equal(select_by_quota(s, 1, feed_a, 1, NULL, 0), 1);
	assert_int_equal(select_by_quota(s, 1, feed_a, 1, NULL, 0), 1);
	assert_int_equal(select_by_quota(s, 1, feed_b, 1, two, 2), 0); /* failed at both */
	assert_int_equal(select_by_quota(s, 1, feed_b, 1, two, 1), 3);
	assert_int_equal(select_by_quota(s, 1, feed_b, 1, NULL, 0), 2);
	assert_int_equal(select_by_quota(s, 3, feed_b, 1, NULL, 0), 3); /* as quota 1 allows */
	assert_int_equal(select_by_quota(s, 1, feed_b, 1, NULL, 0), 2);
	assert_int_equal(
	    select_by_quota(s, 1, feed_b, 1, NULL, 0), 0); /* 2 is full, 3 has its one */
	assert_int_equal(select_by_quota(s, 9, feed_a, 1, NULL, 0), 0); /* of an unknown node */
	select_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_loaded),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_capacity_and_availability),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_quota_comes_first),
		cmocka_unit_test(test_quota_is_no_capacity),
		cmocka_unit_test(test_several_feeds_add_up),
		cmocka_unit_test(test_failed_come_last),
		cmocka_unit_test(test_barred),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_by_quota),
	};

	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
