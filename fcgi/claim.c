/* SPDX-License-Identifier: MIT */
/*
 * A claim takes the node's own assigned work first, then the worker's candidates, then the whole
 * pool, then what is reserved for others beyond its time. It answers "nothing" only when none of
 * these holds anything that the node may take. Each step reads what it would take as it is now, and
 * takes it together, if nobody was faster.
 */
#include "fcgi/claim.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/ident.h"
#include "core/prefer.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX    128	 /* as POOL_CLASS reads */
#define LIST_AGE_MS 1000 /* new work and preferences are seen at the latest after this */
#define LIST_LOW    16	 /* so few are left that more are read between requests */
#define PAGE	    512	 /* of the whole pool */
#define OWN_NODES   64	 /* whose own work's places are remembered */
#define CLAIM_TRIES 3
/* A worker stays this close to the oldest, so that a busy one does not run ahead of an idle one's
 * class. */
#define WINDOW_US INT64_C(30000000)
/* What was claimed stays at the head of the queue's index until it is purged, and may be much: the
 * head is looked for during a 20th of the time at most, but every 10 s. */
#define HEAD_SHARE  20
#define HEAD_MAX_MS 10000
/* All that is reserved is walked to see whether anything is so beyond its time, by each claim that
 * comes away empty: where nothing was, not for so many times as long as that took. cascaded gives
 * it back by itself. */
#define OVERDUE_SHARE 100

/* How far the own work of a node was handed out. */
struct own {
	int64_t node;
	struct db_queue_place place;
	int64_t due_ms;	  /* when to look from the start again */
	bool none;	  /* there was none left ... */
	int64_t assigned; /* ... of what had been assigned to it so far */
};

struct candidates {
	unsigned index, count;
	struct arena *arena; /* strings of list */
	int64_t read_ms;
	struct db_queue_place head;   /* of the oldest when it was last looked for; nowhere: none */
	int64_t head_due_ms;	      /* when to look again */
	struct db_queue_place cursor; /* up to which the list was used up */
	bool borrowed;		      /* the list is of another worker's class */
	bool used;		      /* since it was last tended */
	int64_t overdue_due_ms;	      /* when to look for what is reserved beyond its time */
	struct own own[OWN_NODES];    /* by node modulo OWN_NODES */
	size_t n, next;
	struct db_candidate list[LIST_MAX];
};

/* One walk: what was met on the way. */
struct walk {
	struct claimed *got;
	size_t before, max; /* how much it had, and may have */
	bool reserved;	    /* something was left to other nodes */
	bool full;	    /* the node takes nothing more */
	bool missed;	    /* candidates are gone: ask for several at once, and take the first */
};

/* Candidates that are to be claimed together. */
struct picks {
	size_t n;
	struct db_candidate *of[DB_OFFER_MAX];
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
	int64_t rested = clock_rested_ms(begin, HEAD_SHARE, HEAD_MAX_MS);

	return rested > begin + LIST_AGE_MS ? rested : begin + LIST_AGE_MS;
}

static struct own *
own_of(struct ctx *c)
{
	struct own *own = &c->candidates->own[c->who.node % OWN_NODES];

	if (own->node != c->who.node)
		*own = (struct own){ .node = c->who.node };
	return own;
}

void
claimed_close(struct claimed *got)
{
	for (size_t i = 0; i < got->nrows; i++)
		db_rows_close(&got->rows[i]);
}

static bool
has_any(const struct walk *w)
{
	return w->got->n > w->before;
}

static bool
is_over(const struct walk *w)
{
	return w->full || w->got->n >= w->max;
}

/* The sync log's row of a claim; its extra is NULL where nothing of it can be handed out. */
static enum cs_err
log_claim(struct ctx *c, const struct db_offer *offer, size_t n, struct db_log *log)
{
	struct buf b = { 0 };
	struct jw w;

	jw_init(&w, &b);
	if (n > 1) {
		jw_obj(&w);
		jw_key(&w, "allocations");
		jw_arr(&w);
	}
	for (size_t i = 0; i < n; i++) {
		if (offer[i].feeds == 0)
			continue;
		jw_obj(&w);
		jw_kstr(&w, "allocation_id", offer[i].id);
		jw_kstr(&w, "task_id", offer[i].task_id);
		jw_kint(&w, "attempt", offer[i].attempt);
		jw_obj_end(&w);
		log->count += offer[i].feeds;
	}
	if (n > 1) {
		jw_arr_end(&w);
		jw_obj_end(&w);
	}
	if (log->count > 0 && !buf_failed(&b))
		log->extra = arena_strndup(c->arena, b.data, b.len);
	buf_free(&b);
	if (log->count > 0 && log->extra == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "sync log");
	return CS_OK;
}

/* Keeps what was claimed, the first N of ROWS, which are moved. */
static void
keep(struct ctx *c, struct walk *w, struct db_rows *rows, const struct db_offer *offer, size_t n)
{
	struct claimed *got = w->got;

	for (size_t i = 0; i < n; i++) {
		got->seq[got->n++] = offer[i].seq;
		c->who.open_count += offer[i].more;
		if (!offer[i].more)
			own_of(c)->place = offer[i].at;
	}
	got->packages[got->nrows] = n;
	got->rows[got->nrows++] = *rows;
	*rows = (struct db_rows){ 0 };
}

/* Nobody is to try these of P again: what is not among the N offers is gone, and of these TAKEN are
 * claimed. Only EXAMINED were asked for: the node's own work left no place for others. */
static void
forget(struct picks *p, size_t examined, const struct db_offer *offer, size_t n, size_t taken)
{
	for (size_t i = 0; i < p->n && i < examined; i++) {
		size_t at = 0;

		while (at < n && offer[at].seq != p->of[i]->seq)
			at++;
		if (at < taken || at == n)
			p->of[i]->seq = 0;
	}
}

/* Nothing was claimed: the node takes no more, or not so much, or somebody was faster. */
static enum cs_err
look_into(struct ctx *c, struct walk *w)
{
	struct db_load load;

	TRY(db_alloc_load(c->db, c->who.node, &load, &c->fault));
	c->who.open_count = load.open;
	c->who.assigned = load.assigned; /* what was nobody's may be its own by now */
	w->full = load.draining || load.on_hold || load.open >= load.capacity;
	return CS_OK;
}

/* Reads what of the node's own work and of P can be had, and takes MAX of it at most. *DONE is
 * false where something was offered and not to be had. */
static enum cs_err
claim_offered(struct ctx *c, struct walk *w, struct picks *p, size_t max, bool *done)
{
	struct own *own = own_of(c);
	int64_t begin = clock_mono_ms(), seq[DB_OFFER_MAX];
	bool start = begin >= own->due_ms;
	bool none = !start && own->none && own->assigned == c->who.assigned;
	const struct db_queue_place head = { 0 }, *from = start ? &head : &own->place;
	struct db_wanted wanted = { none ? NULL : from, seq, p->n, p->n > max ? p->n : max };
	struct db_offer offer[DB_OFFER_MAX];
	struct db_log log = { 0 };
	auto_rows rows = { 0 };
	size_t n, take, owned = 0;

	for (size_t i = 0; i < p->n; i++)
		seq[i] = p->of[i]->seq;
	TRY(db_alloc_offer(c->db, c->conf, c->who.node, &wanted, &rows, offer, &n, &c->fault));
	if (start)
		*own = (struct own){ .node = own->node, .due_ms = next_look_ms(begin) };
	for (size_t i = 0; i < n; i++)
		owned += !offer[i].more;
	own->none = owned == 0;
	own->assigned = c->who.assigned;
	*done = true;
	take = n < max ? n : max;
	if (take > 0) {
		TRY(log_claim(c, offer, take, &log));
		TRY(db_alloc_claim(c->db, c->who.node, c->who.node_id, offer, take,
		    log.extra != NULL ? &log : NULL, done, &c->fault));
	}
	if (!*done)
		return CS_OK;
	w->missed = n == 0 && p->n > 0;
	forget(p, wanted.max - owned, offer, n, take);
	if (take > 0)
		keep(c, w, &rows, offer, take);
	return CS_OK;
}

/*
 * Claims the node's own work, then those of P: together, and where that fails one, so that it is
 * known which one is gone. The node's own is tried again, as there may be more of it.
 */
static enum cs_err
claim(struct ctx *c, struct walk *w, struct picks *p)
{
	size_t max = w->max - w->got->n;
	bool done;

	for (int tries = 0; tries < CLAIM_TRIES; tries++) {
		TRY(claim_offered(c, w, p, max, &done));
		if (done)
			return CS_OK;
		TRY(look_into(c, w));
		if (w->full)
			p->n = 0;
		max = 1;
	}
	if (p->n > 0)
		p->of[0]->seq = 0;
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
read_class(struct ctx *c, struct candidates *l, unsigned residue, struct db_queue_place from)
{
	struct db_pool_class p = { l->count, residue, from, l->head.order_at + WINDOW_US };

	arena_reset(l->arena);
	l->next = l->n = 0;
	l->read_ms = clock_mono_ms();
	return db_alloc_pool_class(
	    c->db, c->conf, &p, l->arena, l->list, LIST_MAX, &l->n, &c->fault);
}

/* Begins somewhere else: several may read the same list. */
static void
turn(struct candidates *l)
{
	struct db_candidate list[LIST_MAX];
	size_t shift = (size_t)(ident_random() * (double)l->n);

	memcpy(list, l->list, sizeof(list));
	for (size_t i = 0; i < l->n; i++)
		l->list[i] = list[(i + shift) % l->n];
}

/* Reads the worker's own class; where it is used up, that of the oldest work, whose worker is not
 * as busy as this one. */
static enum cs_err
read_list(struct ctx *c, struct candidates *l)
{
	unsigned oldest = (unsigned)(l->head.seq % l->count);

	l->borrowed = false;
	l->next = l->n = 0;
	l->read_ms = clock_mono_ms();
	if (l->head.seq == 0)
		return CS_OK;
	TRY(read_class(c, l, l->index, l->cursor));
	if (l->n > 0 || oldest == l->index)
		return CS_OK;
	l->borrowed = true;
	TRY(read_class(c, l, oldest, l->head));
	turn(l);
	return CS_OK;
}

/* Reads on from where the list was used up; from the head if that is due, or nothing is left. */
static enum cs_err
refill(struct ctx *c, struct candidates *l)
{
	bool sought = clock_mono_ms() >= l->head_due_ms;

	if (l->n > 0 && !l->borrowed)
		l->cursor = l->list[l->next < l->n ? l->next : l->n - 1].at;
	if (sought)
		TRY(seek_head(c, l));
	TRY(read_list(c, l));
	if ((l->n > 0 && !l->borrowed) || sought)
		return CS_OK;
	TRY(seek_head(c, l));
	return read_list(c, l);
}

void
candidates_tend(struct ctx *caller)
{
	struct candidates *l = caller->candidates;
	struct ctx c = { .db = caller->db, .conf = caller->conf };
	int64_t now = clock_mono_ms();
	bool low;

	if (!l->used)
		return;
	l->used = false;
	low = l->n == LIST_MAX && l->n - l->next < LIST_LOW; /* else there is no more */
	if (now < l->head_due_ms && now - l->read_ms < LIST_AGE_MS / 2 && !low)
		return;
	if (refill(&c, l) != CS_OK)
		log_fault(LOG_LVL_DEBUG, "candidates", &c.fault);
}

/* Picks what suits of LIST from *AT to N, as many as the node has room for; *AT is where to go on.
 */
static enum cs_err
pick(
    struct ctx *c, struct walk *w, struct db_candidate *list, size_t n, size_t *at, struct picks *p)
{
	size_t most = w->missed ? DB_OFFER_MAX : w->max - w->got->n;
	int64_t room = c->who.max_capacity - c->who.open_count;
	bool ok;

	for (p->n = 0; *at < n && p->n < most && (int64_t)p->n < room; (*at)++) {
		if (list[*at].seq == 0)
			continue;
		TRY(suits(c, &list[*at], &ok));
		if (ok)
			p->of[p->n++] = &list[*at];
		else
			w->reserved = true;
	}
	return CS_OK;
}

/* Claims what suits of the N candidates of LIST; what does not stays for others. */
static enum cs_err
walk_candidates(struct ctx *c, struct walk *w, struct db_candidate *list, size_t n)
{
	struct picks p = { .n = 1 };

	for (size_t at = 0; p.n > 0 && !is_over(w);) {
		TRY(pick(c, w, list, n, &at, &p));
		if (p.n == 0)
			break;
		TRY(claim(c, w, &p));
		/* what the node's own work left no place for, or was not tried yet */
		for (size_t i = p.n; i-- > 0;) {
			if (p.of[i]->seq != 0)
				at = (size_t)(p.of[i] - list);
		}
	}
	return CS_OK;
}

static enum cs_err
walk_list(struct ctx *c, struct candidates *l, struct walk *w)
{
	l->used = true;
	TRY(walk_candidates(c, w, l->list + l->next, l->n - l->next));
	while (l->next < l->n && l->list[l->next].seq == 0)
		l->next++;
	return CS_OK;
}

/* Walks the whole pool in pages. */
static enum cs_err
walk_pool(struct ctx *c, struct walk *w)
{
	struct db_candidate *page = arena_calloc(c->arena, PAGE, sizeof(*page));
	size_t n = PAGE;

	if (page == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "page of candidates");
	for (size_t offset = 0; n == PAGE && !has_any(w) && !w->full; offset += n) {
		TRY(db_alloc_pool_page(
		    c->db, c->conf, offset, c->arena, page, PAGE, &n, &c->fault));
		TRY(walk_candidates(c, w, page, n));
	}
	return CS_OK;
}

static enum cs_err
free_overdue(struct ctx *c, bool *freed)
{
	struct candidates *l = c->candidates;
	int64_t begin = clock_mono_ms();

	*freed = false;
	if (begin < l->overdue_due_ms)
		return CS_OK;
	TRY(db_alloc_free_overdue(c->db, c->conf, c->who.node, freed, &c->fault));
	if (!*freed)
		l->overdue_due_ms = clock_rested_ms(begin, OVERDUE_SHARE, INT64_MAX);
	return CS_OK;
}

/* The pool: own list, read on when it is old or used up; then everything; then others' leavings. */
static enum cs_err
walk_shared(struct ctx *c, struct walk *w)
{
	bool look, freed;

	TRY(refill(c, c->candidates));
	TRY(walk_list(c, c->candidates, w));
	look = c->candidates->head.seq != 0; /* else nothing at all waits */
	do {
		if (look && !has_any(w) && !w->full)
			TRY(walk_pool(c, w));
		freed = false;
		if (!has_any(w) && !w->full)
			TRY(free_overdue(c, &freed));
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
	struct picks none = { 0 };
	bool shared = false;

	if (room && clock_mono_ms() - l->read_ms < LIST_AGE_MS)
		TRY(walk_list(c, c->candidates, w));
	if (!has_any(w))
		TRY(claim(c, w, &none));
	if (!has_any(w) && room && !w->full) {
		shared = true;
		TRY(walk_shared(c, w));
	}
	/* What was assigned to it after the look at its own had left the pool before the look
	 * there; and its own may be before the place that is remembered. */
	if (has_any(w) || (!shared && own_of(c)->place.seq == 0))
		return CS_OK;
	own_of(c)->due_ms = 0;
	return claim(c, w, &none);
}

enum cs_err
claim_more(struct ctx *c, size_t max, struct claimed *got, enum msg_id *why, struct db_load *load)
{
	struct walk w = { .got = got, .before = got->n, .max = max };

	*load = (struct db_load){ c->who.open_count, c->who.max_capacity, c->who.draining,
		c->who.on_hold, c->who.assigned };
	if (!load->draining && !load->on_hold)
		TRY(walk_all(c, &w, load->open < load->capacity));
	if (has_any(&w))
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
