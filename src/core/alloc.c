/* SPDX-License-Identifier: MIT */
/*
 * The transition table and the rules of trying again. Every change of an allocation's state asks
 * here first; what the table does not name is refused. Repeated reports are not in it: the caller
 * knows them by the attempt's recorded outcome.
 */
#include "core/alloc.h"

#include <limits.h>
#include <string.h>

#define MOVE(to)		.verdict = ALLOC_MOVE, .next = (to)
#define END(to, how)		.verdict = ALLOC_MOVE, .next = (to), .outcome = (how)
#define RENEW			.verdict = ALLOC_RENEW
#define RETRY(limit, how)	.verdict = ALLOC_RETRY, .count = (limit), .outcome = (how)
#define RETRY_LAPSE(limit, how) RETRY(limit, how), .lapse = true

static const struct alloc_rule rules[ALLOC__MAX][EV__MAX] = {
	[ALLOC_PENDING] = {
		[EV_CLAIM] = { MOVE(ALLOC_CLAIMED) },
		[EV_CANCEL] = { MOVE(ALLOC_CANCELLED) },
		[EV_GONE] = { MOVE(ALLOC_FAILED) },
		[EV_LATE_EXECUTING] = { MOVE(ALLOC_EXECUTING) },
		[EV_LATE_COMPLETED] = { END(ALLOC_COMPLETED, "completed") },
	},
	[ALLOC_CLAIMED] = {
		[EV_EXECUTING] = { MOVE(ALLOC_EXECUTING) },
		[EV_UPLOAD] = { MOVE(ALLOC_EXECUTING) },
		[EV_COMPLETED] = { END(ALLOC_COMPLETED, "completed") },
		[EV_FAILED] = { RETRY(COUNT_FAILURE, "failed") },
		[EV_RELEASED] = { RETRY(COUNT_NONE, "released") },
		[EV_LAPSE] = { RETRY_LAPSE(COUNT_LOST, "unacknowledged") },
		[EV_MAX_RUN] = { RETRY_LAPSE(COUNT_FAILURE, "max_run") },
		[EV_NODE_LOST] = { RETRY(COUNT_LOST, "node_lost") },
		[EV_NODE_DELETED] = { RETRY(COUNT_LOST, "node_deleted") },
		[EV_NODE_INACTIVE] = { RETRY(COUNT_LOST, "node_inactive") },
		[EV_CANCEL] = { END(ALLOC_CANCELLED, "cancelled") },
		/* claimed, but there is nothing to hand out any more */
		[EV_GONE] = { END(ALLOC_FAILED, "cancelled") },
	},
	[ALLOC_EXECUTING] = {
		[EV_EXECUTING] = { RENEW },
		[EV_UPLOAD] = { RENEW },
		[EV_COMPLETED] = { END(ALLOC_COMPLETED, "completed") },
		[EV_FAILED] = { RETRY(COUNT_FAILURE, "failed") },
		[EV_RELEASED] = { RETRY(COUNT_NONE, "released") },
		[EV_LAPSE] = { RETRY_LAPSE(COUNT_FAILURE, "lapsed") },
		[EV_MAX_RUN] = { RETRY_LAPSE(COUNT_FAILURE, "max_run") },
		[EV_NODE_LOST] = { RETRY(COUNT_LOST, "node_lost") },
		[EV_NODE_DELETED] = { RETRY(COUNT_LOST, "node_deleted") },
		[EV_NODE_INACTIVE] = { RETRY(COUNT_LOST, "node_inactive") },
		[EV_CANCEL] = { END(ALLOC_CANCELLED, "cancelled") },
	},
	[ALLOC_FAILED] = {
		[EV_LATE_COMPLETED] = { END(ALLOC_COMPLETED, "completed") },
		[EV_REQUEUE] = { MOVE(ALLOC_PENDING) },
	},
	[ALLOC_TIMEOUT] = {
		[EV_LATE_COMPLETED] = { END(ALLOC_COMPLETED, "completed") },
		[EV_REQUEUE] = { MOVE(ALLOC_PENDING) },
	},
	[ALLOC_CANCELLED] = {
		[EV_REQUEUE] = { MOVE(ALLOC_PENDING) },
	},
};

static const char *const state_names[] = {
	[ALLOC_PENDING] = "pending",
	[ALLOC_CLAIMED] = "claimed",
	[ALLOC_EXECUTING] = "executing",
	[ALLOC_COMPLETED] = "completed",
	[ALLOC_FAILED] = "failed",
	[ALLOC_TIMEOUT] = "timeout",
	[ALLOC_CANCELLED] = "cancelled",
};
_Static_assert(ARRAY_LEN(state_names) == ALLOC__MAX, "every state has a name");

static const char *const event_names[] = {
	[EV_CLAIM] = "claim",
	[EV_EXECUTING] = "executing",
	[EV_UPLOAD] = "upload",
	[EV_COMPLETED] = "completed",
	[EV_FAILED] = "failed",
	[EV_RELEASED] = "released",
	[EV_LAPSE] = "lapse",
	[EV_MAX_RUN] = "max_run",
	[EV_NODE_LOST] = "node_lost",
	[EV_NODE_DELETED] = "node_deleted",
	[EV_NODE_INACTIVE] = "node_inactive",
	[EV_CANCEL] = "cancel",
	[EV_GONE] = "gone",
	[EV_LATE_EXECUTING] = "late_executing",
	[EV_LATE_COMPLETED] = "late_completed",
	[EV_LATE_FAILED] = "late_failed",
	[EV_REQUEUE] = "requeue",
};
_Static_assert(ARRAY_LEN(event_names) == EV__MAX, "every event has a name");

const struct alloc_rule *
alloc_rule(enum alloc_state state, enum alloc_event event)
{
	static const struct alloc_rule refuse = { .verdict = ALLOC_REFUSE };

	if ((unsigned)state >= ALLOC__MAX || (unsigned)event >= EV__MAX)
		return &refuse;
	return &rules[state][event];
}

static int
one_more(int count)
{
	return count < INT_MAX ? count + 1 : INT_MAX;
}

/* After the n-th failure: backoff * 2^(n-1), at most backoff_max, then spread by +/- 20 %. */
static int64_t
backoff_ms(const struct alloc_limits *lim, int failures, double random)
{
	int doublings = failures - 1 < 62 ? failures - 1 : 62;
	bool capped = lim->backoff_s > lim->backoff_max_s >> doublings;
	int64_t s = capped ? lim->backoff_max_s : lim->backoff_s << doublings;

	return (int64_t)((double)s * (800.0 + 400.0 * random));
}

struct alloc_next
alloc_retry(const struct alloc_rule *rule, const struct alloc_limits *lim, int failures, int losts,
    double random)
{
	struct alloc_next next = { ALLOC_PENDING, .failures = failures, .losts = losts };
	bool again;

	if (rule->count == COUNT_FAILURE) {
		next.failures = one_more(failures);
		again = next.failures < lim->max_attempts;
	} else if (rule->count == COUNT_NONE) {
		again = lim->handouts_left > 0;
	} else {
		next.losts = one_more(losts);
		again = next.losts < lim->max_lost;
	}
	if (!again)
		next.state = rule->lapse ? ALLOC_TIMEOUT : ALLOC_FAILED;
	else if (rule->count == COUNT_FAILURE)
		next.delay_ms = backoff_ms(lim, next.failures, random);
	return next;
}

const char *
alloc_state_name(enum alloc_state state)
{
	return (unsigned)state < ALLOC__MAX ? state_names[state] : NULL;
}

bool
alloc_state_parse(const char *name, enum alloc_state *out)
{
	for (size_t i = 0; name != NULL && i < ALLOC__MAX; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*out = (enum alloc_state)i;
			return true;
		}
	}
	return false;
}

const char *
alloc_event_name(enum alloc_event event)
{
	return (unsigned)event < EV__MAX ? event_names[event] : NULL;
}
