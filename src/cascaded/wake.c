/* SPDX-License-Identifier: MIT */
/*
 * Whom to call and when. A node that has been told is not told again before it claims, but for
 * reminders that come more and more seldom; one that does not take the call is tried again the same
 * way. A claim ends the waiting of both. Between two calls of a node there is a second at least, so
 * whatever happens in it makes one call.
 */
#include "cascaded/wake.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/ident.h"
#include "db/db_gauge.h"
#include "db/db_wake.h"
#include "json/jw.h"
#include "net/http_multi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_MS 1000 /* between two calls of a node */
#define ANSWER_MAX 1024 /* nobody reads it */
#define JITTER	   0.2
/* Whether anybody could be called is looked for during a 100th of the time, but every 5 s. */
#define ANYBODY_SHARE	    100
#define ANYBODY_REST_MAX_MS 5000

enum outcome { TAKEN, REJECTED, TIMED_OUT, FAILED, REFUSED, OUTCOME__MAX };

static const char *const outcomes[OUTCOME__MAX] = { "taken", "rejected", "timeout", "failed",
	"refused" };

/* What is known of a node; one that has nothing to be remembered has none. */
struct peer {
	int64_t seq;
	char node_id[256];
	int64_t claimed_ms;	    /* its last claim, when it was looked at */
	int64_t called_ms, next_ms; /* monotonic */
	unsigned told;		    /* calls that it took, since it claimed */
	unsigned missed;	    /* calls that it did not take, one after the other */
	bool seen;		    /* in this look */
	bool flying; /* a call is under way: of this wake, by these settings, after that claim */
	struct wake *wake;
	const struct conf *conf;
	int64_t before_ms;
};

struct wake {
	struct http_multi *http;
	struct peer **peers; /* by seq */
	size_t n, size;
	size_t flying;
	int64_t due_ms; /* monotonic: somebody waits until then, for no reason but the last call */
	bool anybody;	/* there are nodes to call, as far as is known ... */
	int64_t anybody_due_ms;	      /* ... and when to look again (monotonic) */
	int64_t counts[OUTCOME__MAX]; /* since they were added up */
};

struct wake *
wake_new(struct http_multi *m)
{
	struct wake *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->http = m;
	w->due_ms = INT64_MAX;
	return w;
}

void
wake_free(struct wake *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->n; i++)
		free(w->peers[i]);
	free(w->peers);
	free(w);
}

/* Where SEQ is or would be. */
static size_t
place_of(const struct wake *w, int64_t seq)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (w->peers[mid]->seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The peer of NODE, made where there is none. NULL: out of memory. */
static struct peer *
peer_of(struct wake *w, const struct db_wake *node)
{
	size_t at = place_of(w, node->node);
	struct peer *p;

	if (at < w->n && w->peers[at]->seq == node->node)
		return w->peers[at];
	if (w->n == w->size) {
		size_t size = w->size == 0 ? 64 : w->size * 2;
		struct peer **grown = realloc(w->peers, size * sizeof(struct peer *));

		if (grown == NULL)
			return NULL;
		w->peers = grown;
		w->size = size;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->seq = node->node;
	p->claimed_ms = node->claimed_ms;
	snprintf(p->node_id, sizeof(p->node_id), "%s", node->node_id);
	memmove(&w->peers[at + 1], &w->peers[at], (w->n - at) * sizeof(struct peer *));
	w->peers[at] = p;
	w->n++;
	return p;
}

/* When P is called again, after the Nth call in a row that led to nothing. */
static void
put_off(struct peer *p, const struct conf *conf, unsigned n, long asked_s)
{
	int64_t max = conf->wake_backoff_max_s * 1000, wait = conf->wake_backoff_s * 1000;

	while (n-- > 1 && wait < max)
		wait *= 2;
	if (wait < asked_s * 1000)
		wait = asked_s * 1000;
	if (wait > max)
		wait = max;
	wait = (int64_t)((double)wait * (1 - JITTER + 2 * JITTER * ident_random()));
	p->next_ms = clock_mono_ms() + wait;
	if (p->next_ms < p->called_ms + SPACING_MS)
		p->next_ms = p->called_ms + SPACING_MS;
}

/* Nothing is held against P any more. */
static void
forgive(struct peer *p)
{
	p->told = p->missed = 0;
	p->next_ms = p->called_ms + SPACING_MS;
}

static void
note(const struct peer *p, enum outcome outcome, const struct http_answer *a)
{
	struct log_line l;

	/* the first miss is news, and so is its end */
	bool news = outcome == TAKEN ? p->missed > 0 : p->missed == 0;

	log_begin(&l, news ? LOG_LVL_INFO : LOG_LVL_DEBUG, "wake_up");
	log_str(&l, "node", p->node_id);
	log_str(&l, "outcome", outcomes[outcome]);
	if (a->status != 0)
		log_int(&l, "status", a->status);
	log_int(&l, "ms", clock_mono_ms() - p->called_ms);
	log_str(&l, "reason", a->why[0] != '\0' ? a->why : NULL);
	log_end(&l);
}

static enum outcome
outcome_of(enum http_result result, const struct http_answer *a)
{
	static const enum outcome others[HTTP__MAX] = {
		[HTTP_REFUSED] = REFUSED, [HTTP_TIMEOUT] = TIMED_OUT, [HTTP_FAILED] = FAILED
	};

	if (result != HTTP_ANSWERED)
		return others[result];
	return a->status / 100 == 2 ? TAKEN : REJECTED;
}

static void
on_done(void *arg, enum http_result result, struct http_answer *a)
{
	struct peer *p = arg;
	enum outcome outcome = outcome_of(result, a);

	note(p, outcome, a);
	p->wake->counts[outcome]++;
	p->wake->flying--;
	p->flying = false;
	if (outcome == TAKEN && p->before_ms != p->claimed_ms) {
		/* it claimed before it answered */
		forgive(p);
		return;
	}
	p->told = outcome == TAKEN ? p->told + 1 : 0;
	p->missed = outcome == TAKEN ? 0 : p->missed + 1;
	put_off(p, p->conf, p->told + p->missed, a->retry_after);
}

/* The body, and its signature by what the node can make of its secret. False: out of memory. */
static bool
write_call(struct buf *body, char *header, size_t size, const struct db_wake *node,
    const struct db_wake *work)
{
	int64_t now = clock_wall_s();
	char hex[SHA256_HEX_LEN + 1], at[32];
	struct buf signed_text = { 0 };
	struct jw w;

	jw_init(&w, body);
	jw_obj(&w);
	jw_kstr(&w, "type", "new_task");
	jw_kstr(&w, "allocation_id", work->allocation);
	jw_kint(&w, "feed_count", work->feeds);
	jw_kstr(&w, "timestamp", render_time_utc(at, sizeof(at), now));
	jw_obj_end(&w);
	if (buf_failed(body))
		return false;
	buf_printf(&signed_text, "%lld.%s", (long long)now, body->data);
	hex[0] = '\0';
	if (!buf_failed(&signed_text))
		ident_hmac_sha256(hex, node->secret_hash, strlen(node->secret_hash),
		    signed_text.data, signed_text.len);
	buf_free(&signed_text);
	snprintf(header, size, "X-Cascade-Signature: t=%lld,v1=%s", (long long)now, hex);
	return hex[0] != '\0';
}

static bool
start_call(struct wake *w, const struct conf *conf, struct peer *p, const struct db_wake *node,
    const struct db_wake *work)
{
	struct buf body = { 0 };
	char signature[128];
	/* calls are rare: a kept connection would only tie up a small child's server */
	const char *const headers[] = { signature, "Connection: close", NULL };
	struct http_call call = {
		.url = node->url,
		.headers = headers,
		.outbound = { conf->outbound_allow.v, conf->outbound_allow.n },
		.tls = &(struct http_tls){ .ca_file = conf->outbound_ca_file },
		.connect_ms = conf->wake_connect_timeout_s * 1000,
		.total_ms = conf->wake_timeout_s * 1000,
		.max = ANSWER_MAX,
	};
	bool started = write_call(&body, signature, sizeof(signature), node, work);

	call.body = body.data;
	started = started && http_multi_start(w->http, &call, on_done, p);
	buf_free(&body);
	return started;
}

/* Calls P of NODE because of WORK. False: out of memory. */
static bool
ring(struct wake *w, struct peer *p, const struct conf *conf, const struct db_wake *node,
    const struct db_wake *work)
{
	p->called_ms = clock_mono_ms();
	p->wake = w;
	p->conf = conf;
	p->before_ms = p->claimed_ms;
	if (!start_call(w, conf, p, node, work))
		return false;
	p->flying = true;
	w->flying++;
	return true;
}

/* Takes note of what NODE has done since. NULL: out of memory. */
static struct peer *
meet(struct wake *w, const struct db_wake *node)
{
	struct peer *p = peer_of(w, node);

	if (p == NULL)
		return NULL;
	p->seen = true;
	if (p->claimed_ms != node->claimed_ms)
		forgive(p);
	p->claimed_ms = node->claimed_ms;
	return p;
}

static bool
is_due(struct wake *w, const struct peer *p, const struct conf *conf, int64_t now)
{
	if (p->told + p->missed == 0 && now < p->next_ms && p->next_ms < w->due_ms)
		w->due_ms = p->next_ms;
	return !p->flying && now >= p->next_ms && w->flying < (size_t)conf->wake_concurrency;
}

static enum cs_err
no_memory(struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "wake-up call");
}

static enum cs_err
look_own(struct wake *w, struct db *db, const struct conf *conf, struct fault *f)
{
	int64_t now = clock_mono_ms();
	struct db_wake node;
	auto_rows rows = { 0 };

	TRY(db_wake_own(db, conf, &rows, f));
	while (db_wake_next(&rows, &node)) {
		struct peer *p = meet(w, &node);

		if (p == NULL)
			return no_memory(f);
		if (is_due(w, p, conf, now) && !ring(w, p, conf, &node, &node))
			return no_memory(f);
	}
	return CS_OK;
}

/* Of ROWS into NODES (of room enough); *TOLD of them have been told, or are being told. */
static enum cs_err
meet_free(struct wake *w, struct db_rows *rows, struct db_wake *nodes, size_t *n, size_t *told,
    struct fault *f)
{
	for (*n = *told = 0; db_wake_next_free(rows, &nodes[*n]); ++*n) {
		struct peer *p = meet(w, &nodes[*n]);

		if (p == NULL)
			return no_memory(f);
		*told += p->flying || p->told > 0;
	}
	return CS_OK;
}

/* As many of NODES as there is work in POOL are told, and no more. */
static enum cs_err
call_free(struct wake *w, const struct conf *conf, const struct db_wake *nodes, size_t n,
    size_t told, struct db_rows *pool, struct fault *f)
{
	int64_t now = clock_mono_ms();
	struct db_wake work;

	for (size_t i = 0; i < n; i++) {
		struct peer *p = meet(w, &nodes[i]);

		/* a reminder takes nobody else's place */
		if (p == NULL || !is_due(w, p, conf, now) ||
		    (p->told == 0 && told >= db_count(pool)))
			continue;
		told += p->told == 0;
		if (!db_wake_next_pool(pool, &work))
			break;
		if (!ring(w, p, conf, &nodes[i], &work))
			return no_memory(f);
	}
	return CS_OK;
}

static enum cs_err
look_pool(struct wake *w, struct db *db, const struct conf *conf, struct fault *f)
{
	auto_rows pool = { 0 };
	auto_rows rows = { 0 };
	struct db_wake *nodes;
	size_t n, told;
	enum cs_err rc;

	TRY(db_wake_pool(db, conf->wake_concurrency, &pool, f));
	if (db_count(&pool) == 0)
		return CS_OK;
	TRY(db_wake_free(db, conf, &rows, f));
	nodes = calloc(db_count(&rows) + 1, sizeof(*nodes));
	if (nodes == NULL)
		return no_memory(f);
	rc = meet_free(w, &rows, nodes, &n, &told, f);
	if (rc == CS_OK)
		rc = call_free(w, conf, nodes, n, told, &pool, f);
	free(nodes);
	return rc;
}

/* Who has nothing to claim is not waited for; who took his last call is forgotten. */
static void
forget(struct wake *w, const struct conf *conf)
{
	int64_t now = clock_mono_ms();
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct peer *p = w->peers[i];
		int64_t until = p->called_ms + SPACING_MS;

		if (p->missed > 0)
			until = p->next_ms + conf->wake_backoff_max_s * 1000;
		else if (!p->seen && !p->flying)
			forgive(p);
		if (p->seen || p->flying || now < until)
			w->peers[kept++] = p;
		else
			free(p);
	}
	w->n = kept;
}

/* A fleet that only polls names no address: then what is assigned and what waits need not be read.
 * Only where that reads every node anyway: WAITS, or more is assigned than there are nodes. */
static enum cs_err
look_for_anybody(struct wake *w, struct db *db, bool waits, struct fault *f)
{
	int64_t begin = clock_mono_ms();
	bool much = true;

	if (begin < w->anybody_due_ms)
		return CS_OK;
	w->anybody = true;
	if (!waits)
		TRY(db_wake_much(db, &much, f));
	if (!much)
		return CS_OK;
	TRY(db_wake_anybody(db, &w->anybody, f));
	w->anybody_due_ms = clock_rested_ms(begin, ANYBODY_SHARE, ANYBODY_REST_MAX_MS);
	return CS_OK;
}

/* *WORTH: there is something to call for, and perhaps somebody to call. */
static enum cs_err
is_worth_a_look(struct wake *w, struct db *db, bool *worth, struct fault *f)
{
	bool given, waits;

	*worth = false;
	TRY(db_wake_assigned(db, 0, &given, f));
	TRY(db_wake_waiting(db, &waits, f));
	if (!given && !waits)
		return CS_OK;
	TRY(look_for_anybody(w, db, waits, f));
	*worth = w->anybody;
	return CS_OK;
}

enum cs_err
wake_look(struct wake *w, struct db *db, const struct conf *conf, struct fault *f)
{
	bool worth;

	w->due_ms = INT64_MAX;
	for (size_t i = 0; i < w->n; i++)
		w->peers[i]->seen = false;
	TRY(is_worth_a_look(w, db, &worth, f));
	if (worth) {
		TRY(look_own(w, db, conf, f));
		TRY(look_pool(w, db, conf, f));
	}
	forget(w, conf);
	return CS_OK;
}

int64_t
wake_due_ms(const struct wake *w)
{
	return w->due_ms;
}

enum cs_err
wake_count(struct wake *w, struct db *db, struct fault *f)
{
	for (size_t i = 0; i < OUTCOME__MAX; i++) {
		if (w->counts[i] == 0)
			continue;
		TRY(db_gauge_add(db, "wake_ups_total", outcomes[i], w->counts[i], f));
		w->counts[i] = 0;
	}
	return CS_OK;
}
