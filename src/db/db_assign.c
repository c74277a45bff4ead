/* SPDX-License-Identifier: MIT */
/*
 * Assignment: one batch of waiting work and the nodes with room for it are read without locks, the
 * choice is core/select.h's, and each node's share is written in one transaction that holds its row
 * and checks its room again. What changed meanwhile is left for the next batch.
 */
#include "db/db_daemon.h"

#include "base/buf.h"
#include "core/prefer.h"
#include "core/select.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 64 /* a transaction: its node's claims wait for the row meanwhile */

/* One allocation of the batch and who gets it. */
struct item {
	int64_t seq;
	int64_t node; /* 0: nobody */
	size_t feed;  /* first of its feeds in plan.feeds */
	size_t nfeeds;
	char *failed; /* "1,2": nodes whose attempt at it failed */
};

struct plan {
	struct select_node *nodes;
	size_t nnodes;
	struct select_quota *quotas;
	size_t nquotas;
	struct item *items;
	size_t nitems;
	char **feeds;
	size_t nfeeds;
	int64_t room; /* free places over all nodes */
};

static void
plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->nitems; i++)
		free(p->items[i].failed);
	for (size_t i = 0; i < p->nfeeds; i++)
		free(p->feeds[i]);
	for (size_t i = 0; i < p->nquotas; i++)
		free((void *)(uintptr_t)p->quotas[i].feed);
	free(p->nodes);
	free(p->quotas);
	free(p->items);
	free(p->feeds);
}
#define auto_plan cs_cleanup(plan_free) struct plan

static enum cs_err
no_memory(struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "assignment");
}

static enum cs_err
read_nodes(struct db *db, const struct conf *conf, struct plan *p, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_NODES, A_I(conf->offline_after_s)));
	p->nodes = calloc(db_count(&r) + 1, sizeof(*p->nodes));
	if (p->nodes == NULL)
		return no_memory(f);
	while (db_next(&r)) {
		p->nodes[p->nnodes++] = (struct select_node){
			.id = db_i(&r, 0),
			.open = db_i(&r, 1),
			.capacity = db_i(&r, 2),
			.idle_since = db_i(&r, 3),
			.available = true,
		};
		p->room += db_i(&r, 2) - db_i(&r, 1);
	}
	return CS_OK;
}

static enum cs_err
read_items(struct db *db, const struct conf *conf, struct plan *p, struct fault *f)
{
	int64_t limit = p->room < conf->batch ? p->room : conf->batch;
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_POOL, A_I(limit)));
	p->items = calloc(db_count(&r) + 1, sizeof(*p->items));
	p->feeds = calloc(db_count(&r) + 1, sizeof(*p->feeds));
	if (p->items == NULL || p->feeds == NULL)
		return no_memory(f);
	while (db_next(&r)) {
		struct item *it = p->nitems > 0 ? &p->items[p->nitems - 1] : NULL;

		if (it == NULL || it->seq != db_i(&r, 0)) {
			it = &p->items[p->nitems++];
			it->seq = db_i(&r, 0);
			it->feed = p->nfeeds;
			it->failed = strdup(db_s(&r, 1));
		}
		it->nfeeds++;
		p->feeds[p->nfeeds++] = strdup(db_s(&r, 2));
		if (it->failed == NULL || p->feeds[p->nfeeds - 1] == NULL)
			return no_memory(f);
	}
	return CS_OK;
}

/* "[1,2,3]": the row numbers of N items. */
static enum cs_err
list_items(const struct item *items, size_t n, struct buf *out, struct fault *f)
{
	buf_reset(out);
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%lld", i == 0 ? "" : ",", (long long)items[i].seq);
	buf_putc(out, ']');
	return buf_failed(out) ? no_memory(f) : CS_OK;
}

static enum cs_err
read_quotas(struct db *db, struct plan *p, struct buf *list, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(list_items(p->items, p->nitems, list, f));
	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_QUOTAS, A_S(list->data)));
	p->quotas = calloc(db_count(&r) + 1, sizeof(*p->quotas));
	if (p->quotas == NULL)
		return no_memory(f);
	while (db_next(&r)) {
		char *feed = strdup(db_s(&r, 1));

		if (feed == NULL)
			return no_memory(f);
		p->quotas[p->nquotas++] = (struct select_quota){
			.node = db_i(&r, 0),
			.feed = feed,
			.quota = db_i(&r, 2),
			.open = db_i(&r, 3),
		};
	}
	return CS_OK;
}

static enum cs_err
choose(struct plan *p, struct fault *f)
{
	struct selector *s = select_new(p->nodes, p->nnodes, p->quotas, p->nquotas);
	int64_t failed[64];

	if (s == NULL)
		return no_memory(f);
	for (size_t i = 0; i < p->nitems; i++) {
		struct item *it = &p->items[i];
		size_t n = prefer_parse_nodes(it->failed, failed, ARRAY_LEN(failed));

		it->node =
		    select_node(s, (const char *const *)&p->feeds[it->feed], it->nfeeds, failed, n);
	}
	select_free(s);
	return CS_OK;
}

static int
by_node(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Writes the share of one node: COUNT items from ITEMS on, as far as it has room now. */
static enum cs_err
write_node(struct db *db, const struct item *items, size_t count, struct buf *list, int64_t *n,
    struct fault *f)
{
	int64_t node = items->node;
	uint64_t taken = 0;
	auto_rows r = { 0 };
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_LOCK, A_I(node)));
	if (!db_next(&r) || db_i(&r, 0) <= 0)
		return CS_OK;
	if ((int64_t)count > db_i(&r, 0))
		count = (size_t)db_i(&r, 0);
	TRY(list_items(items, count, list, f));
	TRY(DB_EXEC(db, f, &taken, STMT_ASSIGN_OPEN, A_S(list->data), A_I(node)));
	TRY(DB_EXEC(db, f, NULL, STMT_ASSIGN_COUNT, A_I((int64_t)taken), A_I(node)));
	TRY(DB_EXEC(db, f, NULL, STMT_ASSIGN_SHOWN, A_S(list->data), A_I(node)));
	TRY(db_commit(&tx, f));
	*n += (int64_t)taken;
	return CS_OK;
}

static enum cs_err
write_plan(struct db *db, struct plan *p, struct buf *list, int64_t *n, struct fault *f)
{
	size_t count;

	qsort(p->items, p->nitems, sizeof(*p->items), by_node);
	for (size_t i = 0; i < p->nitems; i += count) {
		for (count = 1;
		     i + count < p->nitems && p->items[i + count].node == p->items[i].node;)
			count++;
		if (p->items[i].node != 0)
			TRY(write_node(db, &p->items[i], count, list, n, f));
	}
	return CS_OK;
}

static enum cs_err
assign(struct db *db, const struct conf *conf, struct plan *p, struct buf *list, int64_t *n,
    struct fault *f)
{
	TRY(read_nodes(db, conf, p, f));
	if (p->room <= 0)
		return CS_OK;
	TRY(read_items(db, conf, p, f));
	if (p->nitems == 0)
		return CS_OK;
	TRY(read_quotas(db, p, list, f));
	TRY(choose(p, f));
	return write_plan(db, p, list, n, f);
}

enum cs_err
db_assign(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	auto_plan p = { 0 };
	struct buf list = { 0 };
	enum cs_err rc;

	*n = 0;
	rc = assign(db, conf, &p, &list, n, f);
	buf_free(&list);
	return rc;
}
