/* SPDX-License-Identifier: MIT */
/*
 * The schedule's state: which tasks there are, how far each has come, occurrences that become runs
 * under a unique key. When an expression falls due is core/cron.h's; what policy says is
 * cascaded's.
 */
#ifndef CS_DB_DB_SCHEDULE_H
#define CS_DB_DB_SCHEDULE_H

#include "conf/conf.h"
#include "db/db.h"

#define SCHEDULE_NEVER INT64_MIN /* next_at: it never comes */

/* A row of db_schedule_tasks(), borrowed until its rows are closed. */
struct db_schedule_task {
	const char *id;
	const char *cron_exp;
	const char *zone;    /* "": the configuration's */
	const char *misfire; /* once, skip, all */
	const char *overlap; /* skip, queue, replace */
	/* what is kept of it; NULL and 0 where nothing is yet */
	const char *kept_exp, *kept_zone;
	int64_t last_at; /* UTC seconds */
	const char *error;
};

/* The database's clock, UTC seconds: the only one that schedules go by. */
enum cs_err db_now(struct db *db, int64_t *now, struct fault *f) cs_mustcheck;
/* Every enabled task; step with db_schedule_next(). */
enum cs_err db_schedule_tasks(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
bool db_schedule_next(struct db_rows *rows, struct db_schedule_task *out);
/* Keeps how far TASK has come: a new task, another expression or zone, one that cannot be parsed.
 */
enum cs_err db_schedule_set(struct db *db, const struct db_schedule_task *t, int64_t last_at,
    int64_t next_at, const char *error, struct fault *f) cs_mustcheck;

/*
 * Makes occurrence AT of task T a run of its own, to be dispatched, or (NOTE not NULL) left out for
 * that reason, and advances the schedule; in the caller's transaction. *MADE is false where it had
 * been made already.
 */
enum cs_err db_schedule_fire(struct db *db, const struct db_schedule_task *t, int64_t at,
    int64_t next_at, const char *note, bool *made, struct fault *f) cs_mustcheck;

/*
 * Goes on with runs that have batches left, one batch each in turn so that a large one delays no
 * small one, for at most BUDGET_MS. Runs that somebody else made are taken up after IDLE_S of
 * silence. *STEPS counts the batches; *MORE: there is more to do now.
 */
enum cs_err db_runs_step(struct db *db, const struct conf *conf, int64_t idle_s, int64_t budget_ms,
    int64_t *steps, bool *more, struct fault *f) cs_mustcheck;

#endif
