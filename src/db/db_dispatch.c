/* SPDX-License-Identifier: MIT */
/*
 * Dispatch. A batch is two procedures (sql/) in one transaction: the first takes its feeds, the
 * second makes allocations of them, and who is assigned what is chosen in between. Row numbers are
 * made here, everything else follows from the run's row, so a batch may be repeated by anyone until
 * it has been committed once.
 */
#include "db/db_dispatch.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_alloc.h"
#include "db/db_share.h"

#include <string.h>

#define BATCH_TRIES  8
#define CANCEL_TRIES 8 /* rounds in which everything had changed meanwhile */
#define STEP_ARENA   (1u << 16)

enum cs_err
db_dispatch_tasks(struct db *db, const char *task_id, struct arena *a,
    struct db_dispatch_task **out, size_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	*n = 0;
	if (task_id != NULL)
		TRY(DB_QUERY(db, f, &r, STMT_DISPATCH_TASK, A_S(task_id)));
	else
		TRY(DB_QUERY(db, f, &r, STMT_DISPATCH_TASKS));
	*out = arena_calloc(a, db_count(&r) + 1, sizeof(**out));
	if (*out == NULL)
		return cs_detail(f, CS_ENOMEM, "tasks");
	while (db_next(&r)) {
		struct db_dispatch_task *t = &(*out)[*n];

		if (task_id != NULL && strcmp(db_s(&r, 0), task_id) != 0)
			continue;
		t->id = arena_strdup(a, db_s(&r, 0));
		t->name = arena_strdup(a, db_is_null(&r, 1) ? "" : db_s(&r, 1));
		t->enabled = db_i(&r, 2) != 0;
		t->feeds = (enum db_feeds)db_i(&r, 3);
		if (t->id == NULL || t->name == NULL)
			return cs_detail(f, CS_ENOMEM, "tasks");
		(*n)++;
	}
	return CS_OK;
}

enum cs_err
db_dispatch_task_seq(struct db *db, const char *task_id, int64_t *seq, struct fault *f)
{
	for (int tries = 0; tries < 2; tries++) {
		auto_rows r = { 0 };

		TRY(DB_QUERY(db, f, &r, STMT_TASK_SEQ, A_S(task_id)));
		if (db_next(&r)) {
			*seq = db_i(&r, 0);
			return CS_OK;
		}
		TRY(DB_EXEC(db, f, NULL, STMT_TASK_SEQ_MAKE, A_S(task_id)));
	}
	return cs_detail(f, CS_EBUSY, "no row for task %s", task_id);
}

static enum cs_err
count_feeds(struct db *db, const struct db_dispatch_task *t, struct db_dispatch_result *out,
    struct fault *f)
{
	auto_rows r = { 0 };

	if (t->feeds == FEEDS_ALL)
		TRY(DB_QUERY(db, f, &r, STMT_FEEDS_ALL_COUNT));
	else
		TRY(DB_QUERY(db, f, &r, STMT_FEEDS_LIST_COUNT, A_S(t->id)));
	if (db_next(&r)) {
		out->feeds = db_i(&r, 0);
		out->skipped_feeds = db_i(&r, 1) - db_i(&r, 0);
	}
	return CS_OK;
}

/* What nobody has claimed of TASK, but for what run RUN_ID itself has made. A row that was assigned
 * since it was read is read again. */
static enum cs_err
cancel_unclaimed(struct db *db, const struct conf *conf, int64_t task, const char *run_id,
    const char *by, int64_t *cancelled, struct fault *f)
{
	char text[320];
	const struct db_end end = { .error = msg_render(
					text, sizeof(text), LANG_ZH, MSG_E_CANCELLED, by) };
	int fruitless = 0;

	while (fruitless < CANCEL_TRIES) {
		auto_rows r = { 0 };
		int64_t before = *cancelled;
		bool any = false;

		TRY(DB_QUERY(db, f, &r, STMT_TASK_UNCLAIMED, A_I(task), A_S(run_id)));
		for (; db_next(&r); any = true)
			TRY(db_alloc_end_row(db, conf, &r, EV_CANCEL, &end, cancelled, f));
		if (!any)
			break;
		fruitless = *cancelled > before ? 0 : fruitless + 1;
	}
	return CS_OK;
}

/* Creates the allocations of B, of PER feeds each, BEFORE of its run being there already. */
static enum cs_err
fill(struct db *db, const struct conf *conf, const struct batch *b, int64_t before, int64_t per,
    struct fault *f)
{
	auto_share s = { 0 };
	const char *nodes;

	if (b->n == 0)
		return CS_OK;
	TRY(share_choose(db, conf, b, &s, f));
	TRY(share_nodes(&s, &nodes, f));
	TRY(DB_EXEC(db, f, NULL, STMT_BATCH_OPEN, A_S(b->run_id), A_I(b->task), A_I(b->base),
	    A_I(before), A_I(per), A_S(nodes)));
	return share_count(db, b, &s, f);
}

/* One batch, where the row numbers from B->base on are not taken. */
static enum cs_err
try_batch(struct db *db, const struct conf *conf, struct batch *b, bool all,
    struct db_dispatch_result *out, bool *finished, struct fault *f)
{
	auto_rows r = { 0 };
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(DB_QUERY(db, f, &r, STMT_BATCH_FEEDS, A_S(b->run_id), A_I(b->task), A_I(all),
	    A_I(b->base), A_I(conf->batch)));
	if (!db_next(&r))
		return cs_detail(f, CS_EINTERNAL, "run %s: no answer", b->run_id);
	b->n = (size_t)db_i(&r, 0);
	TRY(fill(db, conf, b, db_i(&r, 3), db_i(&r, 4), f));
	TRY(db_commit(&tx, f));
	out->created += db_i(&r, 0);
	out->skipped_open += db_i(&r, 1);
	*finished = db_i(&r, 2) != 0;
	return CS_OK;
}

/* One batch; a duplicate key means that another dispatch is at the same feeds: look again. */
static enum cs_err
next_batch(struct db *db, const struct conf *conf, const char *run_id, int64_t task, bool all,
    struct db_dispatch_result *out, bool *finished, struct fault *f)
{
	enum cs_err rc = CS_EBUSY;

	for (int tries = 0; tries < BATCH_TRIES && (rc == CS_ECONFLICT || rc == CS_EBUSY);
	     tries++) {
		struct batch b = { run_id, task, ident_seq(clock_wall_ms(), conf->batch), 0 };

		if (b.base == 0)
			return cs_detail(f, CS_EINTERNAL, "no random numbers");
		fault_clear(f);
		rc = try_batch(db, conf, &b, all, out, finished, f);
	}
	return rc == CS_ECONFLICT ? cs_detail(f, CS_EBUSY,
					"run %s: its feeds are being dispatched by others", run_id)
				  : rc;
}

/* AGAIN: one that is there already will do. */
static enum cs_err
create_run(struct db *db, const char *run_id, int64_t task, int64_t skipped_feeds, bool again,
    struct fault *f)
{
	enum cs_err rc =
	    DB_EXEC(db, f, NULL, STMT_RUN_CREATE, A_S(run_id), A_I(task), A_I(skipped_feeds));

	if (rc != CS_ECONFLICT || !again)
		return rc;
	fault_clear(f);
	return CS_OK;
}

/* What a run has done, whoever did it. */
static enum cs_err
read_run(struct db *db, const char *run_id, int64_t task, struct db_dispatch_result *out,
    struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_RUN_GET, A_S(run_id), A_I(task)));
	if (!db_next(&r))
		return cs_detail(f, CS_EBUSY, "run %s is gone", run_id);
	out->created = db_i(&r, 0);
	out->skipped_open = db_i(&r, 1);
	out->skipped_feeds = db_i(&r, 2);
	return CS_OK;
}

enum cs_err
db_dispatch(struct db *db, const struct conf *conf, const struct db_dispatch_task *t,
    const char *run_id, const struct db_dispatch_options *opt, struct db_dispatch_result *out,
    struct fault *f)
{
	bool finished = false;
	int64_t task = 0;

	*out = (struct db_dispatch_result){ 0 };
	if (t->feeds == FEEDS_BROKEN)
		return cs_bad(f, "mps_id", MSG_R_TYPE, "JSON array");
	TRY(db_dispatch_task_seq(db, t->id, &task, f));
	TRY(count_feeds(db, t, out, f));
	if (opt->force)
		TRY(cancel_unclaimed(db, conf, task, run_id, opt->by, &out->cancelled, f));
	TRY(create_run(db, run_id, task, out->skipped_feeds, opt->again, f));
	while (!finished)
		TRY(next_batch(db, conf, run_id, task, t->feeds == FEEDS_ALL, out, &finished, f));
	return opt->again ? read_run(db, run_id, task, out, f) : CS_OK;
}

enum cs_err
db_dispatch_step(struct db *db, const struct conf *conf, const struct db_run *run, struct fault *f)
{
	struct db_dispatch_result done = { 0 };
	struct arena *a = arena_new(STEP_ARENA);
	struct db_dispatch_task *t;
	bool finished;
	enum cs_err rc;
	size_t n = 0;

	if (a == NULL)
		return cs_detail(f, CS_ENOMEM, "run %s", run->run_id);
	rc = db_dispatch_tasks(db, run->task_id, a, &t, &n, f);
	enum db_feeds feeds = rc == CS_OK && n > 0 ? t->feeds : FEEDS_BROKEN;
	arena_free(a);
	if (rc != CS_OK)
		return rc;
	if (feeds == FEEDS_BROKEN)
		return DB_EXEC(db, f, NULL, STMT_RUN_FINISH, A_S(run->run_id), A_I(run->task));
	if (strcmp(run->overlap, "replace") == 0 && run->cursor[0] == '\0')
		TRY(cancel_unclaimed(
		    db, conf, run->task, run->run_id, run->run_id, &done.cancelled, f));
	return next_batch(
	    db, conf, run->run_id, run->task, feeds == FEEDS_ALL, &done, &finished, f);
}

enum cs_err
db_online_nodes(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ONLINE_NODES, A_I(conf->offline_after_s)));
	*n = db_next(&r) ? db_i(&r, 0) : 0;
	return CS_OK;
}
