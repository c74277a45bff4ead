/* SPDX-License-Identifier: MIT */
/*
 * What a claim needs of the database: candidates read without locks, offers (some of them as they
 * are now, with what is handed out), the compare-and-set that takes these, and heartbeats. Which
 * candidate suits whom is fcgi/claim.c's.
 */
#include "db/db_alloc.h"

#include "base/buf.h"
#include "base/clock.h"
#include "core/ident.h"
#include "db/db_priv.h"

#include <stdlib.h>
#include <string.h>

/* Columns of an offer (stmt_alloc.def). */
enum {
	COL_ID,
	COL_TASK_ID,
	COL_TASK,
	COL_ATTEMPT = 12,
	COL_FEED,
	COL_SEQ = 19,
	COL_PLACE,
	COL_VER,
	COL_LEASE,
	COL_MORE,
	COL_READY
};

/* A place as FROM_PLACE takes it. */
#define PLACE_ARGS(p)                                                                              \
	A_I((p)->order_at), A_I((p)->order_at), A_I((p)->ready_at), A_I((p)->ready_at),            \
	    A_I((p)->seq)

static enum cs_err
keep_candidates(struct db_rows *r, struct arena *a, struct db_candidate *out, size_t max, size_t *n,
    struct fault *f)
{
	for (*n = 0; *n < max && db_next(r); (*n)++) {
		struct db_candidate *c = &out[*n];

		c->seq = db_i(r, 0);
		c->failed = arena_strdup(a, db_s(r, 1));
		c->back = arena_strdup(a, db_is_null(r, 2) ? "" : db_s(r, 2));
		c->fresh = db_i(r, 3) != 0;
		c->preferred = arena_strdup(a, db_is_null(r, 4) ? "" : db_s(r, 4));
		c->at = (struct db_queue_place){ db_i(r, 5), db_i(r, 6), c->seq };
		if (c->failed == NULL || c->back == NULL || c->preferred == NULL)
			return cs_detail(f, CS_ENOMEM, "candidates");
	}
	return CS_OK;
}

enum cs_err
db_alloc_pool_head(struct db *db, struct db_queue_place *at, struct fault *f)
{
	auto_rows r = { 0 };

	*at = (struct db_queue_place){ 0 };
	TRY(DB_QUERY(db, f, &r, STMT_POOL_HEAD));
	if (db_next(&r))
		*at = (struct db_queue_place){ db_i(&r, 0), db_i(&r, 1), db_i(&r, 2) };
	return CS_OK;
}

enum cs_err
db_alloc_pool_class(struct db *db, const struct conf *conf, const struct db_pool_class *p,
    struct arena *a, struct db_candidate *out, size_t max, size_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_POOL_CLASS, A_I(conf->prefer_s), A_I(conf->offline_after_s),
	    A_I(p->modulus), A_I(p->residue), PLACE_ARGS(&p->from), A_I(p->to)));
	return keep_candidates(&r, a, out, max, n, f);
}

enum cs_err
db_alloc_pool_page(struct db *db, const struct conf *conf, size_t offset, struct arena *a,
    struct db_candidate *out, size_t max, size_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_POOL_PAGE, A_I(conf->prefer_s), A_I(conf->offline_after_s),
	    A_I((int64_t)max), A_I((int64_t)offset)));
	return keep_candidates(&r, a, out, max, n, f);
}

enum cs_err
db_alloc_free_overdue(
    struct db *db, const struct conf *conf, int64_t node, bool *freed, struct fault *f)
{
	auto_rows r = { 0 };
	bool moved;

	*freed = false;
	TRY(DB_QUERY(db, f, &r, STMT_POOL_OVERDUE, A_I(node), A_I(conf->prefer_s), A_I(node)));
	while (db_next(&r) && !*freed) {
		TRY(db_alloc_unassign(db, db_i(&r, 0), db_i(&r, 1), db_i(&r, 2), &moved, f));
		*freed = moved;
	}
	return CS_OK;
}

enum cs_err
db_alloc_other_available(struct db *db, const struct conf *conf, int64_t node, const char *failed,
    bool *other, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(
	    db, f, &r, STMT_OTHER_AVAILABLE, A_I(node), A_S(failed), A_I(conf->offline_after_s)));
	*other = db_next(&r);
	return CS_OK;
}

enum cs_err
db_alloc_load(struct db *db, int64_t node, struct db_load *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_load){ 0 };
	TRY(DB_QUERY(db, f, &r, STMT_NODE_LOAD, A_I(node)));
	if (db_next(&r))
		*out = (struct db_load){ db_i(&r, 0), db_i(&r, 1), db_i(&r, 2) != 0,
			db_i(&r, 3) != 0, db_i(&r, 4) };
	return CS_OK;
}

static enum cs_err
query_offers(struct db *db, const struct conf *conf, int64_t node, const struct db_wanted *w,
    struct db_rows *package, struct fault *f)
{
	static const struct db_queue_place nowhere = { 0 };
	const struct db_queue_place *own = w->own != NULL ? w->own : &nowhere;
	const struct db_arg lease = A_I(conf->claim_ack_s);
	const struct db_arg first = A_I(w->n > 0 ? w->seq[0] : 0);
	struct buf list = { 0 };
	enum cs_err rc;

	if (w->max == 1 && w->own == NULL)
		return DB_QUERY(
		    db, f, package, STMT_OFFER_SEQ, lease, lease, A_I(node), first, A_I(node));
	if (w->max == 1)
		return DB_QUERY(db, f, package, STMT_OFFER_ONE, lease, lease, A_I(node), A_I(node),
		    PLACE_ARGS(own), first, A_I(node));
	db_list_numbers(&list, w->seq, w->n);
	rc = buf_failed(&list) ? cs_detail(f, CS_ENOMEM, "row numbers")
			       : DB_QUERY(db, f, package, STMT_OFFER_MANY, lease, lease, A_I(node),
				     PLACE_ARGS(own), A_I((int64_t)w->max), A_S(list.data),
				     A_I((int64_t)w->max), A_I(node), A_I(node));
	buf_free(&list);
	return rc;
}

enum cs_err
db_alloc_offer(struct db *db, const struct conf *conf, int64_t node, const struct db_wanted *wanted,
    struct db_rows *package, struct db_offer *out, size_t *n, struct fault *f)
{
	*n = 0;
	TRY(query_offers(db, conf, node, wanted, package, f));
	while (db_next(package)) {
		if (*n == 0 || out[*n - 1].seq != db_i(package, COL_SEQ)) {
			if (*n == DB_OFFER_MAX)
				return cs_detail(f, CS_EINTERNAL, "too many offers");
			out[(*n)++] = (struct db_offer){
				.seq = db_i(package, COL_SEQ),
				.ver = db_i(package, COL_VER),
				.at = { db_i(package, COL_PLACE), db_i(package, COL_READY),
				    db_i(package, COL_SEQ) },
				.attempt = db_i(package, COL_ATTEMPT),
				.id = db_s(package, COL_ID),
				.task_id = db_s(package, COL_TASK_ID),
				.lease = db_s(package, COL_LEASE),
				.more = db_i(package, COL_MORE) != 0,
			};
		}
		if (!db_is_null(package, COL_TASK) && !db_is_null(package, COL_FEED))
			out[*n - 1].feeds++;
	}
	db_rewind(package);
	return CS_OK;
}

/* The row of the sync log that goes with a claim, as parameters of its procedure. */
#define LOG_ARGS(log, log_id)                                                                      \
	A_S((log) != NULL ? (log_id) : NULL), A_I((log) != NULL ? (log)->count : 0),               \
	    A_S((log) != NULL ? (log)->extra : NULL)

/* Rows are locked in this order: two that want the same ones wait for each other, and do not
 * deadlock. */
static int
by_seq(const void *a, const void *b)
{
	const struct db_offer *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static enum cs_err
query_claim(struct db *db, int64_t node, const char *node_id, const struct db_offer *offer,
    size_t n, const struct db_log *log, const char *log_id, struct db_rows *r, struct fault *f)
{
	struct db_offer sorted[DB_OFFER_MAX];
	struct buf items = { 0 };
	int64_t more = 0;
	enum cs_err rc;

	if (n == 1)
		return DB_QUERY(db, f, r, STMT_CLAIM_ONE, A_I(node), A_S(node_id),
		    A_S(offer->lease), A_I(offer->more), A_I(offer->seq), A_I(offer->ver),
		    A_S(offer->id), LOG_ARGS(log, log_id));
	memcpy(sorted, offer, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_seq);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&items, "%c[%lld,%lld]", i == 0 ? '[' : ',', (long long)sorted[i].seq,
		    (long long)sorted[i].ver);
		more += sorted[i].more;
	}
	buf_putc(&items, ']');
	rc = buf_failed(&items)
		 ? cs_detail(f, CS_ENOMEM, "offers")
		 : DB_QUERY(db, f, r, STMT_CLAIM_MANY, A_I(node), A_S(node_id), A_S(offer->lease),
		       A_I(more), A_S(items.data), LOG_ARGS(log, log_id));
	buf_free(&items);
	return rc;
}

enum cs_err
db_alloc_claim(struct db *db, int64_t node, const char *node_id, const struct db_offer *offer,
    size_t n, const struct db_log *log, bool *moved, struct fault *f)
{
	char log_id[UUID_LEN + 1];
	auto_rows r = { 0 };

	if (log != NULL && !ident_uuid7(log_id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	TRY(query_claim(db, node, node_id, offer, n, log, log_id, &r, f));
	*moved = db_next(&r) && db_i(&r, 0) != 0;
	return CS_OK;
}

enum cs_err
db_alloc_package(struct db *db, int64_t seq, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_PACKAGE, A_I(seq));
}

enum cs_err
db_heartbeat(struct db *db, const struct conf *conf, int64_t node, const char *callback,
    const char *holding, int64_t hold_s, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_HEARTBEAT, A_I(node), A_I(conf->touch_s), A_S(callback),
	    A_S(holding), A_I(conf->claim_ack_s), A_I(conf->exec_lease_s), A_I(conf->max_run_s),
	    A_I(conf->forgotten_s), hold_s >= 0 ? A_I(hold_s) : A_NULL);
}

enum cs_err
db_alive(struct db *db, int64_t node, const char *node_id, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ALIVE, A_I(node), A_S(node_id));
}

static enum cs_err
write_alive(struct db *db, const char *list, struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, NULL, STMT_ALIVE_SEEN, A_S(list)));
	TRY(DB_EXEC(db, f, NULL, STMT_ALIVE_SHOWN, A_S(list)));
	return db_commit(&tx, f);
}

enum cs_err
db_alive_many(struct db *db, int64_t *node, size_t n, struct fault *f)
{
	struct buf list = { 0 };
	enum cs_err rc;

	db_sort_numbers(node, n);
	db_list_numbers(&list, node, n);
	rc = buf_failed(&list) ? cs_detail(f, CS_ENOMEM, "nodes") : write_alive(db, list.data, f);
	buf_free(&list);
	return rc;
}
