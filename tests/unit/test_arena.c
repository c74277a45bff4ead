/* SPDX-License-Identifier: MIT */
/* The request allocator: zeroed and aligned memory, the cap, resets. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CAP (1u << 20)

static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4096, 16384, 16385, 65535, 65536, 65537,
	200000 };

static bool
is_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

/* Twice over, with dirt in between, so that reused memory is seen to be zeroed too. */
static void
test_zeroed_and_aligned(void **state)
{
	struct arena *a = arena_new(CAP);

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			unsigned char *p = arena_alloc(a, sizes[i]);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			assert_true(is_zero(p, sizes[i]));
			memset(p, 0xa5, sizes[i]);
		}
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
	}
	arena_free(a);
}

static void
test_objects_do_not_overlap(void **state)
{
	struct arena *a = arena_new(CAP);
	unsigned char *p[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		p[i] = arena_alloc(a, i * 7);
		assert_non_null(p[i]);
		memset(p[i], (int)(i & 0xff), i * 7);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		for (size_t j = 0; j < i * 7; j++)
			assert_int_equal(p[i][j], i & 0xff);
	}
	arena_free(a);
}

static void
test_cap(void **state)
{
	static const struct {
		size_t cap, first, second;
		bool first_fits, second_fits;
	} cases[] = {
		{ 0, 1, 1, false, false },
		{ 16, 16, 1, true, false },
		{ 32, 16, 16, true, true },
		{ 1000, 1001, 900, false, true },
		{ 100000, 100000, 1, true, false },
		{ 100000, 90000, 9000, true, true },
		{ 100000, 60000, 60000, true, false },
		{ CAP, SIZE_MAX, 1, false, true },
		{ CAP, SIZE_MAX - 15, 1, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new(cases[i].cap);

		assert_int_equal(arena_alloc(a, cases[i].first) != NULL, cases[i].first_fits);
		assert_int_equal(arena_alloc(a, cases[i].second) != NULL, cases[i].second_fits);
		arena_free(a);
	}
}

static void
test_reset_gives_room_back(void **state)
{
	struct arena *a = arena_new(CAP);
	void *first = arena_alloc(a, 10);

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_non_null(arena_alloc(a, CAP / 2));
		assert_null(arena_alloc(a, CAP / 2));
		arena_reset(a);
		assert_ptr_equal(arena_alloc(a, 10), first);
	}
	arena_free(a);
}

static void
test_calloc_overflow(void **state)
{
	struct arena *a = arena_new(CAP);

	(void)state;
	assert_null(arena_calloc(a, SIZE_MAX / 2, 3));
	assert_non_null(arena_calloc(a, 10, 3));
	assert_int_equal(arena_used(a), 32);
	arena_free(a);
}

static void
test_strings(void **state)
{
	struct arena *a = arena_new(CAP);
	struct arena *none = arena_new(0);

	(void)state;
	assert_null(arena_strdup(a, NULL));
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strdup(a, "节点"), "节点");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(a, "abc", 10), "abc");
	assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
	assert_null(arena_strdup(none, "x"));
	assert_null(arena_printf(none, "x"));
	arena_free(a);
	arena_free(none);
	arena_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_and_aligned),
		cmocka_unit_test(test_objects_do_not_overlap),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_reset_gives_room_back),
		cmocka_unit_test(test_calloc_overflow),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
