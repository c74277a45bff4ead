/* SPDX-License-Identifier: MIT */
/*
 * Rebalancing: a few cases by hand, then random sequences of what happens to nodes and work against
 * a model that finds the ideal by bisection in floating point. After each event what is assigned is
 * within one of the ideal, nothing is above its lid, the moves are the least that will do, and a
 * second look moves nothing. CS_SEED repeats a run, CS_CASES sets its length.
 */
#include "core/balance.h"
#include "core/select.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "random.h"

#define CASES	  12000
#define EVENTS	  16
#define MAX_NODES 9
#define MAX_ITEMS 400
#define MAX_MOVES 64 /* calls until nothing moves any more */
#define EPSILON	  1e-6L

/* A node of the world; it is in the plan while it is there. */
struct place {
	struct balance_node n;
	bool there;
};

struct world {
	uint64_t seed;
	size_t number, event;
	struct place places[MAX_NODES];
	struct balance_item items[MAX_ITEMS];
	int64_t failed[MAX_ITEMS][2];
	size_t nitems;
	bool failures;
};

/* The world. Node ids are 1 more than their place. */

static int64_t
open_of(const struct place *p)
{
	return p->n.held + p->n.movable;
}

static size_t
present(const struct world *w, struct balance_node *nodes)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_NODES; i++)
		if (w->places[i].there)
			nodes[n++] = w->places[i].n;
	return n;
}

static bool
has_failed(const struct balance_item *it, int64_t node)
{
	for (size_t i = 0; i < it->nfailed; i++)
		if (it->failed[i] == node)
			return true;
	return false;
}

static void
drop_item(struct world *w, size_t at)
{
	w->places[w->items[at].node - 1].n.movable--;
	w->nitems--;
	memmove(&w->items[at], &w->items[at + 1], (w->nitems - at) * sizeof(w->items[0]));
	memmove(&w->failed[at], &w->failed[at + 1], (w->nitems - at) * sizeof(w->failed[0]));
	for (size_t i = at; i < w->nitems; i++)
		w->items[i].failed = w->failed[i];
}

/* One piece of work is assigned as the daemon would, or stays in the pool, which is not modelled.
 */
static void
assign_one(struct world *w)
{
	struct select_node nodes[MAX_NODES];
	struct selector *s;
	int64_t *failed = w->failed[w->nitems], node;
	size_t n = 0, nfailed = w->failures ? (size_t)between(0, 2) : 0;

	if (w->nitems == MAX_ITEMS)
		return;
	for (size_t i = 0; i < MAX_NODES; i++) {
		const struct place *p = &w->places[i];

		if (p->there)
			nodes[n++] = (struct select_node){ .id = p->n.id,
				.open = open_of(p),
				.capacity = p->n.capacity,
				.available = true };
	}
	failed[0] = between(1, MAX_NODES);
	failed[1] = between(1, MAX_NODES);
	s = select_new(nodes, n, NULL, 0);
	assert_non_null(s);
	node = select_node(s, NULL, 0, failed, nfailed);
	select_free(s);
	if (node == 0)
		return;
	w->items[w->nitems++] =
	    (struct balance_item){ .node = node, .failed = failed, .nfailed = nfailed };
	w->places[node - 1].n.movable++;
}

static void
leave(struct world *w, struct place *p)
{
	for (size_t i = w->nitems; i-- > 0;)
		if (w->items[i].node == p->n.id)
			drop_item(w, i);
	*p = (struct place){ 0 };
}

static void
come(struct place *p, int64_t id)
{
	int64_t capacity = between(1, 4) == 1 ? between(1, 60) : between(1, 10);

	*p = (struct place){ .there = true, .n = { .id = id, .capacity = capacity } };
}

static void
claim_some(struct world *w, struct place *p)
{
	int64_t n = between(1, 4);

	for (size_t i = 0; i < w->nitems && n > 0;) {
		if (w->items[i].node != p->n.id) {
			i++;
			continue;
		}
		drop_item(w, i);
		p->n.held++;
		n--;
	}
}

static void
happen(struct world *w)
{
	size_t at = rng() % MAX_NODES;
	struct place *p = &w->places[at];

	switch (between(0, 5)) {
	case 0:
		if (!p->there)
			come(p, (int64_t)at + 1);
		break;
	case 1:
		if (between(1, 3) == 1)
			leave(w, p);
		break;
	case 2:
		if (p->there)
			claim_some(w, p);
		break;
	case 3: /* it idles */
		p->n.held -= between(0, p->n.held);
		break;
	case 4:
		if (p->there)
			p->n.capacity = between(1, 20);
		break;
	default:
		for (int64_t n = between(1, 40); n > 0; n--)
			assign_one(w);
	}
}

/* The model. */

static long double
lid(const struct balance_node *n)
{
	return (long double)(n->capacity > n->held ? n->capacity : n->held);
}

static long double
ideal_at(const struct balance_node *n, long double level)
{
	return fminl(lid(n), fmaxl((long double)n->held, level * (long double)n->capacity));
}

static void
find_ideals(const struct balance_node *nodes, size_t n, long double *ideals)
{
	long double low = 0, high = 1000, work = 0;

	for (size_t i = 0; i < n; i++)
		work += (long double)(nodes[i].held + nodes[i].movable);
	for (int round = 0; round < 90; round++) {
		long double level = (low + high) / 2, sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += ideal_at(&nodes[i], level);
		*(sum < work ? &low : &high) = level;
	}
	for (size_t i = 0; i < n; i++)
		ideals[i] = ideal_at(&nodes[i], high);
}

/* No plan can do with fewer moves: what is too much somewhere leaves, what is too little comes. */
static int64_t
least_moves(const struct balance_node *nodes, size_t n, const long double *ideals)
{
	int64_t give = 0, want = 0;

	for (size_t i = 0; i < n; i++) {
		long double open = (long double)(nodes[i].held + nodes[i].movable);
		long double above = ceill(open - ideals[i] - 1 - EPSILON);

		give += (int64_t)fmaxl(0, fmaxl(above, open - lid(&nodes[i])));
		want += (int64_t)fmaxl(0, ceill(ideals[i] - 1 - open - EPSILON));
	}
	return give > want ? give : want;
}

/* Checking. */

static void
print_world(const struct world *w)
{
	print_message("# case %zu of CS_SEED=%llu, event %zu\n", w->number,
	    (unsigned long long)w->seed, w->event);
	for (size_t i = 0; i < MAX_NODES; i++) {
		const struct balance_node *n = &w->places[i].n;

		if (w->places[i].there)
			print_message("#   node %lld: held %lld, movable %lld of %lld\n",
			    (long long)n->id, (long long)n->held, (long long)n->movable,
			    (long long)n->capacity);
	}
}

#define CHECK(w, condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_world(w);                                                            \
			fail_msg("%s", #condition);                                                \
		}                                                                                  \
	} while (0)

/* Carries the plan out; what is above a lid and goes to the pool is gone from the model. */
static void
carry_out(struct world *w, size_t moves)
{
	size_t moved = 0;

	for (size_t i = w->nitems; i-- > 0;) {
		struct balance_item *it = &w->items[i];
		struct place *from = &w->places[it->node - 1];

		if (it->to == it->node)
			continue;
		moved++;
		if (it->to == BALANCE_POOL) {
			CHECK(w, open_of(from) > from->n.capacity);
			drop_item(w, i);
			continue;
		}
		CHECK(w, !has_failed(it, it->to) && w->places[it->to - 1].there);
		from->n.movable--;
		w->places[it->to - 1].n.movable++;
		it->node = it->to;
	}
	CHECK(w, moved == moves);
}

static size_t
balance(struct world *w)
{
	struct balance_node nodes[MAX_NODES];
	size_t moves, n = present(w, nodes);
	bool due;

	assert_true(balance_is_due(nodes, n, &due));
	assert_true(balance_plan(nodes, n, w->items, w->nitems, &moves));
	CHECK(w, due || moves == 0);
	carry_out(w, moves);
	return moves;
}

/* With failures in the way: no move that may be made would get closer. */
static void
check_stuck(
    const struct world *w, const struct balance_node *nodes, size_t n, const long double *ideals)
{
	long double above[MAX_NODES + 1] = { 0 };
	bool there[MAX_NODES + 1] = { false };

	for (size_t i = 0; i < n; i++) {
		above[nodes[i].id] = (long double)(nodes[i].held + nodes[i].movable) - ideals[i];
		there[nodes[i].id] = true;
	}
	for (size_t i = 0; i < w->nitems; i++) {
		const struct balance_item *it = &w->items[i];
		long double from = above[it->node];

		for (int64_t to = 1; to <= MAX_NODES; to++) {
			if (!there[to] || has_failed(it, to) || above[to] > -EPSILON)
				continue;
			CHECK(w, from <= 1 + EPSILON);
			CHECK(w, above[to] >= -1 - EPSILON || from <= EPSILON);
		}
	}
}

static void
check_balanced(const struct world *w)
{
	struct balance_node nodes[MAX_NODES];
	long double ideals[MAX_NODES];
	size_t n = present(w, nodes);

	find_ideals(nodes, n, ideals);
	if (w->failures) {
		check_stuck(w, nodes, n, ideals);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int64_t open = nodes[i].held + nodes[i].movable;

		CHECK(w, fabsl((long double)open - ideals[i]) <= 1 + EPSILON);
		CHECK(w, open <= nodes[i].capacity || open == nodes[i].held);
	}
}

static void
check_event(struct world *w)
{
	struct balance_node nodes[MAX_NODES];
	long double ideals[MAX_NODES];
	size_t n = present(w, nodes), moves, rounds = 1;
	int64_t least;

	find_ideals(nodes, n, ideals);
	least = least_moves(nodes, n, ideals);
	moves = balance(w);
	if (!w->failures) {
		CHECK(w, (int64_t)moves == least);
		CHECK(w, balance(w) == 0);
	} else {
		while (balance(w) > 0)
			CHECK(w, rounds++ < MAX_MOVES);
	}
	check_balanced(w);
}

static void
test_against_model(void **state)
{
	static struct world w;
	const char *seed = getenv("CS_SEED"), *cases = getenv("CS_CASES");
	uint64_t n = cases != NULL ? strtoull(cases, NULL, 0) : CASES;

	(void)state;
	w.seed = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message(
	    "# CS_SEED=%llu, %llu cases\n", (unsigned long long)w.seed, (unsigned long long)n);
	for (w.number = 0; w.number < n; w.number++) {
		rng_state = w.seed + w.number * UINT64_C(0xd1342543de82ef95);
		memset(w.places, 0, sizeof(w.places));
		w.nitems = 0;
		w.failures = w.number % 2 == 1;
		for (w.event = 0; w.event < EVENTS; w.event++) {
			happen(&w);
			check_event(&w);
		}
	}
}

/* By hand. */

static void
fill(struct balance_item *items, size_t n, int64_t node)
{
	for (size_t i = 0; i < n; i++)
		items[i] = (struct balance_item){ .node = node };
}

static size_t
moves_to(const struct balance_item *items, size_t n, int64_t node)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += items[i].to == node && items[i].node != node;
	return count;
}

static void
test_a_node_comes(void **state)
{
	struct balance_node nodes[] = { { 1, 0, 10, 10 }, { 2, 0, 0, 10 } };
	struct balance_item items[10];
	size_t moves;

	(void)state;
	fill(items, 10, 1);
	assert_true(balance_plan(nodes, 2, items, 10, &moves));
	assert_int_equal(moves, 4);
	assert_int_equal(moves_to(items, 4, 2), 4); /* the first ones */
	nodes[0].held = 8;
	nodes[0].movable = 2;
	assert_true(balance_plan(nodes, 2, items, 2, &moves));
	assert_int_equal(moves, 1); /* what is held stays: ideal are 8 and 2 */
}

static void
test_shares_follow_capacity(void **state)
{
	struct balance_node nodes[] = { { 1, 0, 0, 30 }, { 2, 0, 12, 10 }, { 3, 0, 0, 20 } };
	struct balance_item items[12];
	size_t moves;

	(void)state;
	fill(items, 12, 2);
	assert_true(balance_plan(nodes, 3, items, 12, &moves));
	assert_int_equal(moves, 9); /* 6, 2, 4 are ideal; 3 is within one of 2 */
	assert_in_range(moves_to(items, 12, 1), 5, 7);
	assert_in_range(moves_to(items, 12, 3), 3, 5);
}

static void
test_nowhere_to_go(void **state)
{
	struct balance_node nodes[] = { { 1, 2, 6, 4 }, { 2, 3, 0, 3 } };
	struct balance_item items[6];
	size_t moves;

	(void)state;
	fill(items, 6, 1);
	assert_true(balance_plan(nodes, 2, items, 6, &moves));
	assert_int_equal(moves, 4);
	assert_int_equal(moves_to(items, 6, BALANCE_POOL), 4);
	assert_true(balance_plan(nodes, 0, items, 6, &moves));
	assert_int_equal(moves, 0);
}

static void
test_failed_there(void **state)
{
	static const int64_t failed[] = { 2 };
	struct balance_node nodes[] = { { 1, 0, 4, 4 }, { 2, 0, 0, 4 } };
	struct balance_item items[4];
	size_t moves;

	(void)state;
	fill(items, 4, 1);
	items[0].failed = items[1].failed = items[2].failed = failed;
	items[0].nfailed = items[1].nfailed = items[2].nfailed = 1;
	assert_true(balance_plan(nodes, 2, items, 4, &moves));
	assert_int_equal(moves, 1);
	assert_int_equal(items[3].to, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_comes),
		cmocka_unit_test(test_shares_follow_capacity),
		cmocka_unit_test(test_nowhere_to_go),
		cmocka_unit_test(test_failed_there),
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
