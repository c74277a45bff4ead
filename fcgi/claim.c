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
#define OWN_UNKNOWN (-1) /* own_ready: has to be looked up */
#define OWN_TRIES   4

struct candidates {
	unsigned index, count;
	struct arena *arena; /* strings of list */
	int64_t read_ms;
	size_t n, next;
	struct db_candidate list[LIST_MAX];
};

/* One claim's walk: what was met on the way. */
struct walk {
	int64_t seq;   /* taken; 0 = none yet */
	bool reserved; /* something was left to other nodes */
	bool full;     /* the node's capacity is used up */
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
	*out = true;
	if (!d->fresh)
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

/* Tries to take SEQ; a miss is looked into: gone, or is the node full? */
static enum cs_err
take(struct ctx *c, int64_t seq, struct walk *w)
{
	struct db_load load;
	enum db_claim got;

	TRY(db_alloc_claim(c->db, c->conf, c->who.node, seq, &got, &c->fault));
	if (got == CLAIM_TAKEN) {
		w->seq = seq;
		return CS_OK;
	}
	TRY(db_alloc_load(c->db, c->who.node, &load, &c->fault));
	w->full = load.draining || load.open >= load.capacity;
	return CS_OK;
}

static enum cs_err
refill(struct ctx *c, struct candidates *l)
{
	arena_reset(l->arena);
	l->next = l->n = 0;
	TRY(db_alloc_pool(
	    c->db, c->conf, l->count, l->index, 0, l->arena, l->list, LIST_MAX, &l->n, &c->fault));
	l->read_ms = clock_mono_ms();
	return CS_OK;
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
		TRY(take(c, d->seq, w));
		if (!w->full)
			d->seq = 0;
	}
	while (keep < l->n && l->list[keep].seq == 0)
		keep++;
	l->next = keep;
	return CS_OK;
}

/* Walks the whole pool in pages, in a place of its own per worker so that claimers do not collide.
 */
static enum cs_err
walk_pool(struct ctx *c, struct walk *w)
{
	struct db_candidate *page = arena_calloc(c->arena, PAGE, sizeof(*page));
	size_t n = PAGE;
	bool ok;

	if (page == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "page of candidates");
	for (size_t offset = 0; n == PAGE && w->seq == 0 && !w->full; offset += n) {
		TRY(db_alloc_pool(
		    c->db, c->conf, 0, 0, offset, c->arena, page, PAGE, &n, &c->fault));
		for (size_t i = 0; i < n && w->seq == 0 && !w->full; i++) {
			TRY(suits(c, &page[i], &ok));
			w->reserved = w->reserved || !ok;
			if (ok)
				TRY(take(c, page[i].seq, w));
		}
	}
	return CS_OK;
}

/*
 * Its own assigned work, which counts already. The credential's read named the first; a second
 * claim of the request, or a miss (it was taken away), has to look.
 */
static enum cs_err
walk_own(struct ctx *c, struct walk *w)
{
	enum db_claim got;

	for (int tries = 0; w->seq == 0 && tries < OWN_TRIES; tries++) {
		if (c->who.own_ready == OWN_UNKNOWN)
			TRY(db_alloc_own_ready(c->db, c->who.node, &c->who.own_ready, &c->fault));
		if (c->who.own_ready == 0)
			return CS_OK;
		TRY(db_alloc_claim(c->db, c->conf, c->who.node, c->who.own_ready, &got, &c->fault));
		if (got == CLAIM_TAKEN)
			w->seq = c->who.own_ready;
		c->who.own_ready = OWN_UNKNOWN;
	}
	return CS_OK;
}

/* The pool: own list, refilled when it is old or used up; then everything; then others' leavings.
 */
static enum cs_err
walk_shared(struct ctx *c, struct walk *w)
{
	struct candidates *l = c->candidates;
	bool freed = true;

	if (clock_mono_ms() - l->read_ms < LIST_AGE_MS)
		TRY(walk_list(c, l, w));
	if (w->seq == 0 && !w->full) {
		TRY(refill(c, l));
		TRY(walk_list(c, l, w));
	}
	while (freed && w->seq == 0 && !w->full) {
		TRY(walk_pool(c, w));
		freed = false;
		if (w->seq == 0 && !w->full)
			TRY(db_alloc_free_overdue(c->db, c->conf, c->who.node, &freed, &c->fault));
	}
	return CS_OK;
}

enum cs_err
claim_next(struct ctx *c, int64_t *seq, enum msg_id *why, struct db_load *load)
{
	struct walk w = { 0 };

	*load = (struct db_load){ c->who.open_count, c->who.max_capacity, c->who.draining };
	if (!load->draining)
		TRY(walk_own(c, &w));
	if (w.seq == 0 && !load->draining && load->open < load->capacity) {
		TRY(walk_shared(c, &w));
		c->who.open_count += w.seq != 0;
	}
	*seq = w.seq;
	if (w.seq != 0)
		return CS_OK;
	TRY(db_alloc_load(c->db, c->who.node, load, &c->fault));
	if (load->draining)
		*why = MSG_NO_WORK_DRAINING;
	else if (load->open >= load->capacity)
		*why = MSG_NO_WORK_FULL;
	else
		*why = w.reserved ? MSG_NO_WORK_RESERVED : MSG_NO_WORK;
	return CS_OK;
}
