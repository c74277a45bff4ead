/* SPDX-License-Identifier: MIT */
/* Identifiers, credentials and hashes: published vectors, shapes, ranges, distinctness. */
#include "core/ident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EPOCH_MS INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */
#define HEX	 "0123456789abcdef"
#define URL_SAFE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static void
test_uuid7(void **state)
{
	char id[UUID_LEN + 1], other[UUID_LEN + 1];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(ident_uuid7(id, INT64_C(0x017f22e279b0)));
		assert_int_equal(strlen(id), UUID_LEN);
		assert_memory_equal(id, "017f22e2-79b0-7", 15); /* the example of RFC 9562, A.6 */
		assert_true(id[18] == '-' && id[23] == '-');
		assert_non_null(strchr("89ab", id[19]));
		assert_int_equal(strspn(id, HEX "-"), UUID_LEN);
		assert_true(ident_uuid7(other, INT64_C(0x017f22e279b0)));
		assert_string_not_equal(id, other);
	}
	assert_true(ident_uuid7(other, INT64_C(0x017f22e279b1)));
	assert_true(strcmp(id, other) < 0);
}

static void
check_seq(int64_t wall_ms, int64_t n, int64_t since)
{
	int64_t first = ident_seq(wall_ms, n), last = first + n - 1;

	assert_true(first > 0);
	assert_true(first >> 22 == since);
	assert_true(last >> 22 == since); /* the run does not reach the next millisecond */
}

static void
test_seq(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		check_seq(EPOCH_MS + 1, 1, 1);
		check_seq(EPOCH_MS + INT64_C(200000000000), 1000000, INT64_C(200000000000));
		check_seq(0, 5000, 1); /* clock before 2020 */
		check_seq(
		    EPOCH_MS + (INT64_C(1) << 50), 5000, (INT64_C(1) << 41) - 1); /* or far on */
	}
	assert_true(ident_seq(EPOCH_MS + 7, 10) != ident_seq(EPOCH_MS + 7, 10) ||
		    ident_seq(EPOCH_MS + 7, 10) != ident_seq(EPOCH_MS + 7, 10));
	assert_int_equal(ident_seq(EPOCH_MS + 1, 0), 0);
	assert_int_equal(ident_seq(EPOCH_MS + 1, 1000001), 0);
}

static void
test_credential(void **state)
{
	char c[CREDENTIAL_LEN + 1], other[CREDENTIAL_LEN + 1];
	int seen[128] = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++) {
		assert_true(ident_credential(c, "CN"));
		assert_int_equal(strlen(c), CREDENTIAL_LEN);
		assert_memory_equal(c, "CN", 2);
		assert_int_equal(strspn(c, URL_SAFE), CREDENTIAL_LEN);
		assert_true(ident_credential(other, "CN"));
		assert_string_not_equal(c, other);
		for (int j = 2; j < CREDENTIAL_LEN; j++)
			seen[(int)c[j]]++;
	}
	/* 1,000 expected of each; 300 off is beyond nine standard deviations. */
	for (const char *p = URL_SAFE; *p != '\0'; p++)
		assert_in_range(seen[(int)*p], 700, 1300);
}

static void
test_sha256(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[SHA256_HEX_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ident_sha256(hex, cases[i].text, strlen(cases[i].text));
		assert_string_equal(hex, cases[i].hex);
	}
}

/* RFC 4231, cases 1, 2 and 6. */
static void
test_hmac_sha256(void **state)
{
	char hex[SHA256_HEX_LEN + 1], key[131];
	const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";

	(void)state;
	memset(key, 0x0b, 20);
	ident_hmac_sha256(hex, key, 20, "Hi There", 8);
	assert_string_equal(
	    hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	ident_hmac_sha256(hex, "Jefe", 4, "what do ya want for nothing?", 28);
	assert_string_equal(
	    hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 131);
	ident_hmac_sha256(hex, key, 131, text, strlen(text));
	assert_string_equal(
	    hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
test_equal(void **state)
{
	(void)state;
	assert_true(ident_equal("abc", "abc"));
	assert_false(ident_equal("abd", "abc"));
	assert_false(ident_equal("xbc", "abc"));
	assert_false(ident_equal("ab", "abc"));
	assert_false(ident_equal("abcd", "abc"));
	assert_false(ident_equal("", "abc"));
	assert_false(ident_equal("abc", ""));
	assert_false(ident_equal("", ""));
	assert_false(ident_equal(NULL, "abc"));
	assert_false(ident_equal("abc", NULL));
	assert_false(ident_equal(NULL, NULL));
}

static void
test_random(void **state)
{
	double sum = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		double r = ident_random();

		assert_true(r >= 0.0 && r < 1.0);
		sum += r;
	}
	assert_true(sum > 4700 && sum < 5300); /* ten standard deviations */
}

static void
test_request_id(void **state)
{
	static const char *const bad[] = { "", " ", "a b", "a\n", "a\"", "a=b", "a/b", "\xc3\xa9",
		"a;" };
	char id[130];

	(void)state;
	assert_true(ident_request_id_is_sane("a"));
	assert_true(ident_request_id_is_sane("AZaz09._:-"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ident_request_id_is_sane(bad[i]));
	assert_false(ident_request_id_is_sane(NULL));
	memset(id, 'x', sizeof(id));
	id[128] = '\0';
	assert_true(ident_request_id_is_sane(id));
	id[128] = 'x';
	id[129] = '\0';
	assert_false(ident_request_id_is_sane(id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid7),
		cmocka_unit_test(test_seq),
		cmocka_unit_test(test_credential),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac_sha256),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_request_id),
	};

	return cmocka_run_group_tests_name("ident", tests, NULL, NULL);
}
