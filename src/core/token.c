/* SPDX-License-Identifier: MIT */
/*
 * HS256 tokens: base64url, strictly (no padding, no other characters, no stray bits), and the
 * signature. Nothing of a token is decoded, and nothing of it believed, before its signature is
 * right. What the claims say is the caller's to judge.
 */
#include "core/token.h"

#include "base/buf.h"
#include "base/parse.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MAC_LEN 32

/* Characters of N bytes in base64url, and bytes of N characters. */
#define ENCODED_LEN(n) (((n)*8 + 5) / 6)
#define DECODED_LEN(n) ((n)*6 / 8)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes ENCODED_LEN(n) characters, not terminated. Returns where they end. */
static char *
encode(char *out, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t bits = 0;
	int held = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (held += 8; held >= 6; held -= 6)
			*out++ = alphabet[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*out++ = alphabet[bits << (6 - held) & 63];
	return out;
}

/* Writes DECODED_LEN(n) bytes. False: N characters that no encoder writes. */
static bool
decode(void *out, const char *s, size_t n)
{
	unsigned char *p = out;
	uint32_t bits = 0;
	int held = 0;

	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *c = memchr(alphabet, s[i], sizeof(alphabet) - 1);

		if (c == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(c - alphabet);
		held += 6;
		if (held >= 8) {
			held -= 8;
			*p++ = (unsigned char)(bits >> held);
		}
	}
	return (bits & ((1u << held) - 1)) == 0;
}

/* An empty secret is everybody's, hence none. */
static bool
sign(unsigned char mac[MAC_LEN], const char *text, size_t n, const char *secret)
{
	size_t len = strlen(secret);

	return len > 0 && len <= INT_MAX &&
	       HMAC(EVP_sha256(), secret, (int)len, (const unsigned char *)text, n, mac, NULL) !=
		   NULL;
}

/* SIGNATURE (base64url, NUL-terminated) is that of the N bytes of TEXT. */
static bool
is_signed(const char *text, size_t n, const char *signature, const char *secret)
{
	unsigned char given[MAC_LEN], right[MAC_LEN];

	return strlen(signature) == ENCODED_LEN(MAC_LEN) &&
	       decode(given, signature, ENCODED_LEN(MAC_LEN)) && sign(right, text, n, secret) &&
	       CRYPTO_memcmp(given, right, MAC_LEN) == 0;
}

static const char *
decode_text(struct arena *a, const char *s, size_t n)
{
	char *text = arena_alloc(a, DECODED_LEN(n) + 1);

	return text != NULL && decode(text, s, n) ? text : NULL;
}

bool
token_open(const char *token, const char *secret, struct arena *a, const char **header,
    size_t *header_len, const char **claims, size_t *claims_len)
{
	const char *first, *second, *head, *body;
	size_t head_len, body_len;

	if (strnlen(token, TOKEN_MAX + 1) > TOKEN_MAX)
		return false;
	/* A third dot is no base64url: is_signed() refuses it. */
	first = strchr(token, '.');
	second = first != NULL ? strchr(first + 1, '.') : NULL;
	if (second == NULL || !is_signed(token, (size_t)(second - token), second + 1, secret))
		return false;
	head_len = (size_t)(first - token);
	body_len = (size_t)(second - first - 1);
	head = decode_text(a, token, head_len);
	body = decode_text(a, first + 1, body_len);
	if (head == NULL || body == NULL)
		return false;
	*header = head;
	*header_len = DECODED_LEN(head_len);
	*claims = body;
	*claims_len = DECODED_LEN(body_len);
	return true;
}

static void
add_escaped(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else
			buf_putc(b, (char)c);
	}
}

/* As token_mint(), of ready CLAIMS. */
static bool
mint(char *out, size_t size, const char *claims, size_t n, const char *secret)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	char token[TOKEN_MAX + 1];
	unsigned char mac[MAC_LEN];
	char *end = token;

	if (ENCODED_LEN(sizeof(header) - 1) + ENCODED_LEN(n) + ENCODED_LEN(MAC_LEN) + 2 > TOKEN_MAX)
		return false;
	end = encode(end, header, sizeof(header) - 1);
	*end++ = '.';
	end = encode(end, claims, n);
	if (!sign(mac, token, (size_t)(end - token), secret))
		return false;
	*end++ = '.';
	end = encode(end, mac, MAC_LEN);
	*end++ = '\0';
	if ((size_t)(end - token) > size)
		return false;
	memcpy(out, token, (size_t)(end - token));
	return true;
}

bool
token_mint(char *out, size_t size, const char *sub, int64_t iat, int64_t exp, const char *secret)
{
	struct buf claims = { .cap = TOKEN_MAX };
	bool ok;

	if (!parse_is_utf8(sub, strlen(sub)))
		return false;
	buf_puts(&claims, "{\"sub\":\"");
	add_escaped(&claims, sub);
	buf_printf(&claims, "\",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", iat, exp);
	ok = !buf_failed(&claims) && mint(out, size, claims.data, claims.len, secret);
	buf_free(&claims);
	return ok;
}
