/* SPDX-License-Identifier: MIT */
/*
 * Who is to be called, and for what: nodes that work is reserved for, and nodes with room for work
 * that is nobody's. When and how often is cascaded/wake.c's.
 */
#include "db/db_wake.h"

enum cs_err
db_wake_anybody(struct db *db, bool *any, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_WAKE_ANYBODY));
	*any = db_next(&r);
	return CS_OK;
}

enum cs_err
db_wake_waiting(struct db *db, bool *waits, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_WAKE_WAITING));
	*waits = db_next(&r);
	return CS_OK;
}

enum cs_err
db_wake_given(struct db *db, int64_t *newest, bool *given, struct fault *f)
{
	auto_rows r = { 0 };

	*given = false;
	TRY(DB_QUERY(db, f, &r, STMT_WAKE_NEWEST, A_I(*newest)));
	if (!db_next(&r))
		return CS_OK;
	*newest = db_i(&r, 0);
	*given = db_i(&r, 1) != 0;
	return CS_OK;
}

enum cs_err
db_wake_assigned(struct db *db, int64_t n, bool *more, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_WAKE_ASSIGNED, A_I(n)));
	*more = db_next(&r);
	return CS_OK;
}

enum cs_err
db_wake_much(struct db *db, bool *much, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_WAKE_NODES));
	return db_wake_assigned(db, db_next(&r) ? db_i(&r, 0) : 0, much, f);
}

/* Reads what is assigned, or the nodes, whichever is less. */
enum cs_err
db_wake_own(struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f)
{
	bool much;

	TRY(db_wake_much(db, &much, f));
	return DB_QUERY(
	    db, f, rows, much ? STMT_WAKE_OWN : STMT_WAKE_OWN_FEW, A_I(conf->offline_after_s));
}

enum cs_err
db_wake_pool(struct db *db, int64_t max, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_WAKE_POOL, A_I(max));
}

enum cs_err
db_wake_free(struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_WAKE_FREE, A_I(conf->offline_after_s));
}

bool
db_wake_next_free(struct db_rows *nodes, struct db_wake *out)
{
	if (!db_next(nodes))
		return false;
	*out = (struct db_wake){
		.node = db_i(nodes, 0),
		.node_id = db_s(nodes, 1),
		.url = db_s(nodes, 2),
		.secret_hash = db_s(nodes, 3),
		.claimed_ms = db_i(nodes, 4),
	};
	return true;
}

bool
db_wake_next(struct db_rows *own, struct db_wake *out)
{
	if (!db_wake_next_free(own, out))
		return false;
	out->allocation = db_s(own, 5);
	out->feeds = db_i(own, 6);
	return true;
}

bool
db_wake_next_pool(struct db_rows *pool, struct db_wake *out)
{
	if (!db_next(pool))
		return false;
	out->allocation = db_s(pool, 0);
	out->feeds = db_i(pool, 1);
	return true;
}
