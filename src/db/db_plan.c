/* SPDX-License-Identifier: MIT */
/* Reading work and quotas for a plan, and putting what it decided in order to be carried out. */
#include "db/db_plan.h"

#include "core/prefer.h"

#include <stdlib.h>
#include <string.h>

#define FAILED_MAX 128 /* as many as failed_nodes has room for */
#define CHUNK	   64  /* rows a transaction: claims of its nodes wait for it meanwhile */

void
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

enum cs_err
plan_no_memory(struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "assignment");
}

enum cs_err
plan_read_nodes(
    struct db *db, const struct conf *conf, struct plan *p, int64_t *room, struct fault *f)
{
	auto_rows r = { 0 };

	*room = 0;
	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_NODES, A_I(conf->offline_after_s)));
	p->nodes = calloc(db_count(&r) + 1, sizeof(*p->nodes));
	if (p->nodes == NULL)
		return plan_no_memory(f);
	while (db_next(&r)) {
		p->nodes[p->nnodes++] = (struct select_node){
			.id = db_i(&r, 0),
			.open = db_i(&r, 1),
			.capacity = db_i(&r, 2),
			.idle_since = db_i(&r, 3),
			.available = true,
		};
		*room += db_i(&r, 2) - db_i(&r, 1);
	}
	return CS_OK;
}

static bool
read_failed(struct plan_item *it, const char *back, const char *text)
{
	int64_t failed[2 * FAILED_MAX];

	it->nback = back != NULL ? prefer_parse_nodes(back, failed, FAILED_MAX) : 0;
	it->nfailed = it->nback + prefer_parse_nodes(text, failed + it->nback, FAILED_MAX);
	if (it->nfailed == 0)
		return true;
	it->failed = calloc(it->nfailed, sizeof(*it->failed));
	if (it->failed == NULL)
		return false;
	memcpy(it->failed, failed, it->nfailed * sizeof(*it->failed));
	return true;
}

enum cs_err
plan_read_items(struct plan *p, struct db_rows *rows, struct fault *f)
{
	p->items = calloc(db_count(rows) + 1, sizeof(*p->items));
	p->feeds = calloc(db_count(rows) + 1, sizeof(*p->feeds));
	if (p->items == NULL || p->feeds == NULL)
		return plan_no_memory(f);
	while (db_next(rows)) {
		struct plan_item *it = p->nitems > 0 ? &p->items[p->nitems - 1] : NULL;

		if (it == NULL || it->seq != db_i(rows, 0)) {
			it = &p->items[p->nitems++];
			it->seq = db_i(rows, 0);
			it->ver = db_i(rows, 1);
			it->node = db_i(rows, 2);
			it->feed = p->nfeeds;
			if (!read_failed(it, db_s(rows, 5), db_s(rows, 3)))
				return plan_no_memory(f);
		}
		it->nfeeds++;
		p->feeds[p->nfeeds++] = strdup(db_s(rows, 4));
		if (p->feeds[p->nfeeds - 1] == NULL)
			return plan_no_memory(f);
	}
	return CS_OK;
}

/* "[[1,0],[2,7]]": row number and version of N items. */
static enum cs_err
list_items(const struct plan_item *items, size_t n, struct buf *out, struct fault *f)
{
	buf_reset(out);
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s[%lld,%lld]", i == 0 ? "" : ",", (long long)items[i].seq,
		    (long long)items[i].ver);
	buf_putc(out, ']');
	return buf_failed(out) ? plan_no_memory(f) : CS_OK;
}

enum cs_err
plan_add_quota(struct plan *p, const struct db_rows *row, struct fault *f)
{
	char *feed = strdup(db_s(row, 1));

	if (feed == NULL)
		return plan_no_memory(f);
	p->quotas[p->nquotas++] = (struct select_quota){
		.node = db_i(row, 0),
		.feed = feed,
		.quota = db_i(row, 2),
		.open = db_i(row, 3),
	};
	return CS_OK;
}

enum cs_err
plan_read_quotas(struct db *db, struct plan *p, struct buf *list, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(list_items(p->items, p->nitems, list, f));
	TRY(DB_QUERY(db, f, &r, STMT_PLAN_QUOTAS, A_S(list->data)));
	p->quotas = calloc(db_count(&r) + 1, sizeof(*p->quotas));
	if (p->quotas == NULL)
		return plan_no_memory(f);
	while (db_next(&r))
		TRY(plan_add_quota(p, &r, f));
	return CS_OK;
}

static int
compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int
by_way(const void *a, const void *b)
{
	const struct plan_item *x = a, *y = b;

	if (x->node != y->node)
		return compare(x->node, y->node);
	return x->to != y->to ? compare(x->to, y->to) : compare(x->seq, y->seq);
}

/* How many items from IT on go the same way, at most MAX. */
static size_t
span(const struct plan_item *it, size_t max)
{
	size_t n = 1;

	while (n < max && it[n].node == it->node && it[n].to == it->to)
		n++;
	return n;
}

/* Locks the two nodes of IT; how much its new one has room for. */
static enum cs_err
lock_nodes(struct db *db, const struct plan_item *it, int64_t *room, struct fault *f)
{
	auto_rows r = { 0 };

	*room = it->to == 0 ? INT64_MAX : 0;
	TRY(DB_QUERY(db, f, &r, STMT_PLAN_LOCK, A_I(it->node), A_I(it->to)));
	while (db_next(&r))
		if (db_i(&r, 0) == it->to)
			*room = db_i(&r, 1);
	return CS_OK;
}

/* COUNT items from IT on, which go the same way. */
static enum cs_err
write_span(struct db *db, const struct plan_item *it, size_t count, struct buf *list, int64_t *n,
    struct fault *f)
{
	uint64_t moved = 0;
	auto_tx tx = { 0 };
	int64_t room;

	TRY(db_begin(db, &tx, f));
	TRY(lock_nodes(db, it, &room, f));
	if (room <= 0)
		return CS_OK;
	if ((int64_t)count > room)
		count = (size_t)room;
	TRY(list_items(it, count, list, f));
	TRY(DB_EXEC(db, f, &moved, STMT_PLAN_MOVE, A_S(list->data), A_I(it->to), A_I(it->to),
	    A_I(it->node)));
	if (it->to != 0)
		TRY(DB_EXEC(db, f, NULL, STMT_PLAN_COUNT, A_I((int64_t)moved), A_I(it->to)));
	if (it->node != 0)
		TRY(DB_EXEC(db, f, NULL, STMT_PLAN_COUNT, A_I(-(int64_t)moved), A_I(it->node)));
	TRY(DB_EXEC(db, f, NULL, STMT_PLAN_SHOWN, A_S(list->data), A_I(it->to)));
	TRY(db_commit(&tx, f));
	*n += (int64_t)moved;
	return CS_OK;
}

enum cs_err
plan_write(struct db *db, struct plan *p, struct buf *list, int64_t *n, struct fault *f)
{
	size_t count;

	qsort(p->items, p->nitems, sizeof(*p->items), by_way);
	for (size_t i = 0; i < p->nitems; i += count) {
		const struct plan_item *it = &p->items[i];
		size_t left = p->nitems - i;

		count = span(it, left < CHUNK ? left : CHUNK);
		if (it->to != it->node)
			TRY(write_span(db, it, count, list, n, f));
	}
	return CS_OK;
}
