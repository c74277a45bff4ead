/* SPDX-License-Identifier: MIT */
/* Reads what explains an allocation. The three reads are no snapshot: what changes between them is
 * told as it was a moment before or after. */
#include "db/db_explain.h"

#include "core/prefer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILED_MAX 64

/* Columns of STMT_EXPLAIN_ALLOC and of STMT_EXPLAIN_NODES. */
enum {
	A_ID,
	A_TASK,
	A_STATUS,
	A_SEQ,
	A_STATE,
	A_NODE,
	A_FAILED,
	A_READY,
	A_FRESH,
	A_READY_AT,
	A_PREFER_UNTIL,
	A_LEASE_UNTIL,
	A_TASK_GONE,
	A_SILENT,
	A_GRACE
};
enum {
	N_SEQ,
	N_ID,
	N_NAME,
	N_ACTIVE,
	N_ONLINE,
	N_DRAINING,
	N_MAY_RESERVE,
	N_OPEN,
	N_CAPACITY,
	N_IDLE_SINCE,
	N_SEEN_AT,
	N_HOLD_UNTIL,
	N_BACK_UNTIL
};

/* What is needed only on the way. */
struct facts {
	int64_t seq; /* 0: not open */
	int64_t failed[FAILED_MAX];
	size_t nfailed;
	struct select_quota *quotas; /* by feed, in the arena */
	size_t nquotas;
};

static enum cs_err
no_memory(struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "explanation");
}

/* Copies a column; NULL stays NULL, and so does what there is no memory for: *OOM tells. */
static const char *
keep(struct arena *a, const struct db_rows *r, unsigned col, bool *oom)
{
	const char *s = arena_strdup(a, db_s(r, col));

	*oom = *oom || (s == NULL && !db_is_null(r, col));
	return s;
}

static enum cs_err
read_alloc(struct db *db, const struct conf *conf, const char *id, struct arena *a,
    struct db_explain *x, struct facts *t, struct fault *f)
{
	auto_rows r = { 0 };
	bool oom = false;

	TRY(DB_QUERY(db, f, &r, STMT_EXPLAIN_ALLOC, A_I(conf->prefer_s), A_I(conf->prefer_s),
	    A_I(conf->outage_gap_s), A_I(conf->offline_after_s), A_I(conf->offline_after_s),
	    A_S(id)));
	if (!db_next(&r) || strcmp(db_s(&r, A_ID), id) != 0)
		return cs_fail(f, CS_ENOTFOUND, MSG_NO_ALLOCATION);
	*x = (struct db_explain){
		.id = keep(a, &r, A_ID, &oom),
		.task_id = keep(a, &r, A_TASK, &oom),
		.status = keep(a, &r, A_STATUS, &oom),
		.silent = keep(a, &r, A_SILENT, &oom),
		.grace_until = keep(a, &r, A_GRACE, &oom),
		.work = {
			.state = (enum alloc_state)db_i(&r, A_STATE),
			.node = db_i(&r, A_NODE),
			.task_gone = db_i(&r, A_TASK_GONE) != 0,
			.ready = db_i(&r, A_READY) != 0,
			.fresh = db_i(&r, A_FRESH) != 0,
			.ready_at = keep(a, &r, A_READY_AT, &oom),
			.prefer_until = keep(a, &r, A_PREFER_UNTIL, &oom),
			.lease_until = keep(a, &r, A_LEASE_UNTIL, &oom),
		},
	};
	t->seq = db_i(&r, A_SEQ);
	if (t->seq == 0 && !alloc_state_parse(x->status, &x->work.state))
		x->work.state = ALLOC__MAX; /* of others: no state of ours, so not open */
	else if (t->seq != 0)
		t->nfailed = prefer_parse_nodes(db_s(&r, A_FAILED), t->failed, FAILED_MAX);
	return oom ? no_memory(f) : CS_OK;
}

static bool
has_failed(const struct facts *t, int64_t node)
{
	for (size_t i = 0; i < t->nfailed; i++) {
		if (t->failed[i] == node)
			return true;
	}
	return false;
}

static enum cs_err
read_nodes(struct db *db, const struct conf *conf, struct arena *a, struct db_explain *x,
    const struct facts *t, struct fault *f)
{
	auto_rows r = { 0 };
	bool oom = false;

	TRY(DB_QUERY(db, f, &r, STMT_EXPLAIN_NODES, A_I(conf->offline_after_s), A_I(t->seq)));
	x->nodes = arena_calloc(a, db_count(&r) + 1, sizeof(*x->nodes));
	x->names = arena_calloc(a, db_count(&r) + 1, sizeof(*x->names));
	if (x->nodes == NULL || x->names == NULL)
		return no_memory(f);
	for (; !oom && db_next(&r); x->n++) {
		x->names[x->n].id = keep(a, &r, N_ID, &oom);
		x->names[x->n].name = keep(a, &r, N_NAME, &oom);
		x->nodes[x->n] = (struct explain_node){
			.id = db_i(&r, N_SEQ),
			.active = db_i(&r, N_ACTIVE) != 0,
			.online = db_i(&r, N_ONLINE) != 0,
			.draining = db_i(&r, N_DRAINING) != 0,
			.may_reserve = db_i(&r, N_MAY_RESERVE) != 0,
			.open = db_i(&r, N_OPEN),
			.capacity = db_i(&r, N_CAPACITY),
			.idle_since = db_i(&r, N_IDLE_SINCE),
			.failed = has_failed(t, db_i(&r, N_SEQ)),
			.seen_at = keep(a, &r, N_SEEN_AT, &oom),
			.hold_until = keep(a, &r, N_HOLD_UNTIL, &oom),
			.back_until = keep(a, &r, N_BACK_UNTIL, &oom),
		};
	}
	return oom ? no_memory(f) : CS_OK;
}

static int
by_id(const void *a, const void *b)
{
	const struct explain_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct explain_node *
find_node(const struct db_explain *x, int64_t id)
{
	const struct explain_node key = { .id = id };

	return bsearch(&key, x->nodes, x->n, sizeof(key), by_id);
}

static enum cs_err
read_quotas(struct db *db, struct arena *a, struct db_explain *x, struct facts *t, struct fault *f)
{
	auto_rows r = { 0 };
	const char *feed = "";

	TRY(DB_QUERY(db, f, &r, STMT_EXPLAIN_QUOTAS, A_I(t->seq)));
	t->quotas = arena_calloc(a, db_count(&r) + 1, sizeof(*t->quotas));
	if (t->quotas == NULL)
		return no_memory(f);
	while (db_next(&r)) {
		struct explain_node *n = find_node(x, db_i(&r, 0));
		int64_t quota = db_i(&r, 2), open = db_i(&r, 3);

		if (strcmp(feed, db_s(&r, 1)) != 0)
			feed = arena_strdup(a, db_s(&r, 1));
		if (feed == NULL)
			return no_memory(f);
		t->quotas[t->nquotas++] = (struct select_quota){ db_i(&r, 0), feed, quota, open };
		if (n != NULL && quota - open > n->left)
			n->left = quota - open;
	}
	return CS_OK;
}

enum cs_err
db_explain(struct db *db, const struct conf *conf, const char *id, struct arena *a,
    struct db_explain *out, struct fault *f)
{
	struct facts t = { .seq = 0 };
	struct explain_node *subject;
	int64_t chosen = 0;

	TRY(read_alloc(db, conf, id, a, out, &t, f));
	TRY(read_nodes(db, conf, a, out, &t, f));
	if (t.seq != 0)
		TRY(read_quotas(db, a, out, &t, f));
	explain_nodes(&out->work, out->nodes, out->n);
	if (!explain_choose(out->nodes, out->n, t.quotas, t.nquotas, &chosen))
		return no_memory(f);
	out->verdict = explain_verdict(&out->work, out->nodes, out->n, chosen);
	subject = find_node(out, out->work.node != 0 ? out->work.node : chosen);
	if (subject != NULL && out->verdict != VERDICT_ENDED)
		out->subject = &out->names[subject - out->nodes];
	return CS_OK;
}
