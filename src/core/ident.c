/* SPDX-License-Identifier: MIT */
/*
 * Identifiers, credentials and hashes. All randomness is OpenSSL's; all of it is safe across
 * fork(). A failure of OpenSSL never yields a predictable secret or a hash that could equal a
 * stored one.
 */
#include "core/ident.h"

#include "base/parse.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define SEQ_EPOCH_MS INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */
#define SEQ_BITS     22
#define SEQ_MAX_MS   (INT64_MAX >> SEQ_BITS) /* in 2089 */
#define SEQ_MAX_RUN  1000000

#define SHA256_LEN     32
#define REQUEST_ID_MAX 128

static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

static bool
random_bytes(void *out, size_t n)
{
	return RAND_bytes(out, (int)n) == 1;
}

bool
ident_uuid7(char out[UUID_LEN + 1], int64_t wall_ms)
{
	unsigned char b[16];
	char hex[2 * sizeof(b) + 1];

	if (!random_bytes(b, sizeof(b)))
		return false;
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)((uint64_t)wall_ms >> (40 - 8 * i));
	b[6] = (b[6] & 0x0f) | 0x70; /* version 7 */
	b[8] = (b[8] & 0x3f) | 0x80; /* variant of RFC 9562 */
	render_hex(hex, b, sizeof(b));
	snprintf(out, UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
	    hex + 20);
	return true;
}

int64_t
ident_seq(int64_t wall_ms, int64_t n)
{
	int64_t since = wall_ms - SEQ_EPOCH_MS;
	uint64_t random, starts;

	if (n < 1 || n > SEQ_MAX_RUN || !random_bytes(&random, sizeof(random)))
		return 0;
	/* A clock that is this wrong loses the order, not the sign. */
	if (since < 1)
		since = 1;
	if (since > SEQ_MAX_MS)
		since = SEQ_MAX_MS;
	starts = (UINT64_C(1) << SEQ_BITS) - (uint64_t)n;
	return since << SEQ_BITS | (int64_t)(random % starts);
}

bool
ident_credential(char out[CREDENTIAL_LEN + 1], const char *prefix)
{
	unsigned char b[CREDENTIAL_LEN - 2];

	if (!random_bytes(b, sizeof(b)))
		return false;
	out[0] = prefix[0];
	out[1] = prefix[1];
	for (size_t i = 0; i < sizeof(b); i++)
		out[2 + i] = url_safe[b[i] % 64]; /* 64 divides 256: no bias */
	out[CREDENTIAL_LEN] = '\0';
	OPENSSL_cleanse(b, sizeof(b));
	return true;
}

void
ident_sha256(char out[SHA256_HEX_LEN + 1], const void *p, size_t n)
{
	static EVP_MD *sha256; /* EVP_sha256() is looked up anew each time that it is used */
	unsigned char md[SHA256_LEN];

	out[0] = '\0';
	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (sha256 != NULL && EVP_Digest(p, n, md, NULL, sha256, NULL) == 1)
		render_hex(out, md, sizeof(md));
}

void
ident_hmac_sha256(
    char out[SHA256_HEX_LEN + 1], const void *key, size_t key_len, const void *p, size_t n)
{
	unsigned char md[SHA256_LEN];

	out[0] = '\0';
	if (key_len <= INT_MAX && HMAC(EVP_sha256(), key, (int)key_len, p, n, md, NULL) != NULL)
		render_hex(out, md, sizeof(md));
}

bool
ident_equal(const char *given, const char *expected)
{
	size_t n;

	if (given == NULL || expected == NULL || expected[0] == '\0')
		return false;
	n = strlen(expected);
	return strlen(given) == n && CRYPTO_memcmp(given, expected, n) == 0;
}

double
ident_random(void)
{
	uint64_t random;

	if (!random_bytes(&random, sizeof(random)))
		return 0.5;
	return (double)(random >> 11) * 0x1p-53; /* as many bits as a double holds */
}

bool
ident_request_id_is_sane(const char *id)
{
	size_t n;

	if (id == NULL)
		return false;
	n = strnlen(id, REQUEST_ID_MAX + 1);
	return n >= 1 && n <= REQUEST_ID_MAX && parse_word_len(id, "._:-") == n;
}
