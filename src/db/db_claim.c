/* SPDX-License-Identifier: MIT */
/*
 * What a claim needs of the database: candidates read without locks, the compare-and-set that takes
 * one, the package that is handed out, and heartbeats. Which candidate suits whom is
 * fcgi/claim.c's.
 */
#include "db/db_alloc.h"

#include "base/clock.h"
#include "core/ident.h"

/* Columns of PACKAGE_COLS. */
enum { COL_SEQ = 19, COL_PLACE };

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
		c->place = db_i(r, 5);
		if (c->failed == NULL || c->back == NULL || c->preferred == NULL)
			return cs_detail(f, CS_ENOMEM, "candidates");
	}
	return CS_OK;
}

enum cs_err
db_alloc_pool_head(struct db *db, int64_t *place, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_POOL_HEAD));
	*place = db_next(&r) ? db_i(&r, 0) : 0;
	return CS_OK;
}

enum cs_err
db_alloc_pool_class(struct db *db, const struct conf *conf, const struct db_pool_class *p,
    struct arena *a, struct db_candidate *out, size_t max, size_t *n, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_POOL_CLASS, A_I(conf->prefer_s), A_I(conf->offline_after_s),
	    A_I(p->modulus), A_I(p->residue), A_I(p->from), A_I(p->to)));
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
		TRY(db_alloc_unassign(db, db_i(&r, 0), db_i(&r, 1), db_i(&r, 2), false, &moved, f));
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
			db_i(&r, 3) != 0 };
	return CS_OK;
}

enum cs_err
db_alloc_claim(struct db *db, const struct conf *conf, int64_t node, int64_t own, int64_t seq,
    struct db_claimed *out, struct db_rows *package, struct fault *f)
{
	char log_id[UUID_LEN + 1];

	*out = (struct db_claimed){ 0 };
	if (!ident_uuid7(log_id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	TRY(DB_QUERY(db, f, package, STMT_ALLOC_CLAIM, A_I(conf->claim_ack_s), A_I(node), A_I(own),
	    A_I(seq), A_S(log_id)));
	if (db_next(package))
		*out = (struct db_claimed){ db_i(package, COL_SEQ), db_i(package, COL_PLACE) };
	db_rewind(package);
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
