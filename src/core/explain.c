/* SPDX-License-Identifier: MIT */
/*
 * The rules of taking work, told instead of applied. What forbids a node to take it is a bit each,
 * so that every reason is seen and not only the first.
 */
#include "core/explain.h"

#include <stdlib.h>
#include <string.h>

#define BIT(why) (1u << (why))

/* Which time a text speaks of. */
enum when { NEVER, SEEN, READY, PREFER, LEASE, HOLD, BACK };

static const struct {
	const char *code;
	enum msg_id text; /* takes the time, where there is one; WHY_FULL takes two numbers */
	enum msg_id bare; /* where the time is missing */
	enum when when;
} reasons[WHY__MAX] = {
	[WHY_ENDED] = { "ended", MSG_WHY_ENDED },
	[WHY_HELD] = { "held", MSG_WHY_HELD, MSG_WHY_HELD_BARE, LEASE },
	[WHY_INACTIVE] = { "inactive", MSG_WHY_INACTIVE },
	[WHY_OFFLINE] = { "offline", MSG_WHY_OFFLINE, MSG_WHY_NEVER_SEEN, SEEN },
	[WHY_DRAINING] = { "draining", MSG_WHY_DRAINING },
	[WHY_ON_HOLD] = { "on_hold", MSG_WHY_ON_HOLD, MSG_WHY_ON_HOLD, HOLD },
	[WHY_FULL] = { "at_capacity", MSG_WHY_FULL },
	[WHY_LAPSED] = { "reservation_lapsed", MSG_WHY_LAPSED },
	[WHY_NOT_READY] = { "not_ready", MSG_WHY_NOT_READY, MSG_WHY_NOT_READY, READY },
	[WHY_RESERVED] = { "reserved", MSG_WHY_RESERVED, MSG_WHY_RESERVED, PREFER },
	[WHY_QUOTA] = { "quota_elsewhere", MSG_WHY_QUOTA, MSG_WHY_QUOTA, PREFER },
	[WHY_FAILED] = { "failed_before", MSG_WHY_FAILED, MSG_WHY_FAILED, PREFER },
	[WHY_HANDED_BACK] = { "handed_back", MSG_WHY_HANDED_BACK, MSG_WHY_HANDED_BACK, BACK },
};

static const struct {
	const char *code;
	enum msg_id text;  /* takes the node's name and the time */
	enum msg_id alone; /* where there is no node: takes the time */
	enum when when;
} verdicts[VERDICT__MAX] = {
	[VERDICT_ENDED] = { "ended", MSG_WHY_ENDED },
	[VERDICT_HELD] = { "held", MSG_WILL_HELD, MSG_WHY_HELD, LEASE },
	[VERDICT_TASK_GONE] = { "task_deleted", MSG_WILL_TASK_GONE },
	[VERDICT_RESERVED] = { "reserved", MSG_WILL_RESERVED, MSG_WHY_RESERVED, PREFER },
	[VERDICT_NOT_READY] = { "not_ready", MSG_WILL_NOT_READY, MSG_WHY_NOT_READY, READY },
	[VERDICT_ASSIGN] = { "assign", MSG_WILL_ASSIGN },
	[VERDICT_CLAIM_ONLY] = { "claim_only", MSG_WILL_CLAIM_ONLY },
	[VERDICT_NOBODY] = { "nobody", MSG_WILL_NOBODY },
};

/* What the preferences of one node depend on in the others. */
struct others {
	int64_t best, second; /* most quota left, and the next */
	int64_t best_node;
	size_t fit; /* available nodes that have not failed at it */
};

static bool
is_available(const struct explain_node *n)
{
	return n->active && n->online && !n->draining && n->hold_until == NULL &&
	       n->back_until == NULL && n->open < n->capacity;
}

static struct others
look_around(const struct explain_node *nodes, size_t n)
{
	struct others o = { 0 };

	for (size_t i = 0; i < n; i++) {
		int64_t left = nodes[i].left;

		if (!is_available(&nodes[i]))
			continue;
		o.fit += !nodes[i].failed;
		if (left > o.best) {
			o.second = o.best;
			o.best = left;
			o.best_node = nodes[i].id;
		} else if (left > o.second) {
			o.second = left;
		}
	}
	return o;
}

/* Preferences for others, of work that nobody has a reservation for. */
static unsigned
preferences(const struct explain_node *n, const struct others *o)
{
	int64_t elsewhere = o->best_node == n->id ? o->second : o->best;
	unsigned why = 0;

	if (elsewhere > n->left)
		why |= BIT(WHY_QUOTA);
	if (n->failed && o->fit > 0)
		why |= BIT(WHY_FAILED);
	return why;
}

static unsigned
why_not(const struct explain_work *w, const struct explain_node *n, const struct others *o)
{
	bool own = w->node == n->id;
	unsigned why = 0;

	if (!alloc_state_is_open(w->state))
		return BIT(WHY_ENDED);
	if (alloc_state_is_held(w->state))
		return BIT(WHY_HELD);
	why |= n->active ? 0 : BIT(WHY_INACTIVE);
	why |= n->online ? 0 : BIT(WHY_OFFLINE);
	why |= n->draining ? BIT(WHY_DRAINING) : 0;
	why |= n->hold_until != NULL ? BIT(WHY_ON_HOLD) : 0;
	why |= n->back_until != NULL ? BIT(WHY_HANDED_BACK) : 0;
	why |= n->open >= n->capacity && !own ? BIT(WHY_FULL) : 0;
	why |= w->ready ? 0 : BIT(WHY_NOT_READY);
	if (w->node == 0) {
		why |= n->may_reserve ? 0 : BIT(WHY_LAPSED);
		why |= w->fresh ? preferences(n, o) : 0;
	} else if (!own && w->fresh) {
		why |= BIT(WHY_RESERVED);
	}
	return why;
}

void
explain_nodes(const struct explain_work *w, struct explain_node *nodes, size_t n)
{
	struct others o = look_around(nodes, n);

	for (size_t i = 0; i < n; i++) {
		nodes[i].why = why_not(w, &nodes[i], &o);
		nodes[i].may_take = (nodes[i].why & ~BIT(WHY_LAPSED)) == 0;
	}
}

/* The different feeds of QUOTAS. Others need not be known: nobody has a quota for them. */
static size_t
list_feeds(const struct select_quota *quotas, size_t n, const char **feeds)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (count == 0 || strcmp(feeds[count - 1], quotas[i].feed) != 0)
			feeds[count++] = quotas[i].feed;
	}
	return count;
}

bool
explain_choose(const struct explain_node *nodes, size_t n, const struct select_quota *quotas,
    size_t nquotas, int64_t *chosen)
{
	struct select_node *all = calloc(n + 1, sizeof(*all));
	int64_t *failed = calloc(n + 1, sizeof(*failed));
	const char **feeds = calloc(nquotas + 1, sizeof(*feeds));
	struct selector *s = NULL;
	size_t nfailed = 0;

	for (size_t i = 0; all != NULL && failed != NULL && i < n; i++) {
		all[i] = (struct select_node){
			.id = nodes[i].id,
			.open = nodes[i].open,
			.capacity = nodes[i].capacity,
			.idle_since = nodes[i].idle_since,
			.available = is_available(&nodes[i]) && nodes[i].may_reserve,
		};
		if (nodes[i].failed)
			failed[nfailed++] = nodes[i].id;
	}
	if (all != NULL && failed != NULL && feeds != NULL)
		s = select_new(all, n, quotas, nquotas);
	if (s != NULL)
		*chosen =
		    select_node(s, feeds, list_feeds(quotas, nquotas, feeds), failed, nfailed);
	select_free(s);
	free(all);
	free(failed);
	free(feeds);
	return s != NULL;
}

enum explain_verdict
explain_verdict(
    const struct explain_work *w, const struct explain_node *nodes, size_t n, int64_t chosen)
{
	if (!alloc_state_is_open(w->state))
		return VERDICT_ENDED;
	if (alloc_state_is_held(w->state))
		return VERDICT_HELD;
	if (w->task_gone)
		return VERDICT_TASK_GONE;
	if (w->node != 0)
		return VERDICT_RESERVED;
	if (!w->ready)
		return VERDICT_NOT_READY;
	if (chosen != 0)
		return VERDICT_ASSIGN;
	for (size_t i = 0; i < n; i++) {
		if (nodes[i].may_take)
			return VERDICT_CLAIM_ONLY;
	}
	return VERDICT_NOBODY;
}

const char *
explain_why_code(enum explain_why why)
{
	return reasons[why].code;
}

const char *
explain_verdict_code(enum explain_verdict v)
{
	return verdicts[v].code;
}

static const char *
time_of(enum when when, const struct explain_work *w, const struct explain_node *n)
{
	const char *const times[] = {
		[NEVER] = NULL,
		[SEEN] = n != NULL ? n->seen_at : NULL,
		[READY] = w->ready_at,
		[PREFER] = w->prefer_until,
		[LEASE] = w->lease_until,
		[HOLD] = n != NULL ? n->hold_until : NULL,
		[BACK] = n != NULL ? n->back_until : NULL,
	};

	return times[when];
}

const char *
explain_why_time(enum explain_why why, const struct explain_work *w, const struct explain_node *n)
{
	return time_of(reasons[why].when, w, n);
}

const char *
explain_verdict_time(enum explain_verdict v, const struct explain_work *w)
{
	return time_of(verdicts[v].when, w, NULL);
}

const char *
explain_why_text(char *buf, size_t size, enum lang lang, enum explain_why why,
    const struct explain_work *w, const struct explain_node *n)
{
	const char *at = explain_why_time(why, w, n);

	if (why == WHY_FULL)
		return msg_render(
		    buf, size, lang, reasons[why].text, (int)n->open, (int)n->capacity);
	if (reasons[why].when != NEVER && at == NULL)
		return msg_render(buf, size, lang, reasons[why].bare, "-");
	return msg_render(buf, size, lang, reasons[why].text, at);
}

const char *
explain_verdict_text(char *buf, size_t size, enum lang lang, enum explain_verdict v,
    const struct explain_work *w, const char *node_name)
{
	const char *at = explain_verdict_time(v, w);

	at = at != NULL ? at : "-";
	if (node_name == NULL && verdicts[v].alone != MSG_NONE)
		return msg_render(buf, size, lang, verdicts[v].alone, at);
	return msg_render(
	    buf, size, lang, verdicts[v].text, node_name != NULL ? node_name : "-", at);
}
