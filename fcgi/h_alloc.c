/* SPDX-License-Identifier: MIT */
/*
 * GET /allocations, /allocations/{id} and /pending-allocations: what there is and how it stands.
 * Reads only.
 */
#include "fcgi/handlers.h"

#include "core/alloc.h"
#include "fcgi/page.h"
#include "fcgi/view.h"

#define ID_CHARS_MAX 255

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
	struct view_page page;
	auto_rows rows = { 0 };
	int64_t total;

	TRY(read_filter(c, &filter));
	TRY(page_read(c, &page_allocations, &page));
	TRY(db_view_allocations_total(c->db, &filter, DB_TOTAL_MAX + 1, &total, &c->fault));
	TRY(db_view_allocations(c->db, &filter, &page, &rows, &c->fault));
	TRY(page_write(c, &page_allocations, &rows, &page, total));
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
	res_cells(c, &view_allocation, &rows);
	jw_key(&c->res->w, "attempts");
	res_rows(c, &view_attempt, &attempts, SIZE_MAX);
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
	if (!n.exact)
		jw_kbool(w, "counts_exact", false);
	jw_obj_end(w);
	return res_ok(c, MSG_SUCCESS);
}
