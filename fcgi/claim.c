/* SPDX-License-Identifier: MIT */
/*
 * A claim takes the node's own assigned work first, then the worker's candidates, then the whole
 * pool, then what is reserved for others beyond its time. It answers "nothing" only when none of
 * these holds anything that the node may take.
 */
#include "fcgi/claim.h"

#include "base/clock.h"
#include "core/prefer.h"

#include <stdlib.h>

#define LIST_MAX    128	 /* as POOL_CLASS reads */
#define LIST_AGE_MS 1000 /* new work and preferences are seen at the latest after this */
#define PAGE	    512	 /* of the whole pool */
#define OWN_NODES   64	 /* whose own work's places are remembered */
/* A worker stays this close to the oldest, so that a busy one does not run ahead of an idle one's
 * class. */
#define WINDOW_US INT64_C(30000000)
/* What was claimed stays at the head of the queue's index until it is purged, and may be much: the
 * head is looked for during a 20th of the time at most, but every 10 s. */
#define HEAD_SHARE  20
#define HEAD_MAX_MS 10000

/* How far the own work of a node was handed out. */
struct own {
	int64_t node, place;
	int64_t due_ms; /* when to look from the start again */
};

struct candidates {
	unsigned index, count;
	struct arena *arena; /* strings of list */
	int64_t read_ms;
	int64_t head;		   /* place of the oldest when it was last looked for; 0: none */
	int64_t head_due_ms;	   /* when to look again */
	int64_t cursor;		   /* place up to which the list was used up */
	struct own own[OWN_NODES]; /* by node modulo OWN_NODES */
	size_t n, next;
	struct db_candidate list[LIST_MAX];
};

/* One claim's walk: what was met on the way. */
struct walk {
	int64_t seq;   /* taken; 0 = none yet */
	bool reserved; /* something was left to other nodes */
	bool full;     /* the node's capacity is used up */
	struct db_rows *package;
};

struct candidates *
candidates_new(unsigned index, unsigned count)
{
	struct candidates *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->index = index;
	l->count = count > 0 ? count : 1;
	l->arena = arena_new(1u << 20);
	if (l->arena == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

void
candidates_free(struct candidates *l)
{
	if (l == NULL)
		return;
	arena_free(l->arena);
	free(l);
}

/* May the calling node take D now? */
static enum cs_err
suits(struct ctx *c, const struct db_candidate *d, bool *out)
{
	*out = !prefer_has_node(d->back, c->who.node);
	if (!d->fresh || !*out)
		return CS_OK;
	if (prefer_is_elsewhere(d->preferred, c->who.node)) {
		*out = false;
		return CS_OK;
	}
	if (!prefer_has_node(d->failed, c->who.node))
		return CS_OK;
	/* its attempt at it failed: others first, if there are any */
	TRY(db_alloc_other_available(c->db, c->conf, c->who.node, d->failed, out, &c->fault));
	*out = !*out;
	return CS_OK;
}

/* When to look from the start again, after a look that began at BEGIN. */
static int64_t
next_look_ms(int64_t begin)
{
	int64_t rest = HEAD_SHARE * (clock_mono_ms() - begin);

	if (rest < LIST_AGE_MS)
		rest = LIST_AGE_MS;
	return begin + (rest < HEAD_MAX_MS ? rest : HEAD_MAX_MS);
}

static struct own *
own_of(struct ctx *c)
{
	struct own *own = &c->candidates->own[c->who.node % OWN_NODES];

	if (own->node != c->who.node)
		*own = (struct own){ .node = c->who.node };
	return own;
}

/* Claims the node's own work, else SEQ. *TAKEN is what it was; 0: nothing. */
static enum cs_err
claim(struct ctx *c, int64_t seq, struct walk *w, int64_t *taken)
{
	struct own *own = own_of(c);
	struct db_claimed got;
	int64_t begin = clock_mono_ms();
	bool start = begin >= own->due_ms;

	TRY(db_alloc_claim(
	    c->db, c->conf, c->who.node, start ? 0 : own->place, seq, &got, w->package, &c->fault));
	if (start)
		*own = (struct own){ own->node, 0, next_look_ms(begin) };
	if (got.seq != 0 && got.seq != seq)
		own->place = got.place;
	w->seq = *taken = got.seq;
	return CS_OK;
}

/* Tries to take D; a miss is looked into: gone, or is the node full? */
static enum cs_err
take(struct ctx *c, struct db_candidate *d, struct walk *w)
{
	struct db_load load;
	int64_t taken;

	TRY(claim(c, d->seq, w, &taken));
	if (taken == d->seq) {
		c->who.open_count++;
		d->seq = 0;
	}
	if (taken != 0)
		return CS_OK;
	TRY(db_alloc_load(c->db, c->who.node, &load, &c->fault));
	w->full = load.draining || load.on_hold || load.open >= load.capacity;
	if (!w->full)
		d->seq = 0;
	return CS_OK;
}

/* Looks for the oldest; the list goes on from there. */
static enum cs_err
seek_head(struct ctx *c, struct candidates *l)
{
	int64_t begin = clock_mono_ms();

	TRY(db_alloc_pool_head(c->db, &l->head, &c->fault));
	l->head_due_ms = next_look_ms(begin);
	l->cursor = l->head;
	return CS_OK;
}

static enum cs_err
read_list(struct ctx *c, struct candidates *l)
{
	struct db_pool_class p = { l->count, l->index, l->cursor, l->head + WINDOW_US };

	arena_reset(l->arena);
	l->next = l->n = 0;
	l->read_ms = clock_mono_ms();
	if (l->head == 0)
		return CS_OK;
	return db_alloc_pool_class(
	    c->db, c->conf, &p, l->arena, l->list, LIST_MAX, &l->n, &c->fault);
}

/* Reads on from where the list was used up; from the head if that is due, or nothing is left. */
static enum cs_err
refill(struct ctx *c, struct candidates *l)
{
	bool sought = clock_mono_ms() >= l->head_due_ms;

	if (l->next < l->n)
		l->cursor = l->list[l->next].place;
	else if (l->n > 0)
		l->cursor = l->list[l->n - 1].place;
	if (sought)
		TRY(seek_head(c, l));
	TRY(read_list(c, l));
	if (l->n > 0 || sought)
		return CS_OK;
	TRY(seek_head(c, l));
	return read_list(c, l);
}

/* Walks the worker's own list; what does not suit stays for others. */
static enum cs_err
walk_list(struct ctx *c, struct candidates *l, struct walk *w)
{
	size_t keep = l->next;
	enum cs_err rc = CS_OK;
	bool ok;

	for (size_t i = l->next; i < l->n && w->seq == 0 && !w->full; i++) {
		struct db_candidate *d = &l->list[i];

		if (d->seq == 0)
			continue;
		rc = suits(c, d, &ok);
		if (rc != CS_OK)
			return rc;
		if (!ok) {
			w->reserved = true;
			continue;
		}
		TRY(take(c, d, w));
	}
	while (keep < l->n && l->list[keep].seq == 0)
		keep++;
	l->next = keep;
	return CS_OK;
}

/* Walks the whole pool in pages. */
static enum cs_err
walk_pool(struct ctx *c, struct walk *w)
{
	struct db_candidate *page = arena_calloc(c->arena, PAGE, sizeof(*page));
	size_t n = PAGE;
	bool ok;

	if (page == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "page of candidates");
	for (size_t offset = 0; n == PAGE && w->seq == 0 && !w->full; offset += n) {
		TRY(db_alloc_pool_page(
		    c->db, c->conf, offset, c->arena, page, PAGE, &n, &c->fault));
		for (size_t i = 0; i < n && w->seq == 0 && !w->full; i++) {
			TRY(suits(c, &page[i], &ok));
			w->reserved = w->reserved || !ok;
			if (ok)
				TRY(take(c, &page[i], w));
		}
	}
	return CS_OK;
}

/* The pool: own list, read on when it is old or used up; then everything; then others' leavings. */
static enum cs_err
walk_shared(struct ctx *c, struct walk *w)
{
	bool look, freed;

	TRY(refill(c, c->candidates));
	TRY(walk_list(c, c->candidates, w));
	look = c->candidates->head != 0; /* else nothing at all waits */
	do {
		if (look && w->seq == 0 && !w->full)
			TRY(walk_pool(c, w));
		freed = false;
		if (w->seq == 0 && !w->full)
			TRY(db_alloc_free_overdue(c->db, c->conf, c->who.node, &freed, &c->fault));
		look = true;
	} while (freed);
	return CS_OK;
}

/*
 * Each step takes the node's own assigned work, which counts already, before anything else; so the
 * list goes first where it is fresh, and what is only the node's own is asked for by itself.
 */
static enum cs_err
walk_all(struct ctx *c, struct walk *w, bool room)
{
	const struct candidates *l = c->candidates;
	bool shared = false;
	int64_t taken;

	if (room && clock_mono_ms() - l->read_ms < LIST_AGE_MS)
		TRY(walk_list(c, c->candidates, w));
	if (w->seq == 0)
		TRY(claim(c, 0, w, &taken));
	if (w->seq == 0 && room && !w->full) {
		shared = true;
		TRY(walk_shared(c, w));
	}
	/* What was assigned to it after the look at its own had left the pool before the look
	 * there; and its own may be before the place that is remembered. */
	if (w->seq != 0 || (!shared && own_of(c)->place == 0))
		return CS_OK;
	own_of(c)->due_ms = 0;
	return claim(c, 0, w, &taken);
}

enum cs_err
claim_next(
    struct ctx *c, int64_t *seq, struct db_rows *package, enum msg_id *why, struct db_load *load)
{
	struct walk w = { .package = package };

	*load = (struct db_load){ c->who.open_count, c->who.max_capacity, c->who.draining,
		c->who.on_hold };
	if (!load->draining && !load->on_hold)
		TRY(walk_all(c, &w, load->open < load->capacity));
	*seq = w.seq;
	if (w.seq != 0)
		return CS_OK;
	TRY(db_alloc_load(c->db, c->who.node, load, &c->fault));
	if (load->draining)
		*why = MSG_NO_WORK_DRAINING;
	else if (load->on_hold)
		*why = MSG_NO_WORK_ON_HOLD;
	else if (load->open >= load->capacity)
		*why = MSG_NO_WORK_FULL;
	else
		*why = w.reserved ? MSG_NO_WORK_RESERVED : MSG_NO_WORK;
	return CS_OK;
}
