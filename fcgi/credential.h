/* SPDX-License-Identifier: MIT */
/* What an Authorization header says, and what a token claims. Pure: no database, no clock. */
#ifndef CS_FCGI_CREDENTIAL_H
#define CS_FCGI_CREDENTIAL_H

#include "base/arena.h"

enum credential_kind { CRED_TOKEN, CRED_KEY };

struct credential {
	enum credential_kind kind;
	const char *token; /* CRED_TOKEN */
	const char *key;   /* CRED_KEY */
	const char *secret;
};

/*
 * Parses "Bearer TOKEN" or "AK-SK KEY:SECRET" (NULL: no header) into OUT, text in the arena. False:
 * absent, of another scheme, or malformed.
 */
bool credential_parse(const char *header, struct arena *a, struct credential *out);
/*
 * The username that TOKEN vouches for at NOW_S (unix seconds), in the arena. NULL: not signed with
 * SECRET as HS256, expired, not yet valid, or without exp or sub.
 */
const char *credential_subject(
    const char *token, const char *secret, int64_t now_s, struct arena *a);

#endif
