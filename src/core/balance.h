/* SPDX-License-Identifier: MIT */
/*
 * Spreading assigned work that nobody has claimed over the nodes anew, when nodes come, go, fill up
 * or idle. Pure; source of the rules: docs/design.md, "Rebalancing".
 *
 * The ideal gives every node the same share of its capacity, as far as what cannot leave it and
 * what it can take allow: all of them filled to one level, like vessels with a floor and a lid. A
 * node's load may differ from its ideal by one allocation; what differs by more is put right with
 * the least number of moves, so that a balanced state moves nothing.
 */
#ifndef CS_CORE_BALANCE_H
#define CS_CORE_BALANCE_H

#include "base/base.h"

#define BALANCE_POOL 0 /* balance_item.to: nobody's any more */

/* Sums of capacities and of work stay below 2^34, capacities at or below 2^20. */
/* A node that may be given work now, capacity apart. */
struct balance_node {
	int64_t id;	 /* cascade_node.seq; unique, > 0 */
	int64_t held;	 /* work that cannot leave it */
	int64_t movable; /* assigned work that can */
	int64_t capacity;
};

struct balance_item {
	int64_t node; /* which it is assigned to */
	const int64_t *failed;
	size_t nfailed; /* nodes that it must not go to */
	int64_t to;	/* set by balance_plan(): a node, BALANCE_POOL, or node: it stays */
};

/* Whether any node is off its ideal, in *DUE. False: out of memory. */
bool balance_is_due(const struct balance_node *nodes, size_t n, bool *due) cs_mustcheck;
/*
 * Sets `to` of ITEMS, the movable work or a part of it; of a node's items the first ones go. What
 * is above a node's capacity and has nowhere to go goes to the pool. Where failed nodes stand in
 * the way another call, after the moves, may get closer; one that moves nothing is the end. *MOVES
 * counts. False: out of memory.
 */
bool balance_plan(const struct balance_node *nodes, size_t n, struct balance_item *items,
    size_t nitems, size_t *moves) cs_mustcheck;

#endif
