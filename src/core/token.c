/* SPDX-License-Identifier: MIT */
/*
 * HS256 tokens: their parts and the signature. Nothing of a token is decoded, and nothing of it
 * believed, before its signature is right. What the claims say is the caller's to judge.
 */
#include "core/token.h"

#include "base/base64url.h"
#include "base/buf.h"
#include "base/parse.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MAC_LEN 32

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

	return strlen(signature) == BASE64URL_LEN(MAC_LEN) &&
	       base64url_decode(given, signature, BASE64URL_LEN(MAC_LEN)) &&
	       sign(right, text, n, secret) && CRYPTO_memcmp(given, right, MAC_LEN) == 0;
}

static const char *
decode_text(struct arena *a, const char *s, size_t n)
{
	char *text = arena_alloc(a, BASE64URL_BYTES(n) + 1);

	return text != NULL && base64url_decode(text, s, n) ? text : NULL;
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
	*header_len = BASE64URL_BYTES(head_len);
	*claims = body;
	*claims_len = BASE64URL_BYTES(body_len);
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

	if (BASE64URL_LEN(sizeof(header) - 1) + BASE64URL_LEN(n) + BASE64URL_LEN(MAC_LEN) + 2 >
	    TOKEN_MAX)
		return false;
	end = base64url_encode(end, header, sizeof(header) - 1);
	*end++ = '.';
	end = base64url_encode(end, claims, n);
	if (!sign(mac, token, (size_t)(end - token), secret))
		return false;
	*end++ = '.';
	end = base64url_encode(end, mac, MAC_LEN);
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
