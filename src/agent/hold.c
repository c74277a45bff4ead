/* SPDX-License-Identifier: MIT */
/*
 * What the node may not touch for now: everything, or some feeds, as executors have said (the
 * spool's holds), and the login that the built-in collector works with.
 */
#include "agent/node.h"
#include "base/clock.h"

#include <string.h>

static int64_t
longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Seconds for which FEED ("": everything) is on hold. */
static int64_t
spooled_s(struct node *n, const char *feed)
{
	int64_t now = clock_wall_s(), until = spool_held_until(n->spool, feed, now);

	return until > now ? until - now : 0;
}

int64_t
hold_node_s(struct node *n)
{
	struct account_turn turn = { 0 };
	struct fault f = { 0 };
	int64_t s = spooled_s(n, "");

	if (strcmp(n->conf->executor, "wechat") == 0 &&
	    account_look(&n->account, &turn, &f) == CS_OK && turn.state != ACCOUNT_FREE)
		s = longer(s, turn.hold_s);
	return s;
}

int64_t
hold_attempt_s(const struct attempt *a)
{
	int64_t s = hold_node_s(a->node);

	for (size_t i = 0; i < a->nfeeds; i++)
		s = longer(s, spooled_s(a->node, a->feeds[i]));
	return s;
}
