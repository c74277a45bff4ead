/* SPDX-License-Identifier: MIT */
/* gzip bodies at their bounds, stored passwords, and cursors. */
#include "fcgi/inflate.h"

#include "base/base64url.h"
#include "base/buf.h"
#include "fcgi/page.h"
#include "fcgi/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZLIB_CONST
#include <zlib.h>

/* gzip of N bytes of TEXT. Caller frees. */
static unsigned char *
gzip(const void *text, size_t n, size_t *len)
{
	z_stream z = { .next_in = text, .avail_in = (unsigned)n };
	size_t size = n + 1024;
	unsigned char *out = malloc(size);

	assert_non_null(out);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = out;
	z.avail_out = (unsigned)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*len = size - z.avail_out;
	deflateEnd(&z);
	return out;
}

static void
test_inflate_bounds(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 200000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i], len;
		char *text = calloc(1, n + 1);
		struct buf b = { 0 };
		struct fault f = { 0 };
		unsigned char *packed;

		assert_non_null(text);
		for (size_t k = 0; k < n; k++)
			text[k] = (char)('a' + k * k % 23);
		packed = gzip(text, n, &len);
		assert_int_equal(inflate_gzip((char *)packed, len, n, &b, &f), CS_OK);
		assert_int_equal(b.len, n);
		assert_memory_equal(b.data, text, n + 1);
		buf_reset(&b);
		if (n > 0)
			assert_int_equal(
			    inflate_gzip((char *)packed, len, n - 1, &b, &f), CS_ETOOLARGE);
		for (size_t cut = 0; cut < len; cut += len < 64 ? 1 : len / 61) {
			buf_reset(&b);
			assert_int_equal(inflate_gzip((char *)packed, cut, n, &b, &f), CS_EINPUT);
			assert_string_equal(f.field, "body");
		}
		buf_free(&b);
		free(packed);
		free(text);
	}
}

static void
test_passwords(void **state)
{
	/* "geheim", cost 4 */
	static const char hash[] = "$2b$04$tJRCX44QafohZFgmc0sDQ.AJZCKc0pX9VREIbhDPwrIzk.kkcAFim";
	static const char *const odd[] = { NULL, "", "geheim", "$2b$04$", "$5$abcdefgh$x",
		"$2b$99$........................................................" };
	char other[sizeof(hash)];

	(void)state;
	assert_true(password_is("geheim", hash, 4));
	assert_false(password_is("geheim", hash, 3));
	assert_false(password_is("Geheim", hash, 4));
	assert_false(password_is("", hash, 4));
	memcpy(other, hash, sizeof(hash));
	other[2] = 'y'; /* what PHP calls the same */
	assert_true(password_is("geheim", other, 4));
	other[2] = 'x';
	assert_false(password_is("geheim", other, 4));
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		assert_false(password_is("geheim", odd[i], 13));
}

static struct arena *arena;

static enum cs_err
read_page(const struct listing *l, const char *cursor, struct view_page *p)
{
	struct req q = { .query = { { "cursor", cursor } }, .nquery = 1 };
	struct ctx c = { .arena = arena, .req = &q };
	enum cs_err rc = page_read(&c, l, p);

	if (rc != CS_OK)
		assert_string_equal(c.fault.field, "cursor");
	return rc;
}

/* The cursor of N bytes. */
static const char *
encode(const char *text, size_t n)
{
	char *out = arena_alloc(arena, BASE64URL_LEN(n) + 1);

	base64url_encode(out, text, n);
	return out;
}
#define ENCODE(text) encode(text, sizeof(text) - 1)

static void
test_cursors(void **state)
{
	struct view_page p;

	(void)state;
	arena = arena_new(1 << 20);
	assert_int_equal(
	    read_page(&page_allocations, ENCODE("a2026-01-01T00:00:00\nid"), &p), CS_OK);
	assert_string_equal(p.at, "2026-01-01T00:00:00");
	assert_string_equal(p.id, "id");
	assert_int_equal(p.limit, 51);
	assert_int_equal(read_page(&page_syncs, ENCODE("s\nid\nx"), &p), CS_OK);
	assert_null(p.at);
	assert_string_equal(p.id, "id\nx");

	const char *const bad[] = { ENCODE("a2026-01-01T00:00:00\n"),
		ENCODE("a2026-01-01T00:00:00"), ENCODE("a2026-13-01T00:00:00\nid"),
		ENCODE("a3\nid"), ENCODE("a\n"), ENCODE("a\ni\0d"), ENCODE("a\n\xff"),
		ENCODE("\nid"), ENCODE("s\nid"), ENCODE("f1800000000 \nid"), "A", "AA=", "CgA.",
		"Cg A" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_page(&page_allocations, bad[i], &p), CS_EINVALID);
	arena_free(arena);
}

static void
test_feed_cursors(void **state)
{
	static const struct {
		const char *text;
		struct view_feed_place want;
	} good[] = {
		{ "1800000000 ", { 1800000000, false, 0 } },
		{ "1800000000 0", { 1800000000, true, 0 } },
		{ "86400 -2147483648", { 86400, true, INT32_MIN } },
		{ "9223372036854775807 2147483647", { INT64_MAX, true, INT32_MAX } },
	};
	static const char *const bad[] = { "", " ", "1800000000", " 1800000000", "86399 ", "x 1",
		"1800000000  1", "1800000000 1 ", "1800000000 2147483648", "-1800000000 1",
		"9223372036854775808 1", "000000000000001800000000 1", "2026-01-01T00:00:00" };
	struct view_feed_place place;
	struct view_page p;

	(void)state;
	arena = arena_new(1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *text = arena_printf(arena, "f%s\nid", good[i].text);

		assert_int_equal(read_page(&page_feeds, encode(text, strlen(text)), &p), CS_OK);
		assert_true(view_feed_place(p.at, &place));
		assert_int_equal(place.began, good[i].want.began);
		assert_int_equal(place.updated, good[i].want.updated);
		assert_int_equal(place.update_time, good[i].want.update_time);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *text = arena_printf(arena, "f%s\nid", bad[i]);

		assert_int_equal(
		    read_page(&page_feeds, encode(text, strlen(text)), &p), CS_EINVALID);
	}
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflate_bounds),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_cursors),
		cmocka_unit_test(test_feed_cursors),
	};

	return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
