/* SPDX-License-Identifier: MIT */
/* Messages: WeRSS's own texts, the form each robot takes, headers, and what answers mean. */
#include "agent/message.h"

#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW    1735689600 /* 2025-01-01T00:00:00Z */
#define CUSTOM "http://robot.example/x"

static const char articles[] =
    "[{\"id\":\"1_1\",\"mp_id\":\"F1\",\"title\":\"一 \\\"引号\\\"\",\"url\":\"http://a/1\","
    "\"pic_url\":\"http://p/1\",\"description\":\"行\\n行\",\"content\":\"<p>\\t甲</p>\","
    "\"publish_time\":1735689600},"
    "{\"id\":\"1_2\",\"mp_id\":\"F1\",\"title\":\"二\",\"url\":\"http://a/2\","
    "\"publish_time\":1735693200}]";

/* A package of TYPE to URL, with more members (with a comma in front) and a template in JSON. */
static char *
package_of(int type, const char *url, const char *template, const char *more)
{
	char *text;

	assert_true(
	    asprintf(&text,
		"{\"task_id\":\"T1\",\"task_name\":\"任务\",\"message_type\":%d,"
		"\"web_hook_url\":\"%s\",\"message_template\":%s,\"cron_exp\":\"0 8 * * *\","
		"\"feeds\":[{\"id\":\"F0\",\"mp_name\":\"别的\"},{\"id\":\"F1\",\"mp_name\":\"甲"
		"\\\"乙\"}]%s}",
		type, url, template, more) > 0);
	return text;
}

static struct jx_doc *
parse(const char *text)
{
	struct fault f = { .lang = LANG_EN };
	struct jx_doc *doc = NULL;

	if (jx_parse(text, strlen(text), &doc, &f) != CS_OK)
		fail_msg("%s: %s", f.reason, text);
	return doc;
}

static enum cs_err
build(char *package, struct message *m, struct fault *f)
{
	struct jx_doc *p = parse(package), *a = parse(articles);
	const struct jx *list[] = { jx_at(jx_root(a), 0), jx_at(jx_root(a), 1) };
	enum cs_err err = message_build(jx_root(p), "F1", list, 2, NOW, m, f);

	jx_free(p);
	jx_free(a);
	free(package);
	return err;
}

static void
expect_body(char *package, enum message_kind kind, const char *want)
{
	struct fault f = { .lang = LANG_EN };
	struct message m;

	if (build(package, &m, &f) != CS_OK)
		fail_msg("%s: %s", f.field, f.reason);
	assert_int_equal(m.kind, kind);
	assert_string_equal(m.body.data, want);
	assert_string_equal(m.headers[0], "Content-Type: application/json");
	assert_null(m.headers[1]);
	message_free(&m);
}

#define CHAT                                                                                            \
	"### 甲\\\"乙 订阅消息：\\n- [**一 \\\"引号\\\"**](http://a/1) (2025-01-01 00:00:00)" \
	"\\\\n\\n- [**二**](http://a/2) (2025-01-01 01:00:00)\\\\n"

static void
test_robots(void **state)
{
	(void)state;
	expect_body(
	    package_of(0, "https://oapi.dingtalk.com/robot/send?access_token=s", "\"\"", ""),
	    MESSAGE_DINGTALK,
	    "{\"msgtype\":\"markdown\",\"markdown\":{\"title\":\"任务\",\"text\":\"" CHAT
	    "\"},\"at\":{\"atMobiles\":[],\"isAtAll\":false}}");
	expect_body(package_of(0, "https://open.feishu.cn/open-apis/bot/v2/hook/s", "null", ""),
	    MESSAGE_FEISHU,
	    "{\"msg_type\":\"interactive\",\"card\":{\"config\":{\"wide_screen_mode\":true,"
	    "\"enable_forward\":true},\"elements\":[{\"tag\":\"div\",\"text\":{\"content\":\"" CHAT
	    "\",\"tag\":\"lark_md\"}}],\"header\":{\"template\":\"blue\",\"title\":{\"content\":"
	    "\"任务\",\"tag\":\"plain_text\"}}}}");
	expect_body(
	    package_of(0, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=s", "\"\"", ""),
	    MESSAGE_WECOM, "{\"msgtype\":\"markdown\",\"markdown\":{\"content\":\"" CHAT "\"}}");
	expect_body(package_of(0, "https://api.day.app/s", "\"\"", ""), MESSAGE_BARK,
	    "{\"title\":\"任务\",\"markdown\":\"" CHAT "\"}");
	expect_body(package_of(0, CUSTOM, "\"\"", ""), MESSAGE_CUSTOM,
	    "{\"title\":\"任务\",\"content\":\"" CHAT "\"}");
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *url;
		enum message_kind kind;
	} rows[] = {
		{ "https://OAPI.dingtalk.com:443/robot", MESSAGE_DINGTALK },
		{ "https://open.larksuite.com/open-apis/bot/v2/hook/x", MESSAGE_FEISHU },
		{ "https://open.feishu.company.example/hook", MESSAGE_FEISHU },
		{ "http://relay.example/?to=qyapi.weixin.qq.com", MESSAGE_CUSTOM },
		{ "http://relay.example/oapi.dingtalk.com", MESSAGE_CUSTOM },
		{ "http://oapi.dingtalk.com.example/", MESSAGE_CUSTOM },
		{ "http://notday.app/", MESSAGE_CUSTOM },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { .lang = LANG_EN };
		struct message m;

		assert_int_equal(build(package_of(0, rows[i].url, "\"x\"", ""), &m, &f), CS_OK);
		assert_string_equal(message_kind_name(m.kind), message_kind_name(rows[i].kind));
		assert_string_equal(m.url, rows[i].url);
		message_free(&m);
	}
}

/* The default of a webhook is JSON whatever is in the texts. */
static void
test_webhook_default(void **state)
{
	struct fault f = { .lang = LANG_EN };
	struct message m;
	struct jx_doc *doc;
	const struct jx *root, *first;

	(void)state;
	assert_int_equal(build(package_of(1, CUSTOM, "\"\"", ""), &m, &f), CS_OK);
	assert_int_equal(m.kind, MESSAGE_WEBHOOK);
	doc = parse(m.body.data);
	root = jx_root(doc);
	assert_string_equal(jx_str(jx_get(jx_get(root, "feed"), "name")), "甲\"乙");
	assert_string_equal(jx_str(jx_get(jx_get(root, "task"), "name")), "任务");
	assert_string_equal(jx_str(jx_get(root, "now")), "2025-01-01 00:00:00");
	assert_int_equal(jx_len(jx_get(root, "articles")), 2);
	first = jx_at(jx_get(root, "articles"), 0);
	assert_string_equal(jx_str(jx_get(first, "title")), "一 \"引号\"");
	assert_string_equal(jx_str(jx_get(first, "description")), "行\n行");
	assert_string_equal(jx_str(jx_get(first, "publish_time")), "2025-01-01 00:00:00");
	assert_string_equal(jx_str(jx_get(jx_at(jx_get(root, "articles"), 1), "pic_url")), "");
	jx_free(doc);
	message_free(&m);
}

static void
test_templates(void **state)
{
	struct fault f = { .lang = LANG_EN };
	struct message m;

	(void)state;
	expect_body(
	    package_of(1, CUSTOM,
		"\"{% for a in articles %}{{ a.content }}{% endfor %}|{{ task.cron_exp }}\"", ""),
	    MESSAGE_WEBHOOK, "<p>\\t甲</p>\n|0 8 * * *");
	assert_int_equal(build(package_of(1, CUSTOM, "\"a\\n{{ }}\"", ""), &m, &f), CS_EINVALID);
	assert_string_equal(f.field, "message_template");
	assert_string_equal(f.reason, "line 2, column 4: an expression is missing here");
}

static void
test_no_feed(void **state)
{
	struct fault f = { .lang = LANG_EN };
	struct jx_doc *p = parse("{\"message_type\":1,\"web_hook_url\":\"http://x/\","
				 "\"message_template\":\"{{ feed.id }}{{ task.id }}.\"}");
	struct message m;

	(void)state;
	assert_int_equal(message_build(jx_root(p), NULL, NULL, 0, NOW, &m, &f), CS_OK);
	assert_string_equal(m.body.data, ".");
	message_free(&m);
	jx_free(p);
}

/* Many times X with a line end each, as a template. */
static char *
long_template(const char *x, int n)
{
	struct buf b = { 0 };

	buf_putc(&b, '"');
	while (n-- > 0)
		buf_printf(&b, "%s\\n", x);
	buf_putc(&b, '"');
	return b.data;
}

static void
expect_cut(const char *url, const char *line, size_t max, size_t text_max)
{
	struct fault f = { .lang = LANG_EN };
	struct message m;
	char *template = long_template(line, 20000);
	const struct jx *text;
	struct jx_doc *doc;

	assert_int_equal(build(package_of(0, url, template, ""), &m, &f), CS_OK);
	assert_in_range(m.body.len, max / 2, max);
	doc = parse(m.body.data);
	assert_true(parse_is_utf8(m.body.data, m.body.len));
	if (text_max > 0) {
		text = jx_get(jx_get(jx_root(doc), "markdown"), "content");
		assert_in_range(jx_str_len(text), text_max - 200, text_max);
		assert_string_equal(jx_str(text) + jx_str_len(text) - 4, "\n…");
	}
	jx_free(doc);
	message_free(&m);
	free(template);
}

static void
test_too_long(void **state)
{
	(void)state;
	expect_cut("https://qyapi.weixin.qq.com/x", "- 一篇文章 \\\"引号\\\"", 8192, 4096);
	expect_cut("https://qyapi.weixin.qq.com/x", "字", 8192, 4096);
	expect_cut("https://oapi.dingtalk.com/x", "- 一篇文章 \\\"引号\\\"", 20000, 0);
	expect_cut("https://open.feishu.cn/x", "字", 20000, 0);
	expect_cut("https://api.day.app/x", "\\\"\\\"\\\"\\\"", 3500, 0);
}

static void
expect_headers(const char *more, const char *const want[])
{
	struct fault f = { .lang = LANG_EN };
	struct message m;
	size_t i = 0;

	if (build(package_of(1, CUSTOM, "\"x\"", more), &m, &f) != CS_OK)
		fail_msg("%s: %s", f.field, f.reason);
	for (; want[i] != NULL; i++) {
		assert_non_null(m.headers[i]);
		assert_string_equal(m.headers[i], want[i]);
	}
	assert_null(m.headers[i]);
	message_free(&m);
}

static void
test_headers(void **state)
{
	static const char json[] = "Content-Type: application/json";

	(void)state;
	expect_headers(",\"headers\":null,\"cookies\":\"\"", (const char *[]){ json, NULL });
	expect_headers(",\"headers\":\"\",\"cookies\":null", (const char *[]){ json, NULL });
	expect_headers(",\"headers\":\"null\"", (const char *[]){ json, NULL });
	expect_headers(",\"headers\":\"{\\\"X-Token\\\": \\\"甲 乙\\\", \\\"X-N\\\": 5, "
		       "\\\"X-E\\\": \\\"\\\"}\"",
	    (const char *[]){ "X-Token: 甲 乙", "X-N: 5", json, NULL });
	expect_headers(",\"headers\":{\"content-type\":\"text/plain\"}",
	    (const char *[]){ "content-type: text/plain", NULL });
	expect_headers(",\"cookies\":\" k=v;k2=v=2 ; ;k3=\"",
	    (const char *[]){ "Cookie: k=v; k2=v=2; k3=", json, NULL });
}

static void
test_headers_refused(void **state)
{
	static const struct {
		const char *more, *field, *reason;
	} rows[] = {
		{ ",\"headers\":\"{\\\"A\\\": \\\"x\\\\r\\\\nB: y\\\"}\"", "headers",
		    "has the header \"A\"" },
		{ ",\"headers\":\"{\\\"A\\\": \\\"x\\\\ny\\\"}\"", "headers",
		    "has the header \"A\"" },
		{ ",\"headers\":\"{\\\"A: b\\\": \\\"x\\\"}\"", "headers",
		    "has the header \"A: b\"" },
		{ ",\"headers\":\"{\\\"A\\\\r\\\\nB\\\": \\\"x\\\"}\"", "headers",
		    "has the header" },
		{ ",\"headers\":\"{\\\"\\\": \\\"x\\\"}\"", "headers", "has the header \"\"" },
		{ ",\"headers\":\"{\\\"content-length\\\": \\\"5\\\"}\"", "headers",
		    "content-length" },
		{ ",\"headers\":\"{\\\"Transfer-Encoding\\\": \\\"chunked\\\"}\"", "headers",
		    "Transfer-Encoding" },
		{ ",\"headers\":\"{\\\"A\\\": [1]}\"", "headers", "has the header \"A\"" },
		{ ",\"headers\":\"[1]\"", "headers", "should be a JSON object" },
		{ ",\"headers\":\"A: b\"", "headers", "is not valid JSON" },
		{ ",\"cookies\":\"k\"", "cookies", "should be of the form" },
		{ ",\"cookies\":\"k=v\\r\\nA: b\"", "cookies", "should be of the form" },
		{ ",\"cookies\":\"a b=c\"", "cookies", "should be of the form" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { .lang = LANG_EN };
		struct message m;

		if (build(package_of(1, CUSTOM, "\"x\"", rows[i].more), &m, &f) != CS_EINVALID)
			fail_msg("taken: %s", rows[i].more);
		assert_string_equal(f.field, rows[i].field);
		if (strstr(f.reason, rows[i].reason) == NULL)
			fail_msg("%s: %s", rows[i].more, f.reason);
	}
}

static void
test_refused(void **state)
{
	struct fault f = { .lang = LANG_EN };
	struct message m;

	(void)state;
	assert_int_equal(build(package_of(2, CUSTOM, "\"\"", ""), &m, &f), CS_EINVALID);
	assert_string_equal(f.field, "message_type");
	assert_int_equal(build(package_of(0, "", "\"\"", ""), &m, &f), CS_EINVALID);
	assert_string_equal(f.field, "web_hook_url");
	assert_int_equal(build(package_of(0, "ftp://x/", "\"\"", ""), &m, &f), CS_EINVALID);
	assert_string_equal(f.field, "web_hook_url");
	/* no secret of the URL gets into what is logged */
	assert_int_equal(
	    build(package_of(0, "http://x/ ?key=secret", "\"\"", ""), &m, &f), CS_EINVALID);
	assert_null(strstr(f.reason, "secret"));
	assert_null(strstr(f.detail, "secret"));
}

static void
test_wanted(void **state)
{
	struct jx_doc *with = parse("{\"web_hook_url\":\"http://x/\"}"),
		      *empty = parse("{\"web_hook_url\":\"\"}"),
		      *null = parse("{\"web_hook_url\":null}");

	(void)state;
	assert_true(message_wanted(jx_root(with), 1));
	assert_false(message_wanted(jx_root(with), 0));
	assert_false(message_wanted(jx_root(empty), 1));
	assert_false(message_wanted(jx_root(null), 1));
	jx_free(with);
	jx_free(empty);
	jx_free(null);
}

static void
test_answers(void **state)
{
	static const struct {
		enum message_kind kind;
		int status;
		const char *body;
		enum message_verdict verdict;
		const char *why;
	} rows[] = {
		{ MESSAGE_DINGTALK, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", MESSAGE_TAKEN, "" },
		{ MESSAGE_DINGTALK, 200,
		    "{\"errcode\":310000,\"errmsg\":\"keywords not in content\"}", MESSAGE_REFUSED,
		    "errcode 310000: keywords not in content" },
		{ MESSAGE_DINGTALK, 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}",
		    MESSAGE_LATER, "errcode 130101: send too fast" },
		{ MESSAGE_DINGTALK, 200, "<html>", MESSAGE_LATER, "the answer is no JSON" },
		{ MESSAGE_DINGTALK, 200, "", MESSAGE_LATER, "the answer is no JSON" },
		{ MESSAGE_DINGTALK, 200, "{}", MESSAGE_LATER, "the answer has no errcode" },
		{ MESSAGE_DINGTALK, 503, "", MESSAGE_LATER, "HTTP 503" },
		{ MESSAGE_WECOM, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", MESSAGE_TAKEN, "" },
		{ MESSAGE_WECOM, 200, "{\"errcode\":93000,\"errmsg\":\"invalid webhook url\"}",
		    MESSAGE_REFUSED, "errcode 93000: invalid webhook url" },
		{ MESSAGE_WECOM, 200, "{\"errcode\":45009,\"errmsg\":\"freq\"}", MESSAGE_LATER,
		    "errcode 45009: freq" },
		{ MESSAGE_FEISHU, 200, "{\"code\":0,\"msg\":\"success\",\"StatusCode\":0}",
		    MESSAGE_TAKEN, "" },
		{ MESSAGE_FEISHU, 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\"}",
		    MESSAGE_TAKEN, "" },
		{ MESSAGE_FEISHU, 200, "{\"code\":19024,\"msg\":\"Key Words Not Found\"}",
		    MESSAGE_REFUSED, "code 19024: Key Words Not Found" },
		{ MESSAGE_FEISHU, 400, "{\"code\":99991400,\"msg\":\"frequency\"}", MESSAGE_LATER,
		    "code 99991400: frequency" },
		{ MESSAGE_FEISHU, 400, "{\"code\":9499,\"msg\":\"Bad Request\"}", MESSAGE_REFUSED,
		    "code 9499: Bad Request" },
		{ MESSAGE_FEISHU, 404, "{}", MESSAGE_REFUSED, "HTTP 404" },
		{ MESSAGE_BARK, 200, "{\"code\":200,\"message\":\"success\"}", MESSAGE_TAKEN, "" },
		{ MESSAGE_BARK, 400, "{\"code\":400,\"message\":\"failed to get device token\"}",
		    MESSAGE_REFUSED, "code 400: failed to get device token" },
		{ MESSAGE_BARK, 200, "{\"code\":500,\"message\":\"push failed\"}", MESSAGE_LATER,
		    "code 500: push failed" },
		{ MESSAGE_CUSTOM, 204, "", MESSAGE_TAKEN, "" },
		{ MESSAGE_CUSTOM, 200, "{\"errcode\":1}", MESSAGE_TAKEN, "" },
		{ MESSAGE_CUSTOM, 302, "", MESSAGE_REFUSED, "HTTP 302" },
		{ MESSAGE_WEBHOOK, 201, "created", MESSAGE_TAKEN, "" },
		{ MESSAGE_WEBHOOK, 429, "", MESSAGE_LATER, "HTTP 429" },
		{ MESSAGE_WEBHOOK, 401, "", MESSAGE_REFUSED, "HTTP 401" },
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (message_judge(rows[i].kind, rows[i].status, rows[i].body, strlen(rows[i].body),
			why, sizeof(why)) != rows[i].verdict)
			fail_msg("%s %s: %s", message_kind_name(rows[i].kind), rows[i].body, why);
		assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_robots),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_webhook_default),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_no_feed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_headers_refused),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_answers),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
