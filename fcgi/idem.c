/* SPDX-License-Identifier: MIT */
/*
 * A key belongs to one principal and one route; what was asked for under it is mount, query and
 * body. Both are hashed, so that nothing of a request is kept but what answers it.
 */
#include "fcgi/idem.h"

#include "core/ident.h"

#include <string.h>

#define KEY_MAX 128

static bool
is_sane(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < n; i++) {
		if (key[i] < '!' || key[i] > '~')
			return false;
	}
	return n >= 1 && n <= KEY_MAX;
}

/* The hash of B, which is emptied, in the arena; NULL: out of memory. */
static const char *
hash(struct arena *a, struct buf *b)
{
	char hex[SHA256_HEX_LEN + 1] = "";

	if (!buf_failed(b))
		ident_sha256(hex, b->data, b->len);
	buf_reset(b);
	return hex[0] != '\0' ? arena_strdup(a, hex) : NULL;
}

/* Each text with its length in front: no two requests look alike. */
static void
add(struct buf *b, const char *s, size_t n)
{
	buf_printf(b, "%zu:", n);
	buf_add(b, s, n);
}

static void
add_request(struct buf *b, const struct req *q)
{
	if (q->mount != NULL)
		add(b, q->mount->prefix, q->mount->prefix_len);
	for (size_t i = 0; i < q->nquery; i++) {
		add(b, q->query[i].name, strlen(q->query[i].name));
		add(b, q->query[i].value, strlen(q->query[i].value));
	}
	if (q->body != NULL)
		add(b, q->body, q->body_len);
}

enum cs_err
idem_read(struct ctx *c, const char *route, struct db_idem *k)
{
	const char *key = c->req->idempotency_key;
	struct buf b = { 0 };

	*k = (struct db_idem){ .id = NULL };
	if (key == NULL)
		return CS_OK;
	if (!is_sane(key))
		return cs_bad(&c->fault, "Idempotency-Key", MSG_R_IDEMPOTENCY);
	buf_printf(&b, "%d %s %s %s", (int)c->who.kind, route, key, c->who.name);
	k->id = hash(c->arena, &b);
	add_request(&b, c->req);
	k->request = hash(c->arena, &b);
	buf_free(&b);
	if (k->id == NULL || k->request == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "idempotency key");
	return CS_OK;
}
