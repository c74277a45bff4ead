/* SPDX-License-Identifier: MIT */
/* What cascaded's wake-up calls need to know. Everything is read without locks: a call is a hint.
 */
#ifndef CS_DB_DB_WAKE_H
#define CS_DB_DB_WAKE_H

#include "conf/conf.h"
#include "db/db.h"

/* A node to call, or (of db_wake_pool()) work to call for; texts live as long as the rows. */
struct db_wake {
	int64_t node; /* cascade_node.seq */
	const char *node_id, *url, *secret_hash;
	int64_t claimed_ms; /* when it last claimed; 0: never */
	const char *allocation;
	int64_t feeds;
};

/* *ANY: there is a node with an address to call; reads nodes until it finds one. */
enum cs_err db_wake_anybody(struct db *db, bool *any, struct fault *f) cs_mustcheck;
/* *WAITS: there is work that is ready and nobody's. */
enum cs_err db_wake_waiting(struct db *db, bool *waits, struct fault *f) cs_mustcheck;
/* *MORE: more than N allocations are assigned and unclaimed. */
enum cs_err db_wake_assigned(struct db *db, int64_t n, bool *more, struct fault *f) cs_mustcheck;
/* *MUCH: so is more than there are nodes, so that db_wake_own() reads the nodes. */
enum cs_err db_wake_much(struct db *db, bool *much, struct fault *f) cs_mustcheck;
/* *GIVEN: the newest open allocation came after the one of row number *NEWEST, which it becomes,
 * and a dispatch has created it assigned, or somebody has assigned it since. */
enum cs_err db_wake_given(
    struct db *db, int64_t *newest, bool *given, struct fault *f) cs_mustcheck;
/* Nodes that may be called and have ready work of their own, with the first of it. */
enum cs_err db_wake_own(
    struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* The ids of at most MAX allocations that are ready and nobody's. */
enum cs_err db_wake_pool(
    struct db *db, int64_t max, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Nodes that may be called, have room and no ready work of their own; the least loaded first. */
enum cs_err db_wake_free(
    struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* The next row of the three; false at the end. */
bool db_wake_next(struct db_rows *own, struct db_wake *out);
bool db_wake_next_pool(struct db_rows *pool, struct db_wake *out);
bool db_wake_next_free(struct db_rows *nodes, struct db_wake *out);

#endif
