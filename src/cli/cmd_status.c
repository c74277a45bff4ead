/* SPDX-License-Identifier: MIT */
/* How the system stands, on one screen. */
#include "cli/cli.h"

#include "db/db_view.h"

static const struct out_title beat_titles[] = {
	{ "name", MSG_T_PART },
	{ "beat_at", MSG_T_SEEN },
	{ "age_s", MSG_T_AGE },
};

static enum cs_err
put_schema(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_SCHEMA_VERSION));
	out_int(c->out, "schema_version", MSG_T_SCHEMA, db_next(&rows) ? db_i(&rows, 0) : 0);
	return CS_OK;
}

static enum cs_err
put_oldest(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_view_oldest(c->db, &rows, &c->fault));
	if (db_next(&rows)) {
		out_str(c->out, "oldest_waiting", MSG_T_OLDEST, db_s(&rows, 0));
		out_int(c->out, "oldest_waiting_s", MSG_T_OLDEST_AGE, db_i(&rows, 3));
	} else {
		out_null(c->out, "oldest_waiting", MSG_T_OLDEST);
		out_null(c->out, "oldest_waiting_s", MSG_T_OLDEST_AGE);
	}
	return CS_OK;
}

enum cs_err
cmd_status(struct cli *c)
{
	struct view_counts n;
	struct view_load load;
	auto_rows beats = { 0 };

	TRY(db_view_counts(c->db, c->conf, &n, &c->fault));
	TRY(db_view_load(c->db, c->conf, &load, &c->fault));
	TRY(db_view_beats(c->db, &beats, &c->fault));
	out_record(c->out);
	TRY(put_schema(c));
	out_int(c->out, "nodes", MSG_T_NODES, load.nodes);
	out_int(c->out, "online_nodes", MSG_T_NODES_ONLINE, n.online_nodes);
	out_int(c->out, "current_tasks", MSG_T_OPEN, load.open);
	out_int(c->out, "capacity", MSG_T_CAPACITY, load.capacity);
	out_int(c->out, "pending_tasks", MSG_T_PENDING, n.pending);
	out_int(c->out, "executing_tasks", MSG_T_EXECUTING, n.executing);
	out_int(c->out, "completed_today", MSG_T_COMPLETED_TODAY, n.completed_today);
	out_int(c->out, "failed_today", MSG_T_FAILED_TODAY, n.failed_today);
	TRY(put_oldest(c));
	out_rows(c->out, "beats", &view_beat, beat_titles, ARRAY_LEN(beat_titles), &beats);
	out_end(c->out);
	return CS_OK;
}
