/* SPDX-License-Identifier: MIT */
/*
 * Requeueing: what has failed, timed out or was cancelled goes back into the pool with fresh
 * counts, under its own id and with its attempts going on being numbered.
 */
#ifndef CS_DB_DB_REQUEUE_H
#define CS_DB_DB_REQUEUE_H

#include "base/arena.h"
#include "db/db.h"

/*
 * Requeues allocation ID. CS_ENOTFOUND MSG_NO_ALLOCATION. CS_ECONFLICT, and the message says why:
 * it is open, it was completed, its task was deleted, or something newer is open for one of its
 * feeds.
 */
enum cs_err db_alloc_requeue(
    struct db *db, const char *id, struct arena *a, struct fault *f) cs_mustcheck;

struct db_requeued {
	int64_t requeued;
	int64_t skipped; /* something newer is open for one of its feeds, or it has just changed */
};
/*
 * Requeues everything of task ID that ended as STATUS (NULL: failed or timeout), newest first; each
 * is a transaction. CS_ENOTFOUND MSG_NO_TASK;
 * CS_EINVALID for a STATUS that is not left again.
 */
enum cs_err db_task_requeue(struct db *db, const char *id, const char *status,
    struct db_requeued *out, struct fault *f) cs_mustcheck;

#endif
