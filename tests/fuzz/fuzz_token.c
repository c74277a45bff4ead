/* SPDX-License-Identifier: MIT */
/*
 * Tokens: the input as a token, as rightly signed text (so that the decoder behind the signature is
 * reached), and as the subject of a minted one. Aborts where one opens that should not, or the
 * other way round.
 */
#include "core/token.h"

#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SECRET "fuzz"
#define SIZE   (2 * TOKEN_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* BYTES in base64url, by OpenSSL. */
static void
encode(char *out, const void *bytes, size_t n)
{
	size_t len = (n * 8 + 5) / 6;

	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
	out[len] = '\0';
	for (char *c = out; *c != '\0'; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
}

static void
append_signature(char *text)
{
	unsigned char mac[32];
	size_t n = strlen(text);

	must(HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const unsigned char *)text, n, mac,
		 NULL) != NULL);
	text[n] = '.';
	encode(text + n + 1, mac, sizeof(mac));
}

/* What opens is the one and only encoding of what comes out. */
static bool
opens(const char *token, struct arena *a)
{
	const char *header, *claims;
	size_t header_len, claims_len;
	char again[2 * SIZE], *end = again;

	arena_reset(a);
	if (!token_open(token, SECRET, a, &header, &header_len, &claims, &claims_len))
		return false;
	must(header[header_len] == '\0' && claims[claims_len] == '\0');
	encode(end, header, header_len);
	end += strlen(end);
	*end++ = '.';
	encode(end, claims, claims_len);
	append_signature(again);
	must(strcmp(again, token) == 0);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena *a;
	char text[SIZE], token[SIZE];

	if (a == NULL)
		a = arena_new(1u << 20);
	must(a != NULL);
	snprintf(text, TOKEN_MAX + 2, "%.*s", (int)n, (const char *)data);
	opens(text, a);
	if (token_mint(token, sizeof(token), text, 1, 2, SECRET))
		must(parse_is_utf8(text, strlen(text)) && opens(token, a));
	append_signature(text);
	opens(text, a);
	return 0;
}
