/* SPDX-License-Identifier: MIT */
/*
 * The sync log (every pull and push of a node) and the scheduler's switches. Claims and completions
 * write their row in the procedures that carry them out, under the names that are given here.
 */
#ifndef CS_DB_DB_SYNC_H
#define CS_DB_DB_SYNC_H

#include "db/db.h"

enum sync_op {
	SYNC_NONE, /* not logged */
	SYNC_FEEDS,
	SYNC_TASKS,
	SYNC_CLAIM,
	SYNC_UPLOAD,
	SYNC_RESULT,
	SYNC_COMPLETION,
	SYNC__MAX
};
/* The operation as it is stored, "sync_feeds"; static storage. Not for SYNC_NONE. */
const char *sync_op_name(enum sync_op op);

/* One finished row. */
struct db_sync {
	enum sync_op op;
	const char *node_id;
	bool failed;
	int64_t count;
	const char *error; /* NULL: none; without FAILED a warning */
	const char *extra; /* JSON object; NULL: none */
	int64_t took_us;
};
/* Writes ROW, as part of the transaction if one is open. */
enum cs_err db_sync_log(struct db *db, const struct db_sync *row, struct fault *f) cs_mustcheck;

/* What administrators want of the scheduler; kept whatever runs. */
struct db_scheduler {
	bool enabled;	 /* until it is stopped for the first time, too */
	int64_t reloads; /* grows with each request to read the tasks anew */
};
enum cs_err db_scheduler_get(struct db *db, struct db_scheduler *out, struct fault *f) cs_mustcheck;
enum cs_err db_scheduler_set(struct db *db, bool enabled, struct fault *f) cs_mustcheck;
enum cs_err db_scheduler_reload(struct db *db, struct fault *f) cs_mustcheck;

#endif
