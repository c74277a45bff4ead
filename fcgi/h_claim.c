/* SPDX-License-Identifier: MIT */
/*
 * Handing out work: POST /claim-task and GET /pending-tasks, which is the same under another name.
 * Being handed a package is claiming it. Under an Idempotency-Key a repetition is handed the same.
 */
#include "fcgi/handlers.h"

#include "db/db_auth.h"
#include "fcgi/claim.h"
#include "fcgi/idem.h"

#include <string.h>

#define LIMIT_MAX DB_OFFER_MAX
#define PENDING	  "pending-tasks"

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
#define COL_SEQ	 19

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

/* The package that is being written. */
struct package {
	int64_t seq;
	const char *id;
	bool task, written;
};

/* Ends it; what turned out to be gone fails instead. */
static enum cs_err
end_package(struct ctx *c, struct package *p, int64_t *n)
{
	struct jw *w = &c->res->w;

	if (p->seq == 0)
		return CS_OK;
	*n += p->written;
	if (!p->written)
		return fail_gone(c, p->id, p->task ? MSG_NO_FEED : MSG_NO_TASK);
	jw_arr_end(w);
	jw_obj_end(w);
	return CS_OK;
}

/* Writes the row of one feed, and before the first all that is not the feed's. */
static void
write_feed(struct ctx *c, struct package *p, const struct db_rows *r)
{
	struct jw *w = &c->res->w;

	if (!p->written) {
		jw_obj(w);
		WRITE_FIELDS(w, r, package_fields);
		jw_key(w, "feeds");
		jw_arr(w);
	}
	p->written = true;
	jw_obj(w);
	WRITE_FIELDS(w, r, feed_fields);
	jw_obj_end(w);
}

/* Writes the first MAX packages of R; *N counts those that there was something to hand out of. */
static enum cs_err
write_packages(struct ctx *c, struct db_rows *r, size_t max, int64_t *n)
{
	struct package p = { 0 };

	while (db_next(r)) {
		if (p.seq != db_i(r, COL_SEQ)) {
			if (max-- == 0)
				break;
			TRY(end_package(c, &p, n));
			p = (struct package){ db_i(r, COL_SEQ), db_s(r, 0), false, false };
		}
		p.task = !db_is_null(r, COL_TASK);
		if (p.task && !db_is_null(r, COL_FEED))
			write_feed(c, &p, r);
	}
	return end_package(c, &p, n);
}

/* What one request was handed. */
struct handout {
	int64_t n;    /* packages written */
	bool claimed; /* something was claimed now, which is a sign of life */
	char *why;    /* where to say why there is not more */
	size_t why_size;
};

static void
say_why(struct ctx *c, struct handout *h, enum msg_id msg, const struct db_load *load)
{
	msg_render(h->why, h->why_size, c->fault.lang, msg, (int)load->open, (int)load->capacity);
}

/* Claims up to MAX. */
static enum cs_err
claim_batch(struct ctx *c, size_t max, struct claimed *got, struct handout *h)
{
	struct db_load load;
	enum msg_id msg;

	while (got->n < max) {
		size_t before = got->n;

		TRY(claim_more(c, max, got, &msg, &load));
		if (got->n == before) {
			say_why(c, h, msg, &load);
			break;
		}
		h->claimed = true;
	}
	return CS_OK;
}

/* The same under key K, in one transaction with a record of what it was; or what was claimed under
 * K before, once more. */
static enum cs_err
claim_under_key(
    struct ctx *c, const struct db_idem *k, size_t max, struct claimed *got, struct handout *h)
{
	auto_tx tx = { 0 };

	TRY(db_begin(c->db, &tx, &c->fault));
	TRY(db_idem_held(c->db, k, c->who.node, got->seq, DB_OFFER_MAX, &got->n, &c->fault));
	for (; got->nrows < got->n; got->nrows++) {
		got->packages[got->nrows] = 1;
		TRY(db_alloc_package(
		    c->db, got->seq[got->nrows], &got->rows[got->nrows], &c->fault));
	}
	if (got->n > 0)
		return CS_OK;
	TRY(claim_batch(c, max, got, h));
	if (got->n == 0)
		return CS_OK;
	TRY(db_idem_claimed(c->db, k, got->seq, got->n, c->conf->max_run_s, &c->fault));
	return db_commit(&tx, &c->fault);
}

/* Claims and writes up to MAX packages. Work that turns out to be gone is made up for; under key K
 * only where there was nothing else. */
static enum cs_err
hand_out(struct ctx *c, const struct db_idem *k, int64_t max, struct handout *h)
{
	bool more = true;

	while (more) {
		size_t want = (size_t)(max - h->n);
		auto_claimed got = { 0 };

		if (k == NULL)
			TRY(claim_batch(c, want, &got, h));
		else
			TRY(claim_under_key(c, k, want, &got, h));
		for (size_t i = 0; i < got.nrows; i++)
			TRY(write_packages(c, &got.rows[i], got.packages[i], &h->n));
		more = k != NULL ? got.n > 0 && h->n == 0 : got.n == want && h->n < max;
	}
	return CS_OK;
}

/* Hands out up to MAX packages; *N says how many. */
static enum cs_err
serve(struct ctx *c, const char *route, int64_t max, int64_t *n)
{
	struct handout h = { .why = c->res->text, .why_size = sizeof(c->res->text) };
	struct db_idem k;

	TRY(idem_read(c, route, &k));
	TRY(hand_out(c, k.id != NULL ? &k : NULL, max, &h));
	if (!h.claimed && c->who.touch_due)
		TRY(db_node_touch(c->db, c->who.node, c->conf, &c->fault));
	*n = h.n;
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
answer_one(struct ctx *c, const char *route, enum msg_id message)
{
	int64_t n;

	TRY(serve(c, route, 1, &n));
	return n > 0 ? res_ok(c, message) : CS_OK;
}

enum cs_err
h_claim_task(struct ctx *c)
{
	c->res->no_store = true;
	TRY(check_self(c));
	return answer_one(c, "claim-task", MSG_CLAIMED);
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
		return answer_one(c, PENDING, MSG_FETCHED);
	jw_obj(w);
	jw_key(w, "list");
	jw_arr(w);
	TRY(serve(c, PENDING, limit, &n));
	jw_arr_end(w);
	jw_kint(w, "total", n);
	jw_obj_end(w);
	return n > 0 ? res_ok(c, MSG_FETCHED) : CS_OK;
}
