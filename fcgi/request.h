/* SPDX-License-Identifier: MIT */
/*
 * From what the web server says to a struct req. All of it is checked here: percent escapes, UTF-8,
 * NUL, numbers, sizes. What is refused is a fault that names the parameter, "path", "query" or
 * "body".
 */
#ifndef CS_FCGI_REQUEST_H
#define CS_FCGI_REQUEST_H

#include "fcgi/ctx.h"

#include <fcgiapp.h>

enum req_env {
	ENV_METHOD,
	ENV_REQUEST_URI,
	ENV_DOCUMENT_URI,
	ENV_SCRIPT_NAME,
	ENV_PATH_INFO,
	ENV_QUERY,
	ENV_LENGTH,
	ENV_ENCODING,
	ENV_IDEMPOTENCY,
	ENV_AUTHORIZATION,
	ENV_IF_NONE_MATCH,
	ENV_LANGUAGE,
	ENV_REMOTE,
	ENV_ID,	       /* the caller's X-Request-Id */
	ENV_SERVER_ID, /* the web server's own */
	ENV__MAX
};

/* Picks the variables out of ENVP in one pass; absent and empty ones are NULL. Borrowed. */
void request_env(char *const *envp, const char *env[ENV__MAX]);
/* The language that Accept-Language ranks first of Chinese and English; Chinese unless it is
 * English. */
enum lang request_language(const char *accept);
/*
 * Fills Q from ENV, all but method, params and body. Q->id, remote_addr and the like are set even
 * when the rest is refused (CS_EINPUT, CS_ENOMEM), so that the refusal can be answered and logged.
 */
enum cs_err request_parse(struct req *q, const char *const env[ENV__MAX], const struct conf *conf,
    struct arena *a, struct fault *f) cs_mustcheck;
/*
 * Reads the body that LENGTH (CONTENT_LENGTH, may be NULL) promises from IN into BUF and Q.
 * CS_ETOOLARGE above MAX bytes, CS_EINPUT for a bad length or a body that ends early.
 */
enum cs_err request_body(struct req *q, FCGX_Stream *in, const char *length, int64_t max,
    struct buf *buf, struct fault *f) cs_mustcheck;
/* Reads and drops what is left, so that closing the connection does not cut off the answer. */
void request_drain(FCGX_Stream *in);

#endif
