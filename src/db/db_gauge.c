/* SPDX-License-Identifier: MIT */
/*
 * Gauges and counters kept in cascade_gauge. The queue and what ended today are counted anew each
 * time. Ended attempts are added to their counters window by window of their end: rows of
 * cascade_attempt go after a while, and a counter must not. A window is counted once, however many
 * daemons try: the statement is guarded by where it begins.
 */
#include "db/db_gauge.h"

#define ATTEMPTS_WINDOW 20000

enum cs_err
db_gauges(struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_GAUGES, A_I(conf->offline_after_s));
}

/* A number of a query's row, and where it is kept. */
struct counted {
	const char *name, *label;
};

#define COUNTED_MAX 6

static enum cs_err
count(struct db *db, enum stmt_id query, const struct counted *cols, unsigned n, struct fault *f)
{
	struct db_arg args[COUNTED_MAX][3];
	auto_rows r = { 0 };

	TRY(db_query(db, f, &r, query, NULL, 0));
	if (!db_next(&r))
		return CS_OK;
	for (unsigned i = 0; i < n; i++) {
		args[i][0] = A_S(cols[i].name);
		args[i][1] = A_S(cols[i].label);
		args[i][2] = A_I(db_i(&r, i));
	}
	return db_exec_bulk(db, f, NULL, STMT_GAUGE_SET, args[0], 3, n);
}

enum cs_err
db_gauge_count(struct db *db, struct fault *f)
{
	static const struct counted queue[COUNTED_MAX] = {
		{ "queue_allocations", "ready" },
		{ "queue_allocations", "backoff" },
		{ "queue_allocations", "assigned" },
		{ "queue_allocations", "claimed" },
		{ "queue_allocations", "executing" },
		{ "queue_oldest_waiting_seconds", "" },
	};
	static const struct counted today[] = {
		{ "ended_today", "completed" },
		{ "ended_today", "failed" },
	};

	TRY(count(db, STMT_GAUGE_QUEUE, queue, ARRAY_LEN(queue), f));
	return count(db, STMT_GAUGE_TODAY, today, ARRAY_LEN(today), f);
}

enum cs_err
db_gauge_count_attempts(struct db *db, struct fault *f)
{
	auto_rows from = { 0 };
	auto_rows to = { 0 };

	TRY(DB_QUERY(db, f, &from, STMT_GAUGE_ATTEMPTS_FROM));
	if (!db_next(&from) || db_is_null(&from, 0))
		return CS_OK;
	TRY(DB_QUERY(db, f, &to, STMT_GAUGE_ATTEMPTS_TO, A_S(db_s(&from, 0)), A_S(db_s(&from, 0)),
	    A_I(ATTEMPTS_WINDOW)));
	if (!db_next(&to))
		return CS_OK;
	return DB_EXEC(db, f, NULL, STMT_GAUGE_ATTEMPTS_ADD, A_S(db_s(&from, 0)), A_S(db_s(&to, 0)),
	    A_S(db_s(&to, 0)), A_S(db_s(&from, 0)));
}
