/* SPDX-License-Identifier: MIT */
/*
 * Rebalancing: what is assigned and nobody has claimed goes where it would go now. Looks at the
 * nodes' counts first (where anything is assigned at all), since mostly nothing is to be done; only
 * then the work is read. Quotas have the first say (core/select.h), load has the rest
 * (core/balance.h), and both are carried out as assignment is (db_plan.h).
 */
#include "db/db_daemon.h"

#include "core/balance.h"
#include "db/db_plan.h"
#include "db/db_wake.h"

#include <stdlib.h>

#define ITEMS_MAX 20000 /* at a time: more are left for the next one */

/* The nodes as core/balance.h sees them, in step with plan.nodes; which item each of its is. */
struct balance {
	struct balance_node *nodes;
	struct balance_item *items;
	size_t *of; /* the plan's item of each */
	size_t nitems;
};

static void
balance_free(struct balance *b)
{
	free(b->nodes);
	free(b->items);
	free(b->of);
}
#define auto_balance cs_cleanup(balance_free) struct balance

static enum cs_err
read_nodes(
    struct db *db, const struct conf *conf, struct plan *p, struct balance *b, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_BALANCE_NODES, A_I(conf->offline_after_s)));
	p->nodes = calloc(db_count(&r) + 1, sizeof(*p->nodes));
	b->nodes = calloc(db_count(&r) + 1, sizeof(*b->nodes));
	if (p->nodes == NULL || b->nodes == NULL)
		return plan_no_memory(f);
	while (db_next(&r)) {
		int64_t id = db_i(&r, 0), open = db_i(&r, 1), movable = db_i(&r, 4);

		b->nodes[p->nnodes] = (struct balance_node){
			.id = id,
			.held = open > movable ? open - movable : 0,
			.movable = movable,
			.capacity = db_i(&r, 2),
		};
		p->nodes[p->nnodes++] = (struct select_node){
			.id = id,
			.open = open,
			.capacity = db_i(&r, 2),
			.idle_since = db_i(&r, 3),
			.available = true,
		};
	}
	return CS_OK;
}

/* Whether there is anything to look at more closely. */
static enum cs_err
is_due(struct db *db, const struct plan *p, const struct balance *b, bool *due, struct fault *f)
{
	auto_rows r = { 0 };

	if (!balance_is_due(b->nodes, p->nnodes, due))
		return plan_no_memory(f);
	if (*due)
		return CS_OK;
	TRY(DB_QUERY(db, f, &r, STMT_BALANCE_QUOTA));
	*due = db_next(&r);
	return CS_OK;
}

static int
by_id(const void *a, const void *b)
{
	const struct balance_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The node of id ID; NULL where it is given no work now. */
static struct balance_node *
find_node(const struct plan *p, const struct balance *b, int64_t id)
{
	const struct balance_node key = { .id = id };

	return bsearch(&key, b->nodes, p->nnodes, sizeof(key), by_id);
}

/* IT has its place by a quota: it is no longer to be balanced, wherever it is. */
static void
place_item(const struct plan *p, const struct balance *b, const struct plan_item *it)
{
	struct balance_node *from = find_node(p, b, it->node);
	struct balance_node *to = find_node(p, b, it->to);

	if (from != NULL && to != NULL) {
		from->movable--;
		to->held++;
	}
}

/* What quotas keep or want elsewhere has its place; the rest is to be balanced. */
static void
settle(struct plan *p, struct balance *b, struct selector *s)
{
	for (size_t i = 0; i < p->nitems; i++) {
		struct plan_item *it = &p->items[i];

		it->to = it->node;
		if (find_node(p, b, it->node) == NULL)
			continue;
		it->to = select_by_quota(
		    s, it->node, plan_feeds(p, it), it->nfeeds, it->failed, it->nfailed);
		if (it->to != 0) {
			place_item(p, b, it);
			continue;
		}
		it->to = it->node;
		b->of[b->nitems] = i;
		b->items[b->nitems++] = (struct balance_item){
			.node = it->node, .failed = it->failed, .nfailed = it->nfailed
		};
	}
}

/* Says where everything is to go. */
static enum cs_err
decide(struct plan *p, struct balance *b, struct fault *f)
{
	struct selector *s = select_new(p->nodes, p->nnodes, p->quotas, p->nquotas);
	size_t moves;
	bool done = false;

	b->items = calloc(p->nitems + 1, sizeof(*b->items));
	b->of = calloc(p->nitems + 1, sizeof(*b->of));
	if (s != NULL && b->items != NULL && b->of != NULL) {
		settle(p, b, s);
		done = balance_plan(b->nodes, p->nnodes, b->items, b->nitems, &moves);
	}
	select_free(s);
	for (size_t i = 0; done && i < b->nitems; i++)
		p->items[b->of[i]].to = b->items[i].to;
	return done ? CS_OK : plan_no_memory(f);
}

static enum cs_err
balance(struct db *db, const struct conf *conf, struct plan *p, struct buf *list, int64_t *n,
    struct fault *f)
{
	auto_balance b = { 0 };
	auto_rows r = { 0 };
	bool any, due;

	TRY(db_wake_assigned(db, 0, &any, f));
	if (!any)
		return CS_OK;
	TRY(read_nodes(db, conf, p, &b, f));
	TRY(is_due(db, p, &b, &due, f));
	if (!due)
		return CS_OK;
	TRY(DB_QUERY(db, f, &r, STMT_BALANCE_ITEMS, A_I(ITEMS_MAX)));
	TRY(plan_read_items(p, &r, f));
	TRY(plan_read_quotas(db, p, list, f));
	TRY(decide(p, &b, f));
	return plan_write(db, p, list, n, f);
}

enum cs_err
db_balance(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	auto_plan p = { 0 };
	struct buf list = { 0 };
	enum cs_err rc;

	*n = 0;
	rc = balance(db, conf, &p, &list, n, f);
	buf_free(&list);
	return rc;
}
