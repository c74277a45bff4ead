/* SPDX-License-Identifier: MIT */
/*
 * Choosing a node for waiting work. Pure; source of the rules: docs/design.md, "Choosing a node".
 *
 *   1. Nodes whose feed quota is above the number of that feed's open allocations they have come
 *      first; the most quota left wins.
 *   2. Otherwise the least loaded: smallest (open + 1) / capacity; ties go to the larger free
 *      capacity, then to the node idle longest.
 *   3. A node whose attempt at this work failed comes last. Nobody available: none.
 *
 * Quota left for work on several feeds is the sum of what is left for each. Comparisons are exact
 * (integers, no floating point). Sized for 100,000 nodes: with e quotas on the work's feeds and f
 * nodes that failed at it, a choice costs O(e + (f + 1) log n), building O((n + q) log (n + q)).
 */
#ifndef CS_CORE_SELECT_H
#define CS_CORE_SELECT_H

#include "base/base.h"

struct select_node {
	int64_t id;	    /* cascade_node.seq; unique, > 0 */
	int64_t open;	    /* assigned + claimed + executing */
	int64_t capacity;   /* max_capacity, >= 1 */
	int64_t idle_since; /* any monotonic scale; smaller = idle longer; final ties: smaller id */
	bool available;	    /* may be given work now, capacity apart */
};

struct select_quota {
	int64_t node;	  /* select_node.id */
	const char *feed; /* borrowed for the selector's life */
	int64_t quota;	  /* open allocations of this feed that the node is preferred for */
	int64_t open;	  /* those it has now */
};

struct selector;

/*
 * Copies NODES and QUOTAS (strings borrowed; one per node and feed, those of unknown nodes are
 * ignored). NULL when out of memory. Caller frees.
 */
struct selector *select_new(const struct select_node *nodes, size_t nnodes,
    const struct select_quota *quotas, size_t nquotas);
void select_free(struct selector *s);
/*
 * Chooses for work on FEEDS (distinct), whose attempts by the nodes in FAILED (ids) failed, and
 * counts it as assigned to the chosen node (open + 1, quotas used). Returns its id, 0 when nobody
 * is available.
 */
int64_t select_node(struct selector *s, const char *const *feeds, size_t nfeeds,
    const int64_t *failed, size_t nfailed);
/* At the next choice none of NODES (ids) is chosen, whatever the others are. */
void select_bar(struct selector *s, const int64_t *nodes, size_t n);
/*
 * For work that is assigned to AT and counted there: AT where a quota keeps it; else the node that
 * quotas prefer for it and at which it has not failed, to which it counts from now on. 0: quotas
 * have no say, and those of AT no longer count it.
 */
int64_t select_by_quota(struct selector *s, int64_t at, const char *const *feeds, size_t nfeeds,
    const int64_t *failed, size_t nfailed);
/* Free places over all available nodes. */
int64_t select_free_capacity(const struct selector *s);

#endif
