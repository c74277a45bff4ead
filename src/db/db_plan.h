/* SPDX-License-Identifier: MIT */
/*
 * Work with its feeds, the nodes that could have it and their quotas, read for a plan that is then
 * carried out under guards: what assignment and rebalancing share. Private to this room.
 */
#ifndef CS_DB_DB_PLAN_H
#define CS_DB_DB_PLAN_H

#include "base/buf.h"
#include "conf/conf.h"
#include "core/select.h"
#include "db/db.h"

struct plan_item {
	int64_t seq, ver;
	int64_t node; /* which it is reserved for; 0: nobody */
	int64_t to;   /* which gets it; 0: nobody */
	size_t feed;  /* first of its feeds in plan.feeds */
	size_t nfeeds;
	int64_t *failed; /* nodes whose attempt at it failed … */
	size_t nfailed;
	size_t nback; /* … the first of them: handed it back, must not be given it now */
};

struct plan {
	struct select_node *nodes;
	size_t nnodes;
	struct select_quota *quotas;
	size_t nquotas;
	struct plan_item *items;
	size_t nitems;
	char **feeds;
	size_t nfeeds;
};

void plan_free(struct plan *p);
#define auto_plan cs_cleanup(plan_free) struct plan

/* CS_ENOMEM. */
enum cs_err plan_no_memory(struct fault *f);
/* Who could be given work, and how much of it all of them together. */
enum cs_err plan_read_nodes(struct db *db, const struct conf *conf, struct plan *p, int64_t *room,
    struct fault *f) cs_mustcheck;
/* The items of ROWS (PLAN_COLUMNS of stmt.def), a row a feed, those of an item together. */
enum cs_err plan_read_items(struct plan *p, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* The quotas for the feeds of the plan's items. LIST is overwritten. */
enum cs_err plan_read_quotas(
    struct db *db, struct plan *p, struct buf *list, struct fault *f) cs_mustcheck;
/* One more: node, feed, quota and what is used of it, the first columns of ROW. There is room for
 * it. */
enum cs_err plan_add_quota(struct plan *p, const struct db_rows *row, struct fault *f) cs_mustcheck;
/* By how much a node's count changes. */
struct plan_change {
	int64_t node, n;
};
/* N of them, in the order of the nodes, as what NODES_LOCK and NODES_COUNT (stmt.def) are about.
 * OUT is overwritten. */
enum cs_err plan_list_changes(
    const struct plan_change *c, size_t n, struct buf *out, struct fault *f) cs_mustcheck;
/* The feeds of IT. */
static inline const char *const *
plan_feeds(const struct plan *p, const struct plan_item *it)
{
	return (const char *const *)&p->feeds[it->feed];
}
/*
 * Carries the plan out: what is to go elsewhere goes there, as far as it has not changed since it
 * was read and as its new node has room; few at a time, in transactions that lock their nodes
 * first. Sorts the items. *N counts. LIST is overwritten.
 */
enum cs_err plan_write(
    struct db *db, struct plan *p, struct buf *list, int64_t *n, struct fault *f) cs_mustcheck;

#endif
