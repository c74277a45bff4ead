/* SPDX-License-Identifier: MIT */
/*
 * Messages: for each feed of an attempt that succeeded and has articles, one, made of what is in
 * the spool. Each try is counted on disk before it is made; a message that was on its way when the
 * node died is tried again, for nobody knows whether it arrived.
 */
#include "agent/message.h"
#include "agent/node.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX     (64u << 10)
#define ARTICLES_MAX   1000
#define BACKOFF_MAX_MS 300000

/* The articles of a message, parsed. */
struct articles {
	struct jx_doc *doc[ARTICLES_MAX];
	const struct jx *root[ARTICLES_MAX];
	size_t n;
};

static bool
add_article(void *arg, const struct spool_article *article)
{
	struct articles *list = arg;
	struct fault f = { 0 };

	if (jx_parse(article->json, strlen(article->json), &list->doc[list->n], &f) == CS_OK) {
		list->root[list->n] = jx_root(list->doc[list->n]);
		list->n++;
	}
	return list->n < ARTICLES_MAX;
}

static enum cs_err
build(struct attempt *a, const char *feed, struct message *m, struct fault *f)
{
	struct spool *s = a->node->spool;
	struct articles *list = calloc(1, sizeof(*list));
	char *package = spool_package(s, a->seq);
	enum cs_err err = CS_ENOMEM;
	auto_jx *doc = NULL;

	if (list != NULL && package != NULL && spool_articles(s, a->seq, feed, add_article, list))
		err = jx_parse(package, strlen(package), &doc, f);
	if (err == CS_OK)
		err = message_build(jx_root(doc), feed, list->root, list->n, clock_wall_s(), m, f);
	for (size_t i = 0; list != NULL && i < list->n; i++)
		jx_free(list->doc[i]);
	free(list);
	free(package);
	return err;
}

/* Keeps how a try went; WHY NULL: well. FINAL: no other try would go better. */
static void
tried(struct attempt *a, const char *why, bool final)
{
	struct node *n = a->node;
	int64_t pause = n->conf->message_backoff_s * 1000, due = 0;

	for (int64_t i = 1; i < a->message_tries && pause < BACKOFF_MAX_MS; i++)
		pause *= 2;
	if (why != NULL && !final && a->message_tries < n->conf->message_tries)
		due = clock_wall_ms() + node_jitter(pause);
	if (why != NULL)
		node_error(
		    n, a, "message", "%s: %s", why, due != 0 ? "tried again later" : "given up");
	else
		attempt_log(LOG_LVL_INFO, a, "message", "sent");
	/* Where that cannot be kept it counts as not sent: it is tried once more. */
	if (!spool_message_tried(n->spool, a->message_id, why, due))
		a->message_due_ms = clock_mono_ms() + 1000;
}

static void
on_answer(void *arg, enum http_result result, struct http_answer *answer)
{
	static const char *const words[] = {
		[HTTP_REFUSED] = "message.allow refuses the address", [HTTP_TIMEOUT] = "timed out"
	};
	struct attempt *a = arg;
	enum message_verdict v = MESSAGE_LATER;
	char why[256];

	a->sending = false;
	if (result == HTTP_ANSWERED)
		v = message_judge(a->message_kind, answer->status, answer->body.data,
		    answer->body.len, why, sizeof(why));
	else
		snprintf(
		    why, sizeof(why), "%s", result == HTTP_FAILED ? answer->why : words[result]);
	tried(a, v == MESSAGE_TAKEN ? NULL : why, v == MESSAGE_REFUSED || result == HTTP_REFUSED);
}

static void
send_one(struct attempt *a, const struct spool_message *due)
{
	struct node *n = a->node;
	struct message m = { 0 };
	struct fault f = { 0 };

	if (!spool_message_trying(n->spool, due->id))
		return;
	a->message_id = due->id;
	a->message_tries = due->tries + 1;
	if (build(a, due->feed, &m, &f) != CS_OK) {
		char why[400];

		snprintf(why, sizeof(why), "%s: %s", f.field[0] != '\0' ? f.field : "message",
		    f.reason[0] != '\0' ? f.reason : fault_message(&f));
		tried(a, why, f.code == CS_EINVALID);
		return;
	}
	const struct http_call call = {
		.url = m.url,
		.headers = m.headers,
		.body = m.body.data,
		.body_len = m.body.len,
		.outbound = { n->conf->message_allow.v, n->conf->message_allow.n },
		.connect_ms = n->conf->message_timeout_s * 1000,
		.total_ms = n->conf->message_timeout_s * 1000,
		.max = ANSWER_MAX,
	};
	a->message_kind = m.kind;
	a->sending = http_multi_start(n->http, &call, on_answer, a);
	if (!a->sending)
		tried(a, "no memory", false);
	message_free(&m);
}

/* What is owed and due; sets owes_message. */
static void
look(struct attempt *a)
{
	struct node *n = a->node;
	int64_t now = clock_mono_ms(), wall = clock_wall_ms(), next;
	struct spool_message due;

	if (now < a->message_due_ms) {
		node_wake_at(n, a->message_due_ms);
		return;
	}
	if (spool_message_due(n->spool, a->seq, wall, &due, &next))
		send_one(a, &due);
	else if (next == 0)
		a->owes_message = false;
	else
		a->message_due_ms = now + (next - wall);
}

void
send_step(struct node *n)
{
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (!a->owes_message || a->sending || a->state != ATTEMPT_ENDED)
			continue;
		if (a->revoked)
			a->owes_message = false;
		else if (!attempt_waits(n, a, STAGE_MESSAGE_SENT))
			look(a);
	}
}
