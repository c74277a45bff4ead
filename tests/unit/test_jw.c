/* SPDX-License-Identifier: MIT */
/* The JSON writer: commas at every level, escapes, numbers, failure of the buffer. */
#include "json/jw.h"
#include "base/clock.h"
#include "json/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
test_structure(void **state)
{
	struct buf b = { 0 };
	struct jw w;

	(void)state;
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kint(&w, "code", 200);
	jw_kstr(&w, "message", "success");
	jw_kstr(&w, "none", NULL);
	jw_key(&w, "list");
	jw_arr(&w);
	jw_int(&w, 1);
	jw_obj(&w);
	jw_obj_end(&w);
	jw_arr(&w);
	jw_arr_end(&w);
	jw_arr(&w);
	jw_null(&w);
	jw_bool(&w, true);
	jw_arr_end(&w);
	jw_str(&w, "x");
	jw_arr_end(&w);
	jw_kbool(&w, "flag", false);
	jw_knull(&w, "nil");
	jw_kraw(&w, "raw", "{\"a\":1}");
	jw_kraw(&w, "raw_null", NULL);
	jw_kraw(&w, "raw_empty", "");
	jw_obj_end(&w);
	assert_false(buf_failed(&b));
	assert_string_equal(b.data,
	    "{\"code\":200,\"message\":\"success\",\"none\":null,"
	    "\"list\":[1,{},[],[null,true],\"x\"],\"flag\":false,\"nil\":null,"
	    "\"raw\":{\"a\":1},\"raw_null\":null,\"raw_empty\":null}");
	buf_free(&b);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *out;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "plain", 5, "\"plain\"" },
		{ "a/b", 3, "\"a/b\"" },
		{ "\"\\", 2, "\"\\\"\\\\\"" },
		{ "\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
		{ "公众号", 9, "\"公众号\"" },
		{ "😀", 4, "\"😀\"" },
		{ "\xff", 1, "\"\xef\xbf\xbd\"" },
		{ "a\xe4\xb8", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80z", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" },
		{ "中\"文\n", 8, "\"中\\\"文\\n\"" },
	};
	struct buf b = { 0 };
	struct jw w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		jw_init(&w, &b);
		jw_strn(&w, cases[i].in, cases[i].n);
		assert_string_equal(b.data, cases[i].out);
	}
	buf_reset(&b);
	jw_init(&w, &b);
	jw_obj(&w);
	jw_kint(&w, "a\"b\n", 1);
	jw_obj_end(&w);
	assert_string_equal(b.data, "{\"a\\\"b\\n\":1}");
	buf_free(&b);
}

static void
test_integers(void **state)
{
	static const int64_t cases[] = { 0, 1, -1, 9, 10, -10, 1234567890123, INT64_MAX, INT64_MIN,
		INT32_MIN };
	struct buf b = { 0 };
	struct jw w;
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		jw_init(&w, &b);
		jw_int(&w, cases[i]);
		snprintf(text, sizeof(text), "%lld", (long long)cases[i]);
		assert_string_equal(b.data, text);
	}
	buf_free(&b);
}

static void
test_failure(void **state)
{
	struct buf b = { .cap = 10 };
	struct jw w;

	(void)state;
	jw_init(&w, &b);
	jw_arr(&w);
	jw_str(&w, "longer than ten");
	jw_arr_end(&w);
	assert_true(buf_failed(&b));
	buf_free(&b);
}

/* Not a benchmark, but a list of 10,000 feeds must not take longer than a request may. */
static void
test_long_list(void **state)
{
	static const char text[] = "一个公众号的简介，some text and \"quotes\", 再加一些中文字符。";
	struct buf b = { 0 };
	struct jw w;
	int64_t start = clock_mono_ms();

	(void)state;
	jw_init(&w, &b);
	jw_arr(&w);
	for (int i = 0; i < 10000; i++) {
		jw_obj(&w);
		jw_kint(&w, "id", i);
		jw_kstr(&w, "mp_intro", text);
		jw_kstr(&w, "mp_cover", "https://example.org/cover/0123456789abcdef");
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	assert_false(buf_failed(&b));
	assert_true(b.len > 1000000);
	assert_true(clock_mono_ms() - start < 5000);
	buf_free(&b);
}

/* Texts of every length around a word, with each byte in each place, at each alignment. */
static void
test_plain(void **state)
{
	char text[40];
	bool ascii;

	(void)state;
	for (size_t n = 0; n <= 25; n++) {
		char *s = text + n % 8;

		memset(text, 'a', sizeof(text));
		assert_int_equal(json_plain(s, n, &ascii), n);
		assert_true(ascii);
		for (size_t i = 0; i < n; i++) {
			for (int c = 0; c < 256; c++) {
				bool special = c < ' ' || c == '"' || c == '\\';

				s[i] = (char)c;
				assert_int_equal(json_plain(s, n, &ascii), special ? i : n);
				assert_true(ascii == (special || c < 0x80));
			}
			s[i] = 'a';
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests_name("jw", tests, NULL, NULL);
}
