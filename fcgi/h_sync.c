/* SPDX-License-Identifier: MIT */
/*
 * The sync log: GET /sync-logs shows it, POST /report-result adds what a node reports of a task by
 * itself, outside any allocation. Such a report lives nowhere else, so its row is the answer's
 * condition and not a note about it.
 */
#include "fcgi/handlers.h"

#include "base/clock.h"
#include "db/db_sync.h"
#include "fcgi/page.h"

#define ID_CHARS_MAX	    255
#define OPERATION_CHARS_MAX 50

enum cs_err
h_sync_list(struct ctx *c)
{
	struct view_sync_filter filter = { 0 };
	struct view_page page;
	auto_rows rows = { 0 };
	int64_t total;

	TRY(req_query_text(c, "node_id", ID_CHARS_MAX, &filter.node_id));
	TRY(req_query_text(c, "operation", OPERATION_CHARS_MAX, &filter.operation));
	TRY(page_read(c, &page_syncs, &page));
	TRY(db_view_sync_total(c->db, &filter, DB_TOTAL_MAX + 1, &total, &c->fault));
	TRY(db_view_sync(c->db, &filter, &page, &rows, &c->fault));
	TRY(page_write(c, &page_syncs, &rows, &page, total));
	return res_ok(c, MSG_SUCCESS);
}

/* What is kept of a report; NULL: out of memory. */
static const char *
result_extra(struct ctx *c, const char *task_id, const struct jx *results)
{
	const char *json = jx_text(results, c->arena), *text;
	struct buf b = { 0 };
	struct jw w;

	if (json == NULL)
		return NULL;
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "task_id", task_id);
	jw_kint(&w, "result_count", (int64_t)jx_len(results));
	jw_kraw(&w, "results", json);
	jw_obj_end(&w);
	text = buf_failed(&b) ? NULL : arena_strndup(c->arena, b.data, b.len);
	buf_free(&b);
	return text;
}

enum cs_err
h_report_result(struct ctx *c)
{
	struct in {
		const char *task_id;
		const struct jx *results;
	} in = { 0 };
	static const struct jx_field fields[] = {
		{ "task_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct in, task_id), 0,
		    ID_CHARS_MAX },
		{ "results", JX_ARR, JX_REQUIRED, offsetof(struct in, results), 0, 0 },
	};
	struct db_sync row = { .op = SYNC_RESULT, .node_id = c->who.node_id };

	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), &in, NULL, "", &c->fault));
	TRY(req_objects(c, in.results, "results"));
	row.count = (int64_t)jx_len(in.results);
	row.extra = result_extra(c, in.task_id, in.results);
	if (row.extra == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "results");
	row.took_us = clock_mono_us() - c->started_us;
	TRY(db_sync_log(c->db, &row, &c->fault));
	return res_ok(c, MSG_RESULT_KEPT);
}
