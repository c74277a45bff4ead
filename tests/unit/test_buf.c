/* SPDX-License-Identifier: MIT */
/* The growable buffer: contents, the cap, sticky failure, reuse. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_contents(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, "");
	assert_string_equal(b.data, "");
	buf_puts(&b, "ab");
	buf_putc(&b, 'c');
	buf_add(&b, "d\0e", 3);
	buf_add(&b, NULL, 0);
	buf_printf(&b, "%05d", 42);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "abcd\0e00042", 12);
	assert_false(buf_failed(&b));
	buf_free(&b);
	assert_null(b.data);
}

static void
test_growth(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 100000);
	assert_int_equal(strlen(b.data), 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_free(&b);
}

static void
test_cap(void **state)
{
	static const struct {
		size_t cap, first, second;
		bool fails;
	} cases[] = {
		{ 10, 10, 0, false },
		{ 10, 11, 0, true },
		{ 10, 5, 5, false },
		{ 10, 5, 6, true },
		{ 0, 5000, 5000, false },
		{ 0, 5, SIZE_MAX, true },
		{ 0, 5, SIZE_MAX - 5, true },
	};
	static const char zeros[5000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { .cap = cases[i].cap };

		buf_add(&b, zeros, cases[i].first);
		assert_int_equal(buf_reserve(&b, cases[i].second) == NULL, cases[i].fails);
		assert_int_equal(buf_failed(&b), cases[i].fails);
		buf_free(&b);
	}
}

static void
test_failure_is_sticky(void **state)
{
	struct buf b = { .cap = 4 };

	(void)state;
	buf_puts(&b, "abc");
	buf_printf(&b, "%s", "too long");
	buf_puts(&b, "d");
	assert_true(buf_failed(&b));
	assert_string_equal(b.data, "abc");
	buf_reset(&b);
	assert_false(buf_failed(&b));
	buf_puts(&b, "abcd");
	assert_string_equal(b.data, "abcd");
	buf_putc(&b, 'e');
	assert_true(buf_failed(&b));
	buf_free(&b);
}

static void
test_reset_keeps_little(void **state)
{
	struct buf b = { .cap = 1u << 20 };

	(void)state;
	buf_puts(&b, "x");
	buf_reset(&b);
	assert_non_null(b.data);
	assert_string_equal(b.data, "");
	assert_non_null(buf_reserve(&b, BUF_KEEP * 2));
	buf_reset(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	assert_int_equal(b.cap, 1u << 20);
	buf_free(&b);
}

static void
test_reserve(void **state)
{
	struct buf b = { 0 };
	char *to = buf_reserve(&b, 3);

	(void)state;
	assert_non_null(to);
	memcpy(to, "xyz", 3);
	b.len += 3;
	assert_string_equal(b.data, "xyz");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_failure_is_sticky),
		cmocka_unit_test(test_reset_keeps_little),
		cmocka_unit_test(test_reserve),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
