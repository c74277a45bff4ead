/* SPDX-License-Identifier: MIT */
/*
 * The ideal load of a node is clamp(level * capacity, held, most) for the one level at which the
 * ideals add up to the work that there is. It is found by raising the level from zero over the
 * bends where a node leaves its floor or reaches its lid; between two of them the sum is a straight
 * line. All ideals have one denominator, so every comparison is exact.
 *
 * A node must give what is above ideal + 1 or its lid, and get what is below ideal - 1. Those two
 * are matched first; what is left over of one of them is taken from, or given to, nodes within
 * their bounds, one each, of which there are always enough since deviations add up to zero. So the
 * moves are as many as the larger of the two sums: no plan can do with fewer.
 */
#include "core/balance.h"

#include <stdlib.h>

enum part { AT_FLOOR, BETWEEN, AT_LID };

struct place {
	const struct balance_node *n;
	int64_t open, most;
	enum part part;
	int64_t ideal; /* times plan.den, as the next */
	int64_t above; /* its load less its ideal, as it is now */
	int64_t give, want;
	size_t first, count; /* its items in plan.links */
};

/* An item of a place; those that may not go everywhere first, then in the caller's order. */
struct link {
	size_t place, item;
	bool anywhere;
};

/* Where the load of a place begins or ceases to grow: at level at / capacity. */
struct bend {
	int64_t at, capacity;
	size_t place;
	enum part part; /* from there on */
};

struct plan {
	struct place *places;
	size_t n;
	struct link *links;
	struct bend *bends;
	struct balance_item *items;
	int64_t den;
	size_t moves;
};

static int64_t
greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static void
plan_free(struct plan *p)
{
	free(p->places);
	free(p->links);
	free(p->bends);
}
#define auto_plan cs_cleanup(plan_free) struct plan

static int
by_id(const void *a, const void *b)
{
	return compare(((const struct place *)a)->n->id, ((const struct place *)b)->n->id);
}

static int
by_level(const void *a, const void *b)
{
	const struct bend *x = a, *y = b;
	int level = compare(x->at * y->capacity, y->at * x->capacity);

	return level != 0 ? level : compare(x->part, y->part);
}

static bool
make_places(struct plan *p, const struct balance_node *nodes, size_t n)
{
	p->places = calloc(n + 1, sizeof(*p->places));
	p->bends = calloc(2 * n + 1, sizeof(*p->bends));
	if (p->places == NULL || p->bends == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct balance_node *node = &nodes[i];
		int64_t open = node->held + node->movable;

		p->places[i] = (struct place){
			.n = node, .open = open, .most = greater(node->held, node->capacity)
		};
	}
	p->n = n;
	qsort(p->places, n, sizeof(*p->places), by_id);
	return true;
}

/* The places' floors and lids at the level where they hold all the work; what is in between, and
 * the sum of what is not. */
static void
raise_level(struct plan *p, int64_t work, int64_t *fixed, int64_t *between)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct place *place = &p->places[i];
		int64_t capacity = place->n->capacity;

		p->bends[2 * i] = (struct bend){ place->n->held, capacity, i, BETWEEN };
		p->bends[2 * i + 1] = (struct bend){ place->most, capacity, i, AT_LID };
		*fixed += place->n->held;
	}
	qsort(p->bends, 2 * p->n, sizeof(*p->bends), by_level);
	for (size_t i = 0; i < 2 * p->n; i++) {
		const struct bend *b = &p->bends[i];
		bool opens = b->part == BETWEEN;

		if (*fixed * b->capacity + *between * b->at >= work * b->capacity)
			return;
		p->places[b->place].part = b->part;
		*fixed += opens ? -b->at : b->at;
		*between += opens ? b->capacity : -b->capacity;
	}
}

static void
set_ideals(struct plan *p)
{
	int64_t work = 0, fixed = 0, between = 0;

	for (size_t i = 0; i < p->n; i++)
		work += p->places[i].open;
	raise_level(p, work, &fixed, &between);
	p->den = between > 0 ? between : 1;
	for (size_t i = 0; i < p->n; i++) {
		struct place *place = &p->places[i];

		if (place->part == BETWEEN)
			place->ideal = (work - fixed) * place->n->capacity;
		else
			place->ideal =
			    p->den * (place->part == AT_LID ? place->most : place->n->held);
		place->above = place->open * p->den - place->ideal;
	}
}

/* What each place must give and get to be within one of its ideal, and within its lid. */
static bool
set_needs(struct plan *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		struct place *place = &p->places[i];
		int64_t high = smaller(place->most, place->ideal / p->den + 1);
		int64_t low = (place->ideal + p->den - 1) / p->den - 1;

		place->give = greater(0, place->open - high);
		place->want = greater(0, low - place->open);
		any |= place->give > 0 || place->want > 0;
	}
	return any;
}

bool
balance_is_due(const struct balance_node *nodes, size_t n, bool *due)
{
	auto_plan p = { 0 };

	if (!make_places(&p, nodes, n))
		return false;
	set_ideals(&p);
	*due = set_needs(&p);
	return true;
}

static int
by_place(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->anywhere != y->anywhere)
		return x->anywhere ? 1 : -1;
	return x->item < y->item ? -1 : 1;
}

/* Gives each place its items; those of unknown nodes stay where they are. */
static bool
link_items(struct plan *p, struct balance_item *items, size_t nitems)
{
	size_t n = 0;

	p->items = items;
	p->links = calloc(nitems + 1, sizeof(*p->links));
	if (p->links == NULL)
		return false;
	for (size_t i = 0; i < nitems; i++) {
		const struct balance_node id = { .id = items[i].node };
		const struct place key = { .n = &id };
		const struct place *place = bsearch(&key, p->places, p->n, sizeof(key), by_id);

		items[i].to = items[i].node;
		if (place != NULL)
			p->links[n++] =
			    (struct link){ (size_t)(place - p->places), i, items[i].nfailed == 0 };
	}
	qsort(p->links, n, sizeof(*p->links), by_place);
	for (size_t i = n; i-- > 0;) {
		p->places[p->links[i].place].first = i;
		p->places[p->links[i].place].count++;
	}
	return true;
}

/* Those with the most above their ideal first. */
static int
by_above(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int above = compare(y->above, x->above);

	return above != 0 ? above : compare(x->n->id, y->n->id);
}

static bool
may_go(const struct balance_item *it, const struct place *to)
{
	for (size_t i = 0; i < it->nfailed; i++) {
		if (it->failed[i] == to->n->id)
			return false;
	}
	return it->node != to->n->id;
}

static void
move(struct plan *p, struct place *from, struct balance_item *it, int64_t to)
{
	it->to = to;
	from->open--;
	from->above -= p->den;
	from->give--;
	p->moves++;
}

/* Moves IT to the place that is furthest below its ideal of those that want; *LAST is behind the
 * last one that does. */
static void
offer(struct plan *p, struct place *from, struct balance_item *it, size_t *last)
{
	while (*last > 0 && p->places[*last - 1].want == 0)
		--*last;
	for (size_t i = *last; i-- > 0;) {
		struct place *to = &p->places[i];

		if (to->want == 0 || !may_go(it, to))
			continue;
		move(p, from, it, to->n->id);
		to->open++;
		to->above += p->den;
		to->want--;
		return;
	}
}

/* From those that are to give to those that want, as far as it goes. */
static void
match(struct plan *p)
{
	size_t last = p->n;

	for (size_t i = 0; i < p->n; i++) {
		struct place *from = &p->places[i];

		for (size_t k = 0; k < from->count && from->give > 0; k++) {
			struct balance_item *it = &p->items[p->links[from->first + k].item];

			if (it->to == it->node)
				offer(p, from, it, &last);
		}
	}
}

/* What is above a lid leaves, whoever wants it. */
static void
spill(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct place *from = &p->places[i];

		for (size_t k = 0; k < from->count && from->open > from->most; k++) {
			struct balance_item *it = &p->items[p->links[from->first + k].item];

			if (it->to == it->node)
				move(p, from, it, BALANCE_POOL);
		}
	}
}

/* The three rounds: who must with who must, then each of the two with those within their bounds. */
static void
run_rounds(struct plan *p)
{
	qsort(p->places, p->n, sizeof(*p->places), by_above);
	match(p);
	for (size_t i = 0; i < p->n; i++)
		p->places[i].want += p->places[i].above < 0 && p->places[i].want == 0;
	match(p);
	for (size_t i = 0; i < p->n; i++) {
		struct place *place = &p->places[i];
		int64_t low = (place->ideal + p->den - 1) / p->den - 1;

		place->want = greater(0, low - place->open);
		place->give += place->above > 0 && place->give == 0;
	}
	match(p);
	spill(p);
}

bool
balance_plan(const struct balance_node *nodes, size_t n, struct balance_item *items, size_t nitems,
    size_t *moves)
{
	auto_plan p = { 0 };

	*moves = 0;
	if (!make_places(&p, nodes, n) || !link_items(&p, items, nitems))
		return false;
	set_ideals(&p);
	if (set_needs(&p))
		run_rounds(&p);
	*moves = p.moves;
	return true;
}
