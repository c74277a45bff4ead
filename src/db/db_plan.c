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

/* "[[1,0,0,5],[2,7,0,5]]": row number, version, from and to of N items. */
static enum cs_err
list_items(const struct plan_item *items, size_t n, struct buf *out, struct fault *f)
{
	buf_reset(out);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%c[%lld,%lld,%lld,%lld]", i == 0 ? '[' : ',',
		    (long long)items[i].seq, (long long)items[i].ver, (long long)items[i].node,
		    (long long)items[i].to);
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

enum cs_err
plan_list_changes(const struct plan_change *c, size_t n, struct buf *out, struct fault *f)
{
	buf_reset(out);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%c[%lld,%lld]", i == 0 ? '[' : ',', (long long)c[i].node,
		    (long long)c[i].n);
	buf_putc(out, ']');
	return buf_failed(out) ? plan_no_memory(f) : CS_OK;
}

/* Nodes that a chunk takes work from or gives it to, in order. */
struct touched {
	struct plan_change nodes[2 * CHUNK];
	int64_t room[2 * CHUNK];
	size_t n;
};

static void
add_touched(struct touched *t, int64_t node)
{
	size_t at = 0;

	while (at < t->n && t->nodes[at].node < node)
		at++;
	if (node == 0 || (at < t->n && t->nodes[at].node == node))
		return;
	memmove(&t->nodes[at + 1], &t->nodes[at], (t->n++ - at) * sizeof(t->nodes[0]));
	t->nodes[at] = (struct plan_change){ node, 0 };
}

static size_t
touched_at(const struct touched *t, int64_t node)
{
	size_t at = 0;

	while (t->nodes[at].node != node)
		at++;
	return at;
}

/* Locks the nodes of N items, in order, and reads what room they have. */
static enum cs_err
lock_nodes(struct db *db, const struct plan_item *items, size_t n, struct touched *t,
    struct buf *list, struct fault *f)
{
	auto_rows r = { 0 };

	for (size_t i = 0; i < n; i++) {
		add_touched(t, items[i].node);
		add_touched(t, items[i].to);
	}
	TRY(plan_list_changes(t->nodes, t->n, list, f));
	TRY(DB_QUERY(db, f, &r, STMT_NODES_LOCK, A_S(list->data)));
	while (db_next(&r))
		t->room[touched_at(t, db_i(&r, 0))] = db_i(&r, 1);
	return CS_OK;
}

/* Counts IT as moved. False: it has no place where it is to go. */
static bool
count_item(struct touched *t, const struct plan_item *it)
{
	size_t to = it->to != 0 ? touched_at(t, it->to) : 0;

	if (it->to != 0 && t->room[to]-- <= 0)
		return false;
	if (it->to != 0)
		t->nodes[to].n++;
	if (it->node != 0)
		t->nodes[touched_at(t, it->node)].n--;
	return true;
}

static void
swap(struct plan_item *a, struct plan_item *b)
{
	struct plan_item kept = *a;

	*a = *b;
	*b = kept;
}

/* Locks N items. The first *MOVED of them go: they have not changed since they were read, and there
 * is room for them. */
static enum cs_err
lock_items(struct db *db, struct plan_item *items, size_t n, struct touched *t, struct buf *list,
    size_t *moved, struct fault *f)
{
	auto_rows r = { 0 };
	bool more;

	*moved = 0;
	TRY(list_items(items, n, list, f));
	TRY(DB_QUERY(db, f, &r, STMT_PLAN_LOCK, A_S(list->data)));
	more = db_next(&r);
	for (size_t i = 0; i < n && more; i++) {
		if (db_i(&r, 0) != items[i].seq)
			continue;
		if (count_item(t, &items[i]))
			swap(&items[(*moved)++], &items[i]);
		more = db_next(&r);
	}
	return CS_OK;
}

static enum cs_err
write_chunk(struct db *db, struct plan_item *items, size_t count, struct buf *list, int64_t *n,
    struct fault *f)
{
	struct touched t = { 0 };
	auto_tx tx = { 0 };
	size_t moved;

	TRY(db_begin(db, &tx, f));
	TRY(lock_nodes(db, items, count, &t, list, f));
	TRY(lock_items(db, items, count, &t, list, &moved, f));
	if (moved == 0)
		return CS_OK;
	TRY(list_items(items, moved, list, f));
	TRY(DB_EXEC(db, f, NULL, STMT_PLAN_MOVE, A_S(list->data)));
	TRY(DB_EXEC(db, f, NULL, STMT_PLAN_SHOWN, A_S(list->data)));
	TRY(plan_list_changes(t.nodes, t.n, list, f));
	TRY(DB_EXEC(db, f, NULL, STMT_NODES_COUNT, A_S(list->data)));
	TRY(db_commit(&tx, f));
	*n += (int64_t)moved;
	return CS_OK;
}

enum cs_err
plan_write(struct db *db, struct plan *p, struct buf *list, int64_t *n, struct fault *f)
{
	size_t going = 0, count;

	for (size_t i = 0; i < p->nitems; i++)
		if (p->items[i].to != p->items[i].node)
			swap(&p->items[going++], &p->items[i]);
	qsort(p->items, going, sizeof(*p->items), by_way);
	for (size_t i = 0; i < going; i += count) {
		count = going - i < CHUNK ? going - i : CHUNK;
		TRY(write_chunk(db, &p->items[i], count, list, n, f));
	}
	return CS_OK;
}
