/* SPDX-License-Identifier: MIT */
/*
 * POST /dispatch-task: splits the feeds of one or all enabled tasks into allocations. A task that
 * cannot be read fails alone. POST /allocations/{id}/cancel: ends one, whoever holds it.
 */
#include "fcgi/handlers.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_alloc.h"
#include "db/db_dispatch.h"

#include <string.h>

#define CANCEL_TRIES 16

/* What one call has done, over its tasks. */
struct tally {
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
dispatch_one(struct ctx *c, struct tally *sum, const struct db_dispatch_task *t, const char *run_id,
    bool force)
{
	const struct db_dispatch_options opt = { .force = force, .by = c->who.name };
	struct db_dispatch_result done;
	enum cs_err rc = db_dispatch(c->db, c->conf, t, run_id, &opt, &done, &c->fault);

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
	char run_id[UUID_LEN + 1];
	size_t n;

	TRY(db_dispatch_tasks(c->db, task_id, c->arena, &tasks, &n, &c->fault));
	if (task_id != NULL && n == 0)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_TASK);
	if (!ident_uuid7(run_id, clock_wall_ms()))
		return cs_detail(&c->fault, CS_EINTERNAL, "no random numbers");
	for (size_t i = 0; i < n; i++) {
		if (tasks[i].enabled)
			TRY(dispatch_one(c, sum, &tasks[i], run_id, force));
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

enum cs_err
h_dispatch_task(struct ctx *c)
{
	struct tally sum = { .tasks = 0 };
	const char *task_id;
	int64_t force, online;
	enum cs_err rc;

	TRY(req_query_text(c, "task_id", 255, &task_id));
	TRY(req_query_int(c, "force", 0, 0, 1, &force));
	TRY(db_online_nodes(c->db, c->conf, &online, &c->fault));
	jw_init(&sum.failed, &sum.failed_text);
	jw_arr(&sum.failed);
	jw_obj(&c->res->w);
	jw_key(&c->res->w, "tasks");
	jw_arr(&c->res->w);
	rc = dispatch_all(c, &sum, task_id, force != 0);
	jw_arr_end(&sum.failed);
	write_tally(c, &sum, online);
	if (rc == CS_OK && buf_failed(&sum.failed_text))
		rc = cs_detail(&c->fault, CS_ENOMEM, "answer");
	buf_free(&sum.failed_text);
	return rc == CS_OK ? res_ok(c, MSG_DISPATCHED) : rc;
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
