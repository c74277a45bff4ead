/* SPDX-License-Identifier: MIT */
/*
 * Reads credentials. Says only whether one is good, never why it is not: the answer to a bad one is
 * always the same, so that it teaches an attacker nothing.
 */
#include "fcgi/credential.h"

#include "base/parse.h"
#include "core/token.h"
#include "json/jx.h"

#include <string.h>
#include <strings.h>

#define NBF_LEEWAY_S 60 /* how far the minting server's clock may be ahead of ours */

static const struct {
	const char *name;
	enum credential_kind kind;
} schemes[] = {
	{ "Bearer", CRED_TOKEN },
	{ "AK-SK", CRED_KEY },
};

/* The text after "SCHEME " at the start of HEADER, any number of blanks; NULL: another scheme. */
static const char *
after_scheme(const char *header, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(header, scheme, len) != 0 || header[len] != ' ')
		return NULL;
	return header + len + strspn(header + len, " ");
}

static bool
split_key(const char *text, struct arena *a, struct credential *out)
{
	const char *colon = strchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return false;
	out->key = arena_strndup(a, text, (size_t)(colon - text));
	out->secret = arena_strdup(a, colon + 1);
	return out->key != NULL && out->secret != NULL;
}

bool
credential_parse(const char *header, struct arena *a, struct credential *out)
{
	if (header == NULL || !parse_is_utf8(header, strlen(header)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const char *text = after_scheme(header, schemes[i].name);

		if (text == NULL || *text == '\0')
			continue;
		*out = (struct credential){ .kind = schemes[i].kind };
		if (out->kind == CRED_KEY)
			return split_key(text, a, out);
		out->token = arena_strdup(a, text);
		return out->token != NULL;
	}
	return false;
}

/* A NumericDate: seconds, whole or with a fraction, which is cut off. */
static bool
numeric_date(const struct jx *v, struct arena *a, int64_t *out)
{
	const char *text;

	if (jx_type(v) == JX_INT) {
		*out = jx_int(v);
		return true;
	}
	if (jx_type(v) != JX_DOUBLE || (text = jx_text(v, a)) == NULL)
		return false;
	text = arena_strndup(a, text, strcspn(text, "."));
	return text != NULL && parse_int(text, INT64_MIN, INT64_MAX, out);
}

/* Extensions that a header calls critical are not understood here, so it must not have any. */
static bool
is_hs256(const char *header, size_t len)
{
	auto_jx *doc = NULL;
	struct fault ignored = { 0 };
	const char *alg;

	if (jx_parse(header, len, &doc, &ignored) != CS_OK || jx_type(jx_root(doc)) != JX_OBJ)
		return false;
	alg = jx_str(jx_get(jx_root(doc), "alg"));
	return alg != NULL && strcmp(alg, "HS256") == 0 && !jx_has(jx_root(doc), "crit");
}

static const char *
subject_of(const struct jx *claims, int64_t now_s, struct arena *a)
{
	const struct jx *nbf = jx_get(claims, "nbf");
	const char *sub = jx_str(jx_get(claims, "sub"));
	int64_t exp, from = 0;

	if (!numeric_date(jx_get(claims, "exp"), a, &exp) || exp <= now_s)
		return NULL;
	if (nbf != NULL && (!numeric_date(nbf, a, &from) || from > now_s + NBF_LEEWAY_S))
		return NULL;
	return sub != NULL && sub[0] != '\0' ? arena_strdup(a, sub) : NULL;
}

const char *
credential_subject(const char *token, const char *secret, int64_t now_s, struct arena *a)
{
	auto_jx *doc = NULL;
	struct fault ignored = { 0 };
	const char *header, *claims;
	size_t header_len, claims_len;

	if (!token_open(token, secret, a, &header, &header_len, &claims, &claims_len) ||
	    !is_hs256(header, header_len) ||
	    jx_parse(claims, claims_len, &doc, &ignored) != CS_OK ||
	    jx_type(jx_root(doc)) != JX_OBJ)
		return NULL;
	return subject_of(jx_root(doc), now_s, a);
}
