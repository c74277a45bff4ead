/* SPDX-License-Identifier: MIT */
/*
 * Rows of the sync log, by the database's clock, and the switches in cascade_setting. A switch that
 * was never set has no row.
 */
#include "db/db_sync.h"

#include "base/clock.h"
#include "core/ident.h"

#include <string.h>

#define STATUS_OK     1
#define STATUS_FAILED 2

#define SCHEDULER_ENABLED "scheduler_enabled"
#define SCHEDULER_RELOADS "scheduler_reloads"

static const struct {
	const char *name, *direction;
} ops[SYNC__MAX] = {
	[SYNC_FEEDS] = { "sync_feeds", "pull" },
	[SYNC_TASKS] = { "sync_tasks", "pull" },
	[SYNC_CLAIM] = { "claim_task", "pull" },
	[SYNC_UPLOAD] = { "upload_articles", "push" },
	[SYNC_RESULT] = { "report_result", "push" },
	[SYNC_COMPLETION] = { "task_completion", "push" },
};

const char *
sync_op_name(enum sync_op op)
{
	return ops[op].name;
}

enum cs_err
db_sync_log(struct db *db, const struct db_sync *row, struct fault *f)
{
	char id[UUID_LEN + 1];

	if (!ident_uuid7(id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	return DB_EXEC(db, f, NULL, STMT_SYNC_LOG, A_S(id), A_S(row->node_id),
	    A_S(ops[row->op].name), A_S(ops[row->op].direction),
	    A_I(row->failed ? STATUS_FAILED : STATUS_OK), A_I(row->count), A_S(row->error),
	    A_S(row->extra), A_I(row->took_us));
}

enum cs_err
db_scheduler_get(struct db *db, struct db_scheduler *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_scheduler){ .enabled = true };
	TRY(DB_QUERY(db, f, &r, STMT_SETTINGS));
	while (db_next(&r)) {
		if (strcmp(db_s(&r, 0), SCHEDULER_ENABLED) == 0)
			out->enabled = db_i(&r, 1) != 0;
		else if (strcmp(db_s(&r, 0), SCHEDULER_RELOADS) == 0)
			out->reloads = db_i(&r, 1);
	}
	return CS_OK;
}

enum cs_err
db_scheduler_set(struct db *db, bool enabled, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_SETTING_SET, A_S(SCHEDULER_ENABLED), A_I(enabled));
}

enum cs_err
db_scheduler_reload(struct db *db, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_SETTING_COUNT, A_S(SCHEDULER_RELOADS));
}
