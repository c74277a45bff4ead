/* SPDX-License-Identifier: MIT */
/*
 * Dead letters. A batch to drop is locked while it is read, so that a requeue comes either before,
 * and it is no dead letter any more, or after, and it is gone.
 */
#include "db/db_dead.h"

#include "base/buf.h"
#include "db/db_priv.h"

static const struct view_col dead_cols[] = {
	{ "id", VIEW_TEXT },
	{ "task_id", VIEW_TEXT },
	{ "task_name", VIEW_TEXT },
	{ "status", VIEW_TEXT },
	{ "node_id", VIEW_TEXT },
	{ "node_name", VIEW_TEXT },
	{ "attempts", VIEW_INT },
	{ "completed_at", VIEW_TEXT },
	{ "error_message", VIEW_TEXT },
	{ "created_at", VIEW_TEXT },
};
const struct view view_dead = { dead_cols, ARRAY_LEN(dead_cols) };

enum cs_err
db_dead_list(
    struct db *db, const char *task_id, int64_t limit, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_DEAD_LIST, A_S(task_id), A_S(task_id), A_I(limit));
}

enum cs_err
db_dead_count(struct db *db, const struct dead_filter *filter, int64_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_DEAD_COUNT, A_S(filter->task_id), A_S(filter->task_id),
	    A_I(filter->min_age_s)));
	*n = db_next(&r) ? db_i(&r, 0) : 0;
	return CS_OK;
}

enum cs_err
db_dead_requeue(struct db *db, struct db_requeued *out, struct fault *f)
{
	struct db_requeued of_task;
	auto_rows r = { 0 };

	*out = (struct db_requeued){ 0 };
	TRY(DB_QUERY(db, f, &r, STMT_DEAD_TASKS));
	while (db_next(&r)) {
		enum cs_err rc = db_task_requeue(db, db_s(&r, 0), NULL, &of_task, f);

		/* it was deleted this very moment */
		if (rc == CS_ENOTFOUND) {
			fault_clear(f);
			continue;
		}
		TRY(rc);
		out->requeued += of_task.requeued;
		out->skipped += of_task.skipped;
	}
	return CS_OK;
}

/* One batch; *N 0: nothing is left. */
static enum cs_err
purge_batch(struct db *db, const struct conf *conf, const struct dead_filter *filter,
    struct buf *ids, uint64_t *n, struct fault *f)
{
	auto_rows r = { 0 };
	auto_tx tx = { 0 };

	*n = 0;
	buf_reset(ids);
	TRY(db_begin(db, &tx, f));
	TRY(DB_QUERY(db, f, &r, STMT_DEAD_BATCH, A_S(filter->task_id), A_S(filter->task_id),
	    A_I(filter->min_age_s), A_I(conf->retention_batch)));
	if (db_count(&r) == 0)
		return CS_OK;
	while (db_next(&r))
		db_list_add(ids, db_s(&r, 0));
	buf_putc(ids, ']');
	if (buf_failed(ids))
		return cs_detail(f, CS_ENOMEM, "dead letters");
	TRY(db_drop_allocations(db, ids->data, n, f));
	return db_commit(&tx, f);
}

enum cs_err
db_dead_purge(struct db *db, const struct conf *conf, const struct dead_filter *filter, int64_t *n,
    struct fault *f)
{
	struct buf ids = { 0 };
	enum cs_err rc;
	uint64_t dropped;

	*n = 0;
	do {
		rc = purge_batch(db, conf, filter, &ids, &dropped, f);
		if (rc == CS_OK)
			*n += (int64_t)dropped;
	} while (rc == CS_OK && dropped > 0);
	buf_free(&ids);
	return rc;
}
