/* SPDX-License-Identifier: MIT */
/*
 * The life of an allocation: every (state, event) pair against a table that was written from the
 * design, not from the code, and the arithmetic of trying again.
 */
#include "core/alloc.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * One word per event, in the order of events[]:
 *   .               refused
 *   =               stays, the lease is renewed
 *   state           moves there, ends no attempt
 *   state/outcome   moves there, the attempt ends with the outcome
 *   F/outcome       tried again, counts as a failure; at the limit failed
 *   L/outcome       tried again, counts as a loss; at the limit failed
 *   F!, L!          the same, at the limit timeout
 */
static const enum alloc_event events[] = {
	EV_CLAIM,
	EV_EXECUTING,
	EV_UPLOAD,
	EV_COMPLETED,
	EV_FAILED,
	EV_RELEASED,
	EV_LAPSE,
	EV_MAX_RUN,
	EV_NODE_LOST,
	EV_NODE_DELETED,
	EV_NODE_INACTIVE,
	EV_CANCEL,
	EV_GONE,
	EV_LATE_EXECUTING,
	EV_LATE_COMPLETED,
	EV_LATE_FAILED,
	EV_REQUEUE,
};

static const struct {
	enum alloc_state state;
	const char *words;
} expected[] = {
	{ ALLOC_PENDING,
	    "claimed . . . . . . . . . . cancelled failed executing completed/completed . ." },
	{ ALLOC_CLAIMED,
	    ". executing executing completed/completed F/failed N/released L!/unacknowledged "
	    "F!/max_run"
	    " L/node_lost L/node_deleted L/node_inactive cancelled/cancelled failed/cancelled . . "
	    ". ." },
	{ ALLOC_EXECUTING,
	    ". = = completed/completed F/failed N/released F!/lapsed F!/max_run"
	    " L/node_lost L/node_deleted L/node_inactive cancelled/cancelled . . . . ." },
	{ ALLOC_COMPLETED, ". . . . . . . . . . . . . . . . ." },
	{ ALLOC_FAILED, ". . . . . . . . . . . . . . completed/completed . pending" },
	{ ALLOC_TIMEOUT, ". . . . . . . . . . . . . . completed/completed . pending" },
	{ ALLOC_CANCELLED, ". . . . . . . . . . . . . . . . pending" },
};

static void
render(char *out, size_t size, const struct alloc_rule *r)
{
	const char *slash = r->outcome != NULL ? "/" : "",
		   *how = r->outcome != NULL ? r->outcome : "";

	if (r->verdict == ALLOC_REFUSE)
		snprintf(out, size, ".%s%s", slash, how);
	else if (r->verdict == ALLOC_RENEW)
		snprintf(out, size, "=%s%s", slash, how);
	else if (r->verdict == ALLOC_MOVE)
		snprintf(out, size, "%s%s%s", alloc_state_name(r->next), slash, how);
	else
		snprintf(out, size, "%s%s%s%s",
		    r->count == COUNT_FAILURE ? "F"
		    : r->count == COUNT_LOST  ? "L"
		    : r->count == COUNT_NONE  ? "N"
					      : "?",
		    r->lapse ? "!" : "", slash, how);
}

static void
test_every_pair(void **state)
{
	int pairs = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		char words[512], *save = NULL, *word;

		snprintf(words, sizeof(words), "%s", expected[i].words);
		word = strtok_r(words, " ", &save);
		for (size_t e = 0; e < ARRAY_LEN(events); e++) {
			char got[64];

			assert_non_null(word);
			render(got, sizeof(got), alloc_rule(expected[i].state, events[e]));
			if (strcmp(got, word) != 0)
				fail_msg("%s, %s: %s instead of %s",
				    alloc_state_name(expected[i].state),
				    alloc_event_name(events[e]), got, word);
			word = strtok_r(NULL, " ", &save);
			pairs++;
		}
		assert_null(word);
	}
	assert_int_equal(pairs, ALLOC__MAX * EV__MAX);
}

/* Whatever happens, what is finished is only reopened by an administrator. */
static void
test_terminal_states_stay(void **state)
{
	(void)state;
	for (int s = ALLOC_COMPLETED; s < ALLOC__MAX; s++) {
		for (int e = 0; e < EV__MAX; e++) {
			const struct alloc_rule *r =
			    alloc_rule((enum alloc_state)s, (enum alloc_event)e);

			assert_true(r->verdict == ALLOC_REFUSE || r->verdict == ALLOC_MOVE);
			if (r->verdict == ALLOC_MOVE && alloc_state_is_open(r->next))
				assert_int_equal(e, EV_REQUEUE);
		}
	}
}

static void
test_unknown_is_refused(void **state)
{
	(void)state;
	assert_int_equal(alloc_rule(ALLOC__MAX, EV_CLAIM)->verdict, ALLOC_REFUSE);
	assert_int_equal(alloc_rule(ALLOC_PENDING, EV__MAX)->verdict, ALLOC_REFUSE);
	assert_int_equal(alloc_rule((enum alloc_state) - 1, EV_CLAIM)->verdict, ALLOC_REFUSE);
}

static void
test_names(void **state)
{
	enum alloc_state s = ALLOC_TIMEOUT;

	(void)state;
	for (int i = 0; i < ALLOC__MAX; i++) {
		assert_true(alloc_state_parse(alloc_state_name((enum alloc_state)i), &s));
		assert_int_equal(s, i);
	}
	for (int i = 0; i < EV__MAX; i++) {
		assert_non_null(alloc_event_name((enum alloc_event)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(alloc_event_name((enum alloc_event)i),
			    alloc_event_name((enum alloc_event)j));
	}
	s = ALLOC_TIMEOUT;
	assert_false(alloc_state_parse("", &s));
	assert_false(alloc_state_parse(NULL, &s));
	assert_false(alloc_state_parse("Pending", &s));
	assert_false(alloc_state_parse("pending ", &s));
	assert_int_equal(s, ALLOC_TIMEOUT);
	assert_null(alloc_state_name(ALLOC__MAX));
	assert_null(alloc_event_name(EV__MAX));
}

static void
test_state_classes(void **state)
{
	(void)state;
	assert_true(alloc_state_is_open(ALLOC_PENDING) && !alloc_state_is_held(ALLOC_PENDING));
	assert_true(alloc_state_is_open(ALLOC_CLAIMED) && alloc_state_is_held(ALLOC_CLAIMED));
	assert_true(alloc_state_is_open(ALLOC_EXECUTING) && alloc_state_is_held(ALLOC_EXECUTING));
	for (int s = ALLOC_COMPLETED; s < ALLOC__MAX; s++)
		assert_false(alloc_state_is_open((enum alloc_state)s) ||
			     alloc_state_is_held((enum alloc_state)s));
}

static const struct alloc_rule failed = { ALLOC_RETRY, .count = COUNT_FAILURE };
static const struct alloc_rule lapsed = { ALLOC_RETRY, .count = COUNT_FAILURE, .lapse = true };
static const struct alloc_rule lost = { ALLOC_RETRY, .count = COUNT_LOST };
static const struct alloc_rule released = { ALLOC_RETRY, .count = COUNT_NONE };
static const struct alloc_rule unheard = { ALLOC_RETRY, .count = COUNT_LOST, .lapse = true };

#define ALMOST_ONE 0x1.fffffffffffffp-1

static void
test_retry(void **state)
{
	static const struct alloc_limits usual = { 3, 5, .backoff_s = 30, .backoff_max_s = 3600 };
	static const struct alloc_limits once = { 1, 1, .backoff_s = 30, .backoff_max_s = 3600 };
	static const struct alloc_limits many = { INT_MAX, INT_MAX, 30, 3600 };
	static const struct alloc_limits none = { 100, 100, .backoff_s = 0, .backoff_max_s = 3600 };
	static const struct alloc_limits more = { 1, 1, 30, 3600, .handouts_left = 1 };
	static const struct alloc_limits low = { 100, 100, .backoff_s = 30, .backoff_max_s = 7 };
	static const struct {
		const struct alloc_rule *rule;
		const struct alloc_limits *lim;
		int failures, losts;
		double random;
		struct alloc_next next;
	} cases[] = {
		/* doubling, without spread at 0.5 */
		{ &failed, &usual, 0, 0, 0.5, { ALLOC_PENDING, 1, 0, 30000 } },
		{ &failed, &usual, 1, 4, 0.5, { ALLOC_PENDING, 2, 4, 60000 } },
		{ &lapsed, &usual, 1, 0, 0.5, { ALLOC_PENDING, 2, 0, 60000 } },
		{ &failed, &many, 6, 0, 0.5, { ALLOC_PENDING, 7, 0, 1920000 } },
		/* the cap, and its spread */
		{ &failed, &many, 7, 0, 0.5, { ALLOC_PENDING, 8, 0, 3600000 } },
		{ &failed, &many, 7, 0, 0.0, { ALLOC_PENDING, 8, 0, 2880000 } },
		{ &failed, &many, 7, 0, ALMOST_ONE, { ALLOC_PENDING, 8, 0, 4320000 } },
		{ &failed, &low, 0, 0, 0.5, { ALLOC_PENDING, 1, 0, 7000 } },
		/* extremes of the spread */
		{ &failed, &usual, 0, 0, 0.0, { ALLOC_PENDING, 1, 0, 24000 } },
		{ &failed, &usual, 0, 0, ALMOST_ONE, { ALLOC_PENDING, 1, 0, 36000 } },
		/* huge counts: no overflow, at the cap */
		{ &failed, &many, 61, 0, 0.5, { ALLOC_PENDING, 62, 0, 3600000 } },
		{ &failed, &many, 62, 0, 0.5, { ALLOC_PENDING, 63, 0, 3600000 } },
		{ &failed, &many, 64, 0, 0.5, { ALLOC_PENDING, 65, 0, 3600000 } },
		{ &failed, &many, INT_MAX - 2, 0, 0.5, { ALLOC_PENDING, INT_MAX - 1, 0, 3600000 } },
		{ &failed, &many, INT_MAX - 1, 0, 0.5, { ALLOC_FAILED, INT_MAX, 0, 0 } },
		{ &failed, &many, INT_MAX, 0, 0.5, { ALLOC_FAILED, INT_MAX, 0, 0 } },
		{ &lost, &many, 0, INT_MAX, 0.5, { ALLOC_FAILED, 0, INT_MAX, 0 } },
		{ &failed, &none, 60, 0, 0.5, { ALLOC_PENDING, 61, 0, 0 } },
		/* the limit: failed, or timeout after a lapse */
		{ &failed, &usual, 2, 0, 0.5, { ALLOC_FAILED, 3, 0, 0 } },
		{ &lapsed, &usual, 2, 0, 0.5, { ALLOC_TIMEOUT, 3, 0, 0 } },
		{ &failed, &usual, 9, 0, 0.5, { ALLOC_FAILED, 10, 0, 0 } },
		{ &failed, &once, 0, 0, 0.5, { ALLOC_FAILED, 1, 0, 0 } },
		{ &lapsed, &once, 0, 0, 0.5, { ALLOC_TIMEOUT, 1, 0, 0 } },
		/* handed back: counts nothing, no back-off, while it may be handed out again */
		{ &released, &more, 0, 0, 0.5, { ALLOC_PENDING, 0, 0, 0 } },
		{ &released, &more, 7, 9, 0.5, { ALLOC_PENDING, 7, 9, 0 } },
		{ &released, &usual, 1, 2, 0.5, { ALLOC_FAILED, 1, 2, 0 } },
		/* losses: no back-off, a limit of their own */
		{ &lost, &usual, 0, 0, 0.5, { ALLOC_PENDING, 0, 1, 0 } },
		{ &lost, &usual, 2, 3, ALMOST_ONE, { ALLOC_PENDING, 2, 4, 0 } },
		{ &lost, &usual, 0, 4, 0.5, { ALLOC_FAILED, 0, 5, 0 } },
		{ &unheard, &usual, 0, 3, 0.5, { ALLOC_PENDING, 0, 4, 0 } },
		{ &unheard, &usual, 0, 4, 0.5, { ALLOC_TIMEOUT, 0, 5, 0 } },
		{ &lost, &once, 0, 0, 0.5, { ALLOC_FAILED, 0, 1, 0 } },
		{ &unheard, &once, 0, 0, 0.5, { ALLOC_TIMEOUT, 0, 1, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct alloc_next want = cases[i].next;
		struct alloc_next got = alloc_retry(cases[i].rule, cases[i].lim, cases[i].failures,
		    cases[i].losts, cases[i].random);

		if (got.state != want.state || got.failures != want.failures ||
		    got.losts != want.losts || got.delay_ms != want.delay_ms)
			fail_msg("case %zu: %s, %d failures, %d losts, %lld ms", i,
			    alloc_state_name(got.state), got.failures, got.losts,
			    (long long)got.delay_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_terminal_states_stay),
		cmocka_unit_test(test_unknown_is_refused),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_state_classes),
		cmocka_unit_test(test_retry),
	};

	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
