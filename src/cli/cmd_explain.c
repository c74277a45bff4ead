/* SPDX-License-Identifier: MIT */
/* Why an allocation waits: the verdict, and the reasons of each node. */
#include "cli/cli.h"

#include "base/buf.h"
#include "db/db_explain.h"
#include "json/jw.h"

#define TEXT_SIZE 512

/* The reasons of a node as JSON, for programs. NULL: out of memory. */
static const char *
reasons_json(struct cli *c, const struct explain_work *work, const struct explain_node *n)
{
	char text[TEXT_SIZE];
	struct buf b = { 0 };
	const char *json;
	struct jw w;

	jw_init(&w, &b);
	jw_arr(&w);
	for (enum explain_why why = 0; why < WHY__MAX; why++) {
		if ((n->why & 1u << why) == 0)
			continue;
		jw_obj(&w);
		jw_kstr(&w, "code", explain_why_code(why));
		jw_kstr(
		    &w, "text", explain_why_text(text, sizeof(text), c->fault.lang, why, work, n));
		jw_kstr(&w, why == WHY_OFFLINE ? "since" : "until", explain_why_time(why, work, n));
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	json = buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
	buf_free(&b);
	return json;
}

/* The same in a line, for people, behind whether the node may take it. */
static const char *
reasons_line(struct cli *c, const struct explain_work *work, const struct explain_node *n)
{
	char text[TEXT_SIZE];
	struct buf b = { 0 };
	const char *line;

	buf_puts(&b, msg_text(c->fault.lang, n->may_take ? MSG_C_MAY_TAKE : MSG_C_MAY_NOT_TAKE));
	for (enum explain_why why = 0; why < WHY__MAX; why++) {
		if ((n->why & 1u << why) != 0)
			buf_printf(&b, "; %s",
			    explain_why_text(text, sizeof(text), c->fault.lang, why, work, n));
	}
	line = buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
	buf_free(&b);
	return line;
}

/* For programs a list; for people a line each, since reasons are too long for a table. */
static void
put_nodes(struct cli *c, const struct db_explain *x)
{
	bool json = cli_has(c, OPT_JSON);
	struct out *o = c->out;

	if (json)
		out_list(o, "nodes");
	for (size_t i = 0; i < x->n; i++) {
		const struct explain_node *n = &x->nodes[i];

		if (!json) {
			out_str(o, x->names[i].name, MSG_NONE, reasons_line(c, &x->work, n));
			continue;
		}
		out_row(o);
		out_str(o, "node_id", MSG_NONE, x->names[i].id);
		out_str(o, "node_name", MSG_NONE, x->names[i].name);
		out_bool(o, "may_take", MSG_NONE, n->may_take);
		out_json(o, "reasons", MSG_NONE, reasons_json(c, &x->work, n));
		out_int(o, "current_tasks", MSG_NONE, n->open);
		out_int(o, "max_capacity", MSG_NONE, n->capacity);
		out_int(o, "quota_left", MSG_NONE, n->left);
		out_str(o, "last_seen_at", MSG_NONE, n->seen_at);
	}
	if (json)
		out_end(o);
}

enum cs_err
cmd_allocation_explain(struct cli *c)
{
	struct out *o = c->out;
	char text[TEXT_SIZE];
	struct db_explain x;
	const char *name;

	TRY(db_explain(c->db, c->conf, c->word[0], c->arena, &x, &c->fault));
	name = x.subject != NULL ? x.subject->name : NULL;
	explain_verdict_text(text, sizeof(text), c->fault.lang, x.verdict, &x.work, name);
	out_details(o);
	out_str(o, "allocation_id", MSG_T_ID, x.id);
	out_str(o, "task_id", MSG_NONE, x.task_id);
	out_str(o, "status", MSG_T_STATUS, x.status);
	out_str(o, "ready_at", MSG_NONE, x.work.ready_at);
	out_str(o, "prefer_until", MSG_NONE, x.work.prefer_until);
	out_str(o, "lease_expires_at", MSG_NONE, x.work.lease_until);
	out_str(o, "verdict", MSG_NONE, explain_verdict_code(x.verdict));
	out_str(o, "verdict_text", MSG_NONE, text);
	out_str(o, "node_id", MSG_NONE, x.subject != NULL ? x.subject->id : NULL);
	out_str(o, "node_name", MSG_NONE, name);
	out_str(o, "silent", MSG_NONE, x.silent);
	out_str(o, "grace_until", MSG_NONE, x.grace_until);
	put_nodes(c, &x);
	out_end(o);
	return CS_OK;
}
