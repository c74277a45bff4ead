/* SPDX-License-Identifier: MIT */
/* How the system stands, on one screen: who leads, what waits and why, what comes next. */
#include "cli/cli.h"

#include "db/db_dead.h"
#include "db/db_explain.h"
#include "db/db_gauge.h"
#include "db/db_sync.h"
#include "db/db_view.h"

#include <string.h>

#define NEXT_COUNT 5
#define TEXT_SIZE  512

static const struct out_title beat_titles[] = {
	{ "name", MSG_T_PART },
	{ "beat_at", MSG_T_SEEN },
	{ "age_s", MSG_T_AGE },
};

/* An integer, or null where the database has none. */
static void
put_int(struct cli *c, const char *key, enum msg_id title, const struct db_rows *rows, unsigned col)
{
	if (db_count(rows) == 0 || db_is_null(rows, col))
		out_null(c->out, key, title);
	else
		out_int(c->out, key, title, db_i(rows, col));
}

static enum cs_err
put_schema(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_SCHEMA_VERSION));
	out_int(c->out, "schema_version", MSG_T_SCHEMA, db_next(&rows) ? db_i(&rows, 0) : 0);
	return CS_OK;
}

static enum cs_err
put_leader(struct cli *c)
{
	auto_rows rows = { 0 };
	bool leads;

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_STATUS_LEADER));
	leads = db_next(&rows);
	out_str(c->out, "leader", MSG_T_LEADER, leads ? db_s(&rows, 0) : NULL);
	out_str(c->out, "leader_since", MSG_T_LEADER_SINCE, leads ? db_s(&rows, 1) : NULL);
	put_int(c, "leader_lease_s", MSG_T_LEADER_LEASE, &rows, 2);
	return CS_OK;
}

/* Who runs the schedule, and how far behind it is. */
static enum cs_err
put_schedule(struct cli *c)
{
	struct db_scheduler state;
	auto_rows rows = { 0 };

	TRY(db_scheduler_get(c->db, &state, &c->fault));
	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_STATUS_LAG));
	(void)db_next(&rows);
	out_str(
	    c->out, "scheduler", MSG_T_SCHEDULER, state.enabled ? c->conf->schedule : "stopped");
	put_int(c, "oldest_run_s", MSG_T_OLDEST_RUN, &rows, 0);
	put_int(c, "schedule_lag_s", MSG_T_SCHEDULE_LAG, &rows, 1);
	return CS_OK;
}

static enum cs_err
put_nodes(struct cli *c)
{
	static const struct {
		const char *state, *key;
		enum msg_id title;
	} states[] = {
		{ "online", "nodes_online", MSG_T_NODES_TAKE },
		{ "draining", "nodes_draining", MSG_T_NODES_DRAINING },
		{ "on_hold", "nodes_on_hold", MSG_T_NODES_ON_HOLD },
		{ "offline", "nodes_offline", MSG_T_NODES_OFFLINE },
		{ "inactive", "nodes_inactive", MSG_T_NODES_INACTIVE },
	};
	auto_rows rows = { 0 };

	TRY(db_gauges(c->db, c->conf, &rows, &c->fault));
	while (db_next(&rows)) {
		for (size_t i = 0; i < ARRAY_LEN(states); i++)
			if (strcmp(db_s(&rows, 0), "nodes") == 0 &&
			    strcmp(db_s(&rows, 1), states[i].state) == 0)
				out_int(c->out, states[i].key, states[i].title, db_i(&rows, 2));
	}
	return CS_OK;
}

static enum cs_err
put_queue(struct cli *c)
{
	const struct dead_filter every = { 0 };
	auto_rows rows = { 0 };
	int64_t dead;

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_GAUGE_QUEUE));
	(void)db_next(&rows);
	put_int(c, "ready", MSG_T_READY, &rows, 0);
	put_int(c, "backing_off", MSG_T_BACKING_OFF, &rows, 1);
	put_int(c, "assigned", MSG_T_ASSIGNED, &rows, 2);
	put_int(c, "claimed", MSG_T_HELD, &rows, 3);
	put_int(c, "executing", MSG_T_EXECUTING, &rows, 4);
	TRY(db_dead_count(c->db, &every, &dead, &c->fault));
	out_int(c->out, "dead_letters", MSG_T_DEAD, dead);
	return CS_OK;
}

/* How many nodes each reason keeps from the work, and what it is for one of them. */
static void
put_reasons(struct cli *c, const struct db_explain *x)
{
	char text[TEXT_SIZE];

	for (enum explain_why why = 0; why < WHY__MAX; why++) {
		const struct explain_node *first = NULL;
		int64_t n = 0;

		for (size_t i = 0; i < x->n; i++) {
			if ((x->nodes[i].why & 1u << why) == 0)
				continue;
			first = first != NULL ? first : &x->nodes[i];
			n++;
		}
		if (first == NULL)
			continue;
		out_row(c->out);
		out_str(c->out, "code", MSG_T_REASON, explain_why_code(why));
		out_int(c->out, "nodes", MSG_T_NODES, n);
		out_str(c->out, "node_name", MSG_T_NODE, x->names[first - x->nodes].name);
		out_str(c->out, "text", MSG_T_WHY,
		    explain_why_text(text, sizeof(text), c->fault.lang, why, &x->work, first));
	}
}

/* What has waited longest, and what becomes of it. *X.id NULL: nothing waits. */
static enum cs_err
put_oldest(struct cli *c, struct db_explain *x)
{
	auto_rows rows = { 0 };
	const char *name, *id = NULL;
	char text[TEXT_SIZE];
	enum cs_err rc = CS_ENOTFOUND;

	*x = (struct db_explain){ 0 };
	TRY(db_view_oldest(c->db, &rows, &c->fault));
	if (db_next(&rows)) {
		id = db_s(&rows, 0);
		rc = db_explain(c->db, c->conf, id, c->arena, x, &c->fault);
	}
	if (rc == CS_ENOTFOUND) {
		fault_clear(&c->fault); /* nothing waits, or it has just ended */
		*x = (struct db_explain){ 0 };
	} else {
		TRY(rc);
	}
	name = x->subject != NULL ? x->subject->name : NULL;
	if (x->id != NULL)
		explain_verdict_text(text, sizeof(text), c->fault.lang, x->verdict, &x->work, name);
	out_str(c->out, "oldest_waiting", MSG_T_OLDEST, id);
	put_int(c, "oldest_waiting_s", MSG_T_OLDEST_AGE, &rows, 3);
	out_str(c->out, "oldest_waiting_why", MSG_T_WHY, x->id != NULL ? text : NULL);
	return CS_OK;
}

/* For programs always, for people only where there is something to show. */
static void
put_why(struct cli *c, const struct db_explain *x)
{
	bool any = false;

	for (size_t i = 0; i < x->n; i++)
		any |= x->nodes[i].why != 0;
	if (!any && !cli_has(c, OPT_JSON))
		return;
	out_list(c->out, "oldest_waiting_reasons");
	put_reasons(c, x);
	out_end(c->out);
}

static enum cs_err
put_next(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_STATUS_NEXT, A_I(NEXT_COUNT)));
	if (db_count(&rows) == 0 && !cli_has(c, OPT_JSON))
		return CS_OK;
	out_list(c->out, "next");
	while (db_next(&rows)) {
		out_row(c->out);
		out_str(c->out, "task_id", MSG_T_ID, db_s(&rows, 0));
		out_str(c->out, "task_name", MSG_T_TASK, db_s(&rows, 1));
		out_str(c->out, "next_at", MSG_T_NEXT, db_s(&rows, 2));
	}
	out_end(c->out);
	return CS_OK;
}

static enum cs_err
put_counts(struct cli *c)
{
	struct view_counts n;
	struct view_load load;

	TRY(db_view_counts(c->db, c->conf, &n, &c->fault));
	TRY(db_view_load(c->db, c->conf, &load, &c->fault));
	out_int(c->out, "nodes", MSG_T_NODES, load.nodes);
	out_int(c->out, "online_nodes", MSG_T_NODES_ONLINE, n.online_nodes);
	TRY(put_nodes(c));
	out_int(c->out, "current_tasks", MSG_T_OPEN, load.open);
	out_int(c->out, "capacity", MSG_T_CAPACITY, load.capacity);
	out_int(c->out, "pending_tasks", MSG_T_PENDING, n.pending);
	out_int(c->out, "executing_tasks", MSG_T_TAKEN, n.executing);
	TRY(put_queue(c));
	out_int(c->out, "completed_today", MSG_T_COMPLETED_TODAY, n.completed_today);
	out_int(c->out, "failed_today", MSG_T_FAILED_TODAY, n.failed_today);
	return CS_OK;
}

enum cs_err
cmd_status(struct cli *c)
{
	struct db_explain oldest;
	auto_rows beats = { 0 };

	TRY(db_view_beats(c->db, &beats, &c->fault));
	out_record(c->out);
	TRY(put_schema(c));
	TRY(put_leader(c));
	TRY(put_schedule(c));
	TRY(put_counts(c));
	TRY(put_oldest(c, &oldest));
	put_why(c, &oldest);
	TRY(put_next(c));
	out_rows(c->out, "beats", &view_beat, beat_titles, ARRAY_LEN(beat_titles), &beats);
	out_end(c->out);
	return CS_OK;
}
