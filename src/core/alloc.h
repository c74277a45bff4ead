/* SPDX-License-Identifier: MIT */
/*
 * The life of an allocation: one transition table over (state, event), and the rules of trying
 * again. Pure: no SQL, no clock, randomness is passed in. Source of the rules: docs/design.md,
 * "Life of an allocation".
 *
 *   pending --claim--> claimed --executing--> executing --completed--> completed
 *      ^                  |                       |             \---> cancelled (any open state)
 *      +--- RETRY: pending after a back-off, or at a limit failed / timeout (last end was a lapse)
 */
#ifndef CS_CORE_ALLOC_H
#define CS_CORE_ALLOC_H

#include "base/base.h"

enum alloc_state {
	ALLOC_PENDING,	 /* waits; with a node_id it is assigned: reserved for that node */
	ALLOC_CLAIMED,	 /* handed out, not yet acknowledged */
	ALLOC_EXECUTING, /* acknowledged */
	ALLOC_COMPLETED, /* terminal from here on */
	ALLOC_FAILED,
	ALLOC_TIMEOUT,
	ALLOC_CANCELLED,
	ALLOC__MAX
};

enum alloc_event {
	EV_CLAIM,	   /* a node is handed the work */
	EV_EXECUTING,	   /* the holder reports executing */
	EV_UPLOAD,	   /* the holder uploads articles: proof that it works */
	EV_COMPLETED,	   /* the holder reports completion */
	EV_FAILED,	   /* the holder reports failure (or a completion with every feed failed) */
	EV_RELEASED,	   /* the holder hands it back unfinished */
	EV_LAPSE,	   /* the lease ran out */
	EV_MAX_RUN,	   /* the attempt reached max_run */
	EV_NODE_LOST,	   /* the holder went offline */
	EV_NODE_DELETED,   /* the holder was deleted */
	EV_NODE_INACTIVE,  /* the holder was deactivated */
	EV_CANCEL,	   /* an administrator cancels */
	EV_GONE,	   /* task or every feed was deleted: work that nobody was given fails */
	EV_LATE_EXECUTING, /* a former holder reports executing */
	EV_LATE_COMPLETED, /* a former holder reports completion */
	EV_LATE_FAILED,	   /* a former holder reports failure */
	EV_REQUEUE,	   /* an administrator sends finished work back */
	EV__MAX
};

enum alloc_verdict {
	ALLOC_REFUSE, /* 409: nothing changes */
	ALLOC_MOVE,   /* goes to next */
	ALLOC_RENEW,  /* stays; the lease is renewed */
	ALLOC_RETRY,  /* the attempt ended: pending again, or terminal at a limit (alloc_retry) */
};

/* COUNT_NONE: only the number of hand-outs bounds it. */
enum alloc_count { COUNT_NONE, COUNT_FAILURE, COUNT_LOST };

/* Hand-outs after which work that is handed back has failed: no node can keep it going for ever. */
#define ALLOC_HANDOUTS_MAX 1000

/* One row of the table. */
struct alloc_rule {
	enum alloc_verdict verdict;
	enum alloc_state next;	/* for ALLOC_MOVE */
	enum alloc_count count; /* for ALLOC_RETRY: which limit it counts towards */
	bool lapse;		/* for ALLOC_RETRY: at the limit the end is timeout, not failed */
	const char *outcome; /* of the attempt that this ends; NULL: ends none. completed, failed,
				released, unacknowledged, lapsed, max_run, node_lost, node_deleted,
				node_inactive, cancelled */
};

/* The rule for EVENT in STATE; never NULL (ALLOC_REFUSE where nothing else is said). */
const struct alloc_rule *alloc_rule(enum alloc_state state, enum alloc_event event);

/* Limits in force for one allocation. */
struct alloc_limits {
	int max_attempts; /* failures that make it a dead letter, >= 1 */
	int max_lost;	  /* losses that do, >= 1 */
	int64_t backoff_s, backoff_max_s;
	int64_t handouts_left; /* after the one that ends; <= 0: none */
};

/* What comes after an attempt that ended by RULE (verdict ALLOC_RETRY). */
struct alloc_next {
	enum alloc_state state; /* ALLOC_PENDING, ALLOC_FAILED or ALLOC_TIMEOUT */
	int failures, losts;	/* counts including this end */
	int64_t delay_ms;	/* not before now + this; 0 without back-off */
};
/* FAILURES and LOSTS are the counts before. RANDOM in [0, 1) spreads the back-off +/- 20 %. */
struct alloc_next alloc_retry(const struct alloc_rule *rule, const struct alloc_limits *lim,
    int failures, int losts, double random);

/* Stored and shown names: "pending", ... ; NULL or false for unknown. */
const char *alloc_state_name(enum alloc_state state);
bool alloc_state_parse(const char *name, enum alloc_state *out);
const char *alloc_event_name(enum alloc_event event);
static inline bool
alloc_state_is_open(enum alloc_state s)
{
	return s <= ALLOC_EXECUTING;
}
static inline bool
alloc_state_is_held(enum alloc_state s)
{
	return s == ALLOC_CLAIMED || s == ALLOC_EXECUTING;
}

#endif
