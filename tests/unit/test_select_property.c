/* SPDX-License-Identifier: MIT */
/*
 * Choosing a node, against a model: random nodes, quotas and work, each choice compared with one
 * that looks at every node and every quota and says in the words of the design who is better.
 * CS_SEED repeats a run, CS_CASES sets its length; a failure prints the whole case.
 */
#include "core/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "random.h"

#define CASES	   20000
#define MAX_NODES  200
#define MAX_QUOTAS 400
#define MAX_FEEDS  5
#define MAX_FAILED 8

static const char *const feed_names[MAX_FEEDS] = { "f0", "f1", "f2", "f3", "MP_WXS_4" };

/* One case: the model's own copy of the world, and the work of the present choice. */
struct world {
	uint64_t seed;
	size_t number;
	struct select_node nodes[MAX_NODES], first_nodes[MAX_NODES];
	size_t nnodes;
	struct select_quota quotas[MAX_QUOTAS], first_quotas[MAX_QUOTAS];
	size_t nquotas;
	const char *feeds[MAX_FEEDS];
	size_t nfeeds;
	int64_t failed[MAX_FAILED];
	size_t nfailed;
	size_t choices;
};

/* The model. */

static bool
can_take(const struct select_node *n)
{
	return n->available && n->open < n->capacity;
}

static bool
failed_here(const struct world *w, const struct select_node *n)
{
	for (size_t i = 0; i < w->nfailed; i++) {
		if (w->failed[i] == n->id)
			return true;
	}
	return false;
}

static bool
is_for(const struct world *w, const struct select_quota *q, const struct select_node *n)
{
	if (q->node != n->id)
		return false;
	for (size_t i = 0; i < w->nfeeds; i++) {
		if (w->feeds[i] == q->feed)
			return true;
	}
	return false;
}

static int64_t
quota_left(const struct world *w, const struct select_node *n)
{
	int64_t left = 0;

	for (size_t i = 0; i < w->nquotas; i++) {
		const struct select_quota *q = &w->quotas[i];

		if (is_for(w, q, n) && q->quota > q->open)
			left += q->quota - q->open;
	}
	return left;
}

static bool
is_better(const struct world *w, const struct select_node *a, const struct select_node *b)
{
	int64_t left_a = quota_left(w, a), left_b = quota_left(w, b);
	__int128 load_a, load_b;

	if (failed_here(w, a) != failed_here(w, b))
		return failed_here(w, b);
	if (left_a != left_b)
		return left_a > left_b;
	load_a = (__int128)(a->open + 1) * b->capacity;
	load_b = (__int128)(b->open + 1) * a->capacity;
	if (load_a != load_b)
		return load_a < load_b;
	if (a->capacity - a->open != b->capacity - b->open)
		return a->capacity - a->open > b->capacity - b->open;
	if (a->idle_since != b->idle_since)
		return a->idle_since < b->idle_since;
	return a->id < b->id;
}

static int64_t
model_select(struct world *w)
{
	struct select_node *best = NULL;

	for (size_t i = 0; i < w->nnodes; i++) {
		struct select_node *n = &w->nodes[i];

		if (can_take(n) && (best == NULL || is_better(w, n, best)))
			best = n;
	}
	if (best == NULL)
		return 0;
	for (size_t i = 0; i < w->nquotas; i++) {
		if (is_for(w, &w->quotas[i], best))
			w->quotas[i].open++;
	}
	best->open++;
	return best->id;
}

static int64_t
model_free(const struct world *w)
{
	int64_t n = 0;

	for (size_t i = 0; i < w->nnodes; i++) {
		if (can_take(&w->nodes[i]))
			n += w->nodes[i].capacity - w->nodes[i].open;
	}
	return n;
}

/* The cases. */

static void
shuffle_nodes(struct world *w)
{
	for (size_t i = w->nnodes; i > 1; i--) {
		size_t j = rng() % i;
		struct select_node n = w->nodes[j];

		w->nodes[j] = w->nodes[i - 1];
		w->nodes[i - 1] = n;
	}
}

static void
make_nodes(struct world *w)
{
	/* Small ranges make ties, huge ones make what floating point cannot tell apart. */
	int64_t max_capacity = one_in(8) ? INT64_C(1) << 54 : one_in(4) ? 100000 : between(1, 12);
	int64_t id = 0;

	w->nnodes = (size_t)(one_in(20) ? between(0, MAX_NODES) : between(0, 10));
	for (size_t i = 0; i < w->nnodes; i++) {
		struct select_node *n = &w->nodes[i];

		n->id = id += between(1, 3);
		n->capacity = one_in(2) ? max_capacity : between(1, max_capacity);
		n->open = one_in(2) ? n->capacity / 2 : between(0, n->capacity + n->capacity / 4);
		n->idle_since = between(-2, 2);
		n->available = !one_in(6);
	}
	shuffle_nodes(w);
}

/* At most one for each node and feed, and some of nodes that do not exist. */
static void
make_quotas(struct world *w)
{
	int64_t one_of = between(1, 8);

	w->nquotas = 0;
	for (size_t i = 0; i < w->nnodes; i++) {
		for (size_t f = 0; f < MAX_FEEDS && w->nquotas < MAX_QUOTAS; f++) {
			if (!one_in(one_of))
				continue;
			w->quotas[w->nquotas++] = (struct select_quota){
				.node = one_in(30) ? 100000 : w->nodes[i].id,
				.feed = feed_names[f],
				.quota = between(0, 4),
				.open = between(0, 3),
			};
		}
	}
}

static void
make_work(struct world *w)
{
	w->nfeeds = 0;
	for (size_t f = 0; f < MAX_FEEDS; f++) {
		if (one_in(3))
			w->feeds[w->nfeeds++] = feed_names[f];
	}
	w->nfailed = one_in(2) ? 0 : (size_t)between(0, MAX_FAILED);
	for (size_t i = 0; i < w->nfailed; i++)
		w->failed[i] =
		    w->nnodes > 0 && !one_in(10) ? w->nodes[rng() % w->nnodes].id : 99999;
}

static void
print_case(const struct world *w)
{
	print_message("# case %zu of CS_SEED=%llu, choice %zu\n", w->number,
	    (unsigned long long)w->seed, w->choices);
	for (size_t i = 0; i < w->nnodes; i++) {
		const struct select_node *n = &w->nodes[i];

		print_message(
		    "#   node %lld: open %lld (first %lld) of %lld, idle since %lld%s%s\n",
		    (long long)n->id, (long long)n->open, (long long)w->first_nodes[i].open,
		    (long long)n->capacity, (long long)n->idle_since,
		    n->available ? "" : ", unavailable", failed_here(w, n) ? ", failed" : "");
	}
	for (size_t i = 0; i < w->nquotas; i++) {
		const struct select_quota *q = &w->quotas[i];

		print_message("#   quota of node %lld for %s: %lld, open %lld (first %lld)\n",
		    (long long)q->node, q->feed, (long long)q->quota, (long long)q->open,
		    (long long)w->first_quotas[i].open);
	}
	for (size_t i = 0; i < w->nfeeds; i++)
		print_message("#   work on %s\n", w->feeds[i]);
}

static void
check_choice(struct world *w, struct selector *s)
{
	int64_t got, want;
	static struct world before;

	make_work(w);
	w->choices++;
	before = *w;
	got = select_node(s, w->feeds, w->nfeeds, w->failed, w->nfailed);
	want = model_select(w);
	if (got == want && select_free_capacity(s) == model_free(w))
		return;
	print_case(&before);
	fail_msg("node %lld chosen instead of %lld, %lld free instead of %lld", (long long)got,
	    (long long)want, (long long)select_free_capacity(s), (long long)model_free(w));
}

static void
check_case(struct world *w)
{
	struct selector *s;
	int64_t choices;

	rng_state = w->seed + w->number * UINT64_C(0xd1342543de82ef95);
	choices = between(1, 40);
	make_nodes(w);
	make_quotas(w);
	memcpy(w->first_nodes, w->nodes, sizeof(w->nodes));
	memcpy(w->first_quotas, w->quotas, sizeof(w->quotas));
	w->choices = 0;
	s = select_new(w->nodes, w->nnodes, w->quotas, w->nquotas);
	assert_non_null(s);
	assert_int_equal(select_free_capacity(s), model_free(w));
	while (choices-- > 0)
		check_choice(w, s);
	select_free(s);
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 0) : otherwise;
}

static void
test_against_model(void **state)
{
	static struct world w;
	uint64_t cases = from_environment("CS_CASES", CASES);

	(void)state;
	w.seed = from_environment("CS_SEED", (uint64_t)time(NULL));
	print_message(
	    "# CS_SEED=%llu, %llu cases\n", (unsigned long long)w.seed, (unsigned long long)cases);
	for (w.number = 0; w.number < cases; w.number++)
		check_case(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_model) };

	return cmocka_run_group_tests_name("select against a model", tests, NULL, NULL);
}
