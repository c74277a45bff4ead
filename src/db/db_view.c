/* SPDX-License-Identifier: MIT */
/*
 * Listings and counts: reads only. Filters choose one of eight statements; the columns of each
 * listing stand here beside nothing else, in the order of stmt_view.def.
 */
#include "db/db_view.h"

static const struct view_col allocation_cols[] = {
	{ "allocation_id", VIEW_TEXT },
	{ "id", VIEW_TEXT },
	{ "task_id", VIEW_TEXT },
	{ "task_name", VIEW_TEXT },
	{ "node_id", VIEW_TEXT },
	{ "node_name", VIEW_TEXT },
	{ "feed_ids", VIEW_ARRAY },
	{ "status", VIEW_TEXT },
	{ "result_summary", VIEW_TEXT },
	{ "error_message", VIEW_TEXT },
	{ "dispatched_at", VIEW_TEXT },
	{ "claimed_at", VIEW_TEXT },
	{ "started_at", VIEW_TEXT },
	{ "completed_at", VIEW_TEXT },
	{ "schedule_run_id", VIEW_TEXT },
	{ "article_count", VIEW_INT },
	{ "new_article_count", VIEW_INT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
	{ "attempt", VIEW_INT },
	{ "failures", VIEW_INT },
	{ "losts", VIEW_INT },
	{ "ready_at", VIEW_TEXT },
	{ "lease_expires_at", VIEW_TEXT },
	{ "assigned", VIEW_BOOL },
};
const struct view view_allocation = { allocation_cols, ARRAY_LEN(allocation_cols) };

static const struct view_col attempt_cols[] = {
	{ "attempt", VIEW_INT },
	{ "node_id", VIEW_TEXT },
	{ "node_name", VIEW_TEXT },
	{ "claimed_at", VIEW_TEXT },
	{ "started_at", VIEW_TEXT },
	{ "ended_at", VIEW_TEXT },
	{ "outcome", VIEW_TEXT },
	{ "error_message", VIEW_TEXT },
};
const struct view view_attempt = { attempt_cols, ARRAY_LEN(attempt_cols) };

static const struct view_col beat_cols[] = {
	{ "name", VIEW_TEXT },
	{ "beat_at", VIEW_TEXT },
	{ "age_s", VIEW_INT },
	{ "gap_ended_at", VIEW_TEXT },
};
const struct view view_beat = { beat_cols, ARRAY_LEN(beat_cols) };

/* By filter: 1 task, 2 node, 4 status. */
static const struct {
	enum stmt_id page, total;
} filtered[8] = {
	{ STMT_VIEW_ALLOCS_ALL, STMT_VIEW_TOTAL_ALL },
	{ STMT_VIEW_ALLOCS_T, STMT_VIEW_TOTAL_T },
	{ STMT_VIEW_ALLOCS_N, STMT_VIEW_TOTAL_N },
	{ STMT_VIEW_ALLOCS_TN, STMT_VIEW_TOTAL_TN },
	{ STMT_VIEW_ALLOCS_S, STMT_VIEW_TOTAL_S },
	{ STMT_VIEW_ALLOCS_TS, STMT_VIEW_TOTAL_TS },
	{ STMT_VIEW_ALLOCS_NS, STMT_VIEW_TOTAL_NS },
	{ STMT_VIEW_ALLOCS_TNS, STMT_VIEW_TOTAL_TNS },
};

#define FILTER_ARGS_MAX 5 /* three filters, limit, offset */

/* Puts the filters' arguments into ARGS, their number into *N; returns the index of filtered[]. */
static size_t
filter_args(const struct view_filter *filter, struct db_arg *args, size_t *n)
{
	const char *values[] = { filter->task_id, filter->node_id, filter->status };
	size_t index = 0;

	*n = 0;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (values[i] == NULL)
			continue;
		index |= (size_t)1 << i;
		args[(*n)++] = A_S(values[i]);
	}
	return index;
}

enum cs_err
db_view_allocations(struct db *db, const struct view_filter *filter, int64_t limit, int64_t offset,
    struct db_rows *rows, struct fault *f)
{
	struct db_arg args[FILTER_ARGS_MAX];
	size_t n;
	size_t index = filter_args(filter, args, &n);

	args[n++] = A_I(limit);
	args[n++] = A_I(offset);
	return db_query(db, f, rows, filtered[index].page, args, n);
}

enum cs_err
db_view_allocations_total(
    struct db *db, const struct view_filter *filter, int64_t max, int64_t *total, struct fault *f)
{
	struct db_arg args[FILTER_ARGS_MAX];
	size_t n;
	size_t index = filter_args(filter, args, &n);
	auto_rows r = { 0 };

	args[n++] = A_I(max);
	TRY(db_query(db, f, &r, filtered[index].total, args, n));
	*total = db_next(&r) ? db_i(&r, 0) : 0;
	return CS_OK;
}

enum cs_err
db_view_allocation(struct db *db, const char *id, struct db_rows *rows, struct fault *f)
{
	TRY(DB_QUERY(db, f, rows, STMT_VIEW_ALLOC, A_S(id)));
	if (!db_next(rows))
		return cs_fail(f, CS_ENOTFOUND, MSG_NO_ALLOCATION);
	return CS_OK;
}

enum cs_err
db_view_attempts(struct db *db, const char *id, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_VIEW_ATTEMPTS, A_S(id), A_S(id));
}

enum cs_err
db_view_counts(struct db *db, const struct conf *conf, struct view_counts *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct view_counts){ 0 };
	TRY(DB_QUERY(db, f, &r, STMT_VIEW_COUNTS, A_I(conf->offline_after_s)));
	if (db_next(&r))
		*out = (struct view_counts){
			.pending = db_i(&r, 0),
			.executing = db_i(&r, 1),
			.completed_today = db_i(&r, 2),
			.failed_today = db_i(&r, 3),
			.online_nodes = db_i(&r, 4),
		};
	return CS_OK;
}

enum cs_err
db_view_load(struct db *db, const struct conf *conf, struct view_load *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct view_load){ 0 };
	TRY(DB_QUERY(db, f, &r, STMT_VIEW_LOAD, A_I(conf->offline_after_s)));
	if (db_next(&r))
		*out = (struct view_load){
			.nodes = db_i(&r, 0),
			.open = db_i(&r, 1),
			.capacity = db_i(&r, 2),
		};
	return CS_OK;
}

enum cs_err
db_view_oldest(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_VIEW_OLDEST);
}

enum cs_err
db_view_beats(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_VIEW_BEATS);
}
