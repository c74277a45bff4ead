/* SPDX-License-Identifier: MIT */
/*
 * Open allocations and what happens to them. Every function is one guarded statement or
 * transaction; the rules are core/alloc.h's. Counts, guards and the shown row
 * (we_cascade_task_allocations) always change together.
 */
#ifndef CS_DB_DB_ALLOC_H
#define CS_DB_DB_ALLOC_H

#include "base/arena.h"
#include "conf/conf.h"
#include "core/alloc.h"
#include "db/db.h"

/* An allocation as one node sees it. Text in the caller's arena. */
struct db_alloc {
	bool found;
	const char *id;
	const char *task_id;
	const char *feed_ids;	/* JSON array */
	enum alloc_state state; /* of the open row if there is one, else as shown */
	int64_t seq;		/* 0: not open */
	int64_t ver;
	int64_t node;	 /* holder or reserved for; 0 nobody */
	int64_t attempt; /* number of the current or last hand-out */
	int failures, losts;
	int max_attempts; /* the task's, 0 = the configuration's */
	/* the asking node's last ended attempt at it; 0 = it never held it before */
	int64_t mine;
	const char *mine_outcome; /* "" where mine is 0 */
};

/* Reads allocation ID as NODE (cascade_node.seq, 0 = nobody in particular) sees it. */
enum cs_err db_alloc_get(struct db *db, const char *id, int64_t node, struct arena *a,
    struct db_alloc *out, struct fault *f) cs_mustcheck;
/*
 * The same for a report by NODE of ATTEMPT (0: not given). Where it is that of the holder, as most
 * are, it costs half, and what the node did before (mine) is left 0.
 */
enum cs_err db_alloc_get_reported(struct db *db, const char *id, int64_t node, int64_t attempt,
    struct arena *a, struct db_alloc *out, struct fault *f) cs_mustcheck;

/* A row for the sync log, written in the same transaction; NULL where none is wanted. */
struct db_log {
	const char *node_id;
	const char *operation;
	int64_t count;
	const char *extra; /* JSON or NULL */
};

/* What an end leaves behind besides the state. All may be NULL or 0. */
struct db_end {
	const char *error;	  /* error_message; NULL: the event's own text, if it has one */
	const char *result;	  /* result_summary, JSON */
	const char *failed_feeds; /* JSON array: they go out again as a new allocation ... */
	const char *failed_error; /* ... because of this */
	int64_t hold_s;		  /* EV_RELEASED: not to this node for so long */
	int64_t late_attempt;	  /* the former holder's attempt whose report this is */
	const struct db_log *log;
};

/*
 * Ends AL by EVENT (a rule with verdict MOVE to a terminal state, or RETRY). *MOVED is false where
 * the allocation has changed since it was read: read it and decide anew.
 */
enum cs_err db_alloc_end(struct db *db, const struct conf *conf, const struct db_alloc *al,
    enum alloc_event event, const struct db_end *end, bool *moved, struct fault *f) cs_mustcheck;

/* The allocation of a row of OPEN_COLUMNS (stmt.def); its text lives as long as the rows. */
struct db_alloc db_alloc_of_row(const struct db_rows *r);
/*
 * Ends the allocation of R's row by EVENT and counts it in *N if it moved. A failure of this one is
 * logged and does not keep the caller from the next; CS_EDBDOWN does.
 */
enum cs_err db_alloc_end_row(struct db *db, const struct conf *conf, const struct db_rows *r,
    enum alloc_event event, const struct db_end *end, int64_t *n, struct fault *f) cs_mustcheck;

/*
 * Claims. A claimer reads candidates without locks, then takes one by compare-and-set.
 */
/* Times in microseconds since 1970; seq 0: nowhere. In the order of the queue's index. */
struct db_queue_place {
	int64_t order_at, ready_at, seq;
};
struct db_candidate {
	int64_t seq;
	bool fresh;	 /* preferences still hold */
	char *failed;	 /* nodes whose attempt at it failed, "1,2" or "" */
	char *back;	 /* nodes that handed it back and are not given it now, "1,2" or "" */
	char *preferred; /* available nodes with quota left for its feeds, "1=3,7=1" or "" */
	struct db_queue_place at;
};
/* The place of what has waited longest in the pool; nowhere: nothing waits. */
enum cs_err db_alloc_pool_head(
    struct db *db, struct db_queue_place *at, struct fault *f) cs_mustcheck;
/* The part of the pool that is one claimer's: its residue class from a place on up to an order_at.
 */
struct db_pool_class {
	unsigned modulus, residue;
	struct db_queue_place from;
	int64_t to;
};
/* Reads up to MAX (128 at most) candidates of P into OUT, strings in A. */
enum cs_err db_alloc_pool_class(struct db *db, const struct conf *conf,
    const struct db_pool_class *p, struct arena *a, struct db_candidate *out, size_t max, size_t *n,
    struct fault *f) cs_mustcheck;
/* The same of the whole pool from OFFSET on. */
enum cs_err db_alloc_pool_page(struct db *db, const struct conf *conf, size_t offset,
    struct arena *a, struct db_candidate *out, size_t max, size_t *n, struct fault *f) cs_mustcheck;
/* Frees reservations of others whose preference is over. *FREED: at least one. */
enum cs_err db_alloc_free_overdue(struct db *db, const struct conf *conf, int64_t node, bool *freed,
    struct fault *f) cs_mustcheck;
/* Is there an available node other than NODE and those of FAILED ("1,2")? */
enum cs_err db_alloc_other_available(struct db *db, const struct conf *conf, int64_t node,
    const char *failed, bool *other, struct fault *f) cs_mustcheck;
struct db_load {
	int64_t open, capacity;
	bool draining; /* or deactivated */
	bool on_hold;
	int64_t assigned; /* grows whenever work is assigned to it */
};
enum cs_err db_alloc_load(
    struct db *db, int64_t node, struct db_load *out, struct fault *f) cs_mustcheck;

#define DB_OFFER_MAX 10
/* What a claim could hand out, as just read. Text lives as long as the rows. */
struct db_offer {
	int64_t seq, ver, attempt;
	struct db_queue_place at;
	const char *id, *task_id;
	const char *lease; /* its end, if it is claimed; as the database writes it */
	bool more;	   /* nobody's yet: the node needs room for it */
	int64_t feeds;	   /* to hand out; 0: the task or all of them were deleted */
};
/* What to offer: the node's own assigned work from a place on, then row numbers. */
struct db_wanted {
	const struct db_queue_place *own; /* from where on; NULL: it has none */
	const int64_t *seq;		  /* those that are ready, and its own or nobody's ... */
	size_t n;
	size_t max; /* ... together at most so many, DB_OFFER_MAX at most */
};
/* Reads what NODE may be given; PACKAGE is what to hand out, as of db_alloc_package(). */
enum cs_err db_alloc_offer(struct db *db, const struct conf *conf, int64_t node,
    const struct db_wanted *wanted, struct db_rows *package, struct db_offer *out, size_t *n,
    struct fault *f) cs_mustcheck;
/*
 * Claims N offers (1 at least) for NODE, whose id is NODE_ID, all or none. LOG: NULL, none. *MOVED
 * is false where one has changed since it was read, or the node takes nothing or not so much now.
 */
enum cs_err db_alloc_claim(struct db *db, int64_t node, const char *node_id,
    const struct db_offer *offer, size_t n, const struct db_log *log, bool *moved,
    struct fault *f) cs_mustcheck;

/* What the holder shows of its work besides that it goes on. */
struct db_progress {
	bool seen;		      /* a sign of life is due too */
	int64_t linked, new_articles; /* articles more, and how many of them are new */
};
/* The holder reports executing, or proves that it works: state and lease. *MOVED as above. */
enum cs_err db_alloc_executing(struct db *db, const struct conf *conf, const struct db_alloc *al,
    int64_t node, const struct db_progress *progress, bool *moved, struct fault *f) cs_mustcheck;
/* A former holder takes pending work again if it has room. *MOVED false: changed, or no room. */
enum cs_err db_alloc_retake(struct db *db, const struct conf *conf, const struct db_alloc *al,
    int64_t node, bool *moved, struct fault *f) cs_mustcheck;
/* A former holder completes what has failed or timed out. CS_ECONFLICT: something newer is open. */
enum cs_err db_alloc_complete_late(struct db *db, const struct db_alloc *al,
    const struct db_end *end, bool *moved, struct fault *f) cs_mustcheck;
/* Takes the reservation for NODE away: back into the pool, nobody's. *MOVED (may be NULL) as above.
 */
enum cs_err db_alloc_unassign(struct db *db, int64_t seq, int64_t ver, int64_t node, bool *moved,
    struct fault *f) cs_mustcheck;

/*
 * Takes everything away from NODE: reservations go back to the pool, held work ends by EVENT
 * (EV_NODE_LOST, EV_NODE_DELETED, EV_NODE_INACTIVE); executing work only where EXECUTING_TOO.
 * *RELEASED (may be NULL) counts them. Not one transaction: each allocation is, and a repetition
 * goes on where it stopped.
 */
enum cs_err db_alloc_release_node(struct db *db, const struct conf *conf, int64_t node,
    enum alloc_event event, bool executing_too, int64_t *released, struct fault *f) cs_mustcheck;

/* Takes what is reserved for NODE away from it, as above. */
enum cs_err db_alloc_unreserve_node(
    struct db *db, const struct conf *conf, int64_t node, struct fault *f) cs_mustcheck;

/* What a claim handed out, once more: one row for each feed of SEQ; columns as in stmt_alloc.def,
 * PACKAGE. */
enum cs_err db_alloc_package(
    struct db *db, int64_t seq, struct db_rows *rows, struct fault *f) cs_mustcheck;

/*
 * A heartbeat of NODE: signs of life, CALLBACK where not NULL, with HOLDING (JSON array of ids,
 * NULL: not given) the leases of what it holds, and no work for HOLD_S seconds (-1: not given).
 */
enum cs_err db_heartbeat(struct db *db, const struct conf *conf, int64_t node, const char *callback,
    const char *holding, int64_t hold_s, struct fault *f) cs_mustcheck;
/* A heartbeat of NODE, whose id is NODE_ID, that says nothing else: half the work. */
enum cs_err db_alive(
    struct db *db, int64_t node, const char *node_id, struct fault *f) cs_mustcheck;
/* The same of N nodes at once, which it sorts; a fifth of the work for each. */
enum cs_err db_alive_many(struct db *db, int64_t *node, size_t n, struct fault *f) cs_mustcheck;

#endif
