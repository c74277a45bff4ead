/* SPDX-License-Identifier: MIT */
/*
 * Claims: as many as there are free slots, in one call, under a key that is in the spool before it
 * is sent, so that an answer that was lost is asked for again and not claimed anew. What is handed
 * to us a second time, because the parent had given us up, is not collected a second time. While
 * nothing may be touched the parent is told so (beat.c) and nothing is claimed.
 */
#include "agent/parent.h"
#include "base/clock.h"
#include "core/ident.h"
#include "json/jw.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define LIMIT_MAX  10
#define POLL_MAX_S 60
#define AGAIN_MS   1000

void
claim_soon(struct node *n)
{
	n->claim_due_ms = 0;
	n->claims_in_vain = 0;
	n->claim_again = n->claiming;
}

/* Why nothing more is taken on; NULL: it is. */
static const char *
pressure(struct node *n)
{
	size_t undelivered = attempt_count(n, ATTEMPT_STATE__MAX) - attempt_count(n, ATTEMPT_ENDED);
	struct statvfs fs;

	if (spool_bytes(n->spool) > n->conf->spool_max)
		return "the spool is full (spool.max)";
	if (statvfs(n->dir, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) < n->conf->spool_free)
		return "the disk is full (spool.free)";
	/* What is done takes no slot, but there shall not be ever more of it. */
	if (undelivered >= 2 * (size_t)n->conf->concurrency)
		return "too much that is done waits to be delivered";
	return NULL;
}

static bool
under_pressure(struct node *n)
{
	const char *was = n->pressure;

	n->pressure = pressure(n);
	if ((n->pressure == NULL) != (was == NULL))
		n->status_due_ms = 0;
	if (n->pressure != NULL && was == NULL)
		node_error(
		    n, NULL, "pressure", "%s: nothing is claimed until that changes", n->pressure);
	if (n->pressure == NULL && was != NULL)
		log_info("pressure", "gone: work is claimed again");
	return n->pressure != NULL;
}

/* How many may be claimed now. */
static int64_t
room(struct node *n)
{
	int64_t left = n->conf->concurrency - (int64_t)attempt_count(n, ATTEMPT_ENDED);

	if (n->stop || n->drain || n->beats == 0 || n->parent.fails > 0)
		return 0;
	if (left <= 0 || under_pressure(n))
		return 0;
	return left < LIMIT_MAX ? left : LIMIT_MAX;
}

/* The pause after a claim that brought nothing. */
static int64_t
poll_ms(struct node *n)
{
	int64_t least = n->conf->poll_s, most = n->conf->sync_s / 5, pause = least;

	most = most < POLL_MAX_S ? most : POLL_MAX_S;
	most = most > least ? most : least;
	for (unsigned i = 0; i < n->claims_in_vain && pause < most; i++)
		pause *= 2;
	n->claims_in_vain++;
	return node_jitter((pause < most ? pause : most) * 1000);
}

/* --- what came --- */

struct got {
	struct spool_attempt list[LIMIT_MAX];
	const struct jx *package[LIMIT_MAX];
	size_t n;
};

static struct attempt *
find(struct node *n, const char *allocation)
{
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (strcmp(a->allocation, allocation) == 0)
			return a;
	}
	return NULL;
}

static const char *
feeds_of(const struct jx *package, struct arena *arena)
{
	const struct jx *feeds = jx_get(package, "feeds");
	struct buf b = { 0 };
	const char *text;
	struct jw w;

	jw_init(&w, &b);
	jw_arr(&w);
	for (size_t i = 0; i < jx_len(feeds); i++) {
		const char *id = jx_str(jx_get(jx_at(feeds, i), "id"));

		if (id != NULL)
			jw_str(&w, id);
	}
	jw_arr_end(&w);
	text = buf_failed(&b) ? NULL : arena_strndup(arena, b.data, b.len);
	buf_free(&b);
	return text;
}

/* False: try all of it again later. */
static bool
take_package(struct node *n, struct got *got, const struct jx *package, struct arena *arena)
{
	struct spool_attempt a = {
		.allocation = jx_str(jx_get(package, "allocation_id")),
		.task = jx_str(jx_get(package, "task_id")),
		.number = jx_int(jx_get(package, "attempt")),
	};
	struct attempt *old;

	if (a.allocation == NULL || got->n == LIMIT_MAX) {
		node_error(n, NULL, "claim", "the parent sent a package without allocation_id");
		return true;
	}
	a.task = a.task != NULL ? a.task : "";
	old = find(n, a.allocation);
	if (old != NULL && (!old->revoked || old->state == ATTEMPT_CLAIMED)) {
		attempt_log(LOG_LVL_INFO, old, "claim", "ours again: what we have of it counts");
		if (!spool_adopt(n->spool, old->seq, a.number))
			return false;
		old->number = a.number;
		old->revoked = old->acked = false;
		return true;
	}
	a.package = jx_text(package, arena);
	a.feeds = feeds_of(package, arena);
	if (a.package == NULL || a.feeds == NULL)
		return false;
	got->list[got->n++] = a;
	return true;
}

/* One package, or a list of them. */
static bool
take_answer(struct node *n, const struct jx *data, struct got *got, struct arena *arena)
{
	const struct jx *list = jx_get(data, "list");

	if (jx_type(data) != JX_OBJ)
		return true;
	if (jx_type(list) != JX_ARR)
		return take_package(n, got, data, arena);
	for (size_t i = 0; i < jx_len(list); i++) {
		if (!take_package(n, got, jx_at(list, i), arena))
			return false;
	}
	return true;
}

static bool
any(const struct jx *data)
{
	const struct jx *list = jx_get(data, "list");

	return jx_type(data) == JX_OBJ && (jx_type(list) != JX_ARR || jx_len(list) > 0);
}

/* Stores what came; false: the same claim is to be made again. */
static bool
store(struct node *n, const struct jx *data)
{
	struct arena *arena = arena_new(64u << 20);
	struct got got = { 0 };
	bool ok = arena != NULL && take_answer(n, data, &got, arena) &&
		  spool_claim_end(n->spool, got.list, got.n);

	for (size_t i = 0; ok && i < got.n; i++) {
		struct attempt *a = attempt_add(n, &got.list[i]);

		if (a == NULL) {
			log_error("memory", "none left for an attempt");
			abort(); /* it is in the spool */
		}
		attempt_log(LOG_LVL_INFO, a, "claimed", NULL);
	}
	arena_free(arena);
	return ok;
}

static void
on_done(struct node *n, void *arg cs_unused, const struct parent_answer *a)
{
	bool again = n->claim_again;

	n->claiming = n->claim_again = false;
	n->claim_due_ms = 0;
	if (a->verdict == PARENT_LATER)
		return;
	if (a->verdict == PARENT_REFUSED) {
		node_error(n, NULL, "claim", "status %d: %s", a->status, a->message);
		n->claim_key[0] = '\0';
		n->claim_due_ms = clock_mono_ms() + poll_ms(n);
		return;
	}
	n->claim_unused = !any(a->data);
	if (n->claim_unused) {
		n->claim_due_ms = again ? 0 : clock_mono_ms() + poll_ms(n);
	} else if (store(n, a->data)) {
		n->claim_key[0] = '\0';
		n->claims_in_vain = 0;
		/* What a heartbeat under way does not name, the next one shall, soon. */
		n->beat_again = n->beating;
	} else
		n->claim_due_ms = clock_mono_ms() + AGAIN_MS;
}

/* The key of a claim whose answer is still wanted, or one that was not used up, or a new one; on
 * disk. */
static bool
have_key(struct node *n, int64_t limit)
{
	if (n->claim_key[0] != '\0' && (!n->claim_unused || limit == n->claim_limit))
		return true;
	if (n->claim_key[0] == '\0' && spool_claim_get(n->spool, n->claim_key, &n->claim_limit))
		return true;
	if (!ident_uuid7(n->claim_key, clock_wall_ms()) ||
	    !spool_claim_begin(n->spool, n->claim_key, limit)) {
		n->claim_key[0] = '\0';
		n->claim_due_ms = clock_mono_ms() + AGAIN_MS;
		return false;
	}
	n->claim_limit = limit;
	n->claim_unused = false;
	return true;
}

/* May nothing be claimed for now? The parent hears of it, and of the end, before the next claim. */
static bool
on_hold(struct node *n)
{
	bool hold = hold_node_s(n) > 0;

	if (hold != n->held)
		n->beat_due_ms = 0;
	return hold || n->held;
}

void
claim_step(struct node *n)
{
	char path[64];
	int64_t limit;

	if (n->claiming)
		return;
	if (clock_mono_ms() < n->claim_due_ms) {
		node_wake_at(n, n->claim_due_ms);
		return;
	}
	limit = room(n);
	if (limit == 0)
		return;
	if (on_hold(n)) {
		n->claim_due_ms = clock_mono_ms() + AGAIN_MS;
		return;
	}
	if (!parent_ready(n) || !have_key(n, limit))
		return;
	snprintf(path, sizeof(path), "/pending-tasks?limit=%lld", (long long)n->claim_limit);
	n->claiming = parent_call(n, HTTP_GET, path, NULL, n->claim_key, on_done, NULL);
}
