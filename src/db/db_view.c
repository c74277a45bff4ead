/* SPDX-License-Identifier: MIT */
/*
 * Listings and counts: reads only. Filters choose one of a listing's statements; the columns of
 * each listing stand here beside nothing else, in the order of stmt_view.def.
 */
#include "db/db_view.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400

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

static const struct view_col occurrence_cols[] = {
	{ "task_id", VIEW_TEXT },
	{ "scheduled_for", VIEW_TEXT },
	{ "created_at", VIEW_TEXT },
	{ "created", VIEW_INT },
	{ "skipped_open", VIEW_INT },
	{ "skipped_feeds", VIEW_INT },
	{ "note", VIEW_TEXT },
};
const struct view view_occurrence = { occurrence_cols, ARRAY_LEN(occurrence_cols) };

static const struct view_col feed_cols[] = {
	{ "id", VIEW_TEXT },
	{ "faker_id", VIEW_TEXT },
	{ "mp_name", VIEW_TEXT },
	{ "mp_cover", VIEW_TEXT },
	{ "mp_intro", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_pulled_feed = { feed_cols, ARRAY_LEN(feed_cols) };

static const struct view_col task_cols[] = {
	{ "id", VIEW_TEXT },
	{ "name", VIEW_TEXT },
	{ "message_type", VIEW_INT },
	{ "message_template", VIEW_TEXT },
	{ "web_hook_url", VIEW_TEXT },
	{ "mps_id", VIEW_TEXT },
	{ "cron_exp", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "headers", VIEW_TEXT },
	{ "cookies", VIEW_TEXT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_pulled_task = { task_cols, ARRAY_LEN(task_cols) };

static const struct view_col sync_cols[] = {
	{ "id", VIEW_TEXT },
	{ "node_id", VIEW_TEXT },
	{ "operation", VIEW_TEXT },
	{ "direction", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "data_count", VIEW_INT },
	{ "error_message", VIEW_TEXT },
	{ "extra_data", VIEW_OBJECT },
	{ "started_at", VIEW_TEXT },
	{ "completed_at", VIEW_TEXT },
};
const struct view view_sync = { sync_cols, ARRAY_LEN(sync_cols) };

static const struct view_col feed_status_cols[] = {
	{ "id", VIEW_TEXT },
	{ "mp_name", VIEW_TEXT },
	{ "mp_cover", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "article_count", VIEW_INT },
	{ "latest_article_time", VIEW_TEXT },
	{ "update_status", VIEW_TEXT },
	{ "update_time", VIEW_INT },
	{ "sync_time", VIEW_INT },
	{ "last_task", VIEW_OBJECT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_feed_status = { feed_status_cols, ARRAY_LEN(feed_status_cols) };

/* The statements of one combination of filters. */
struct filtered {
	enum stmt_id page, after, total; /* after: where the listing has cursors */
};

/* By filter: 1 task, 2 node, 4 status. */
static const struct filtered allocations[8] = {
	{ STMT_VIEW_ALLOCS_ALL, STMT_VIEW_AFTER_ALL, STMT_VIEW_TOTAL_ALL },
	{ STMT_VIEW_ALLOCS_T, STMT_VIEW_AFTER_T, STMT_VIEW_TOTAL_T },
	{ STMT_VIEW_ALLOCS_N, STMT_VIEW_AFTER_N, STMT_VIEW_TOTAL_N },
	{ STMT_VIEW_ALLOCS_TN, STMT_VIEW_AFTER_TN, STMT_VIEW_TOTAL_TN },
	{ STMT_VIEW_ALLOCS_S, STMT_VIEW_AFTER_S, STMT_VIEW_TOTAL_S },
	{ STMT_VIEW_ALLOCS_TS, STMT_VIEW_AFTER_TS, STMT_VIEW_TOTAL_TS },
	{ STMT_VIEW_ALLOCS_NS, STMT_VIEW_AFTER_NS, STMT_VIEW_TOTAL_NS },
	{ STMT_VIEW_ALLOCS_TNS, STMT_VIEW_AFTER_TNS, STMT_VIEW_TOTAL_TNS },
};

/* By filter: 1 node, 2 operation. */
static const struct filtered syncs[4] = {
	{ STMT_VIEW_SYNC_ALL, STMT_VIEW_SYNC_AFTER_ALL, STMT_VIEW_SYNC_TOTAL_ALL },
	{ STMT_VIEW_SYNC_N, STMT_VIEW_SYNC_AFTER_N, STMT_VIEW_SYNC_TOTAL_N },
	{ STMT_VIEW_SYNC_O, STMT_VIEW_SYNC_AFTER_O, STMT_VIEW_SYNC_TOTAL_O },
	{ STMT_VIEW_SYNC_NO, STMT_VIEW_SYNC_AFTER_NO, STMT_VIEW_SYNC_TOTAL_NO },
};

#define FILTERS_MAX 3

/* What a listing is asked for: the filters that are set, and by them the statements. */
struct choice {
	const struct filtered *stmt;
	struct db_arg args[FILTERS_MAX + 5]; /* room for a cursor and the limit */
	size_t n;
};

static struct choice
choose(const struct filtered *table, const char *const *values, size_t nvalues)
{
	struct choice c = { .stmt = table };

	for (size_t i = 0; i < nvalues; i++) {
		if (values[i] == NULL)
			continue;
		c.stmt += (size_t)1 << i;
		c.args[c.n++] = A_S(values[i]);
	}
	return c;
}

static struct choice
choose_allocations(const struct view_filter *filter)
{
	const char *const values[] = { filter->task_id, filter->node_id, filter->status };

	return choose(allocations, values, ARRAY_LEN(values));
}

static struct choice
choose_sync(const struct view_sync_filter *filter)
{
	const char *const values[] = { filter->node_id, filter->operation };

	return choose(syncs, values, ARRAY_LEN(values));
}

static enum cs_err
read_page(struct db *db, struct choice c, const struct view_page *page, struct db_rows *rows,
    struct fault *f)
{
	const struct db_arg after[] = { A_S(page->at), A_S(page->at), A_S(page->id),
		A_S(page->at) };

	for (size_t i = 0; page->id != NULL && i < ARRAY_LEN(after); i++)
		c.args[c.n++] = after[i];
	c.args[c.n++] = A_I(page->limit);
	if (page->id != NULL)
		return db_query(db, f, rows, c.stmt->after, c.args, c.n);
	c.args[c.n++] = A_I(page->offset);
	return db_query(db, f, rows, c.stmt->page, c.args, c.n);
}

static enum cs_err
read_total(struct db *db, struct choice c, int64_t max, int64_t *total, struct fault *f)
{
	auto_rows r = { 0 };

	c.args[c.n++] = A_I(max);
	TRY(db_query(db, f, &r, c.stmt->total, c.args, c.n));
	*total = db_next(&r) ? db_i(&r, 0) : 0;
	return CS_OK;
}

enum cs_err
db_view_allocations(struct db *db, const struct view_filter *filter, const struct view_page *page,
    struct db_rows *rows, struct fault *f)
{
	return read_page(db, choose_allocations(filter), page, rows, f);
}

enum cs_err
db_view_allocations_total(
    struct db *db, const struct view_filter *filter, int64_t max, int64_t *total, struct fault *f)
{
	return read_total(db, choose_allocations(filter), max, total, f);
}

enum cs_err
db_view_sync(struct db *db, const struct view_sync_filter *filter, const struct view_page *page,
    struct db_rows *rows, struct fault *f)
{
	return read_page(db, choose_sync(filter), page, rows, f);
}

enum cs_err
db_view_sync_total(struct db *db, const struct view_sync_filter *filter, int64_t max,
    int64_t *total, struct fault *f)
{
	return read_total(db, choose_sync(filter), max, total, f);
}

enum cs_err
db_view_occurrences(
    struct db *db, const char *task_id, int64_t limit, struct db_rows *rows, struct fault *f)
{
	if (task_id == NULL)
		return DB_QUERY(db, f, rows, STMT_VIEW_OCCURRENCES_ALL, A_I(limit));
	return DB_QUERY(db, f, rows, STMT_VIEW_OCCURRENCES_T, A_S(task_id), A_I(limit));
}

enum cs_err
db_view_feeds(struct db *db, const struct db_taker *to, struct fault *f)
{
	return DB_EACH(db, f, to, STMT_VIEW_FEEDS);
}

enum cs_err
db_view_tasks(struct db *db, const struct db_taker *to, struct fault *f)
{
	return DB_EACH(db, f, to, STMT_VIEW_TASKS);
}

bool
view_feed_place(const char *text, struct view_feed_place *out)
{
	const char *time = text != NULL ? strchr(text, ' ') : NULL;
	char began[sizeof("-9223372036854775808")];

	if (time == NULL || (size_t)(time - text) >= sizeof(began))
		return false;
	snprintf(began, sizeof(began), "%.*s", (int)(time - text), text);
	time++;
	*out = (struct view_feed_place){ .updated = *time != '\0' };
	return parse_int(began, DAY_S, INT64_MAX, &out->began) &&
	       (!out->updated || parse_int(time, INT32_MIN, INT32_MAX, &out->update_time));
}

/*
 * What follows P: the rest of those updated at the same time, then of each range of the order what
 * is above a bound. Of a range that lies before P nothing is: its lower bound is its upper one.
 */
static enum cs_err
feeds_after(struct db *db, const struct view_feed_place *p, const struct view_page *page,
    struct db_rows *rows, struct fault *f)
{
	const int64_t day_ago = p->began - DAY_S, time = p->update_time;
	const bool unknown = !p->updated || time <= 0, stale = !unknown && time <= day_ago;
	const int64_t above_stale = stale ? time : day_ago;
	const int64_t above_unknown = stale || !p->updated ? INT64_MIN : unknown ? time : 0;
	const int64_t above_recent = unknown || stale ? day_ago : time;
	const struct db_arg limit = A_I(page->limit);

	return DB_QUERY(db, f, rows, STMT_VIEW_STATUS_AFTER, A_I(p->began),
	    p->updated ? A_I(time) : A_NULL, A_S(page->id), limit, A_I(above_stale), A_I(day_ago),
	    limit, A_I(stale), limit, A_I(above_unknown), limit, A_I(above_recent), limit, limit);
}

enum cs_err
db_view_feed_status(struct db *db, const char *feed_id, const struct view_page *page,
    struct db_rows *rows, struct fault *f)
{
	struct view_feed_place place;
	int64_t reach;

	if (feed_id != NULL)
		return DB_QUERY(db, f, rows, STMT_VIEW_STATUS_F, A_S(feed_id), A_I(page->limit),
		    A_I(page->offset));
	if (page->id != NULL && view_feed_place(page->at, &place))
		return feeds_after(db, &place, page, rows, f);
	if (__builtin_add_overflow(page->limit, page->offset, &reach))
		reach = INT64_MAX;
	return DB_QUERY(db, f, rows, STMT_VIEW_STATUS_ALL, A_I(reach), A_I(reach), A_I(reach),
	    A_I(page->limit), A_I(page->offset));
}

enum cs_err
db_view_feed_status_total(
    struct db *db, const char *feed_id, int64_t max, int64_t *total, struct fault *f)
{
	static const struct filtered stmts[2] = {
		{ .total = STMT_VIEW_STATUS_TOTAL_ALL },
		{ .total = STMT_VIEW_STATUS_TOTAL_F },
	};

	return read_total(db, choose(stmts, &feed_id, 1), max, total, f);
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

/*
 * One count, or the two parts of one: where cascaded has counted many lately its figures stand,
 * else they are counted now, as far as DB_TOTAL_MAX.
 */
static enum cs_err
count_some(
    struct db *db, enum stmt_id stmt, int64_t *first, int64_t *second, bool *exact, struct fault *f)
{
	auto_rows r = { 0 };

	if (*first + *second > DB_TOTAL_MAX) {
		*exact = false;
		return CS_OK;
	}
	TRY(DB_QUERY(db, f, &r, stmt, A_I(DB_TOTAL_MAX + 1)));
	if (!db_next(&r))
		return CS_OK;
	*exact = *exact && db_i(&r, 0) <= DB_TOTAL_MAX;
	*first = db_i(&r, 1);
	*second = db_i(&r, 2);
	return CS_OK;
}

enum cs_err
db_view_counts(struct db *db, const struct conf *conf, struct view_counts *out, struct fault *f)
{
	int64_t none = 0;
	auto_rows r = { 0 };

	*out = (struct view_counts){ .exact = true };
	TRY(DB_QUERY(db, f, &r, STMT_VIEW_COUNTED, A_I(conf->offline_after_s)));
	if (!db_next(&r))
		return CS_OK;
	out->online_nodes = db_i(&r, 0);
	out->pending = db_i(&r, 1);
	out->executing = db_i(&r, 2);
	out->completed_today = db_i(&r, 3);
	out->failed_today = db_i(&r, 4);
	TRY(count_some(db, STMT_VIEW_COUNT_PENDING, &out->pending, &none, &out->exact, f));
	TRY(count_some(db, STMT_VIEW_COUNT_HELD, &out->executing, &none, &out->exact, f));
	return count_some(
	    db, STMT_VIEW_COUNT_TODAY, &out->completed_today, &out->failed_today, &out->exact, f);
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
