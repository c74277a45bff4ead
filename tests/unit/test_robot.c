/* SPDX-License-Identifier: MIT */
/* What robots are sent, signatures against values reckoned elsewhere, and what their answers mean.
 */
#include "net/robot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1577262236757)

static const struct robot_event event = { "node_offline", "n1", "a \"text\"", false, 7 };

static void
test_requests(void **state)
{
	/* printf 'MS\nSECRET' | openssl dgst -sha256 -hmac SECRET -binary | base64, and the like */
	static const struct {
		struct robot robot;
		const char *url, *body, *signature;
	} rows[] = {
		{ { "dingtalk", "https://d/send?access_token=x", "" },
		    "https://d/send?access_token=x",
		    "{\"msgtype\":\"text\",\"text\":{\"content\":\"a \\\"text\\\"\"}}", "" },
		{ { "dingtalk", "https://d/send?access_token=x", "this is secret" },
		    "https://d/send?access_token=x&timestamp=1577262236757&sign="
		    "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D",
		    "{\"msgtype\":\"text\",\"text\":{\"content\":\"a \\\"text\\\"\"}}", "" },
		{ { "feishu", "https://f/hook/x", "" }, "https://f/hook/x",
		    "{\"msg_type\":\"text\",\"content\":{\"text\":\"a \\\"text\\\"\"}}", "" },
		{ { "feishu", "https://f/hook/x", "this is secret" }, "https://f/hook/x",
		    "{\"msg_type\":\"text\",\"content\":{\"text\":\"a \\\"text\\\"\"},"
		    "\"timestamp\":\"1577262236\",\"sign\":\"RAfCltg8rVdmpPK5kCz1M40hrj/YzGYnkc/"
		    "3vXwYNts=\"}",
		    "" },
		{ { "wecom", "https://w/send?key=x", "ignored" }, "https://w/send?key=x",
		    "{\"msgtype\":\"text\",\"text\":{\"content\":\"a \\\"text\\\"\"}}", "" },
		{ { "json", "https://j/", "this is secret" }, "https://j/",
		    "{\"source\":\"cascade\",\"text\":\"a \\\"text\\\"\",\"events\":[{\"event\":"
		    "\"node_offline\",\"recovered\":false,\"subject\":\"n1\",\"text\":\"a "
		    "\\\"text\\\"\",\"time\":7}]}",
		    "X-Cascade-Signature: t=1577262236,v1="
		    "682646bffdffeb3255cbd813e13f97800d971c7bd11209846e520fc0aa773d22" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_request r = { 0 };

		assert_true(robot_write(&r, &rows[i].robot, event.text, &event, 1, NOW_MS));
		assert_string_equal(r.url.data, rows[i].url);
		assert_string_equal(r.body.data, rows[i].body);
		assert_string_equal(r.signature, rows[i].signature);
	}
}

static void
test_answers(void **state)
{
	static const struct {
		const char *format;
		int status;
		const char *body, *why; /* NULL: taken */
	} rows[] = {
		{ "dingtalk", 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", NULL },
		{ "dingtalk", 200, "{\"errcode\":310000,\"errmsg\":\"sign\\nnot match\"}",
		    "errcode 310000: sign not match" },
		{ "dingtalk", 200, "{\"errmsg\":\"ok\"}", "an answer without errcode" },
		{ "dingtalk", 200, "{\"errcode\":\"0\"}", "an answer without errcode" },
		{ "dingtalk", 200, "<html>", "HTTP 200, an answer that is no JSON" },
		{ "dingtalk", 200, "", "HTTP 200" },
		{ "dingtalk", 502, "", "HTTP 502" },
		{ "wecom", 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", NULL },
		{ "wecom", 200, "{\"errcode\":45009,\"errmsg\":\"api freq out of limit\"}",
		    "errcode 45009: api freq out of limit" },
		{ "feishu", 200, "{\"code\":0,\"msg\":\"success\",\"data\":{}}", NULL },
		{ "feishu", 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\"}", NULL },
		{ "feishu", 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\",\"code\":0}",
		    NULL },
		{ "feishu", 400, "{\"code\":19021,\"msg\":\"sign match fail\"}",
		    "code 19021: sign match fail" },
		{ "json", 204, "", NULL },
		{ "json", 200, "anything", NULL },
		{ "json", 302, "", "HTTP 302" },
		{ "json", 500, "{\"errcode\":0}", "HTTP 500" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct robot robot = { rows[i].format, "https://x/", "" };
		auto_answer a = { .status = rows[i].status };
		char why[256];
		bool taken;

		buf_puts(&a.body, rows[i].body);
		taken = robot_accepted(&robot, HTTP_ANSWERED, &a, why, sizeof(why));
		assert_string_equal(why, rows[i].why != NULL ? rows[i].why : "");
		assert_int_equal(taken, rows[i].why == NULL);
	}
}

static void
test_no_answer(void **state)
{
	struct robot robot = { "wecom", "https://x/", "" };
	struct http_answer a = { .why = "no route" };
	char why[64];

	(void)state;
	assert_false(robot_accepted(&robot, HTTP_TIMEOUT, &a, why, sizeof(why)));
	assert_string_equal(why, "no answer in time");
	assert_false(robot_accepted(&robot, HTTP_FAILED, &a, why, sizeof(why)));
	assert_string_equal(why, "no route");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_no_answer),
	};

	return cmocka_run_group_tests_name("robot", tests, NULL, NULL);
}
