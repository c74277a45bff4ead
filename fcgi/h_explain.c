/* SPDX-License-Identifier: MIT */
/* GET /allocations/{id}/explain: why each node may or may not take it now, and who will. */
#include "fcgi/handlers.h"

#include "db/db_explain.h"

#define TEXT_SIZE 512

static void
write_verdict(struct ctx *c, const struct db_explain *x)
{
	struct jw *w = &c->res->w;
	const char *name = x->subject != NULL ? x->subject->name : NULL;
	char text[TEXT_SIZE];

	jw_key(w, "verdict");
	jw_obj(w);
	jw_kstr(w, "code", explain_verdict_code(x->verdict));
	jw_kstr(w, "text",
	    explain_verdict_text(text, sizeof(text), c->fault.lang, x->verdict, &x->work, name));
	jw_kstr(w, "node_id", x->subject != NULL ? x->subject->id : NULL);
	jw_kstr(w, "node_name", name);
	jw_kstr(w, "until", explain_verdict_time(x->verdict, &x->work));
	jw_obj_end(w);
}

static void
write_reasons(struct ctx *c, const struct explain_work *work, const struct explain_node *n)
{
	struct jw *w = &c->res->w;
	char text[TEXT_SIZE];

	jw_key(w, "reasons");
	jw_arr(w);
	for (enum explain_why why = 0; why < WHY__MAX; why++) {
		if ((n->why & 1u << why) == 0)
			continue;
		jw_obj(w);
		jw_kstr(w, "code", explain_why_code(why));
		jw_kstr(
		    w, "text", explain_why_text(text, sizeof(text), c->fault.lang, why, work, n));
		jw_kstr(w, why == WHY_OFFLINE ? "since" : "until", explain_why_time(why, work, n));
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

static void
write_node(struct ctx *c, const struct db_explain *x, size_t i)
{
	const struct explain_node *n = &x->nodes[i];
	struct jw *w = &c->res->w;

	jw_obj(w);
	jw_kstr(w, "node_id", x->names[i].id);
	jw_kstr(w, "node_name", x->names[i].name);
	jw_kbool(w, "may_take", n->may_take);
	write_reasons(c, &x->work, n);
	jw_kint(w, "current_tasks", n->open);
	jw_kint(w, "max_capacity", n->capacity);
	jw_kint(w, "quota_left", n->left);
	jw_kstr(w, "last_seen_at", n->seen_at);
	jw_obj_end(w);
}

enum cs_err
h_allocation_explain(struct ctx *c)
{
	struct jw *w = &c->res->w;
	struct db_explain x;

	TRY(db_explain(c->db, c->conf, req_param(c, "id"), c->arena, &x, &c->fault));
	jw_obj(w);
	jw_kstr(w, "allocation_id", x.id);
	jw_kstr(w, "task_id", x.task_id);
	jw_kstr(w, "status", x.status);
	jw_kstr(w, "ready_at", x.work.ready_at);
	jw_kstr(w, "prefer_until", x.work.prefer_until);
	jw_kstr(w, "lease_expires_at", x.work.lease_until);
	write_verdict(c, &x);
	jw_key(w, "own_outage");
	jw_obj(w);
	jw_kstr(w, "silent", x.silent);
	jw_kstr(w, "grace_until", x.grace_until);
	jw_obj_end(w);
	jw_key(w, "nodes");
	jw_arr(w);
	for (size_t i = 0; i < x.n; i++)
		write_node(c, &x, i);
	jw_arr_end(w);
	jw_obj_end(w);
	return res_ok(c, MSG_SUCCESS);
}
