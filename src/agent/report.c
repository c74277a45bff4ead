/* SPDX-License-Identifier: MIT */
/*
 * What the parent is told of an attempt, one request of it at a time: that it executes (again and
 * again, for the answer says whether it is still ours), its articles in pieces, and in the end its
 * results. Of one feed everything is told in the order of the claims.
 */
#include "agent/parent.h"
#include "base/clock.h"
#include "json/jw.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MAX    500 /* articles */
#define LOG_TAIL     2048
#define LATER_MAX_MS 60000
#define AGAIN_MS     300
#define DISK_MS	     1000
#define AT_ONCE	     6 /* requests; the others are for heartbeats and claims */

/* The parent could not cope with this one request: others first. */
static void
put_off(struct attempt *a, const struct parent_answer *answer)
{
	int64_t pause = 1000;

	if (answer->status != 500)
		return;
	for (unsigned i = 0; i < a->later && pause < LATER_MAX_MS; i++)
		pause *= 2;
	a->later++;
	a->due_ms = clock_mono_ms() + node_jitter(pause);
	node_error(a->node, a, "parent", "status 500: %s", answer->message);
}

/* What the parent said could not be kept, so it will be asked again: not at once. */
static void
wait_for_disk(struct attempt *a)
{
	a->due_ms = clock_mono_ms() + DISK_MS;
}

/*
 * It is no longer ours: no report of it is wanted. But a claim under way may have made it ours
 * again, and its answer may have come since the question was asked: then the question is put again.
 */
static void
revoke(struct attempt *a, const struct parent_answer *answer)
{
	struct node *n = a->node;

	if (n->claiming || a->told != a->number) {
		a->due_ms = clock_mono_ms() + node_jitter(AGAIN_MS);
		return;
	}
	if (!spool_revoke(n->spool, a->seq, answer->message)) {
		wait_for_disk(a);
		return;
	}
	if (!a->revoked)
		node_error(n, a, "revoked", "status %d: %s: it will not be reported",
		    answer->status, answer->message);
	a->revoked = true;
	work_stop(a, answer->message);
}

/* The head of a body about A. */
static void
open_body(struct jw *w, struct buf *b, const struct attempt *a)
{
	jw_init(w, b);
	jw_obj(w);
	jw_kstr(w, "allocation_id", a->allocation);
	if (a->number > 0)
		jw_kint(w, "attempt", a->number);
}

static bool
call(struct attempt *a, enum http_method method, const char *path, struct buf *body,
    parent_done *done)
{
	a->told = a->number;
	a->calling = !buf_failed(body) && parent_call(a->node, method, path, body, NULL, done, a);
	buf_free(body);
	return a->calling;
}

/* Has the parent taken what A told it? If not, A tells it again later, or REFUSED sees to it. */
static bool
is_taken(struct attempt *a, const struct parent_answer *answer,
    void (*refused)(struct attempt *a, const struct parent_answer *answer))
{
	a->calling = false;
	if (answer->verdict == PARENT_LATER)
		put_off(a, answer);
	else if (answer->verdict == PARENT_REFUSED)
		refused(a, answer);
	else
		return true;
	return false;
}

/* --- it executes --- */

static void
on_ack(struct node *n, void *arg, const struct parent_answer *answer)
{
	struct attempt *a = arg;

	if (!is_taken(a, answer, revoke))
		return;
	a->acked = true;
	a->ack_due_ms = clock_mono_ms() + node_jitter(n->beat_every_s * 1000);
}

static bool
ack(struct attempt *a)
{
	struct buf b = { 0 };
	struct jw w;

	open_body(&w, &b, a);
	jw_kstr(&w, "status", "executing");
	jw_obj_end(&w);
	return call(a, HTTP_PUT, "/task-status", &b, on_ack);
}

/* --- its articles --- */

struct piece {
	struct jw w;
	struct buf body;
	size_t n, max, bytes;
	int64_t last;
};

static bool
add_article(void *arg, const struct spool_article *article)
{
	struct piece *p = arg;

	if (p->n == p->max || (p->n > 0 && p->body.len + strlen(article->json) > p->bytes))
		return false;
	jw_raw(&p->w, article->json);
	p->last = article->seq;
	p->n++;
	return true;
}

/* The parent refuses a piece: half of it next time, to find what it does not like; one alone is
 * given up, or the others would never come. */
static void
refused_piece(struct attempt *a, const struct parent_answer *answer)
{
	struct node *n = a->node;
	int status = answer->status;

	if (status == 403 || status == 404 || status == 409) {
		revoke(a, answer);
		if (a->revoked && spool_sent(n->spool, a->seq, INT64_MAX, answer->message))
			a->unsent = 0;
	} else if (a->piece > 1) {
		a->piece_max = (a->piece + 1) / 2;
	} else if (spool_sent(n->spool, a->seq, a->last_article, answer->message)) {
		a->unsent--;
		a->piece_max = 0;
		node_error(n, a, "article", "refused with status %d: %s: it is given up", status,
		    answer->message);
	} else
		wait_for_disk(a);
}

static void
on_uploaded(struct node *n, void *arg, const struct parent_answer *answer)
{
	struct attempt *a = arg;

	if (!is_taken(a, answer, refused_piece))
		return;
	if (!spool_sent(n->spool, a->seq, a->last_article, NULL)) {
		wait_for_disk(a); /* sent again: articles are stored once, by id */
		return;
	}
	a->unsent -= (int64_t)a->piece;
	a->piece_max = 0;
	a->acked = true;
	a->later = 0;
	a->ack_due_ms = clock_mono_ms() + node_jitter(n->beat_every_s * 1000);
}

static bool
upload(struct attempt *a)
{
	struct node *n = a->node;
	struct piece p = { .max = a->piece_max > 0 ? a->piece_max : PIECE_MAX,
		.bytes = (size_t)n->conf->chunk };
	bool ok;

	open_body(&p.w, &p.body, a);
	jw_key(&p.w, "articles");
	jw_arr(&p.w);
	ok = spool_unsent(n->spool, a->seq, add_article, &p);
	jw_arr_end(&p.w);
	jw_obj_end(&p.w);
	if (!ok || p.n == 0) {
		buf_free(&p.body);
		return false;
	}
	a->last_article = p.last;
	a->piece = p.n;
	return call(a, HTTP_POST, "/upload-articles", &p.body, on_uploaded);
}

/* --- its results --- */

struct results {
	struct jw w;
	int64_t articles;
	size_t n;
	char *log; /* goes with the first failure */
};

static void
add_result(void *arg, const struct spool_result *r)
{
	struct results *out = arg;
	struct jw *w = &out->w;

	jw_obj(w);
	jw_kstr(w, "feed_id", r->feed);
	jw_kbool(w, "success", r->success);
	jw_kint(w, "article_count", r->articles);
	if (r->error != NULL)
		jw_kstr(w, "error", r->error);
	if (r->message != NULL) {
		jw_kbool(w, "message_sent", r->message[0] == '\0');
		if (r->message[0] != '\0')
			jw_kstr(w, "message_error", r->message);
	}
	if (!r->success && out->log != NULL) {
		jw_kstr(w, "log", out->log);
		free(out->log);
		out->log = NULL;
	}
	jw_obj_end(w);
	out->articles += r->articles;
	out->n++;
}

static void
finish(struct attempt *a, const char *how)
{
	struct node *n = a->node;

	if (!spool_remove(n->spool, a->seq, how)) {
		wait_for_disk(a);
		return;
	}
	attempt_log(LOG_LVL_INFO, a, "finished", how);
	attempt_remove(n, a);
	claim_soon(n);
}

static void
on_told(struct attempt *a, const struct parent_answer *answer, const char *how)
{
	if (is_taken(a, answer, revoke))
		finish(a, how);
}

static void
on_reported(struct node *n cs_unused, void *arg, const struct parent_answer *answer)
{
	on_told(arg, answer, "reported");
}

static void
on_released(struct node *n cs_unused, void *arg, const struct parent_answer *answer)
{
	on_told(arg, answer, "handed back");
}

/* Hands A back: nothing of it was done. */
static bool
release(struct attempt *a)
{
	char *why = spool_ending(a->node->spool, a->seq);
	int64_t hold = a->node->stop ? 0 : hold_attempt_s(a);
	struct buf b = { 0 };
	struct jw w;

	if (why == NULL)
		return false;
	open_body(&w, &b, a);
	jw_kstr(&w, "status", "failed");
	jw_kbool(&w, "released", true);
	jw_kint(&w, "hold_s", hold < HOLD_MAX_S ? hold : HOLD_MAX_S);
	jw_kstr(&w, "error_message", why);
	jw_obj_end(&w);
	free(why);
	return call(a, HTTP_PUT, "/task-status", &b, on_released);
}

static bool
report(struct attempt *a)
{
	struct spool *s = a->node->spool;
	struct results r = { .log = spool_log(s, a->seq, LOG_TAIL) };
	struct buf b = { 0 };
	bool ok;

	open_body(&r.w, &b, a);
	jw_kstr(&r.w, "task_id", a->task);
	jw_key(&r.w, "results");
	jw_arr(&r.w);
	ok = spool_results(s, a->seq, add_result, &r);
	jw_arr_end(&r.w);
	jw_kint(&r.w, "article_count", r.articles);
	jw_obj_end(&r.w);
	free(r.log);
	if (!ok || (r.n == 0 && a->nfeeds > 0)) {
		buf_free(&b);
		return ok && release(a);
	}
	return call(a, HTTP_POST, "/report-completion", &b, on_reported);
}

/* --- the next of these --- */

/* Is there enough for a piece, or nothing to wait for? */
static bool
upload_is_due(const struct attempt *a)
{
	return a->unsent > 0 && (a->state == ATTEMPT_ENDED || a->unsent >= PIECE_MAX);
}

/* Does what is due of A; may forget it. */
static void
tell(struct attempt *a)
{
	struct node *n = a->node;
	int64_t now = clock_mono_ms();

	if (a->calling || (a->runner == NULL && a->said != NULL))
		return;
	if (now < a->due_ms) {
		node_wake_at(n, a->due_ms);
		return;
	}
	if (a->revoked && a->unsent == 0 && a->state != ATTEMPT_RUNNING && !a->sending) {
		finish(a, "dropped: the parent takes no report");
		return;
	}
	if (!parent_ready(n) || n->parent.running >= AT_ONCE)
		return;
	if (a->state != ATTEMPT_ENDED && !a->revoked && now >= a->ack_due_ms)
		ack(a);
	else if (upload_is_due(a) && !attempt_waits(n, a, STAGE_GONE))
		upload(a);
	else if (a->state == ATTEMPT_ENDED && a->unsent == 0 && !a->owes_message && !a->revoked &&
		 !attempt_waits(n, a, STAGE_GONE))
		report(a);
	if (a->state != ATTEMPT_ENDED && !a->revoked)
		node_wake_at(n, a->ack_due_ms);
}

void
report_step(struct node *n)
{
	struct attempt *next;

	for (struct attempt *a = n->attempts; a != NULL; a = next) {
		next = a->next;
		tell(a);
	}
}
