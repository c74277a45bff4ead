/* SPDX-License-Identifier: MIT */
/*
 * What cascaded does to the database: leadership, node liveness, expiry of leases and reservations,
 * assignment. Every function may be repeated, run by two daemons at once, or stop anywhere: each
 * step is guarded by what it was decided on.
 */
#ifndef CS_DB_DB_DAEMON_H
#define CS_DB_DB_DAEMON_H

#include "conf/conf.h"
#include "db/db.h"

#define DB_LEAD_S 10 /* a lead lapses after this many seconds without db_lead() */

/* Takes or keeps the lead as HOLDER (unique per process). *LEADS: it has it now. */
enum cs_err db_lead(struct db *db, const char *holder, bool *leads, struct fault *f) cs_mustcheck;
/* Gives the lead up, so that another takes over at once. */
enum cs_err db_lead_drop(struct db *db, const char *holder, struct fault *f) cs_mustcheck;

/* Told of each node that goes offline (online false) with the number of allocations taken back. */
typedef void db_node_note(const char *node_id, int64_t released);
/* Nodes that came to life are online; silent ones go offline and their work returns to the pool. */
enum cs_err db_refresh_nodes(
    struct db *db, const struct conf *conf, db_node_note *note, struct fault *f) cs_mustcheck;
/* Ends attempts whose lease ran out. *N counts them. */
enum cs_err db_expire_leases(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;
/* Frees reservations that lapsed or whose node takes nothing new. *N counts them. */
enum cs_err db_expire_reservations(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;
/* Fails waiting work of deleted tasks. *N counts it. */
enum cs_err db_fail_orphans(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;
/*
 * Beside WeRSS: adopts pending allocations that its own dispatcher inserted, closes those that
 * repeat what we have. Source: docs/design.md, "Beside WeRSS".
 */
struct db_adopted {
	int64_t adopted;
	int64_t duplicates;
};
enum cs_err db_adopt(struct db *db, struct db_adopted *out, struct fault *f) cs_mustcheck;
/*
 * Puts right what others changed in the shown rows of open allocations, a window a call: *CURSOR is
 * where the walk stands (0 at first). *N counts what was put right.
 */
enum cs_err db_repair_shown(
    struct db *db, int64_t *cursor, int64_t *n, struct fault *f) cs_mustcheck;
/*
 * Retention: removes one batch of finished allocations with what belongs to them, of runs and of
 * sync logs that are older than configured. *N counts rows; 0: nothing is old enough any more.
 */
enum cs_err db_retain(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;
/* Assigns one batch of waiting work to available nodes (core/select.h). *N counts it. */
enum cs_err db_assign(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;
/*
 * Spreads what is assigned and unclaimed over the available nodes anew (core/balance.h); moves
 * nothing where it is balanced. *N counts what moved.
 */
enum cs_err db_balance(
    struct db *db, const struct conf *conf, int64_t *n, struct fault *f) cs_mustcheck;

#endif
