/* SPDX-License-Identifier: MIT */
/* The explanation: the reasons of each node, the verdict, and their texts. */
#include "core/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define B(why) (1u << WHY_##why)

/* What a node is not, and what the work is not. */
enum { INACTIVE = 1, OFFLINE = 2, DRAINS = 4, LAPSED = 8, FAILED = 16, HOLDS = 32, BACK = 64 };
enum { LATER = 1, STALE = 2, GONE = 4 };

/* A node of two places. */
static struct explain_node
node(int64_t id, unsigned flags, int64_t open, int64_t left)
{
	return (struct explain_node){
		.id = id,
		.active = !(flags & INACTIVE),
		.online = !(flags & OFFLINE),
		.draining = flags & DRAINS,
		.may_reserve = !(flags & LAPSED),
		.failed = flags & FAILED,
		.hold_until = flags & HOLDS ? "2026-01-02T03:04:05" : NULL,
		.back_until = flags & BACK ? "2026-01-02T03:04:06" : NULL,
		.open = open,
		.capacity = 2,
		.left = left,
	};
}

static struct explain_work
work(enum alloc_state state, int64_t holder, unsigned flags)
{
	return (struct explain_work){
		.state = state,
		.node = holder,
		.ready = !(flags & LATER),
		.fresh = !(flags & STALE),
		.task_gone = flags & GONE,
	};
}

static unsigned
why_alone(struct explain_work w, unsigned flags, int64_t open)
{
	struct explain_node n = node(1, flags, open, 0);

	explain_nodes(&w, &n, 1);
	assert_int_equal(n.may_take, (n.why & ~B(LAPSED)) == 0);
	return n.why;
}

static void
test_one_node(void **state)
{
	static const struct {
		enum alloc_state state;
		int64_t holder;
		unsigned work, node;
		int64_t open;
		unsigned why;
	} cases[] = {
		{ ALLOC_PENDING, 0, 0, 0, 0, 0 }, { ALLOC_PENDING, 0, 0, INACTIVE, 0, B(INACTIVE) },
		{ ALLOC_PENDING, 0, 0, OFFLINE | DRAINS, 1, B(OFFLINE) | B(DRAINING) },
		{ ALLOC_PENDING, 0, 0, 0, 2, B(FULL) }, { ALLOC_PENDING, 0, 0, 0, 3, B(FULL) },
		{ ALLOC_PENDING, 0, 0, LAPSED, 0, B(LAPSED) },
		{ ALLOC_PENDING, 0, 0, FAILED, 0, 0 }, /* nobody is there to be preferred */
		{ ALLOC_PENDING, 0, 0, HOLDS, 0, B(ON_HOLD) },
		{ ALLOC_PENDING, 1, 0, HOLDS, 0, B(ON_HOLD) },
		{ ALLOC_PENDING, 0, STALE, BACK | FAILED, 0, B(HANDED_BACK) },
		{ ALLOC_PENDING, 0, LATER, 0, 0, B(NOT_READY) },
		/* its own reservation counts already, and needs no other */
		{ ALLOC_PENDING, 1, 0, LAPSED, 2, 0 },
		{ ALLOC_PENDING, 1, 0, DRAINS, 0, B(DRAINING) },
		{ ALLOC_PENDING, 7, 0, 0, 0, B(RESERVED) }, { ALLOC_PENDING, 7, STALE, 0, 0, 0 },
		{ ALLOC_CLAIMED, 1, 0, 0, 2, B(HELD) }, { ALLOC_EXECUTING, 9, 0, 0, 0, B(HELD) },
		{ ALLOC_COMPLETED, 0, 0, 0, 0, B(ENDED) }, { ALLOC_FAILED, 0, 0, 0, 0, B(ENDED) },
		{ ALLOC_TIMEOUT, 0, 0, 0, 0, B(ENDED) },
		{ ALLOC_CANCELLED, 0, 0, OFFLINE, 0, B(ENDED) },
		{ ALLOC__MAX, 0, 0, 0, 0, B(ENDED) }, /* a status of others */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct explain_work w = work(cases[i].state, cases[i].holder, cases[i].work);

		assert_int_equal(why_alone(w, cases[i].node, cases[i].open), cases[i].why);
	}
}

static void
test_preferences(void **state)
{
	struct explain_node n[] = { node(1, 0, 0, 2), node(2, 0, 0, 5), node(3, 0, 0, 5),
		node(4, OFFLINE, 0, 9), node(5, FAILED, 0, 0) };
	struct explain_node back[] = { node(1, 0, 0, 2), node(2, BACK, 0, 5) };
	struct explain_work w = work(ALLOC_PENDING, 0, 0);

	(void)state;
	explain_nodes(&w, n, ARRAY_LEN(n));
	assert_int_equal(n[0].why, B(QUOTA));
	assert_int_equal(n[1].why, 0); /* equal quotas prefer neither */
	assert_int_equal(n[2].why, 0);
	assert_int_equal(n[3].why, B(OFFLINE));
	assert_int_equal(n[4].why, B(QUOTA) | B(FAILED));
	/* no quota keeps it for who handed it back */
	explain_nodes(&w, back, ARRAY_LEN(back));
	assert_int_equal(back[0].why, 0);
	assert_int_equal(back[1].why, B(HANDED_BACK));
	w = work(ALLOC_PENDING, 0, STALE);
	explain_nodes(&w, n, ARRAY_LEN(n));
	for (size_t i = 0; i < ARRAY_LEN(n); i++)
		assert_int_equal(n[i].why, i == 3 ? B(OFFLINE) : 0);
	/* preferences are for work that is nobody's */
	w = work(ALLOC_PENDING, 1, 0);
	explain_nodes(&w, n, ARRAY_LEN(n));
	assert_int_equal(n[0].why, 0);
	assert_int_equal(n[1].why, B(RESERVED));
}

static void
check_verdict(struct explain_work w, struct explain_node *n, size_t count,
    enum explain_verdict want, int64_t want_node)
{
	static const struct select_quota quotas[] = { { 3, "a", 2, 0 }, { 2, "b", 1, 0 },
		{ 3, "b", 1, 0 } };
	int64_t chosen = -1;

	explain_nodes(&w, n, count);
	assert_true(explain_choose(n, count, quotas, ARRAY_LEN(quotas), &chosen));
	assert_int_equal(explain_verdict(&w, n, count, chosen), want);
	assert_int_equal(chosen, want_node);
}

static void
test_verdict(void **state)
{
	const struct explain_work waits = work(ALLOC_PENDING, 0, 0);
	struct explain_node n[] = { node(1, 0, 0, 0), node(2, 0, 0, 1), node(3, FAILED, 0, 2) };

	(void)state;
	check_verdict(waits, n, 3, VERDICT_ASSIGN, 2); /* 3 has most quota left, but failed */
	n[2].failed = false;
	check_verdict(waits, n, 3, VERDICT_ASSIGN, 3);
	n[2].open = 2;
	n[1].may_reserve = false;
	check_verdict(waits, n, 3, VERDICT_ASSIGN, 1);
	n[0].draining = true;
	check_verdict(waits, n, 3, VERDICT_CLAIM_ONLY, 0);
	n[1].active = false;
	check_verdict(waits, n, 3, VERDICT_NOBODY, 0);
	check_verdict(waits, n, 0, VERDICT_NOBODY, 0);
	check_verdict(work(ALLOC_PENDING, 0, LATER), n, 3, VERDICT_NOT_READY, 0);
	check_verdict(work(ALLOC_PENDING, 2, 0), n, 3, VERDICT_RESERVED, 0);
	check_verdict(work(ALLOC_PENDING, 2, GONE), n, 3, VERDICT_TASK_GONE, 0);
	check_verdict(work(ALLOC_CLAIMED, 2, GONE), n, 3, VERDICT_HELD, 0);
	check_verdict(work(ALLOC_FAILED, 0, 0), n, 3, VERDICT_ENDED, 0);
}

/* Every reason and verdict has a code of its own and a text, with and without what it speaks of. */
static void
test_texts(void **state)
{
	const struct explain_work timed = {
		.ready_at = "READY", .prefer_until = "PREFER", .lease_until = "LEASE"
	};
	const struct explain_work bare = { .ready_at = NULL };
	const struct explain_node seen = { .open = 3, .capacity = 4, .seen_at = "SEEN" };
	const struct explain_node unseen = { .capacity = 4 };
	char text[512];

	(void)state;
	for (enum explain_why w = 0; w < WHY__MAX; w++) {
		const char *at = explain_why_time(w, &timed, &seen);

		assert_non_null(explain_why_code(w));
		for (enum explain_why v = 0; v < w; v++)
			assert_string_not_equal(explain_why_code(w), explain_why_code(v));
		for (enum lang lang = LANG_ZH; lang <= LANG_EN; lang++) {
			explain_why_text(text, sizeof(text), lang, w, &timed, &seen);
			assert_true(at == NULL || strstr(text, at) != NULL);
			explain_why_text(text, sizeof(text), lang, w, &bare, &unseen);
			assert_true(text[0] != '\0' && strstr(text, "null") == NULL);
		}
	}
	assert_string_equal(explain_why_text(text, sizeof(text), LANG_EN, WHY_FULL, &timed, &seen),
	    "the node is at capacity, 3 of 4");
	for (enum explain_verdict v = 0; v < VERDICT__MAX; v++) {
		assert_non_null(explain_verdict_code(v));
		explain_verdict_text(text, sizeof(text), LANG_EN, v, &timed, "NAME");
		assert_true(text[0] != '\0');
		explain_verdict_text(text, sizeof(text), LANG_ZH, v, &bare, NULL);
		assert_true(text[0] != '\0' && strstr(text, "null") == NULL);
	}
	assert_string_equal(
	    explain_verdict_text(text, sizeof(text), LANG_EN, VERDICT_NOT_READY, &timed, "n"),
	    "as things are it goes to node n, but not before READY");
	assert_string_equal(
	    explain_verdict_text(text, sizeof(text), LANG_EN, VERDICT_NOT_READY, &timed, NULL),
	    "it waits for its back-off, not before READY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_node),
		cmocka_unit_test(test_preferences),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
