/* SPDX-License-Identifier: MIT */
/*
 * Choosing a node. Nodes lie sorted by id, those that can take work are also in a binary heap with
 * the least loaded on top; quotas lie sorted by feed and node. Nodes that failed at the work leave
 * the heap for the length of one choice. Marks on a node (failed, barred, quota left) carry the
 * number of the choice that they belong to, so nothing has to be cleared between choices.
 *
 * heap[0 .. len) can take work; a node is in it exactly when its `at` is below len. What leaves the
 * heap lies behind it, so putting it back is to count len up again.
 */
#include "core/select.h"

#include <stdlib.h>
#include <string.h>

struct node {
	struct select_node n;
	size_t at;	    /* place in the heap */
	uint64_t failed_at; /* the last choice for work that it failed at */
	uint64_t barred_at; /* the last choice that it was barred from */
	uint64_t quota_at;  /* the last choice that `left` belongs to */
	__int128 left;	    /* quota left for the work's feeds; sums of int64 need more */
};

struct quota {
	const char *feed;
	size_t node; /* index */
	int64_t quota, open;
};

struct selector {
	struct node *nodes; /* by id */
	size_t nnodes;
	struct quota *quotas; /* by feed, node */
	size_t nquotas;
	size_t *heap; /* indices of nodes */
	size_t len;
	uint64_t choice; /* number of the present one, from 1 */
	int64_t free;
};

static int
sign(bool less, bool greater)
{
	return (int)greater - (int)less;
}

/* Below zero: A is to be preferred to B. Never zero for two nodes. */
static int
by_load(const struct select_node *a, const struct select_node *b)
{
	__int128 load_a = (__int128)(a->open + 1) * b->capacity;
	__int128 load_b = (__int128)(b->open + 1) * a->capacity;
	int64_t free_a = a->capacity - a->open, free_b = b->capacity - b->open;

	if (load_a != load_b)
		return sign(load_a<load_b, load_a> load_b);
	if (free_a != free_b)
		return sign(free_a > free_b, free_a < free_b);
	if (a->idle_since != b->idle_since)
		return sign(a->idle_since<b->idle_since, a->idle_since> b->idle_since);
	return sign(a->id<b->id, a->id> b->id);
}

static bool
has_failed(const struct selector *s, const struct node *n)
{
	return n->failed_at == s->choice;
}

static bool
is_barred(const struct selector *s, const struct node *n)
{
	return n->barred_at == s->choice;
}

/* The same among nodes with quota left for the present work. */
static int
by_quota(const struct selector *s, const struct node *a, const struct node *b)
{
	bool failed_a = has_failed(s, a), failed_b = has_failed(s, b);

	if (failed_a != failed_b)
		return sign(failed_b, failed_a);
	if (a->left != b->left)
		return sign(a->left > b->left, a->left < b->left);
	return by_load(&a->n, &b->n);
}

static struct node *
heap_node(const struct selector *s, size_t at)
{
	return &s->nodes[s->heap[at]];
}

static bool
heap_less(const struct selector *s, size_t a, size_t b)
{
	return by_load(&heap_node(s, a)->n, &heap_node(s, b)->n) < 0;
}

static void
heap_swap(struct selector *s, size_t a, size_t b)
{
	size_t index = s->heap[a];

	s->heap[a] = s->heap[b];
	s->heap[b] = index;
	heap_node(s, a)->at = a;
	heap_node(s, b)->at = b;
}

static void
heap_up(struct selector *s, size_t at)
{
	while (at > 0 && heap_less(s, at, (at - 1) / 2)) {
		heap_swap(s, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static void
heap_down(struct selector *s, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->len; child++) {
			if (heap_less(s, child, least))
				least = child;
		}
		if (least == at)
			return;
		heap_swap(s, at, least);
		at = least;
	}
}

/* The node at AT leaves, and lies just behind the heap from then on. */
static void
heap_remove(struct selector *s, size_t at)
{
	heap_swap(s, at, --s->len);
	if (at < s->len) {
		heap_up(s, at);
		heap_down(s, at);
	}
}

/* The node just behind the heap joins it. */
static void
heap_join(struct selector *s)
{
	heap_up(s, s->len++);
}

static int
node_cmp(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return sign(x->n.id<y->n.id, x->n.id> y->n.id);
}

static struct node *
find_node(const struct selector *s, int64_t id)
{
	struct node key = { .n.id = id };

	return bsearch(&key, s->nodes, s->nnodes, sizeof(key), node_cmp);
}

static int
quota_cmp(const void *a, const void *b)
{
	const struct quota *x = a, *y = b;
	int feed = strcmp(x->feed, y->feed);

	return feed != 0 ? feed : sign(x->node<y->node, x->node> y->node);
}

/* The first quota of FEED by a node from NODE (index) on; NULL: none. */
static struct quota *
first_quota(const struct selector *s, const char *feed, size_t node)
{
	struct quota key = { .feed = feed, .node = node };
	size_t low = 0, high = s->nquotas;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (quota_cmp(&s->quotas[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == s->nquotas || strcmp(s->quotas[low].feed, feed) != 0)
		return NULL;
	return &s->quotas[low];
}

/* The next quota of the same feed; NULL: none. */
static struct quota *
next_quota(const struct selector *s, struct quota *q)
{
	if (q + 1 == s->quotas + s->nquotas || strcmp(q[1].feed, q->feed) != 0)
		return NULL;
	return q + 1;
}

static void
add_nodes(struct selector *s, const struct select_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->nodes[i] = (struct node){ .n = nodes[i], .at = SIZE_MAX };
	s->nnodes = n;
	qsort(s->nodes, n, sizeof(s->nodes[0]), node_cmp);
	for (size_t i = 0; i < n; i++) {
		struct node *node = &s->nodes[i];

		if (!node->n.available || node->n.open >= node->n.capacity)
			continue;
		s->free += node->n.capacity - node->n.open;
		node->at = s->len;
		s->heap[s->len] = i;
		heap_join(s);
	}
}

static void
add_quotas(struct selector *s, const struct select_quota *quotas, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct select_quota *q = &quotas[i];
		const struct node *node = find_node(s, q->node);

		if (node == NULL)
			continue;
		s->quotas[s->nquotas++] = (struct quota){
			.feed = q->feed,
			.node = (size_t)(node - s->nodes),
			.quota = q->quota,
			.open = q->open,
		};
	}
	qsort(s->quotas, s->nquotas, sizeof(s->quotas[0]), quota_cmp);
}

struct selector *
select_new(const struct select_node *nodes, size_t nnodes, const struct select_quota *quotas,
    size_t nquotas)
{
	struct selector *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	/* One more than needed: calloc(0) may answer NULL. */
	s->nodes = calloc(nnodes + 1, sizeof(s->nodes[0]));
	s->heap = calloc(nnodes + 1, sizeof(s->heap[0]));
	s->quotas = calloc(nquotas + 1, sizeof(s->quotas[0]));
	if (s->nodes == NULL || s->heap == NULL || s->quotas == NULL) {
		select_free(s);
		return NULL;
	}
	add_nodes(s, nodes, nnodes);
	add_quotas(s, quotas, nquotas);
	return s;
}

void
select_free(struct selector *s)
{
	if (s == NULL)
		return;
	free(s->nodes);
	free(s->heap);
	free(s->quotas);
	free(s);
}

static void
mark_failed(struct selector *s, const int64_t *failed, size_t n)
{
	s->choice++;
	for (size_t i = 0; i < n; i++) {
		struct node *node = find_node(s, failed[i]);

		if (node != NULL)
			node->failed_at = s->choice;
	}
}

/* Adds what Q leaves to its node. Returns the node, NULL when Q prefers none. */
static struct node *
add_left(struct selector *s, const struct quota *q)
{
	struct node *n = &s->nodes[q->node];

	if (n->at >= s->len || is_barred(s, n) || q->quota <= q->open)
		return NULL;
	if (n->quota_at != s->choice)
		n->left = 0;
	n->quota_at = s->choice;
	n->left += q->quota - q->open;
	return n;
}

/*
 * The node that quotas prefer; NULL: none. One pass will do for several feeds: what is left only
 * grows, so the best so far can be beaten only by the node that just grew.
 */
static struct node *
preferred(struct selector *s, const char *const *feeds, size_t nfeeds)
{
	struct node *best = NULL;

	for (size_t i = 0; i < nfeeds; i++) {
		struct quota *q = first_quota(s, feeds[i], 0);

		for (; q != NULL; q = next_quota(s, q)) {
			struct node *n = add_left(s, q);

			if (n != NULL && (best == NULL || by_quota(s, n, best) < 0))
				best = n;
		}
	}
	return best;
}

/* The least loaded node that did not fail, else the least loaded one that did, none that is barred;
 * NULL: none. */
static struct node *
least_loaded(struct selector *s)
{
	size_t all = s->len;
	struct node *best = NULL;

	while (s->len > 0 && (has_failed(s, heap_node(s, 0)) || is_barred(s, heap_node(s, 0))))
		heap_remove(s, 0);
	if (s->len > 0)
		best = heap_node(s, 0);
	/* the first to leave lies last */
	for (size_t i = all; best == NULL && i > 0; i--) {
		if (!is_barred(s, heap_node(s, i - 1)))
			best = heap_node(s, i - 1);
	}
	while (s->len < all)
		heap_join(s);
	return best;
}

static struct node *
choose(struct selector *s, const char *const *feeds, size_t nfeeds)
{
	struct node *quota = preferred(s, feeds, nfeeds);
	struct node *load;

	if (quota != NULL && !has_failed(s, quota))
		return quota;
	load = least_loaded(s);
	if (quota != NULL && load != NULL && has_failed(s, load))
		return quota;
	return load;
}

/* The quota of node INDEX for FEED; NULL: none. */
static struct quota *
quota_of(const struct selector *s, const char *feed, size_t index)
{
	struct quota *q = first_quota(s, feed, index);

	return q != NULL && q->node == index ? q : NULL;
}

/* Adds N to what node INDEX has open of FEEDS. */
static void
count_feeds(struct selector *s, size_t index, const char *const *feeds, size_t nfeeds, int64_t n)
{
	for (size_t i = 0; i < nfeeds; i++) {
		struct quota *q = quota_of(s, feeds[i], index);

		if (q != NULL)
			q->open += n;
	}
}

/* Counts the work as assigned to N, whose load can but grow. */
static void
take(struct selector *s, struct node *n, const char *const *feeds, size_t nfeeds)
{
	size_t index = (size_t)(n - s->nodes);

	n->n.open++;
	s->free--;
	if (n->n.open < n->n.capacity)
		heap_down(s, n->at);
	else
		heap_remove(s, n->at);
	count_feeds(s, index, feeds, nfeeds, 1);
}

int64_t
select_node(struct selector *s, const char *const *feeds, size_t nfeeds, const int64_t *failed,
    size_t nfailed)
{
	struct node *n;

	mark_failed(s, failed, nfailed);
	n = choose(s, feeds, nfeeds);
	if (n == NULL)
		return 0;
	take(s, n, feeds, nfeeds);
	return n->n.id;
}

void
select_bar(struct selector *s, const int64_t *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct node *node = find_node(s, nodes[i]);

		if (node != NULL)
			node->barred_at = s->choice + 1;
	}
}

int64_t
select_by_quota(struct selector *s, int64_t at, const char *const *feeds, size_t nfeeds,
    const int64_t *failed, size_t nfailed)
{
	struct node *here = find_node(s, at), *n;
	size_t index = here != NULL ? (size_t)(here - s->nodes) : SIZE_MAX;

	for (size_t i = 0; i < nfeeds; i++) {
		const struct quota *q = quota_of(s, feeds[i], index);

		if (q != NULL && q->quota >= q->open)
			return at;
	}
	count_feeds(s, index, feeds, nfeeds, -1);
	mark_failed(s, failed, nfailed);
	n = preferred(s, feeds, nfeeds);
	if (n == NULL || has_failed(s, n))
		return 0;
	take(s, n, feeds, nfeeds);
	return n->n.id;
}

int64_t
select_free_capacity(const struct selector *s)
{
	return s->free;
}
