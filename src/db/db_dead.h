/* SPDX-License-Identifier: MIT */
/*
 * Dead letters: allocations that failed or timed out for good. They wait for an administrator, who
 * sends them back into the pool or drops them.
 */
#ifndef CS_DB_DB_DEAD_H
#define CS_DB_DB_DEAD_H

#include "conf/conf.h"
#include "db/db_requeue.h"
#include "db/db_view.h"

extern const struct view view_dead;

/* TASK_ID NULL: of every task. MIN_AGE_S: only those that ended that long ago. */
struct dead_filter {
	const char *task_id;
	int64_t min_age_s;
};

/* Rows of view_dead of TASK_ID (NULL: of all), newest first, at most LIMIT. */
enum cs_err db_dead_list(struct db *db, const char *task_id, int64_t limit, struct db_rows *rows,
    struct fault *f) cs_mustcheck;
enum cs_err db_dead_count(
    struct db *db, const struct dead_filter *filter, int64_t *n, struct fault *f) cs_mustcheck;
/* Requeues those of every task that is still there, as db_task_requeue() does. */
enum cs_err db_dead_requeue(struct db *db, struct db_requeued *out, struct fault *f) cs_mustcheck;
/*
 * Drops what FILTER matches, with its attempts and links, retention.batch in a transaction. *N
 * counts what is gone, also where it is interrupted.
 */
enum cs_err db_dead_purge(struct db *db, const struct conf *conf, const struct dead_filter *filter,
    int64_t *n, struct fault *f) cs_mustcheck;

#endif
