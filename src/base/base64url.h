/* SPDX-License-Identifier: MIT */
/* base64url (RFC 4648, section 5), strictly: no padding, no other characters, no stray bits. */
#ifndef CS_BASE_BASE64URL_H
#define CS_BASE_BASE64URL_H

#include "base/base.h"

/* Characters of N bytes, and bytes of N characters. */
#define BASE64URL_LEN(n)   (((n)*8 + 5) / 6)
#define BASE64URL_BYTES(n) ((n)*6 / 8)

/* Writes BASE64URL_LEN(n) characters, not terminated. Returns where they end. */
char *base64url_encode(char *out, const void *data, size_t n);
/* Writes BASE64URL_BYTES(n) bytes. False: N characters that no encoder writes. */
bool base64url_decode(void *out, const char *s, size_t n) cs_mustcheck;

#endif
