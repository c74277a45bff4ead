/* SPDX-License-Identifier: MIT */
/*
 * Requests to the parent: address, credential, compression, and one back-off for all of them, so
 * that a parent that is away or overloaded is asked by one request at a time, and seldom.
 */
#ifndef CS_AGENT_PARENT_H
#define CS_AGENT_PARENT_H

#include "agent/node.h"
#include "json/jx.h"

enum parent_verdict {
	PARENT_OK,
	PARENT_LATER,  /* no answer, or one that asks for patience: the same again later */
	PARENT_REFUSED /* the same will be refused again */
};

struct parent_answer {
	enum parent_verdict verdict;
	int status; /* of HTTP or, where that is 200, of the envelope; 0: no answer */
	const struct jx *data;
	const char *message; /* the parent's words, or what went wrong; never NULL */
};
typedef void parent_done(struct node *n, void *arg, const struct parent_answer *a);

enum cs_err parent_init(struct node *n, struct fault *f) cs_mustcheck;
void parent_fini(struct node *n);
/* May something be asked now? If not, the loop is woken when it may. */
bool parent_ready(struct node *n);
/*
 * Sends BODY (NULL: none; compressed if that helps) to PATH below the mount. KEY: Idempotency-Key,
 * or NULL. False: no memory; nothing was sent.
 */
bool parent_call(struct node *n, enum http_method method, const char *path, const struct buf *body,
    const char *key, parent_done *done, void *arg) cs_mustcheck;
/* Reads an answer of RESULT and A into OUT; DOC is what OUT points into, the caller's to free. */
void parent_read(enum http_result result, const struct http_answer *a, struct parent_answer *out,
    struct jx_doc **doc);

#endif
