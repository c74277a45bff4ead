/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Tokens as WeRSS mints them: HS256 over a shared secret, sub = username, exp required.
 * The algorithm is never taken from the token: anything but a header that says HS256 is refused, and
 * the signature is always checked as HS256. Only what is needed is read, by a small strict scanner
 * over the decoded JSON (this room has no JSON library): objects of string, number, true, false,
 * null and nested values, duplicate keys refused.
 */
#ifndef CS_CORE_TOKEN_H
#define CS_CORE_TOKEN_H

#include "base/err.h"

#define TOKEN_SUB_MAX 255 /* bytes */
#define TOKEN_MAX     4096

struct token_claims {
	char sub[TOKEN_SUB_MAX + 1];
	int64_t exp; /* unix seconds; fractions cut */
	int64_t nbf; /* 0: absent */
};

enum token_result { TOKEN_OK, TOKEN_MALFORMED, TOKEN_ALG, TOKEN_SIGNATURE, TOKEN_EXPIRED, TOKEN_NOT_YET };

/* Checks TOKEN at NOW_S (unix seconds; no leeway for exp, 60 s for nbf). */
enum token_result token_verify(const char *token, const char *secret, int64_t now_s, struct token_claims *claims);
/* Mints a token for SUB until EXP; OUT of SIZE bytes. False when it does not fit. */
bool token_mint(char *out, size_t size, const char *sub, int64_t iat, int64_t exp, const char *secret);
const char *token_result_name(enum token_result r);
/* WeRSS's well-known default secret. */
bool token_secret_is_well_known(const char *secret);

#endif
