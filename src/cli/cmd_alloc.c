/* SPDX-License-Identifier: MIT */
/* Allocations: dispatching tasks now, looking at what became of them, cancelling, requeueing; what
 * nodes did (the sync log). */
#include "cli/cli.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_alloc.h"
#include "db/db_dispatch.h"
#include "db/db_requeue.h"
#include "db/db_view.h"

#include <string.h>

#define BY	     "cascadectl"
#define CANCEL_TRIES 16
#define LIST_LIMIT   50
#define REASON_SIZE  320

static const struct out_title list_titles[] = {
	{ "id", MSG_T_ID },
	{ "task_name", MSG_T_TASK },
	{ "node_name", MSG_T_NODE },
	{ "status", MSG_T_STATUS },
	{ "attempt", MSG_T_ATTEMPT },
	{ "new_article_count", MSG_T_ARTICLES },
	{ "created_at", MSG_T_CREATED },
	{ "error_message", MSG_T_ERROR },
};

static const struct out_title attempt_titles[] = {
	{ "attempt", MSG_T_ATTEMPT },
	{ "node_name", MSG_T_NODE },
	{ "claimed_at", MSG_T_CLAIMED },
	{ "ended_at", MSG_T_ENDED },
	{ "outcome", MSG_T_OUTCOME },
	{ "error_message", MSG_T_ERROR },
};

static const struct out_title log_titles[] = {
	{ "started_at", MSG_T_STARTED },
	{ "node_id", MSG_T_NODE },
	{ "operation", MSG_T_OPERATION },
	{ "data_count", MSG_T_COUNT },
	{ "error_message", MSG_T_ERROR },
};

/* One row of what dispatch prints. ERROR: why the task could not be dispatched. */
static void
put_dispatched(struct cli *c, const struct db_dispatch_task *t,
    const struct db_dispatch_result *done, const char *error)
{
	out_row(c->out);
	out_str(c->out, "id", MSG_T_ID, t->id);
	out_str(c->out, "name", MSG_T_NAME, t->name);
	out_int(c->out, "mp_count", MSG_T_FEEDS, done->feeds);
	out_int(c->out, "allocations_created", MSG_T_CREATED_ALLOCS, done->created);
	out_int(c->out, "skipped_open", MSG_T_SKIPPED_OPEN, done->skipped_open);
	out_int(c->out, "skipped_feeds", MSG_T_SKIPPED_FEEDS, done->skipped_feeds);
	out_int(c->out, "cancelled", MSG_T_CANCELLED, done->cancelled);
	out_str(c->out, "error", MSG_T_ERROR, error);
}

/* A task that cannot be read fails alone; of several the others are dispatched. */
static enum cs_err
dispatch_one(struct cli *c, const struct db_dispatch_task *t, const char *run_id, bool alone)
{
	const struct db_dispatch_options opt = { .force = cli_has(c, OPT_FORCE), .by = BY };
	struct db_dispatch_result done = { 0 };
	enum cs_err err = db_dispatch(c->db, c->conf, t, run_id, &opt, &done, &c->fault);
	const char *error = NULL;

	if (err == CS_EINVALID && !alone) {
		error = arena_printf(c->arena, "%s: %s", c->fault.field, c->fault.reason);
		fault_clear(&c->fault);
		err = CS_OK;
	}
	TRY(err);
	put_dispatched(c, t, &done, error);
	return CS_OK;
}

enum cs_err
cmd_dispatch(struct cli *c)
{
	const char *task_id = cli_text(c, OPT_TASK);
	struct db_dispatch_task *tasks;
	char run_id[UUID_LEN + 1];
	size_t n;

	TRY(db_dispatch_tasks(c->db, task_id, c->arena, &tasks, &n, &c->fault));
	if (task_id != NULL && n == 0)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_TASK);
	if (!ident_uuid7(run_id, clock_wall_ms()))
		return cs_detail(&c->fault, CS_EINTERNAL, "no random numbers to be had");
	out_list(c->out, NULL);
	for (size_t i = 0; i < n; i++) {
		if (tasks[i].enabled)
			TRY(dispatch_one(c, &tasks[i], run_id, task_id != NULL));
	}
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_allocations(struct cli *c)
{
	const struct view_filter filter = {
		.task_id = cli_text(c, OPT_TASK),
		.node_id = cli_text(c, OPT_NODE),
		.status = cli_text(c, OPT_STATUS),
	};
	const struct view_page page = { .limit = cli_num(c, OPT_LIMIT, LIST_LIMIT) };
	auto_rows rows = { 0 };

	TRY(db_view_allocations(c->db, &filter, &page, &rows, &c->fault));
	out_rows(c->out, NULL, &view_allocation, list_titles, ARRAY_LEN(list_titles), &rows);
	return CS_OK;
}

enum cs_err
cmd_allocation_show(struct cli *c)
{
	const char *id = c->word[0];
	auto_rows rows = { 0 };
	auto_rows attempts = { 0 };

	TRY(db_view_allocation(c->db, id, &rows, &c->fault));
	TRY(db_view_attempts(c->db, id, &attempts, &c->fault));
	out_details(c->out);
	out_cells(c->out, &view_allocation, NULL, 0, &rows);
	out_rows(c->out, "attempts", &view_attempt, attempt_titles, ARRAY_LEN(attempt_titles),
	    &attempts);
	out_end(c->out);
	return CS_OK;
}

/* One try at it; *MOVED false: it changed meanwhile. */
static enum cs_err
try_cancel(struct cli *c, const char *id, bool *moved)
{
	char reason[REASON_SIZE];
	const struct db_end end = {
		.error = msg_render(reason, sizeof(reason), LANG_ZH, MSG_E_CANCELLED, BY),
	};
	struct db_alloc al;

	TRY(db_alloc_get(c->db, id, 0, c->arena, &al, &c->fault));
	if (!al.found)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_ALLOCATION);
	*moved = al.state == ALLOC_CANCELLED;
	if (*moved)
		return CS_OK;
	if (al.seq == 0)
		return cs_fail(
		    &c->fault, CS_ECONFLICT, MSG_ALREADY_ENDED, alloc_state_name(al.state));
	return db_alloc_end(c->db, c->conf, &al, EV_CANCEL, &end, moved, &c->fault);
}

enum cs_err
cmd_allocation_cancel(struct cli *c)
{
	const char *id = c->word[0];
	bool moved = false;

	for (int tries = 0; !moved && tries < CANCEL_TRIES; tries++)
		TRY(try_cancel(c, id, &moved));
	if (!moved)
		return cs_detail(&c->fault, CS_EBUSY, "allocation %s keeps changing", id);
	out_done(c->out, "allocation_id", id, MSG_C_ALLOC_CANCELLED, id);
	return CS_OK;
}

enum cs_err
cmd_allocation_requeue(struct cli *c)
{
	const char *id = c->word[0];

	TRY(db_alloc_requeue(c->db, id, c->arena, &c->fault));
	out_done(c->out, "allocation_id", id, MSG_C_ALLOC_REQUEUED, id);
	return CS_OK;
}

enum cs_err
cmd_task_requeue(struct cli *c)
{
	struct db_requeued done;

	TRY(db_task_requeue(c->db, c->word[0], cli_text(c, OPT_STATUS), &done, &c->fault));
	out_record(c->out);
	out_int(c->out, "requeued", MSG_T_REQUEUED, done.requeued);
	out_int(c->out, "skipped", MSG_T_SKIPPED, done.skipped);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_logs(struct cli *c)
{
	const struct view_sync_filter filter = {
		.node_id = cli_text(c, OPT_NODE),
		.operation = cli_text(c, OPT_OPERATION),
	};
	const struct view_page page = { .limit = cli_num(c, OPT_LIMIT, LIST_LIMIT) };
	auto_rows rows = { 0 };

	TRY(db_view_sync(c->db, &filter, &page, &rows, &c->fault));
	out_rows(c->out, NULL, &view_sync, log_titles, ARRAY_LEN(log_titles), &rows);
	return CS_OK;
}
