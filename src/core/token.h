/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens as WeRSS mints them: HS256 over a shared secret. This room checks and makes the
 * signature; it has no JSON library, so the decoded header and claims go back as text to a caller
 * that has one (fcgi/guard.c). The algorithm is never taken from the token: the signature is always
 * checked as HS256, whatever the header says, and the caller refuses a header that says otherwise.
 */
#ifndef CS_CORE_TOKEN_H
#define CS_CORE_TOKEN_H

#include "base/arena.h"
#include "base/err.h"

#define TOKEN_MAX 4096 /* bytes of a token that is looked at */

/*
 * Splits TOKEN ("header.claims.signature", base64url without padding), checks its signature in
 * constant time and decodes. False: malformed, too long, not signed with SECRET, SECRET empty, or
 * out of memory; then *HEADER and *CLAIMS are untouched. They are NUL-terminated JSON text in the
 * arena (lengths beside them, since the text may hold NUL: the JSON parser refuses that).
 */
bool token_open(const char *token, const char *secret, struct arena *a, const char **header,
    size_t *header_len, const char **claims, size_t *claims_len);
/*
 * Mints a token of SUB (UTF-8, JSON-escaped here), iat and exp in unix seconds, into OUT. False:
 * does not fit in SIZE or TOKEN_MAX, SUB is no UTF-8, SECRET is empty, or out of memory; OUT is
 * then untouched.
 */
bool token_mint(
    char *out, size_t size, const char *sub, int64_t iat, int64_t exp, const char *secret);

#endif
