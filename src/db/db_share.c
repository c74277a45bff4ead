/* SPDX-License-Identifier: MIT */
/*
 * The shares of a batch. The nodes are read without locks and their rows are locked last, when all
 * else is written: in the other order each of their claims would wait for the whole batch. That is
 * against the order of locks (node, then allocation) only seemingly: nobody can see, let alone wait
 * for, allocations that are not committed yet, so nobody who holds a node waits for this
 * transaction; and what lost its room meanwhile is taken back under the lock.
 */
#include "db/db_share.h"

#include "db/db_plan.h"

#include <stdlib.h>
#include <string.h>

/* Below it cascaded is as fast, which assigns a few within a moment and makes nobody read all
 * nodes. */
#define SHARE_MIN 1000

/* The quotas for feeds of a batch, and the feeds that they are for, those of an allocation
 * together. */
struct wanted {
	const char **feeds;
	size_t *of; /* the allocation of each, as its place in the batch */
	size_t n;
};

static void
wanted_free(struct wanted *w)
{
	free(w->feeds);
	free(w->of);
}
#define auto_wanted cs_cleanup(wanted_free) struct wanted

void
share_free(struct share *s)
{
	free(s->to);
	buf_free(&s->list);
}

static enum cs_err
is_due(struct db *db, const struct batch *b, bool *due, struct fault *f)
{
	auto_rows r = { 0 };

	*due = false;
	if (b->n < SHARE_MIN)
		return CS_OK;
	TRY(DB_QUERY(db, f, &r, STMT_BATCH_IS_FIRST, A_S(b->run_id), A_I(b->task)));
	*due = db_next(&r) && db_i(&r, 0) != 0;
	return CS_OK;
}

/* Quotas into P, and into W, which borrows their feeds, what they are for. */
static enum cs_err
read_quotas(struct db *db, const struct batch *b, struct plan *p, struct wanted *w, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_BATCH_QUOTAS, A_I(b->base), A_I(b->base + (int64_t)b->n)));
	p->quotas = calloc(db_count(&r) + 1, sizeof(*p->quotas));
	w->feeds = calloc(db_count(&r) + 1, sizeof(*w->feeds));
	w->of = calloc(db_count(&r) + 1, sizeof(*w->of));
	if (p->quotas == NULL || w->feeds == NULL || w->of == NULL)
		return plan_no_memory(f);
	while (db_next(&r)) {
		const char *feed;

		TRY(plan_add_quota(p, &r, f));
		feed = p->quotas[p->nquotas - 1].feed;
		if (w->n > 0 && strcmp(w->feeds[w->n - 1], feed) == 0)
			continue;
		w->feeds[w->n] = feed;
		w->of[w->n++] = (size_t)(db_i(&r, 4) - b->base);
	}
	return CS_OK;
}

/* Nobody's (0) comes last. */
static int
by_node(const void *a, const void *b)
{
	uint64_t x = (uint64_t) * (const int64_t *)a - 1, y = (uint64_t) * (const int64_t *)b - 1;

	return (x > y) - (x < y);
}

/* The first place from AT on that no quota is for; *I goes along W. */
static size_t
next_free(const struct wanted *w, size_t *i, size_t at)
{
	while (*i < w->n && w->of[*i] <= at) {
		if (w->of[*i] == at)
			at++;
		(*i)++;
	}
	return at;
}

/* What quotas have no say in may be exchanged. That of a node is put together, and so are the
 * entries of its indexes; what is nobody's comes last. FREE_TO has room for all. */
static void
put_together(struct share *s, const struct wanted *w, int64_t *free_to)
{
	size_t n = 0, i = 0;

	for (size_t at = next_free(w, &i, 0); at < s->n; at = next_free(w, &i, at + 1))
		free_to[n++] = s->to[at];
	qsort(free_to, n, sizeof(*free_to), by_node);
	n = i = 0;
	for (size_t at = next_free(w, &i, 0); at < s->n; at = next_free(w, &i, at + 1))
		s->to[at] = free_to[n++];
}

static enum cs_err
choose(const struct plan *p, const struct wanted *w, struct share *s, struct fault *f)
{
	struct selector *sel = select_new(p->nodes, p->nnodes, p->quotas, p->nquotas);
	int64_t *free_to = calloc(s->n, sizeof(*free_to));
	size_t i = 0;

	for (size_t at = 0; sel != NULL && free_to != NULL && at < s->n; at++) {
		size_t first = i;

		while (i < w->n && w->of[i] == at)
			i++;
		s->to[at] = select_node(sel, w->feeds + first, i - first, NULL, 0);
	}
	if (sel != NULL && free_to != NULL)
		put_together(s, w, free_to);
	select_free(sel);
	free(free_to);
	return sel != NULL && free_to != NULL ? CS_OK : plan_no_memory(f);
}

enum cs_err
share_choose(
    struct db *db, const struct conf *conf, const struct batch *b, struct share *s, struct fault *f)
{
	auto_plan p = { 0 };
	auto_wanted w = { 0 };
	int64_t room;
	bool due;

	s->n = b->n;
	s->to = calloc(b->n, sizeof(*s->to));
	if (s->to == NULL)
		return plan_no_memory(f);
	TRY(is_due(db, b, &due, f));
	if (!due)
		return CS_OK;
	TRY(plan_read_nodes(db, conf, &p, &room, f));
	if (room <= 0)
		return CS_OK;
	TRY(read_quotas(db, b, &p, &w, f));
	return choose(&p, &w, s, f);
}

enum cs_err
share_nodes(struct share *s, const char **out, struct fault *f)
{
	buf_reset(&s->list);
	for (size_t i = 0; i < s->n; i++)
		buf_printf(&s->list, "%c%lld", i == 0 ? '[' : ',', (long long)s->to[i]);
	buf_putc(&s->list, ']');
	*out = s->list.data;
	return buf_failed(&s->list) ? plan_no_memory(f) : CS_OK;
}

/* The nodes that get something, in order, and how much. */
struct tally {
	struct plan_change *parts;
	size_t n;
};

static void
tally_free(struct tally *t)
{
	free(t->parts);
}
#define auto_tally cs_cleanup(tally_free) struct tally

static enum cs_err
tally(const struct share *s, struct tally *t, struct fault *f)
{
	int64_t *to = calloc(s->n, sizeof(*to));

	t->parts = calloc(s->n, sizeof(*t->parts));
	if (to == NULL || t->parts == NULL) {
		free(to);
		return plan_no_memory(f);
	}
	memcpy(to, s->to, s->n * sizeof(*to));
	qsort(to, s->n, sizeof(*to), by_node);
	for (size_t i = 0; i < s->n && to[i] != 0; i++) {
		if (t->n == 0 || t->parts[t->n - 1].node != to[i])
			t->parts[t->n++].node = to[i];
		t->parts[t->n - 1].n++;
	}
	free(to);
	return CS_OK;
}

/* The last allocations of P become nobody's, until ROOM is enough for it. */
static enum cs_err
take_back(struct db *db, const struct batch *b, struct share *s, struct plan_change *p,
    int64_t room, struct fault *f)
{
	buf_reset(&s->list);
	for (size_t i = s->n; i > 0 && p->n > room; i--) {
		if (s->to[i - 1] != p->node)
			continue;
		s->to[i - 1] = 0;
		p->n--;
		buf_printf(&s->list, "%c[%lld,0,%lld,0]", s->list.len == 0 ? '[' : ',',
		    (long long)(b->base + (int64_t)i - 1), (long long)p->node);
	}
	if (s->list.len == 0)
		return CS_OK;
	buf_putc(&s->list, ']');
	if (buf_failed(&s->list))
		return plan_no_memory(f);
	TRY(DB_EXEC(db, f, NULL, STMT_PLAN_MOVE, A_S(s->list.data)));
	return DB_EXEC(db, f, NULL, STMT_PLAN_SHOWN, A_S(s->list.data));
}

enum cs_err
share_count(struct db *db, const struct batch *b, struct share *s, struct fault *f)
{
	auto_tally t = { 0 };
	auto_rows r = { 0 };
	bool more;

	TRY(tally(s, &t, f));
	if (t.n == 0)
		return CS_OK;
	TRY(plan_list_changes(t.parts, t.n, &s->list, f));
	TRY(DB_QUERY(db, f, &r, STMT_NODES_LOCK, A_S(s->list.data)));
	more = db_next(&r);
	for (size_t i = 0; i < t.n; i++) {
		bool there = more && db_i(&r, 0) == t.parts[i].node;

		TRY(take_back(db, b, s, &t.parts[i], there ? db_i(&r, 1) : 0, f));
		if (there)
			more = db_next(&r);
	}
	TRY(plan_list_changes(t.parts, t.n, &s->list, f));
	return DB_EXEC(db, f, NULL, STMT_NODES_COUNT, A_S(s->list.data));
}
