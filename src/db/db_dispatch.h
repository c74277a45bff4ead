/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: splits a task's feeds into allocations. A run is a row that claims the dispatch under a
 * unique key; its allocations follow in batches, each a transaction that advances the run's cursor,
 * so that a run whose dispatcher died is finished by cascaded and nothing comes twice.
 */
#ifndef CS_DB_DB_DISPATCH_H
#define CS_DB_DB_DISPATCH_H

#include "base/arena.h"
#include "conf/conf.h"
#include "db/db.h"

enum db_feeds { FEEDS_LIST = 0, FEEDS_ALL = 1, FEEDS_BROKEN = -1 };

struct db_dispatch_task {
	const char *id, *name;
	bool enabled;
	enum db_feeds feeds; /* how mps_id gives them; FEEDS_BROKEN: it is no JSON array */
};

/*
 * Tasks to dispatch, in A: TASK_ID's (enabled or not; *N 0 where there is none), or (NULL) every
 * enabled one.
 */
enum cs_err db_dispatch_tasks(struct db *db, const char *task_id, struct arena *a,
    struct db_dispatch_task **out, size_t *n, struct fault *f) cs_mustcheck;

struct db_dispatch_result {
	int64_t feeds;	       /* enabled feeds of the task */
	int64_t created;       /* allocations */
	int64_t skipped_open;  /* feeds that have something open already */
	int64_t skipped_feeds; /* listed ones that are unknown or disabled */
	int64_t cancelled;     /* unclaimed allocations that force replaced */
};

struct db_dispatch_options {
	bool again;	/* the run may be there already: go on with it, count all of it */
	bool force;	/* cancel what nobody has claimed yet, first */
	const char *by; /* who: stands in the reason of what force cancels */
};

/*
 * Dispatches T as run RUN_ID. CS_ECONFLICT: this run has been made already. CS_EINVALID (field
 * mps_id) for FEEDS_BROKEN: nothing is done.
 */
enum cs_err db_dispatch(struct db *db, const struct conf *conf, const struct db_dispatch_task *t,
    const char *run_id, const struct db_dispatch_options *opt, struct db_dispatch_result *out,
    struct fault *f) cs_mustcheck;

/* A run that has batches left. */
struct db_run {
	const char *run_id;
	int64_t task; /* cascade_task.seq */
	const char *task_id;
	const char *overlap; /* skip, queue, replace */
	const char *cursor;  /* "": nothing has been done yet */
};
/* The next batch of RUN; what has no task any more, or one that cannot be read, ends. */
enum cs_err db_dispatch_step(
    struct db *db, const struct conf *conf, const struct db_run *run, struct fault *f) cs_mustcheck;
/* Our row of a task, made where it is missing. */
enum cs_err db_dispatch_task_seq(
    struct db *db, const char *task_id, int64_t *seq, struct fault *f) cs_mustcheck;

/* Active nodes that gave a sign of life within node.offline_after. */
enum cs_err db_online_nodes(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;

#endif
