/* SPDX-License-Identifier: MIT */
/* JSON lines of an executor: records, what is none, and bytes that come in any portions. */
#include "agent/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const feeds[] = { "F1", "F2" };

/* What was called back, as text. */
struct seen {
	struct buf text;
};

static void
on_record(void *arg, const struct record *r)
{
	struct seen *s = arg;

	buf_printf(&s->text, "%d %s %s %d %lld %s %lld %s\n", r->type, r->feed_id,
	    r->article_id != NULL ? r->article_id : "-", r->success, (long long)r->article_count,
	    r->error, (long long)r->seconds, r->text);
	if (r->type == RECORD_ARTICLE)
		assert_non_null(jx_get(r->article, "id"));
}

static void
on_broken(void *arg, size_t number, const char *why)
{
	struct seen *s = arg;

	buf_printf(&s->text, "line %zu: %s\n", number, why);
}

static const struct lines_ops ops = { on_record, on_broken };

static void
expect_fed(const char *in, size_t step, const char *want)
{
	struct seen s = { 0 };
	struct lines l;
	size_t n = strlen(in);

	lines_init(&l, &ops, &s, feeds, ARRAY_LEN(feeds));
	for (size_t i = 0; i < n; i += step)
		lines_feed(&l, in + i, n - i < step ? n - i : step);
	lines_end(&l);
	lines_fini(&l);
	buf_puts(&s.text, "");
	if (strcmp(s.text.data != NULL ? s.text.data : "", want) != 0)
		fail_msg("in portions of %zu:\n%swant:\n%s", step, s.text.data, want);
	buf_free(&s.text);
}

static void
expect(const char *in, const char *want)
{
	expect_fed(in, 1, want);
	expect_fed(in, 7, want);
	expect_fed(in, strlen(in) + 1, want);
}

static void
test_records(void **state)
{
	(void)state;
	expect("", "");
	expect("\n\r\n\n", "");
	expect("{\"type\":\"article\",\"article\":{\"id\":\"a\",\"mp_id\":\"F1\"}}\n",
	    "0 F1 a 0 -1  0 \n");
	expect("{\"type\":\"result\",\"feed_id\":\"F2\",\"success\":true,\"article_count\":3}\r\n",
	    "1 F2 - 1 3  0 \n");
	expect("{\"type\":\"result\",\"feed_id\":\"F1\",\"success\":false,\"error\":\"甲\"}\n",
	    "1 F1 - 0 -1 甲 0 \n");
	expect("{\"type\":\"hold\",\"feed_id\":\"F1\",\"seconds\":60,\"reason\":\"r\"}\n"
	       "{\"type\":\"hold\",\"seconds\":5}\n",
	    "2 F1 - 0 -1  60 r\n2  - 0 -1  5 \n");
	expect("{\"type\":\"log\",\"message\":\"half way\"}\n", "3  - 0 -1  0 half way\n");
	/* the last line needs no newline */
	expect("{\"type\":\"log\",\"message\":\"m\"}", "3  - 0 -1  0 m\n");
}

static void
test_broken(void **state)
{
	(void)state;
	expect("x\n{\"type\":\"log\",\"message\":\"m\"}\n{\"type\":\"log\"",
	    "line 1: is not valid JSON: unexpected text, byte 1\n"
	    "3  - 0 -1  0 m\n"
	    "line 3: is not valid JSON: unexpected end of data, byte 14\n");
	expect("[]\n1\nnull\n{}\n{\"type\":1}\n{\"type\":\"x\"}\n",
	    "line 1: body: should be a JSON object\n"
	    "line 2: body: should be a JSON object\n"
	    "line 3: body: should be a JSON object\n"
	    "line 4: type: is required\n"
	    "line 5: type: has the wrong type, should be string\n"
	    "line 6: x: unknown type\n");
	expect("{\"type\":\"article\"}\n"
	       "{\"type\":\"article\",\"article\":{\"mp_id\":\"F1\"}}\n"
	       "{\"type\":\"article\",\"article\":{\"id\":\"a\"}}\n"
	       "{\"type\":\"article\",\"article\":{\"id\":\"a\",\"mp_id\":\"F3\"}}\n",
	    "line 1: article: is required\n"
	    "line 2: article.id: is required\n"
	    "line 3: article.mp_id: is required\n"
	    "line 4: F3: no feed of this task package\n");
	expect("{\"type\":\"result\",\"success\":true}\n"
	       "{\"type\":\"result\",\"feed_id\":\"F1\"}\n"
	       "{\"type\":\"result\",\"feed_id\":\"F3\",\"success\":true}\n"
	       "{\"type\":\"hold\",\"seconds\":0}\n",
	    "line 1: feed_id: is required\n"
	    "line 2: success: is required\n"
	    "line 3: F3: no feed of this task package\n"
	    "line 4: seconds: is out of range, should be 1 to 2592000\n");
}

static void
test_zero_byte(void **state)
{
	static const char in[] = "{\"type\":\"log\",\"message\":\"a\0b\"}\n";
	struct seen s = { 0 };
	struct lines l;

	(void)state;
	lines_init(&l, &ops, &s, NULL, 0);
	lines_feed(&l, in, sizeof(in) - 1);
	lines_end(&l);
	assert_non_null(strstr(s.text.data, "line 1: "));
	lines_fini(&l);
	buf_free(&s.text);
}

/* A line over the limit costs itself only, and no more memory than the limit. */
static void
test_too_long(void **state)
{
	static const char tail[] = "\n{\"type\":\"log\",\"message\":\"m\"}\n";
	static char block[1u << 20];
	struct seen s = { 0 };
	struct lines l;

	(void)state;
	memset(block, 'x', sizeof(block));
	lines_init(&l, &ops, &s, NULL, 0);
	for (int i = 0; i < 40; i++) {
		lines_feed(&l, block, sizeof(block));
		assert_true(l.line.size <= 2 * (size_t)LINES_MAX_BYTES);
	}
	lines_feed(&l, tail, sizeof(tail) - 1);
	lines_feed(&l, block, sizeof(block));
	lines_end(&l);
	assert_string_equal(s.text.data, "line 1: longer than 16 MiB, or no memory for it\n"
					 "3  - 0 -1  0 m\n"
					 "line 3: is not valid JSON: unexpected text, byte 1\n");
	lines_fini(&l);
	buf_free(&s.text);
}

/* An article just within the limit is taken. */
static void
test_long(void **state)
{
	static const char head[] =
	    "{\"type\":\"article\",\"article\":{\"id\":\"a\",\"mp_id\":\"F1\","
	    "\"content\":\"",
			  tail[] = "\"}}\n";
	size_t n = LINES_MAX_BYTES - sizeof(head) - sizeof(tail) + 3;
	char *fill = malloc(n);
	struct seen s = { 0 };
	struct lines l;

	(void)state;
	assert_non_null(fill);
	memset(fill, 'x', n);
	lines_init(&l, &ops, &s, NULL, 0);
	lines_feed(&l, head, sizeof(head) - 1);
	lines_feed(&l, fill, n);
	lines_feed(&l, tail, sizeof(tail) - 1);
	assert_string_equal(s.text.data, "0 F1 a 0 -1  0 \n");
	lines_fini(&l);
	buf_free(&s.text);
	free(fill);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
