/* SPDX-License-Identifier: MIT */
/*
 * The chat robots: by which host each is known, what it takes and how much of it, and how it says
 * that it did not. They answer 200 whatever they think of a message and tell it by a code.
 */
#include "agent/message_priv.h"

#include "base/parse.h"
#include "net/http_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_SIZE     256
#define BARK_TITLE    200 /* characters */
#define LATER_MAX     4
#define QUOTE_MAX     160 /* characters of an answer that are quoted */
#define HTTP_OK	      200
#define TOO_LONG_MARK "…"

static void
put_dingtalk(struct jw *w, const char *title, const char *text, size_t n)
{
	jw_obj(w);
	jw_kstr(w, "msgtype", "markdown");
	jw_key(w, "markdown");
	jw_obj(w);
	jw_kstr(w, "title", title);
	jw_key(w, "text");
	jw_strn(w, text, n);
	jw_obj_end(w);
	jw_kraw(w, "at", "{\"atMobiles\":[],\"isAtAll\":false}");
	jw_obj_end(w);
}

static void
put_feishu(struct jw *w, const char *title, const char *text, size_t n)
{
	jw_obj(w);
	jw_kstr(w, "msg_type", "interactive");
	jw_key(w, "card");
	jw_obj(w);
	jw_kraw(w, "config", "{\"wide_screen_mode\":true,\"enable_forward\":true}");
	jw_key(w, "elements");
	jw_arr(w);
	jw_obj(w);
	jw_kstr(w, "tag", "div");
	jw_key(w, "text");
	jw_obj(w);
	jw_key(w, "content");
	jw_strn(w, text, n);
	jw_kstr(w, "tag", "lark_md");
	jw_obj_end(w);
	jw_obj_end(w);
	jw_arr_end(w);
	jw_key(w, "header");
	jw_obj(w);
	jw_kstr(w, "template", "blue");
	jw_key(w, "title");
	jw_obj(w);
	jw_kstr(w, "content", title);
	jw_kstr(w, "tag", "plain_text");
	jw_obj_end(w);
	jw_obj_end(w);
	jw_obj_end(w);
	jw_obj_end(w);
}

static void
put_wecom(struct jw *w, const char *title cs_unused, const char *text, size_t n)
{
	jw_obj(w);
	jw_kstr(w, "msgtype", "markdown");
	jw_key(w, "markdown");
	jw_obj(w);
	jw_key(w, "content");
	jw_strn(w, text, n);
	jw_obj_end(w);
	jw_obj_end(w);
}

static void
put_bark(struct jw *w, const char *title, const char *text, size_t n)
{
	jw_obj(w);
	jw_key(w, "title");
	jw_strn(w, title, utf8_prefix(title, BARK_TITLE));
	jw_key(w, "markdown");
	jw_strn(w, text, n);
	jw_obj_end(w);
}

static void
put_custom(struct jw *w, const char *title, const char *text, size_t n)
{
	jw_obj(w);
	jw_kstr(w, "title", title);
	jw_key(w, "content");
	jw_strn(w, text, n);
	jw_obj_end(w);
}

static void
put_webhook(struct jw *w, const char *title cs_unused, const char *text, size_t n)
{
	buf_add(w->out, text, n);
}

/*
 * name: for logs; put: writes the body; text_max, body_max: bytes that are taken, 0: no bound;
 * code, code_too: the member of the answer that tells what became of it; taken: its value if all
 * is well; message: the member with the reason; later: codes after which the same message may do.
 */
static const struct robot {
	const char *name;
	void (*put)(struct jw *w, const char *title, const char *text, size_t n);
	size_t text_max, body_max;
	const char *code, *code_too, *message;
	int64_t taken, later[LATER_MAX];
} robots[MESSAGE__MAX] = {
	[MESSAGE_DINGTALK] = { "dingtalk", put_dingtalk, 0, 20000, "errcode", "errcode", "errmsg",
	    0, { -1, 130101, 410100 } },
	[MESSAGE_FEISHU] = { "feishu", put_feishu, 0, 20000, "code", "StatusCode", "msg", 0,
	    { 11232, 99991400 } },
	[MESSAGE_WECOM] = { "wecom", put_wecom, 4096, 0, "errcode", "errcode", "errmsg", 0,
	    { -1, 45009, 45033 } },
	/* A push notification as a whole has 4 KiB. */
	[MESSAGE_BARK] = { "bark", put_bark, 0, 3500, "code", "code", "message", HTTP_OK, { 0 } },
	[MESSAGE_CUSTOM] = { .name = "custom", .put = put_custom },
	[MESSAGE_WEBHOOK] = { .name = "webhook", .put = put_webhook },
};

const char *
message_kind_name(enum message_kind k)
{
	return robots[k].name;
}

/* ---- Who ---- */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), len = strlen(end);

	return n >= len && strcasecmp(s + n - len, end) == 0;
}

enum message_kind
robot_of(int64_t type, const char *url)
{
	/* Feishu also runs at companies' own hosts, as open.feishu.company.example. */
	static const struct {
		const char *begin, *end;
		enum message_kind kind;
	} hosts[] = {
		{ "oapi.dingtalk.com", "oapi.dingtalk.com", MESSAGE_DINGTALK },
		{ "open.feishu.", "", MESSAGE_FEISHU },
		{ "open.larksuite.com", "open.larksuite.com", MESSAGE_FEISHU },
		{ "qyapi.weixin.qq.com", "qyapi.weixin.qq.com", MESSAGE_WECOM },
		{ "", ".day.app", MESSAGE_BARK },
	};
	char host[HOST_SIZE];

	if (type == 1)
		return MESSAGE_WEBHOOK;
	if (!http_host(url, host, sizeof(host)))
		return MESSAGE_CUSTOM;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (strncasecmp(host, hosts[i].begin, strlen(hosts[i].begin)) == 0 &&
		    ends_with(host, hosts[i].end))
			return hosts[i].kind;
	}
	return MESSAGE_CUSTOM;
}

/* ---- What ---- */

/* At most MAX bytes of TEXT (more than that), whole characters, and whole lines where that does not
 * cost half of it. */
static size_t
cut_at(const char *text, size_t max)
{
	const char *newline;

	while (max > 0 && (text[max] & 0xc0) == 0x80)
		max--;
	newline = max > 0 ? memrchr(text, '\n', max) : NULL;
	return newline != NULL && newline - text >= (ptrdiff_t)(max / 2) ? (size_t)(newline - text)
									 : max;
}

/* The body with the first KEEP bytes of TEXT, marked where that is not all. */
static void
put_part(const struct robot *r, const char *title, const char *text, size_t keep, bool all,
    struct buf *body)
{
	struct buf part = { 0 };
	struct jw w;

	buf_reset(body);
	jw_init(&w, body);
	if (all) {
		r->put(&w, title, text, keep);
		return;
	}
	buf_add(&part, text, keep);
	buf_puts(&part, "\n" TOO_LONG_MARK);
	if (buf_failed(&part))
		body->failed = true;
	else
		r->put(&w, title, part.data, part.len);
	buf_free(&part);
}

void
robot_body(enum message_kind k, const char *title, const char *text, size_t n, struct buf *body)
{
	const struct robot *r = &robots[k];
	size_t mark = strlen("\n" TOO_LONG_MARK), keep = n, most;

	if (r->text_max > 0 && n > r->text_max)
		keep = cut_at(text, r->text_max - mark);
	put_part(r, title, text, keep, keep == n, body);
	while (r->body_max > 0 && body->len > r->body_max && keep > mark && !buf_failed(body)) {
		/* by the share that it is too long, which escapes in it make inexact */
		most = keep * r->body_max / body->len;
		keep = cut_at(text, most < keep - mark ? most : keep - mark);
		put_part(r, title, text, keep, false, body);
	}
}

/* ---- What became of it ---- */

static bool
is_passing(int status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

static enum message_verdict
judge_status(int status, char *why, size_t why_size)
{
	if (status >= 200 && status < 300)
		return MESSAGE_TAKEN;
	snprintf(why, why_size, "HTTP %d", status);
	return is_passing(status) ? MESSAGE_LATER : MESSAGE_REFUSED;
}

static enum message_verdict
judge_code(const struct robot *r, const struct jx *answer, char *why, size_t why_size)
{
	const struct jx *code = jx_get(answer, r->code);
	const char *message = jx_str(jx_get(answer, r->message));
	int64_t n;

	if (code == NULL)
		code = jx_get(answer, r->code_too);
	if (jx_type(code) != JX_INT) {
		snprintf(why, why_size, "the answer has no %s", r->code);
		return MESSAGE_LATER;
	}
	n = jx_int(code);
	if (n == r->taken)
		return MESSAGE_TAKEN;
	if (message == NULL)
		message = "";
	snprintf(why, why_size, "%s %lld: %.*s", r->code, (long long)n,
	    (int)utf8_prefix(message, QUOTE_MAX), message);
	for (size_t i = 0; i < LATER_MAX; i++) {
		if (n != 0 && n == r->later[i])
			return MESSAGE_LATER;
	}
	return r->taken == HTTP_OK && is_passing((int)n) ? MESSAGE_LATER : MESSAGE_REFUSED;
}

enum message_verdict
message_judge(
    enum message_kind k, int status, const char *body, size_t n, char *why, size_t why_size)
{
	struct fault f = { .lang = LANG_EN };
	struct jx_doc *doc;
	enum message_verdict verdict;

	why[0] = '\0';
	verdict = judge_status(status, why, why_size);
	/* Robots tell more by their code, also where the status is no good. */
	if (robots[k].code == NULL || is_passing(status))
		return verdict;
	if (n == 0 || jx_parse(body, n, &doc, &f) != CS_OK) {
		if (verdict != MESSAGE_TAKEN)
			return verdict;
		snprintf(why, why_size, "the answer is no JSON");
		return MESSAGE_LATER;
	}
	if (verdict == MESSAGE_TAKEN || jx_get(jx_root(doc), robots[k].code) != NULL)
		verdict = judge_code(&robots[k], jx_root(doc), why, why_size);
	jx_free(doc);
	return verdict;
}
