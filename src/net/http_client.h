/* SPDX-License-Identifier: MIT */
/*
 * The few HTTP calls that we make ourselves. http and https only, no redirects, no proxy, every
 * address checked before it is connected to (outbound.h), time and size bounded. The only user of
 * libcurl. Nothing here logs.
 */
#ifndef CS_NET_HTTP_CLIENT_H
#define CS_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "net/outbound.h"

struct http_call {
	const char *url;
	const char *const *headers; /* "Name: value", ended by NULL; NULL: none of its own */
	const char *body;	    /* JSON */
	struct outbound outbound;
	long connect_ms, total_ms;
	size_t max; /* bytes of the answer; what is over is not read */
};

enum http_result {
	HTTP_ANSWERED, /* whatever the status */
	HTTP_REFUSED,  /* by outbound.allow; WHY is the address */
	HTTP_TIMEOUT,
	HTTP_FAILED, /* no connection, no TLS, no HTTP …; WHY says it in English */
	HTTP__MAX
};

/* The caller's; http_answer_free() it. */
struct http_answer {
	int status;
	struct buf body;
	char why[256];
};
void http_answer_free(struct http_answer *a);
#define auto_answer cs_cleanup(http_answer_free) struct http_answer

/* POSTs CALL; blocks for total_ms at most. A (zeroed) is filled as far as an answer came. */
enum http_result http_post(const struct http_call *call, struct http_answer *a);

#endif
