/* SPDX-License-Identifier: MIT */
/*
 * The parent as its children see it: /api/v1/cascade, AK-SK credential, envelopes. 429, 5xx,
 * timeouts and whatever is no envelope (a proxy's page) mean "later"; so does 401, for an
 * administrator may mend that, and nothing must be lost meanwhile.
 */
#include "agent/parent.h"
#include "agent/deflate.h"
#include "base/clock.h"
#include "core/ident.h"

#include <stdlib.h>
#include <string.h>

#define MOUNT	   "/api/v1/cascade"
#define ANSWER_MAX (32u << 20)
#define BACKOFF_MS 1000
#define UNAUTH_MS  30000
#define GZIP_MIN   1024

/* One request under way. */
struct asked {
	struct node *node;
	parent_done *done;
	void *arg;
	int64_t at_ms;
	struct asked *next;
};

enum cs_err
parent_init(struct node *n, struct fault *f)
{
	const struct node_conf *c = n->conf;
	struct parent *p = &n->parent;
	size_t len = strlen(c->parent_url);
	struct buf b = { 0 };

	while (len > 0 && c->parent_url[len - 1] == '/')
		len--;
	buf_add(&b, c->parent_url, len);
	buf_puts(&b, MOUNT);
	free(p->base);
	p->base = b.data;
	free(p->authorization);
	if (asprintf(&p->authorization, "Authorization: AK-SK %s:%s", c->api_key, c->api_secret) <
	    0)
		p->authorization = NULL;
	if (buf_failed(&b) || p->authorization == NULL)
		return cs_detail(f, CS_ENOMEM, "parent");
	p->tls = (struct http_tls){
		.ca_file = c->ca_file,
		.cert_file = c->client_cert,
		.key_file = c->client_key,
		.proxy = c->proxy,
		.insecure = c->insecure_tls,
	};
	return CS_OK;
}

void
parent_fini(struct node *n)
{
	free(n->parent.base);
	free(n->parent.authorization);
	n->parent.base = n->parent.authorization = NULL;
	/* What was under way when its connections were closed has no answer. */
	while (n->parent.asked != NULL) {
		struct asked *q = n->parent.asked;

		n->parent.asked = q->next;
		free(q);
	}
}

bool
parent_ready(struct node *n)
{
	const struct parent *p = &n->parent;

	if (p->fails == 0)
		return true;
	if (clock_mono_ms() < p->until_ms) {
		node_wake_at(n, p->until_ms);
		return false;
	}
	return p->running == 0; /* one asks for all whether it is back */
}

/* The failures of requests that were sent before the last one was noticed count once. */
static void
failed(struct node *n, const struct asked *q, const struct parent_answer *a, long retry_after)
{
	struct parent *p = &n->parent;
	int64_t now = clock_mono_ms(), pause = BACKOFF_MS, most = n->conf->backoff_max_s * 1000;

	snprintf(p->error, sizeof(p->error), "%s", a->message);
	if (p->fails > 0 && q->at_ms < p->failed_ms)
		return;
	for (unsigned i = 0; i < p->fails && pause < most; i++)
		pause *= 2;
	pause = pause < most ? pause : most;
	if (a->status == 401 && pause < UNAUTH_MS)
		pause = UNAUTH_MS < most ? UNAUTH_MS : most;
	pause = node_jitter(pause);
	if (retry_after > 0 && pause < retry_after * 1000)
		pause = retry_after * 1000 + node_jitter(BACKOFF_MS);
	p->failed_ms = now;
	p->until_ms = now + pause;
	n->status_due_ms = 0;
	if (p->fails++ == 0) {
		p->since_s = clock_wall_s();
		node_error(n, NULL, "parent",
		    "%s: status %d: %s; what is done is kept and sent later", p->base, a->status,
		    a->message);
	}
}

static void
answered(struct node *n)
{
	struct parent *p = &n->parent;

	if (p->fails > 0)
		log_info("parent", "answers again after %lld s",
		    (long long)(clock_wall_s() - p->since_s));
	if (p->fails > 0)
		n->status_due_ms = 0;
	p->fails = 0;
	p->since_s = 0;
	p->answered_s = clock_wall_s();
}

/* Is this status one that may be another the next time? */
static bool
is_passing(int status)
{
	return status == 401 || status == 408 || status == 425 || status == 429 || status >= 500;
}

void
parent_read(enum http_result result, const struct http_answer *a, struct parent_answer *out,
    struct jx_doc **doc)
{
	const struct jx *root, *code;
	struct fault f = { 0 };

	*doc = NULL;
	*out = (struct parent_answer){ .verdict = PARENT_LATER, .message = a->why };
	if (result == HTTP_TIMEOUT)
		out->message = "timed out";
	if (result != HTTP_ANSWERED)
		return;
	out->status = a->status;
	out->message = "the answer is none of a cascade parent";
	if (a->body.len == 0 || jx_parse(a->body.data, a->body.len, doc, &f) != CS_OK ||
	    jx_type(root = jx_root(*doc)) != JX_OBJ) {
		/* Not the parent's own words: something between may speak, and it passes. */
		if (a->status == 413)
			out->verdict = PARENT_REFUSED;
		return;
	}
	code = jx_get(root, "code");
	if (jx_type(code) != JX_INT)
		return;
	/* WeRSS itself answers most errors with 200 and another code. */
	if (out->status == 200 && jx_int(code) != 0)
		out->status = (int)jx_int(code);
	out->data = jx_get(root, "data");
	if (jx_str(jx_get(root, "message")) != NULL)
		out->message = jx_str(jx_get(root, "message"));
	if (out->status == 200)
		out->verdict = PARENT_OK;
	else
		out->verdict = is_passing(out->status) ? PARENT_LATER : PARENT_REFUSED;
}

static void
forget(struct asked *q)
{
	struct asked **at = &q->node->parent.asked;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	free(q);
}

static void
on_done(void *arg, enum http_result result, struct http_answer *a)
{
	struct asked *q = arg;
	struct node *n = q->node;
	struct parent_answer answer;
	auto_jx *doc = NULL;

	n->parent.running--;
	parent_read(result, a, &answer, &doc);
	if (answer.status == 415 && !n->parent.no_gzip) {
		n->parent.no_gzip = true;
		answer.verdict = PARENT_LATER;
	} else if (answer.verdict == PARENT_LATER)
		failed(n, q, &answer, a->retry_after);
	else
		answered(n);
	q->done(n, q->arg, &answer);
	forget(q);
}

bool
parent_call(struct node *n, enum http_method method, const char *path, const struct buf *body,
    const char *key, parent_done *done, void *arg)
{
	const struct node_conf *c = n->conf;
	struct parent *p = &n->parent;
	struct buf url = { 0 }, packed = { 0 }, idem = { 0 };
	const char *headers[4] = { p->authorization };
	struct asked *q = calloc(1, sizeof(*q));
	size_t nh = 1;
	bool ok;

	buf_printf(&url, "%s%s", p->base, path);
	if (key != NULL) {
		buf_printf(&idem, "Idempotency-Key: %s", key);
		headers[nh++] = idem.data;
	}
	if (body != NULL && body->len >= GZIP_MIN && !p->no_gzip && deflate_gzip(body, &packed)) {
		headers[nh++] = "Content-Encoding: gzip";
		body = &packed;
	}
	const struct http_call call = {
		.method = method,
		.url = url.data,
		.headers = headers,
		.body = body != NULL ? body->data : NULL,
		.body_len = body != NULL ? body->len : 0,
		.anywhere = true,
		.tls = &p->tls,
		.connect_ms = c->connect_timeout_s * 1000,
		.total_ms = c->request_timeout_s * 1000,
		.max = ANSWER_MAX,
	};
	ok = q != NULL && !buf_failed(&url) && !buf_failed(&idem);
	if (ok) {
		*q = (struct asked){ n, done, arg, clock_mono_ms(), NULL };
		ok = http_multi_start(n->http, &call, on_done, q);
	}
	if (ok) {
		q->next = p->asked;
		p->asked = q;
		p->running++;
	} else
		free(q);
	buf_free(&url);
	buf_free(&idem);
	buf_free(&packed);
	return ok;
}
