/* SPDX-License-Identifier: MIT */
/*
 * Why a node may or may not take an allocation now, and who would be given it. Pure; the rules are
 * those of docs/design.md, "Choosing a node", as claims and assignment carry them out.
 */
#ifndef CS_CORE_EXPLAIN_H
#define CS_CORE_EXPLAIN_H

#include "base/err.h"
#include "core/alloc.h"
#include "core/select.h"

/* The allocation. Times are text, NULL where there is none. */
struct explain_work {
	enum alloc_state state;
	int64_t node;	/* holder, or whom it is reserved for; 0: nobody */
	bool task_gone; /* its task was deleted: it will fail */
	bool ready;	/* ready_at has come */
	bool fresh;	/* preferences hold still */
	const char *ready_at, *prefer_until, *lease_until;
};

struct explain_node {
	int64_t id;
	bool active, online, draining;
	bool may_reserve; /* false: it let a reservation lapse, and gets none until it claims */
	int64_t open, capacity;
	int64_t idle_since;	/* as of struct select_node */
	bool failed;		/* its attempt at the work failed */
	int64_t left;		/* most quota left for one of the work's feeds; 0: none */
	const char *hold_until; /* it asked for no work until then; NULL: it did not */
	const char *back_until; /* it handed the work back until then; NULL: it did not */
	const char *seen_at;	/* last sign of life; NULL: never */
	unsigned why;		/* set by explain_nodes(): bits of enum explain_why */
	bool may_take;		/* set by explain_nodes() */
};

enum explain_why {
	WHY_ENDED,
	WHY_HELD,
	WHY_INACTIVE,
	WHY_OFFLINE,
	WHY_DRAINING,
	WHY_ON_HOLD,
	WHY_FULL,
	WHY_LAPSED, /* is assigned nothing, but may claim: the only one that does not forbid taking
		     */
	WHY_NOT_READY,
	WHY_RESERVED,
	WHY_QUOTA,
	WHY_FAILED,
	WHY_HANDED_BACK,
	WHY__MAX
};

enum explain_verdict {
	VERDICT_ENDED,
	VERDICT_HELD,
	VERDICT_TASK_GONE,
	VERDICT_RESERVED,
	VERDICT_NOT_READY,
	VERDICT_ASSIGN,	    /* the chosen node is assigned it at the next tick */
	VERDICT_CLAIM_ONLY, /* who may take it gets no reservation: it waits for a claim */
	VERDICT_NOBODY,
	VERDICT__MAX
};

/* Sets why and may_take of N nodes. */
void explain_nodes(const struct explain_work *w, struct explain_node *nodes, size_t n);
/*
 * Whom assignment would choose of N nodes, by the quotas for the work's feeds, those of a feed in a
 * row: *CHOSEN, 0 for nobody. False: out of memory.
 */
bool explain_choose(const struct explain_node *nodes, size_t n, const struct select_quota *quotas,
    size_t nquotas, int64_t *chosen) cs_mustcheck;
/* What becomes of the work. */
enum explain_verdict explain_verdict(
    const struct explain_work *w, const struct explain_node *nodes, size_t n, int64_t chosen);

/* Stable names, for programs. */
const char *explain_why_code(enum explain_why why);
const char *explain_verdict_code(enum explain_verdict v);
/* The time that WHY speaks of, NULL where it speaks of none: since when for WHY_OFFLINE, else until
 * when. */
const char *explain_why_time(
    enum explain_why why, const struct explain_work *w, const struct explain_node *n);
const char *explain_verdict_time(enum explain_verdict v, const struct explain_work *w);
/* For people; rendered into BUF, which is returned. NODE_NAME: the holder's, or the chosen one's.
 */
const char *explain_why_text(char *buf, size_t size, enum lang lang, enum explain_why why,
    const struct explain_work *w, const struct explain_node *n);
const char *explain_verdict_text(char *buf, size_t size, enum lang lang, enum explain_verdict v,
    const struct explain_work *w, const char *node_name);

#endif
