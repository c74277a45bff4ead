/* SPDX-License-Identifier: MIT */
/*
 * base64url, for tokens and cursors. Decoding takes only what encoding writes, so that two
 * different texts never mean the same bytes.
 */
#include "base/base64url.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *
base64url_encode(char *out, const void *data, size_t n)
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

bool
base64url_decode(void *out, const char *s, size_t n)
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
