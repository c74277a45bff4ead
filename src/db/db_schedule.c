/* SPDX-License-Identifier: MIT */
/*
 * The schedule's state. An occurrence is claimed by its run's unique key, so two daemons, or one
 * that died in between, make one run of it; leadership only saves work.
 */
#include "db/db_schedule.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "db/db_dispatch.h"

#include <stdio.h>
#include <string.h>

#define RUN_ID_MAX 300

enum cs_err
db_now(struct db *db, int64_t *now, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_NOW));
	if (!db_next(&r))
		return cs_detail(f, CS_EINTERNAL, "no time of day");
	*now = db_i(&r, 0);
	return CS_OK;
}

enum cs_err
db_schedule_tasks(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_SCHEDULE_TASKS);
}

bool
db_schedule_next(struct db_rows *rows, struct db_schedule_task *out)
{
	if (!db_next(rows))
		return false;
	*out = (struct db_schedule_task){
		.id = db_s(rows, 0),
		.cron_exp = db_s(rows, 1),
		.zone = db_s(rows, 2),
		.misfire = db_s(rows, 3),
		.overlap = db_s(rows, 4),
		.kept_exp = db_s(rows, 5),
		.kept_zone = db_s(rows, 6),
		.last_at = db_i(rows, 7),
		.error = db_s(rows, 8),
	};
	return true;
}

static struct db_arg
next_arg(int64_t next_at)
{
	return next_at == SCHEDULE_NEVER ? A_NULL : A_I(next_at);
}

enum cs_err
db_schedule_set(struct db *db, const struct db_schedule_task *t, int64_t last_at, int64_t next_at,
    const char *error, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_SCHEDULE_SET, A_S(t->id), A_S(t->cron_exp), A_S(t->zone),
	    A_I(last_at), next_arg(next_at), A_S(error));
}

/* "cron_20240101T000000_<task>": the same for whoever makes it. */
static void
run_name(char out[RUN_ID_MAX], const char *task_id, int64_t at)
{
	char time[32], *to = time;

	render_time_utc(time, sizeof(time), at);
	for (const char *p = time; *p != '\0'; p++) {
		if (*p != '-' && *p != ':')
			*to++ = *p;
	}
	*to = '\0';
	snprintf(out, RUN_ID_MAX, "cron_%s_%s", time, task_id);
}

enum cs_err
db_schedule_fire(struct db *db, const struct db_schedule_task *t, int64_t at, int64_t next_at,
    const char *note, bool *made, struct fault *f)
{
	char run_id[RUN_ID_MAX];
	uint64_t n = 0;
	int64_t task;

	run_name(run_id, t->id, at);
	TRY(db_dispatch_task_seq(db, t->id, &task, f));
	TRY(DB_EXEC(db, f, &n, STMT_SCHEDULE_FIRE, A_S(run_id), A_I(task), A_I(at), A_S(t->overlap),
	    A_S(note), A_S(note)));
	TRY(DB_EXEC(db, f, NULL, STMT_SCHEDULE_ADVANCE, A_I(at), next_arg(next_at), A_S(t->id)));
	*made = n > 0;
	return CS_OK;
}

/* A run that fails is put last, and the others go on. */
static enum cs_err
put_off(struct db *db, const struct db_run *run, enum cs_err rc, struct fault *f)
{
	if (rc == CS_EDBDOWN)
		return rc;
	snprintf(f->field, sizeof(f->field), "%s", run->run_id);
	log_fault(LOG_LVL_ERROR, "run", f);
	fault_clear(f);
	return DB_EXEC(db, f, NULL, STMT_RUN_TOUCH, A_S(run->run_id), A_I(run->task));
}

/* One step of one run. *STEPPED is false where it has to wait for what is open of its task. */
static enum cs_err
step(struct db *db, const struct conf *conf, const struct db_run *run, bool *stepped,
    struct fault *f)
{
	*stepped = true;
	if (strcmp(run->overlap, "queue") == 0 && run->cursor[0] == '\0') {
		auto_rows r = { 0 };

		TRY(DB_QUERY(db, f, &r, STMT_TASK_IS_OPEN, A_I(run->task), A_S(run->run_id)));
		*stepped = !db_next(&r);
		if (!*stepped)
			return DB_EXEC(
			    db, f, NULL, STMT_RUN_TOUCH, A_S(run->run_id), A_I(run->task));
	}
	return db_dispatch_step(db, conf, run, f);
}

enum cs_err
db_runs_step(struct db *db, const struct conf *conf, int64_t idle_s, int64_t budget_ms,
    int64_t *steps, bool *more, struct fault *f)
{
	int64_t until = clock_mono_ms() + budget_ms;
	bool stepped;

	*steps = 0;
	do {
		auto_rows r = { 0 };

		*more = false;
		TRY(DB_QUERY(db, f, &r, STMT_RUNS_UNFINISHED, A_I(idle_s)));
		while (db_next(&r) && clock_mono_ms() < until) {
			const struct db_run run = {
				.run_id = db_s(&r, 0),
				.task = db_i(&r, 1),
				.task_id = db_s(&r, 2),
				.overlap = db_s(&r, 3),
				.cursor = db_s(&r, 4),
			};

			enum cs_err rc = step(db, conf, &run, &stepped, f);

			if (rc != CS_OK)
				TRY(put_off(db, &run, rc, f));
			stepped = stepped && rc == CS_OK;
			*steps += stepped;
			*more = *more || stepped;
		}
	} while (*more && clock_mono_ms() < until);
	return CS_OK;
}
