/* SPDX-License-Identifier: MIT */
/*
 * POST /dispatch-task: splits the feeds of one or all enabled tasks into allocations. A task that
 * cannot be read fails alone. Under an Idempotency-Key it is dispatched once. POST
 * /allocations/{id}/cancel: ends one, whoever holds it.
 */
#include "fcgi/handlers.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_alloc.h"
#include "db/db_dispatch.h"
#include "fcgi/idem.h"

#include <string.h>

#define CANCEL_TRIES 16
#define KEPT_S	     (24 * 3600) /* how long an answer is kept under its key */
#define KEPT_MAX     (1024 * 1024)

/* What one call has done, over its tasks. */
struct tally {
	const char *run_id;
	bool again; /* it stands for a key, and may be there already */
	int64_t tasks;
	struct db_dispatch_result sum;
	struct jw failed; /* [{id, name, error}] */
	struct buf failed_text;
};

static void
note_failed(struct ctx *c, struct tally *sum, const struct db_dispatch_task *t)
{
	jw_obj(&sum->failed);
	jw_kstr(&sum->failed, "id", t->id);
	jw_kstr(&sum->failed, "name", t->name);
	jw_kstr(&sum->failed, "field", c->fault.field);
	jw_kstr(&sum->failed, "error", c->fault.reason);
	jw_obj_end(&sum->failed);
	fault_clear(&c->fault);
}

static enum cs_err
dispatch_one(struct ctx *c, struct tally *sum, const struct db_dispatch_task *t, bool force)
{
	const struct db_dispatch_options opt = {
		.again = sum->again, .force = force, .by = c->who.name
	};
	struct db_dispatch_result done;
	enum cs_err rc = db_dispatch(c->db, c->conf, t, sum->run_id, &opt, &done, &c->fault);

	if (rc == CS_EINVALID) {
		note_failed(c, sum, t);
		return CS_OK;
	}
	if (rc != CS_OK)
		return rc;
	sum->tasks++;
	sum->sum.created += done.created;
	sum->sum.skipped_open += done.skipped_open;
	sum->sum.skipped_feeds += done.skipped_feeds;
	sum->sum.cancelled += done.cancelled;
	jw_obj(&c->res->w);
	jw_kstr(&c->res->w, "id", t->id);
	jw_kstr(&c->res->w, "name", t->name);
	jw_kint(&c->res->w, "mp_count", done.feeds);
	jw_kint(&c->res->w, "allocations_created", done.created);
	jw_obj_end(&c->res->w);
	return CS_OK;
}

static enum cs_err
dispatch_all(struct ctx *c, struct tally *sum, const char *task_id, bool force)
{
	struct db_dispatch_task *tasks;
	size_t n;

	TRY(db_dispatch_tasks(c->db, task_id, c->arena, &tasks, &n, &c->fault));
	if (task_id != NULL && n == 0)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_TASK);
	for (size_t i = 0; i < n; i++) {
		if (tasks[i].enabled)
			TRY(dispatch_one(c, sum, &tasks[i], force));
	}
	return CS_OK;
}

static void
write_tally(struct ctx *c, const struct tally *sum, int64_t online)
{
	struct jw *w = &c->res->w;

	jw_arr_end(w);
	jw_kint(w, "online_nodes", online);
	jw_kint(w, "task_count", sum->tasks);
	jw_kint(w, "allocations_created", sum->sum.created);
	jw_kint(w, "skipped_open", sum->sum.skipped_open);
	jw_kint(w, "skipped_feeds", sum->sum.skipped_feeds);
	jw_kint(w, "cancelled", sum->sum.cancelled);
	jw_kraw(w, "failed_tasks", sum->failed_text.data);
	jw_obj_end(w);
}

/* Dispatches, and writes what came of it as data. */
static enum cs_err
dispatch(struct ctx *c, struct tally *sum, const char *task_id, bool force)
{
	int64_t online;
	enum cs_err rc;

	TRY(db_online_nodes(c->db, c->conf, &online, &c->fault));
	jw_init(&sum->failed, &sum->failed_text);
	jw_arr(&sum->failed);
	jw_obj(&c->res->w);
	jw_key(&c->res->w, "tasks");
	jw_arr(&c->res->w);
	rc = dispatch_all(c, sum, task_id, force);
	jw_arr_end(&sum->failed);
	write_tally(c, sum, online);
	if (rc == CS_OK && buf_failed(&sum->failed_text))
		rc = cs_detail(&c->fault, CS_ENOMEM, "answer");
	buf_free(&sum->failed_text);
	return rc;
}

static void
answer(struct ctx *c, const char *data)
{
	buf_reset(&c->res->data);
	jw_init(&c->res->w, &c->res->data);
	jw_raw(&c->res->w, data);
}

/* Keeps the answer under its key; of two at once both give the first. One that is very long is not
 * kept: a repetition makes it anew from the run. */
static enum cs_err
keep_answer(struct ctx *c, const struct db_idem *k)
{
	const char *kept;

	if (buf_failed(&c->res->data) || c->res->data.len > KEPT_MAX)
		return CS_OK;
	TRY(db_idem_answer(c->db, k, c->res->data.data, c->arena, &kept, &c->fault));
	answer(c, kept);
	return CS_OK;
}

enum cs_err
h_dispatch_task(struct ctx *c)
{
	char run_id[UUID_LEN + 1];
	struct db_idem_run run = { .run_id = run_id };
	struct tally sum = { .tasks = 0 };
	const char *task_id;
	struct db_idem k;
	int64_t force;

	TRY(req_query_text(c, "task_id", 255, &task_id));
	TRY(req_query_int(c, "force", 0, 0, 1, &force));
	TRY(idem_read(c, "dispatch-task", &k));
	if (!ident_uuid7(run_id, clock_wall_ms()))
		return cs_detail(&c->fault, CS_EINTERNAL, "no random numbers");
	if (k.id != NULL)
		TRY(db_idem_run(c->db, &k, run_id, KEPT_S, c->arena, &run, &c->fault));
	sum.run_id = run.run_id;
	sum.again = k.id != NULL;
	if (run.answer != NULL)
		answer(c, run.answer);
	else
		TRY(dispatch(c, &sum, task_id, force != 0));
	if (k.id != NULL && run.answer == NULL)
		TRY(keep_answer(c, &k));
	return res_ok(c, MSG_DISPATCHED);
}

enum cs_err
h_allocation_cancel(struct ctx *c)
{
	char text[320];
	const struct db_end end = {
		.error = msg_render(text, sizeof(text), LANG_ZH, MSG_E_CANCELLED, c->who.name),
	};
	struct db_alloc al;
	bool moved = false;

	for (int tries = 0; !moved && tries < CANCEL_TRIES; tries++) {
		TRY(db_alloc_get(c->db, req_param(c, "id"), 0, c->arena, &al, &c->fault));
		if (!al.found)
			return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_ALLOCATION);
		if (al.state == ALLOC_CANCELLED)
			return res_ok(c, MSG_CANCELLED);
		if (al.seq == 0)
			return cs_fail(
			    &c->fault, CS_ECONFLICT, MSG_ALREADY_ENDED, alloc_state_name(al.state));
		TRY(db_alloc_end(c->db, c->conf, &al, EV_CANCEL, &end, &moved, &c->fault));
	}
	if (!moved)
		return cs_detail(&c->fault, CS_EBUSY, "allocation %s keeps changing", al.id);
	return res_ok(c, MSG_CANCELLED);
}
