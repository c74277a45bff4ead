/* SPDX-License-Identifier: MIT */
/*
 * Requests to the site, and what its answers mean. The login's cookie and token go with lists only:
 * articles are public. Pages are fetched from the site itself and nowhere else, whatever the list
 * names: its links are the site's, and this machine may be able to reach more than its operator
 * would show to others.
 */
#include "agent/wechat_priv.h"

#include "agent/html.h"
#include "base/parse.h"
#include "net/http_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX_BYTES (4u << 20)
#define USER_AGENT                                                                                 \
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "        \
	"Chrome/114.0.0.0 Safari/537.36"
#define QUOTE_MAX 120 /* characters of the site's words */

struct base_resp {
	int64_t ret;
	const char *err_msg;
};

static const struct jx_field base_fields[] = {
	{ "ret", JX_INT, JX_REQUIRED, offsetof(struct base_resp, ret), 0, 0 },
	{ "err_msg", JX_STR, 0, offsetof(struct base_resp, err_msg), 0, 0 },
};

static enum site_result
fail(struct fault *f, enum site_result result, enum msg_id msg)
{
	cs_fail(f, CS_EIO, msg);
	return result;
}

static enum http_result
get(const struct wechat_conf *c, const char *url, const char *const *headers, size_t max,
    struct http_answer *a)
{
	struct http_call call = {
		.method = HTTP_GET,
		.url = url,
		.headers = headers,
		.anywhere = true,
		.tls = c->tls,
		.connect_ms = c->connect_ms,
		.total_ms = c->total_ms,
		.max = max,
	};

	return http_call(&call, a);
}

/* ---- Lists ---- */

/* S as a query has it. */
static void
add_escaped(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		bool plain = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') ||
			     (*s >= 'A' && *s <= 'Z') || strchr("-._~", *s) != NULL;

		if (plain)
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

static void
add_list_url(const struct wechat_conf *c, const char *faker_id, int64_t page, struct buf *url)
{
	size_t n = strlen(c->base_url);

	while (n > 0 && c->base_url[n - 1] == '/')
		n--;
	buf_add(url, c->base_url, n);
	buf_printf(url, "/cgi-bin/appmsg?action=list_ex&begin=%lld&count=%d&fakeid=",
	    (long long)page * LIST_COUNT, LIST_COUNT);
	add_escaped(url, faker_id);
	buf_puts(url, "&type=9&token=");
	add_escaped(url, c->token);
	buf_puts(url, "&lang=zh_CN&f=json&ajax=1");
}

static enum site_result
judge_ret(const struct base_resp *b, struct fault *f)
{
	static const struct {
		int64_t ret;
		enum site_result result;
	} known[] = {
		{ 0, SITE_OK },
		{ 200003, SITE_EXPIRED }, /* invalid session */
		{ 200040, SITE_EXPIRED }, /* the token is not the session's */
		{ 200013, SITE_LIMITED },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].ret == b->ret)
			return known[i].result;
	}
	cs_fail(f, CS_EIO, MSG_X_RET, (long long)b->ret, (int)utf8_prefix(b->err_msg, QUOTE_MAX),
	    b->err_msg);
	return SITE_FAILED;
}

static enum site_result
judge_list(const struct buf *body, struct jx_doc **doc, struct fault *f)
{
	struct base_resp b = { .err_msg = "" };
	struct fault ignored = { 0 };
	enum site_result result;

	if (body->len == 0 || jx_parse(body->data, body->len, doc, &ignored) != CS_OK)
		return fail(f, SITE_FAILED, MSG_X_NO_JSON);
	if (jx_read(jx_get(jx_root(*doc), "base_resp"), base_fields, ARRAY_LEN(base_fields), &b,
		NULL, "", &ignored) == CS_OK)
		result = judge_ret(&b, f);
	else
		result = fail(f, SITE_FAILED, MSG_X_NO_JSON);
	if (result != SITE_OK)
		jx_free(*doc);
	return result;
}

static enum site_result
judge_status(int status, struct fault *f)
{
	if (status == 200)
		return SITE_OK;
	cs_fail(f, CS_EIO, MSG_X_STATUS, status);
	return status == 408 || status == 429 || status >= 500 ? SITE_LATER : SITE_FAILED;
}

static enum site_result
judge_call(enum http_result res, const struct http_answer *a, struct fault *f)
{
	if (res == HTTP_ANSWERED)
		return judge_status(a->status, f);
	if (res == HTTP_TIMEOUT)
		return fail(f, SITE_LATER, MSG_X_TIMEOUT);
	cs_fail(f, CS_EIO, MSG_X_FAILED, a->why);
	return SITE_LATER;
}

enum site_result
site_list(const struct wechat_conf *c, const char *faker_id, int64_t page, struct jx_doc **doc,
    struct fault *f)
{
	struct buf url = { 0 }, cookie = { 0 }, agent = { 0 }, referer = { 0 };
	enum site_result result = SITE_LATER;
	auto_answer a = { 0 };

	add_list_url(c, faker_id, page, &url);
	buf_printf(&cookie, "Cookie: %s", c->cookie);
	buf_printf(&agent, "User-Agent: %s", *c->user_agent != '\0' ? c->user_agent : USER_AGENT);
	buf_printf(&referer, "Referer: %s", c->base_url);
	if (buf_failed(&url) || buf_failed(&cookie) || buf_failed(&agent) || buf_failed(&referer)) {
		cs_fail(f, CS_ENOMEM, MSG_NONE);
	} else {
		const char *const headers[] = { cookie.data, agent.data, referer.data,
			"Accept: application/json", NULL };

		result = judge_call(get(c, url.data, headers, LIST_MAX_BYTES, &a), &a, f);
	}
	if (result == SITE_OK)
		result = judge_list(&a.body, doc, f);
	buf_free(&url);
	buf_free(&cookie);
	buf_free(&agent);
	buf_free(&referer);
	return result;
}

/* ---- Pages ---- */

/* Skips "http:" or "https:" and the slashes. NULL: it is no such address. */
static const char *
after_scheme(const char *url)
{
	static const char *const schemes[] = { "https://", "http://", "//" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url + strlen(schemes[i]);
	}
	return NULL;
}

bool
site_resolve(const char *base_url, const char *link, struct buf *out)
{
	const char *base = after_scheme(base_url), *host = after_scheme(link), *path = link;
	size_t n, host_n;

	if (base == NULL)
		return false;
	n = strcspn(base, ":/?#");
	if (host != NULL) {
		host_n = strcspn(host, ":/?#@");
		if (host_n != n || strncasecmp(host, base, n) != 0 || host[host_n] == '@')
			return false;
		path = host + strcspn(host, "/?#");
	} else if (*link != '/') {
		return false;
	}
	buf_add(out, base_url, (size_t)(base - base_url) + strcspn(base, "/?#"));
	if (*path != '/')
		buf_putc(out, '/');
	buf_add(out, path, strcspn(path, "#"));
	return !buf_failed(out) && parse_is_http_url(out->data, out->len);
}

static bool
wants_verification(const struct buf *page)
{
	static const char words[] = "当前环境异常，完成验证后即可继续访问";

	return page->len > 0 && memmem(page->data, page->len, words, sizeof(words) - 1) != NULL;
}

static enum page_result
judge_page(
    enum http_result res, const struct http_answer *a, struct buf *out, char *why, size_t why_size)
{
	if (res != HTTP_ANSWERED)
		snprintf(why, why_size, "%s", res == HTTP_TIMEOUT ? "timed out" : a->why);
	else if (a->status != 200)
		snprintf(why, why_size, "HTTP %d", a->status);
	else if (a->body.len > 0 && html_content(a->body.data, a->body.len, out))
		return PAGE_OK;
	else if (wants_verification(&a->body))
		return PAGE_VERIFY;
	else
		snprintf(why, why_size, "no content in it");
	return PAGE_NONE;
}

enum page_result
site_page(
    const struct wechat_conf *c, const char *link, struct buf *out, char *why, size_t why_size)
{
	struct buf url = { 0 }, agent = { 0 };
	enum page_result result = PAGE_ELSEWHERE;
	auto_answer a = { 0 };

	why[0] = '\0';
	buf_printf(&agent, "User-Agent: %s", *c->user_agent != '\0' ? c->user_agent : USER_AGENT);
	if (site_resolve(c->base_url, link, &url) && !buf_failed(&agent)) {
		const char *const headers[] = { agent.data, "Accept: text/html",
			"Accept-Language: zh-CN,zh;q=0.9", NULL };

		result = judge_page(
		    get(c, url.data, headers, HTML_MAX_BYTES, &a), &a, out, why, why_size);
	}
	buf_free(&url);
	buf_free(&agent);
	return result;
}
