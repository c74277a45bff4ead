/* SPDX-License-Identifier: MIT */
/*
 * Who gets what of a batch of a dispatch, so that a large one is created assigned instead of being
 * written once more by cascaded. Private to this room; all of it within the batch's transaction.
 */
#ifndef CS_DB_DB_SHARE_H
#define CS_DB_DB_SHARE_H

#include "base/buf.h"
#include "db/db.h"

/* A batch: its run, and the row numbers of its allocations, from BASE on. */
struct batch {
	const char *run_id;
	int64_t task; /* cascade_task.seq */
	int64_t base;
	size_t n;
};

struct share {
	int64_t *to; /* the node of each allocation; 0: nobody's */
	size_t n;
	struct buf list; /* for arguments */
};

void share_free(struct share *s);
#define auto_share cs_cleanup(share_free) struct share

/*
 * Chooses for each allocation of B, whose feeds are there, by core/select.h: nobody where B is
 * small, where other work waits or other runs go on (it is cascaded's then, in the order of the
 * queue), and for what nobody has room for. No row is locked.
 */
enum cs_err share_choose(struct db *db, const struct conf *conf, const struct batch *b,
    struct share *s, struct fault *f) cs_mustcheck;
/* The choice as a JSON array of nodes, in S. */
enum cs_err share_nodes(struct share *s, const char **out, struct fault *f) cs_mustcheck;
/*
 * Counts the allocations of B, which are there now, at their nodes, whose rows stay locked until
 * the end of the transaction, which is to be soon. What a node has no room for any more is
 * nobody's.
 */
enum cs_err share_count(
    struct db *db, const struct batch *b, struct share *s, struct fault *f) cs_mustcheck;

#endif
