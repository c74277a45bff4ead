/* SPDX-License-Identifier: MIT */
/* Tokens: published vectors, everything that must be refused, and what is minted. */
#include "core/token.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cmocka.h>

#define SECRET "s3cret"

/* RFC 7515, A.1; its key has no NUL byte. */
#define RFC_KEY_B64                                                                                \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
#define RFC_TOKEN                                                                                  \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."                                                \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ."                                                                                  \
	"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

/* admin, 1700000000 to 1700003600, SECRET; made by another implementation. */
#define ADMIN_TOKEN                                                                                \
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."                                                    \
	"eyJzdWIiOiJhZG1pbiIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ."                      \
	"TVHwKYdoDeZ-aRELKozqhHpJcDjyMdwawzydLIuArSA"

/* {"alg":"none"}, {"sub":"admin","exp":9999999999} */
#define NONE_TOKEN "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0"
#define ZERO_MAC   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct arena *arena;
static const char *header, *claims;
static size_t header_len, claims_len;

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(1u << 20);
	return arena != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool
opens(const char *token, const char *secret)
{
	arena_reset(arena);
	header = claims = NULL;
	header_len = claims_len = SIZE_MAX;
	if (token_open(token, secret, arena, &header, &header_len, &claims, &claims_len))
		return true;
	assert_null(header);
	assert_null(claims);
	assert_true(header_len == SIZE_MAX && claims_len == SIZE_MAX);
	return false;
}

/* TEXT and a dot and its right signature, whatever TEXT is. Static storage. */
static const char *
signed_text(const char *text)
{
	static char token[2 * TOKEN_MAX];
	unsigned char mac[32], b64[45];

	assert_non_null(HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)text,
	    strlen(text), mac, NULL));
	EVP_EncodeBlock(b64, mac, sizeof(mac));
	for (size_t i = 0; i < 43; i++)
		b64[i] = b64[i] == '+' ? '-' : b64[i] == '/' ? '_' : b64[i];
	snprintf(token, sizeof(token), "%s.%.43s", text, (const char *)b64);
	return token;
}

static void
test_rfc7515(void **state)
{
	unsigned char key[67] = { 0 };
	const char *secret = (const char *)key;

	(void)state;
	assert_int_equal(EVP_DecodeBlock(key, (const unsigned char *)RFC_KEY_B64, 88), 66);
	assert_int_equal(strlen(secret), 64);
	assert_true(opens(RFC_TOKEN, secret));
	assert_string_equal(header, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}");
	assert_int_equal(header_len, strlen(header));
	assert_string_equal(claims, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n"
				    " \"http://example.com/is_root\":true}");
	assert_int_equal(claims_len, strlen(claims));
	key[0] ^= 1;
	assert_false(opens(RFC_TOKEN, secret));
}

static void
test_every_byte_counts(void **state)
{
	char token[] = ADMIN_TOKEN;

	(void)state;
	assert_true(opens(token, SECRET));
	for (size_t i = 0; i < sizeof(token) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			if ((char)c == ADMIN_TOKEN[i])
				continue;
			token[i] = (char)c;
			if (opens(token, SECRET))
				fail_msg("byte %zu as 0x%02x is accepted", i, (unsigned)c);
		}
		token[i] = ADMIN_TOKEN[i];
	}
	assert_true(opens(token, SECRET));
}

static void
test_cut_and_lengthened(void **state)
{
	char token[sizeof(ADMIN_TOKEN) + 1];

	(void)state;
	for (size_t n = 0; n < sizeof(ADMIN_TOKEN) - 1; n++) {
		snprintf(token, sizeof(token), "%.*s", (int)n, ADMIN_TOKEN);
		assert_false(opens(token, SECRET));
		assert_false(opens(&ADMIN_TOKEN[n + 1], SECRET));
	}
	assert_false(opens(ADMIN_TOKEN "A", SECRET));
	assert_false(opens(ADMIN_TOKEN "=", SECRET));
	assert_false(opens(ADMIN_TOKEN ".", SECRET));
	assert_false(opens(ADMIN_TOKEN " ", SECRET));
	assert_false(opens(" " ADMIN_TOKEN, SECRET));
	assert_false(opens("." ADMIN_TOKEN, SECRET));
}

static void
test_unsigned(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"...",
		"eyJhbGciOiJub25lIn0..",
		NONE_TOKEN,
		(NONE_TOKEN "."),
		(NONE_TOKEN "." ZERO_MAC),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(opens(bad[i], SECRET));
		assert_false(opens(bad[i], ""));
	}
}

static void
test_secret(void **state)
{
	char token[TOKEN_MAX + 1];

	(void)state;
	assert_false(opens(ADMIN_TOKEN, "s3creT"));
	assert_false(opens(ADMIN_TOKEN, "s3cret "));
	assert_false(opens(ADMIN_TOKEN, ""));
	assert_false(token_mint(token, sizeof(token), "admin", 1, 2, ""));
	/* {}.{} under the empty key: anybody can make that. */
	assert_false(opens("e30.e30.6Ed9Mm4KitqjxrQCBZs7AZHw31wNisKNmR-bLoHCg5U", ""));
}

/* Rightly signed, but not what an encoder writes. */
static void
test_strict_base64url(void **state)
{
	static const char *const bad[] = {
		"e31.e30", /* a stray bit after {} */
		"e30.e33",
		"e30=.e30",
		"e30.e30=",
		"e30.e",
		"e.e30",
		"e30.A",
		"A.e30",
		"e30.e3 0",
		"e30.e30\n",
		"e30.+/+/",
		"e30.\xc3\xa9",
		"e30",
		"e30.e30.e30",
		".e30.e30",
		"e30..e30",
	};

	(void)state;
	assert_true(opens(signed_text("e30.e30"), SECRET));
	assert_string_equal(header, "{}");
	assert_string_equal(claims, "{}");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (opens(signed_text(bad[i]), SECRET))
			fail_msg("%s is accepted", bad[i]);
	}
	/* All lengths, both special characters, and NUL, of which the length tells. */
	assert_true(opens(signed_text("-_-_.AAA"), SECRET));
	assert_memory_equal(header, "\xfb\xff\xbf", 4);
	assert_int_equal(claims_len, 2);
	assert_memory_equal(claims, "\0\0", 3);
	assert_true(opens(signed_text("AA."), SECRET));
	assert_true(header_len == 1 && claims_len == 0 && claims[0] == '\0');
}

static void
test_length(void **state)
{
	char text[TOKEN_MAX + 2];
	size_t n = TOKEN_MAX - 44;

	(void)state;
	memset(text, 'A', sizeof(text));
	memcpy(text, "e30.", 4);
	text[n] = '\0';
	assert_int_equal(strlen(signed_text(text)), TOKEN_MAX);
	assert_true(opens(signed_text(text), SECRET));
	memcpy(text, "AAAA.", 5);
	text[n] = 'A';
	text[n + 1] = '\0';
	assert_int_equal(strlen(signed_text(text)), TOKEN_MAX + 1);
	assert_false(opens(signed_text(text), SECRET));
}

static void
test_out_of_memory(void **state)
{
	struct arena *small = arena_new(16);
	const char *h = NULL, *c = NULL;
	size_t hn, cn;

	(void)state;
	assert_non_null(small);
	assert_false(token_open(ADMIN_TOKEN, SECRET, small, &h, &hn, &c, &cn));
	assert_true(h == NULL && c == NULL);
	arena_free(small);
}

static void
test_mint(void **state)
{
	char token[sizeof(ADMIN_TOKEN)] = "untouched";

	(void)state;
	assert_true(token_mint(token, sizeof(token), "admin", 1700000000, 1700003600, SECRET));
	assert_string_equal(token, ADMIN_TOKEN);
	strcpy(token, "untouched");
	assert_false(token_mint(token, sizeof(token) - 1, "admin", 1700000000, 1700003600, SECRET));
	assert_false(token_mint(token, 0, "admin", 1700000000, 1700003600, SECRET));
	assert_string_equal(token, "untouched");
}

static void
test_mint_escapes(void **state)
{
	static const struct {
		const char *sub, *claims;
	} cases[] = {
		{ "", "{\"sub\":\"\",\"iat\":-5,\"exp\":9223372036854775807}" },
		{ "a\"b\\c/", "{\"sub\":\"a\\\"b\\\\c/\",\"iat\":-5,\"exp\":9223372036854775807}" },
		{ "\n\t\x01\x1f\x7f", "{\"sub\":\"\\u000a\\u0009\\u0001\\u001f\x7f\",\"iat\":-5,"
				      "\"exp\":9223372036854775807}" },
		{ "\",\"sub\":\"root", "{\"sub\":\"\\\",\\\"sub\\\":\\\"root\",\"iat\":-5,\"exp\":"
				       "9223372036854775807}" },
		{ "用户", "{\"sub\":\"用户\",\"iat\":-5,\"exp\":9223372036854775807}" },
	};
	char token[TOKEN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(token_mint(token, sizeof(token), cases[i].sub, -5, INT64_MAX, SECRET));
		assert_true(opens(token, SECRET));
		assert_string_equal(header, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
		assert_string_equal(claims, cases[i].claims);
		assert_int_equal(claims_len, strlen(claims));
	}
	assert_false(token_mint(token, sizeof(token), "\xc3", 1, 2, SECRET));
}

/* What is minted is never too long to be opened. */
static void
test_mint_length(void **state)
{
	char sub[TOKEN_MAX + 1], token[2 * TOKEN_MAX];
	size_t longest = 0;

	(void)state;
	for (size_t n = 0; n < TOKEN_MAX; n++) {
		memset(sub, 'x', n);
		sub[n] = '\0';
		if (!token_mint(token, sizeof(token), sub, 1, 2, SECRET))
			continue;
		longest = n;
		assert_true(opens(token, SECRET));
	}
	assert_in_range(longest, 2900, 3072);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc7515),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_cut_and_lengthened),
		cmocka_unit_test(test_unsigned),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_strict_base64url),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_mint),
		cmocka_unit_test(test_mint_escapes),
		cmocka_unit_test(test_mint_length),
	};

	return cmocka_run_group_tests_name("token", tests, setup, teardown);
}
