/* SPDX-License-Identifier: MIT */
/*
 * POST /nodes/{id}/test-connection: calls the heartbeat of another parent with the credential it
 * is given, or, without one, looks whether anything answers at the node's own address. That the
 * other side does not answer is this endpoint's result and no error.
 */
#include "fcgi/handlers.h"

#include "base/parse.h"
#include "db/db_node.h"
#include "net/http_client.h"

#include <stdio.h>
#include <string.h>

#define HEARTBEAT	 "/api/v1/wx/cascade/heartbeat"
#define URL_CHARS_MAX	 500
#define TOKEN_CHARS_MAX	 255
#define CONNECT_MS	 5000
#define TOTAL_MS	 10000
#define ANSWER_BYTES_MAX (64u << 10)

struct target {
	const char *api_url, *api_key, *api_secret;
};

static const struct jx_field target_fields[] = {
	{ "api_url", JX_STR, JX_REQUIRED | JX_NONEMPTY | JX_URL, offsetof(struct target, api_url),
	    0, URL_CHARS_MAX },
	{ "api_key", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct target, api_key), 0,
	    TOKEN_CHARS_MAX },
	{ "api_secret", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct target, api_secret), 0,
	    TOKEN_CHARS_MAX },
};

/* A header is made of it. */
static enum cs_err
check_token(struct ctx *c, const char *name, const char *s)
{
	while (*s > ' ' && *s < 0x7f)
		s++;
	return *s == '\0' ? CS_OK : cs_bad(&c->fault, name, MSG_R_TOKEN);
}

static enum cs_err
read_target(struct ctx *c, const struct db_node *node, struct target *t)
{
	if (jx_len(c->req->json) > 0) {
		TRY(jx_read(
		    c->req->json, target_fields, ARRAY_LEN(target_fields), t, NULL, "", &c->fault));
		TRY(check_token(c, "api_key", t->api_key));
		TRY(check_token(c, "api_secret", t->api_secret));
	} else if (node->api_url == NULL || node->api_url[0] == '\0') {
		return cs_bad(&c->fault, "api_url", MSG_R_REQUIRED);
	} else {
		t->api_url = node->api_url;
	}
	/* WeRSS stored the node's own as it came */
	if (!parse_is_http_url(t->api_url, strlen(t->api_url)) || strpbrk(t->api_url, "?#") != NULL)
		return cs_bad(&c->fault, "api_url", MSG_R_API_BASE);
	return CS_OK;
}

static enum cs_err
call(struct ctx *c, const struct target *t, struct http_answer *a, enum http_result *result)
{
	const char *headers[2] = { NULL, NULL };
	size_t len = strlen(t->api_url);
	struct http_call call = {
		.headers = headers,
		.body = "{}",
		.outbound = { c->conf->outbound_allow.v, c->conf->outbound_allow.n },
		.tls = &(struct http_tls){ .ca_file = c->conf->outbound_ca_file },
		.connect_ms = CONNECT_MS,
		.total_ms = TOTAL_MS,
		.max = ANSWER_BYTES_MAX,
	};

	while (t->api_url[len - 1] == '/')
		len--;
	call.url = arena_printf(c->arena, "%.*s" HEARTBEAT, (int)len, t->api_url);
	if (t->api_key != NULL)
		headers[0] =
		    arena_printf(c->arena, "Authorization: AK-SK %s:%s", t->api_key, t->api_secret);
	if (call.url == NULL || (t->api_key != NULL && headers[0] == NULL))
		return cs_detail(&c->fault, CS_ENOMEM, "connection test");
	*result = http_call(&call, a);
	return CS_OK;
}

/* Why it failed, for data.error. */
static const char *
reason(char *buf, size_t size, enum lang lang, enum http_result result, const struct http_answer *a)
{
	static const enum msg_id texts[HTTP__MAX] = {
		[HTTP_REFUSED] = MSG_X_REFUSED,
		[HTTP_TIMEOUT] = MSG_X_TIMEOUT,
		[HTTP_FAILED] = MSG_X_FAILED,
	};

	if (result != HTTP_ANSWERED)
		return msg_render(buf, size, lang, texts[result], a->why);
	if (a->status / 100 != 2)
		return msg_render(buf, size, lang, MSG_X_STATUS, a->status);
	return msg_render(buf, size, lang, MSG_X_NO_JSON);
}

static enum cs_err
answer(struct ctx *c, const struct target *t, enum http_result result, const struct http_answer *a)
{
	struct jw *w = &c->res->w;
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;
	bool json = result == HTTP_ANSWERED && a->body.len > 0 && !buf_failed(&a->body) &&
		    jx_parse(a->body.data, a->body.len, &doc, &ignored) == CS_OK &&
		    jx_type(jx_root(doc)) == JX_OBJ;
	bool connected =
	    result == HTTP_ANSWERED && (t->api_key == NULL || (a->status / 100 == 2 && json));
	char why[512];

	jw_obj(w);
	jw_kbool(w, "connected", connected);
	if (result == HTTP_ANSWERED)
		jw_kint(w, "http_status", a->status);
	if (connected && json)
		jw_kraw(w, "parent_response", jx_text(jx_root(doc), c->arena));
	if (!connected)
		jw_kstr(w, "error", reason(why, sizeof(why), c->fault.lang, result, a));
	jw_obj_end(w);
	return res_ok(c, connected ? MSG_CONNECTED : MSG_NOT_CONNECTED);
}

enum cs_err
h_node_test(struct ctx *c)
{
	enum http_result result = HTTP_FAILED;
	auto_answer a = { 0 };
	struct target t = { 0 };
	auto_rows rows = { 0 };
	struct db_node node;

	TRY(db_node_get(c->db, c->conf, req_param(c, "id"), &rows, &node, &c->fault));
	TRY(read_target(c, &node, &t));
	TRY(call(c, &t, &a, &result));
	return answer(c, &t, result, &a);
}
