/* SPDX-License-Identifier: MIT */
/*
 * POST /allocations/{id}/requeue and POST /dead-letters/requeue?task_id=: what has failed, timed
 * out or was cancelled goes back into the pool, one by one or all that a task has.
 */
#include "fcgi/handlers.h"

#include "db/db_requeue.h"

#define ID_CHARS_MAX 255

enum cs_err
h_allocation_requeue(struct ctx *c)
{
	TRY(db_alloc_requeue(c->db, req_param(c, "id"), c->arena, &c->fault));
	return res_ok(c, MSG_REQUEUED);
}

enum cs_err
h_dead_letters_requeue(struct ctx *c)
{
	struct db_requeued done;
	const char *task_id, *status;

	TRY(req_query_text(c, "task_id", ID_CHARS_MAX, &task_id));
	if (task_id == NULL)
		return cs_bad(&c->fault, "task_id", MSG_R_REQUIRED);
	TRY(req_query_text(c, "status", ID_CHARS_MAX, &status));
	TRY(db_task_requeue(c->db, task_id, status, &done, &c->fault));
	jw_obj(&c->res->w);
	jw_kint(&c->res->w, "requeued", done.requeued);
	jw_kint(&c->res->w, "skipped", done.skipped);
	jw_obj_end(&c->res->w);
	return res_ok_text(c, MSG_REQUEUED_ALL, (long long)done.requeued, (long long)done.skipped);
}
