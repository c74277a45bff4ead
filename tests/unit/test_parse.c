/* SPDX-License-Identifier: MIT */
/* Conversions of text: what is taken, what is refused, and that refusal leaves the output alone. */
#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED INT64_C(-987654321)
#define NO	  UNTOUCHED /* expected: refused */

struct number_case {
	const char *text;
	int64_t min, max;
	int64_t expected;
};

static void
check_numbers(bool (*parse)(const char *, int64_t, int64_t, int64_t *),
    const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = UNTOUCHED;
		bool ok = parse(cases[i].text, cases[i].min, cases[i].max, &got);

		if (ok != (cases[i].expected != NO) || got != cases[i].expected)
			fail_msg("\"%s\": %d, %lld", cases[i].text, ok, (long long)got);
	}
}

static void
test_int(void **state)
{
	static const struct number_case cases[] = {
		{ "0", 0, 9, 0 },
		{ "-0", 0, 9, 0 },
		{ "007", 0, 9, 7 },
		{ "9", 0, 9, 9 },
		{ "10", 0, 9, NO },
		{ "-1", 0, 9, NO },
		{ "-1", -1, 9, -1 },
		{ "", 0, 9, NO },
		{ "-", -9, 9, NO },
		{ "+1", 0, 9, NO },
		{ " 1", 0, 9, NO },
		{ "1 ", 0, 9, NO },
		{ "1x", 0, 9, NO },
		{ "0x1", 0, 9, NO },
		{ "1.0", 0, 9, NO },
		{ "--1", -9, 9, NO },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, NO },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, NO },
		{ "99999999999999999999999", INT64_MIN, INT64_MAX, NO },
	};

	(void)state;
	check_numbers(parse_int, cases, ARRAY_LEN(cases));
}

static void
test_duration(void **state)
{
	static const struct number_case cases[] = {
		{ "90", 0, 1000000, 90 },
		{ "90s", 0, 1000000, 90 },
		{ "15m", 0, 1000000, 900 },
		{ "2h", 0, 1000000, 7200 },
		{ "7d", 0, 1000000, 604800 },
		{ "0", 0, 1, 0 },
		{ "0d", 0, 1, 0 },
		{ "2h", 0, 7199, NO },
		{ "0s", 1, 10, NO },
		{ "s", 0, 10, NO },
		{ "", 0, 10, NO },
		{ "-1s", -10, 10, NO },
		{ "1 s", 0, 10, NO },
		{ "1S", 0, 10, NO },
		{ "1ss", 0, 10, NO },
		{ "1h30m", 0, 100000, NO },
		{ "1.5h", 0, 100000, NO },
		{ "106751991167301d", 0, INT64_MAX, NO },
		{ "9223372036854775807", 0, INT64_MAX, INT64_MAX },
	};

	(void)state;
	check_numbers(parse_duration_s, cases, ARRAY_LEN(cases));
}

static void
test_size(void **state)
{
	static const struct number_case cases[] = {
		{ "4096", 0, INT64_MAX, 4096 },
		{ "64k", 0, INT64_MAX, 65536 },
		{ "64K", 0, INT64_MAX, 65536 },
		{ "64KiB", 0, INT64_MAX, 65536 },
		{ "64m", 0, INT64_MAX, 67108864 },
		{ "64M", 0, INT64_MAX, 67108864 },
		{ "64MiB", 0, INT64_MAX, 67108864 },
		{ "1g", 0, INT64_MAX, 1073741824 },
		{ "1G", 0, INT64_MAX, 1073741824 },
		{ "1GiB", 0, INT64_MAX, 1073741824 },
		{ "1kb", 0, INT64_MAX, NO },
		{ "1 k", 0, INT64_MAX, NO },
		{ "k", 0, INT64_MAX, NO },
		{ "1t", 0, INT64_MAX, NO },
		{ "2k", 0, 2047, NO },
		{ "9007199254740992k", 0, INT64_MAX, NO },
	};

	(void)state;
	check_numbers(parse_size, cases, ARRAY_LEN(cases));
}

static void
test_octal(void **state)
{
	static const struct {
		const char *text;
		int64_t expected;
	} cases[] = {
		{ "0660", 0660 },
		{ "600", 0600 },
		{ "0", 0 },
		{ "777", 0777 },
		{ "1000", NO },
		{ "8", NO },
		{ "", NO },
		{ "-1", NO },
		{ "0660 ", NO },
		{ "7777777777777777777777777", NO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = UNTOUCHED;

		assert_int_equal(parse_octal(cases[i].text, 0777, &got), cases[i].expected != NO);
		assert_int_equal(got, cases[i].expected);
	}
}

static void
test_bool(void **state)
{
	static const struct {
		const char *text;
		int expected; /* -1: refused */
	} cases[] = {
		{ "true", 1 },
		{ "yes", 1 },
		{ "on", 1 },
		{ "1", 1 },
		{ "false", 0 },
		{ "no", 0 },
		{ "off", 0 },
		{ "0", 0 },
		{ "", -1 },
		{ "True", -1 },
		{ "2", -1 },
		{ "true ", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool got = cases[i].expected != 1;
		bool before = got;

		assert_int_equal(parse_bool(cases[i].text, &got), cases[i].expected != -1);
		assert_int_equal(got, cases[i].expected == -1 ? before : cases[i].expected);
	}
}

static void
test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t expected;
		const char *rendered; /* NULL: as text */
	} cases[] = {
		{ "1970-01-01T00:00:00", 0, NULL },
		{ "2024-01-01T00:00:00", 1704067200, NULL },
		{ "2024-02-29T23:59:59", 1709251199, NULL },
		{ "2000-02-29T00:00:00", 951782400, NULL },
		{ "1969-12-31T23:59:59", -1, NULL },
		{ "9999-12-31T23:59:59", 253402300799, NULL },
		{ "2024-01-01 00:00:00", 1704067200, "2024-01-01T00:00:00" },
		{ "2024-01-01T00:00:00Z", 1704067200, "2024-01-01T00:00:00" },
		{ "2024-01-01T00:00:00.123456", 1704067200, "2024-01-01T00:00:00" },
		{ "2024-01-01T00:00:00.9Z", 1704067200, "2024-01-01T00:00:00" },
		{ "2023-02-29T00:00:00", NO, NULL },
		{ "1900-02-29T00:00:00", NO, NULL },
		{ "2024-13-01T00:00:00", NO, NULL },
		{ "2024-00-01T00:00:00", NO, NULL },
		{ "2024-01-00T00:00:00", NO, NULL },
		{ "2024-01-32T00:00:00", NO, NULL },
		{ "2024-01-01T24:00:00", NO, NULL },
		{ "2024-01-01T00:60:00", NO, NULL },
		{ "2024-01-01T00:00:60", NO, NULL },
		{ "2024-01-01T00:00", NO, NULL },
		{ "2024-01-01", NO, NULL },
		{ "2024-1-01T00:00:00", NO, NULL },
		{ "2024-01-01T00:00:00.", NO, NULL },
		{ "2024-01-01T00:00:00+00:00", NO, NULL },
		{ "2024-01-01T00:00:00ZZ", NO, NULL },
		{ "2024-01-01t00:00:00", NO, NULL },
		{ " 2024-01-01T00:00:00", NO, NULL },
		{ "", NO, NULL },
		{ "2024-01-01T-1:00:00", NO, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = UNTOUCHED;
		char buf[20];

		if (parse_time_utc(cases[i].text, &got) != (cases[i].expected != NO) ||
		    got != cases[i].expected)
			fail_msg("\"%s\": %lld", cases[i].text, (long long)got);
		if (got == NO)
			continue;
		assert_ptr_equal(render_time_utc(buf, sizeof(buf), got), buf);
		assert_string_equal(
		    buf, cases[i].rendered != NULL ? cases[i].rendered : cases[i].text);
	}
}

static void
test_http_url(void **state)
{
	static const struct {
		const char *text;
		bool expected;
	} cases[] = {
		{ "http://a", true },
		{ "https://example.org/", true },
		{ "HTTPS://example.org", true },
		{ "http://example.org:8080/p?q=1#f", true },
		{ "http://[::1]:80/", true },
		{ "http://[::1]", true },
		{ "https://example.org?x=@y:z", true },
		{ "https://mp.weixin.qq.com/文章", true },
		{ "ftp://example.org", false },
		{ "http:/example.org", false },
		{ "http://", false },
		{ "http:///x", false },
		{ "http://?x", false },
		{ "http://:80/", false },
		{ "http://a:/", false },
		{ "http://a:0/", false },
		{ "http://a:65536/", false },
		{ "http://a:000080/", false },
		{ "http://a:8x/", false },
		{ "http://a:-1/", false },
		{ "http://[::1", false },
		{ "http://[]", false },
		{ "http://[::1]x", false },
		{ "http://user@a/", false },
		{ "http://user:pw@a/", false },
		{ "http://a\\@b/", false },
		{ "http://a b/", false },
		{ "http://a/\n", false },
		{ "http://a/\x7f", false },
		{ " http://a/", false },
		{ "javascript:alert(1)", false },
		{ "", false },
		{ "http://abcdefghijklmnopqrstuvwxyz.example/abcdefghijklmnopqr", true },
		{ "http://abcdefghijklmnopqrstuvwxyz.example/abcdefghijklmnopqrstuv", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (parse_is_http_url(cases[i].text, 60) != cases[i].expected)
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t bad_at; /* bytes before the first ill-formed one; SIZE_MAX: well-formed */
	} cases[] = {
		{ "", SIZE_MAX },
		{ "abc", SIZE_MAX },
		{ "\x7f", SIZE_MAX },
		{ "\xc2\x80", SIZE_MAX },
		{ "\xdf\xbf", SIZE_MAX },
		{ "\xe0\xa0\x80", SIZE_MAX },
		{ "\xed\x9f\xbf", SIZE_MAX },
		{ "\xee\x80\x80", SIZE_MAX },
		{ "\xef\xbf\xbf", SIZE_MAX },
		{ "\xf0\x90\x80\x80", SIZE_MAX },
		{ "\xf4\x8f\xbf\xbf", SIZE_MAX },
		{ "节点 node 😀 and twenty more bytes", SIZE_MAX },
		{ "\x80", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2", 0 },
		{ "\xc2\x41", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xe4\xb8", 0 },
		{ "\xe4\xb8\x41", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xf0\x9f\x98", 0 },
		{ "\xff", 0 },
		{ "0123456789abcdef\xff", 16 },
		{ "0123456789abcde中\x80", 18 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].text), at = cases[i].bad_at;

		assert_int_equal(parse_is_utf8(cases[i].text, n), at == SIZE_MAX);
		if (at == SIZE_MAX)
			continue;
		assert_true(parse_is_utf8(cases[i].text, at));
		assert_int_equal(utf8_next(cases[i].text + at, n - at), 0);
	}
}

static void
test_utf8_lengths(void **state)
{
	static const struct {
		const char *text;
		size_t max, chars, prefix;
	} cases[] = {
		{ "", 5, 0, 0 },
		{ "abc", 2, 3, 2 },
		{ "abc", 3, 3, 3 },
		{ "abc", 0, 3, 0 },
		{ "节点", 1, 2, 3 },
		{ "节点", 2, 2, 6 },
		{ "a😀b", 2, 3, 5 },
		{ "a😀b", 100, 3, 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(utf8_chars(cases[i].text), cases[i].chars);
		assert_int_equal(utf8_prefix(cases[i].text, cases[i].max), cases[i].prefix);
	}
	assert_int_equal(utf8_next("😀", 4), 4);
	assert_int_equal(utf8_next("😀", 3), 0);
	assert_int_equal(utf8_next("a", 0), 0);
}

static void
test_hex(void **state)
{
	char out[9];

	(void)state;
	render_hex(out, (const unsigned char *)"\x00\x0f\xa5\xff", 4);
	assert_string_equal(out, "000fa5ff");
	render_hex(out, NULL, 0);
	assert_string_equal(out, "");
}

static void
test_word(void **state)
{
	(void)state;
	assert_int_equal(parse_word_len("", "-"), 0);
	assert_int_equal(parse_word_len("azAZ09-_.x", "._-"), 10);
	assert_int_equal(parse_word_len("ab c", "-"), 2);
	for (int c = 1; c < 256; c++) { /* no byte that merely resembles a letter in one bit */
		const char s[] = { (char)c, '\0' };
		bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') || c == '-';

		assert_int_equal(parse_word_len(s, "-"), word ? 1 : 0);
	}
}

static void
test_render_int(void **state)
{
	char buf[RENDER_INT_SIZE];

	(void)state;
	assert_string_equal(render_int(buf, 0), "0");
	assert_string_equal(render_int(buf, -7), "-7");
	assert_string_equal(render_int(buf, INT64_MAX), "9223372036854775807");
	assert_string_equal(render_int(buf, INT64_MIN), "-9223372036854775808");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_octal),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_http_url),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_lengths),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_render_int),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
