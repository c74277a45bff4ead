/* SPDX-License-Identifier: MIT */
/*
 * GET /allocations, /allocations/{id} and /pending-allocations: what there is and how it stands.
 * Reads only; rows are rendered by the columns of their view.
 */
#include "fcgi/handlers.h"

#include "core/alloc.h"
#include "db/db_view.h"

#define ID_CHARS_MAX 255

/* TEXT is what somebody stored, WeRSS for instance: what is no JSON array is shown as an empty one,
 * or one bad row would spoil the whole answer. */
static void
write_array(struct ctx *c, const char *key, const char *text, size_t len)
{
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;
	const char *json = NULL;

	if (text != NULL && jx_parse(text, len, &doc, &ignored) == CS_OK &&
	    jx_type(jx_root(doc)) == JX_ARR)
		json = jx_text(jx_root(doc), c->arena);
	jw_kraw(&c->res->w, key, json != NULL ? json : "[]");
}

static void
write_cell(struct ctx *c, const struct view_col *col, const struct db_rows *rows, unsigned i)
{
	struct jw *w = &c->res->w;

	if (col->kind == VIEW_ARRAY)
		write_array(c, col->key, db_s(rows, i), db_len(rows, i));
	else if (db_is_null(rows, i))
		jw_knull(w, col->key);
	else if (col->kind == VIEW_INT)
		jw_kint(w, col->key, db_i(rows, i));
	else if (col->kind == VIEW_BOOL)
		jw_kbool(w, col->key, db_i(rows, i) != 0);
	else
		jw_kstr(w, col->key, db_s(rows, i));
}

static void
write_cells(struct ctx *c, const struct view *view, const struct db_rows *rows)
{
	for (unsigned i = 0; i < view->ncols; i++)
		write_cell(c, &view->cols[i], rows, i);
}

static void
write_list(struct ctx *c, const char *key, const struct view *view, struct db_rows *rows)
{
	struct jw *w = &c->res->w;

	jw_key(w, key);
	jw_arr(w);
	while (db_next(rows)) {
		jw_obj(w);
		write_cells(c, view, rows);
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

/* The filters of the query; an unknown status is the client's mistake, not an empty list. */
static enum cs_err
read_filter(struct ctx *c, struct view_filter *filter)
{
	enum alloc_state state;

	TRY(req_query_text(c, "task_id", ID_CHARS_MAX, &filter->task_id));
	TRY(req_query_text(c, "node_id", ID_CHARS_MAX, &filter->node_id));
	TRY(req_query_text(c, "status", ID_CHARS_MAX, &filter->status));
	if (filter->status != NULL && !alloc_state_parse(filter->status, &state))
		return cs_bad(&c->fault, "status", MSG_R_CHOICE, VIEW_STATUSES);
	return CS_OK;
}

enum cs_err
h_allocation_list(struct ctx *c)
{
	struct view_filter filter = { 0 };
	int64_t limit, offset, total;
	auto_rows rows = { 0 };

	TRY(read_filter(c, &filter));
	TRY(req_page(c, &limit, &offset));
	TRY(db_view_allocations_total(c->db, &filter, DB_TOTAL_MAX + 1, &total, &c->fault));
	TRY(db_view_allocations(c->db, &filter, limit, offset, &rows, &c->fault));
	jw_obj(&c->res->w);
	write_list(c, "list", &view_allocation, &rows);
	res_page(c, total, limit, offset);
	jw_obj_end(&c->res->w);
	return res_ok(c, MSG_SUCCESS);
}

enum cs_err
h_allocation_get(struct ctx *c)
{
	const char *id = req_param(c, "id");
	auto_rows rows = { 0 };
	auto_rows attempts = { 0 };

	TRY(db_view_allocation(c->db, id, &rows, &c->fault));
	TRY(db_view_attempts(c->db, id, &attempts, &c->fault));
	jw_obj(&c->res->w);
	write_cells(c, &view_allocation, &rows);
	write_list(c, "attempts", &view_attempt, &attempts);
	jw_obj_end(&c->res->w);
	return res_ok(c, MSG_SUCCESS);
}

enum cs_err
h_pending_allocations(struct ctx *c)
{
	struct jw *w = &c->res->w;
	struct view_counts n;

	TRY(db_view_counts(c->db, c->conf, &n, &c->fault));
	jw_obj(w);
	jw_kint(w, "pending_tasks", n.pending);
	jw_kint(w, "executing_tasks", n.executing);
	jw_kint(w, "completed_today", n.completed_today);
	jw_kint(w, "failed_today", n.failed_today);
	jw_kint(w, "online_nodes", n.online_nodes);
	jw_obj_end(w);
	return res_ok(c, MSG_SUCCESS);
}
