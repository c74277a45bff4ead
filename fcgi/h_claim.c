/* SPDX-License-Identifier: MIT */
/*
 * Handing out work: POST /claim-task and GET /pending-tasks, which is the same under another name.
 * Being handed a package is claiming it.
 */
#include "fcgi/handlers.h"

#include "db/db_auth.h"
#include "fcgi/claim.h"

#include <string.h>

#define LIMIT_MAX 10

/* Columns of PACKAGE (stmt_alloc.def) that are copied as they are, in the order they are shown. */
static const struct {
	const char *name;
	unsigned col;
	bool number;
} package_fields[] = {
	{ "allocation_id", 0, false },	{ "task_id", 1, false },	  { "task_name", 3, false },
	{ "message_type", 4, true },	{ "message_template", 5, false }, { "web_hook_url", 6, false },
	{ "cron_exp", 7, false },	{ "headers", 8, false },	  { "cookies", 9, false },
	{ "dispatched_at", 10, false }, { "lease_expires_at", 11, false }, { "attempt", 12, true },
}, feed_fields[] = {
	{ "id", 13, false },	   { "faker_id", 14, false }, { "mp_name", 15, false },
	{ "mp_cover", 16, false }, { "mp_intro", 17, false }, { "status", 18, true },
};
#define COL_TASK 2
#define COL_FEED 13

#define WRITE_FIELDS(w, r, table)                                                                  \
	for (size_t i_ = 0; i_ < ARRAY_LEN(table); i_++) {                                         \
		if (table[i_].number)                                                              \
			jw_kint(w, table[i_].name, db_i(r, table[i_].col));                        \
		else                                                                               \
			jw_kstr(w, table[i_].name, db_s(r, table[i_].col));                        \
	}

/* A task or all feeds that were deleted since the dispatch: the work fails, the claim goes on. */
static enum cs_err
fail_gone(struct ctx *c, const char *id, enum msg_id why)
{
	const struct db_end end = { .error = msg_text(LANG_ZH, why) };
	struct db_alloc al;
	bool moved;

	TRY(db_alloc_get(c->db, id, c->who.node, c->arena, &al, &c->fault));
	if (!al.found || al.state != ALLOC_CLAIMED || al.node != c->who.node)
		return CS_OK;
	return db_alloc_end(c->db, c->conf, &al, EV_GONE, &end, &moved, &c->fault);
}

/* Writes the package of SEQ; *WRITTEN is false where there is nothing to hand out any more. */
static enum cs_err
write_package(struct ctx *c, int64_t seq, bool *written)
{
	struct jw *w = &c->res->w;
	auto_rows r = { 0 };
	const char *id = NULL;
	bool task = false;

	*written = false;
	TRY(db_alloc_package(c->db, seq, &r, &c->fault));
	while (db_next(&r)) {
		id = id != NULL ? id : arena_strdup(c->arena, db_s(&r, 0));
		task = !db_is_null(&r, COL_TASK);
		if (!task || db_is_null(&r, COL_FEED))
			continue;
		if (!*written) {
			jw_obj(w);
			WRITE_FIELDS(w, &r, package_fields);
			jw_key(w, "feeds");
			jw_arr(w);
		}
		*written = true;
		jw_obj(w);
		WRITE_FIELDS(w, &r, feed_fields);
		jw_obj_end(w);
	}
	if (*written) {
		jw_arr_end(w);
		jw_obj_end(w);
		return CS_OK;
	}
	return id == NULL ? CS_OK : fail_gone(c, id, task ? MSG_NO_FEED : MSG_NO_TASK);
}

/* Claims and writes up to MAX packages; *N says how many, WHY (rendered) why not more. */
static enum cs_err
hand_out(struct ctx *c, int64_t max, int64_t *n, char *why, size_t why_size)
{
	enum lang lang = c->fault.lang;
	struct db_load load;
	enum msg_id msg;
	bool written;
	int64_t seq;

	for (*n = 0; *n < max; *n += written) {
		TRY(claim_next(c, &seq, &msg, &load));
		if (seq == 0) {
			msg_render(why, why_size, lang, msg, (int)load.open, (int)load.capacity);
			break;
		}
		TRY(write_package(c, seq, &written));
	}
	/* the sign of life came with the claim, where there was one */
	if (*n == 0 && c->who.touch_due)
		TRY(db_node_touch(c->db, c->who.node, c->conf, &c->fault));
	return CS_OK;
}

/* A node may only ask for itself. */
static enum cs_err
check_self(struct ctx *c)
{
	const char *id = req_query(c, "node_id");
	const struct jx *in_body = c->req->json != NULL ? jx_get(c->req->json, "node_id") : NULL;

	if (id != NULL && strcmp(id, c->who.node_id) != 0)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_NOT_SELF);
	if (in_body == NULL)
		return CS_OK;
	if (jx_type(in_body) != JX_STR)
		return cs_bad(&c->fault, "node_id", MSG_R_TYPE, "string");
	if (strcmp(jx_str(in_body), c->who.node_id) != 0)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_NOT_SELF);
	return CS_OK;
}

static enum cs_err
answer_one(struct ctx *c, enum msg_id message)
{
	int64_t n;

	TRY(hand_out(c, 1, &n, c->res->text, sizeof(c->res->text)));
	return n > 0 ? res_ok(c, message) : CS_OK;
}

enum cs_err
h_claim_task(struct ctx *c)
{
	c->res->no_store = true;
	TRY(check_self(c));
	return answer_one(c, MSG_CLAIMED);
}

enum cs_err
h_pending_tasks(struct ctx *c)
{
	struct jw *w = &c->res->w;
	int64_t limit, n;

	c->res->no_store = true;
	TRY(check_self(c));
	TRY(req_query_int(c, "limit", 1, 1, LIMIT_MAX, &limit));
	if (limit == 1 || c->req->mount->single)
		return answer_one(c, MSG_FETCHED);
	jw_obj(w);
	jw_key(w, "list");
	jw_arr(w);
	TRY(hand_out(c, limit, &n, c->res->text, sizeof(c->res->text)));
	jw_arr_end(w);
	jw_kint(w, "total", n);
	jw_obj_end(w);
	if (n > 0) {
		c->res->text[0] = '\0';
		return res_ok(c, MSG_FETCHED);
	}
	return CS_OK;
}
