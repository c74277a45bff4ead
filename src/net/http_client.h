/* SPDX-License-Identifier: MIT */
/*
 * The HTTP calls that we make ourselves. http and https only, no redirects, no proxy but a
 * configured one, every address checked before it is connected to (outbound.h), time and size
 * bounded. The only user of libcurl. Nothing here logs. Many calls at once: http_multi.h.
 */
#ifndef CS_NET_HTTP_CLIENT_H
#define CS_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "net/outbound.h"

enum http_method { HTTP_POST, HTTP_GET, HTTP_PUT, HTTP_DELETE, HTTP_METHOD__MAX };

/* All optional: NULL and "" are the same. */
struct http_tls {
	/* PEM; the only authorities believed, none: the system's; read again within a minute */
	const char *ca_file;
	const char *cert_file, *key_file; /* client certificate */
	const char *proxy; /* none: none (the environment is never used); it is what is checked */
	bool insecure;	   /* whoever answers is believed */
};

struct http_call {
	enum http_method method;
	const char *url;
	const char *const *headers; /* "Name: value", ended by NULL; NULL: none of its own */
	const char *body;	    /* JSON; NULL: none */
	size_t body_len;	    /* 0 with a body: up to its NUL */
	struct outbound outbound;   /* its strings outlive the call */
	bool anywhere; /* the address is from our own configuration: OUTBOUND is not asked */
	const struct http_tls *tls; /* copied; NULL: defaults */
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
	long retry_after; /* seconds that the answer asks to wait; -1: it does not */
	char why[256];
};
void http_answer_free(struct http_answer *a);
#define auto_answer cs_cleanup(http_answer_free) struct http_answer

/* The host that a call of URL goes to, without brackets. False: it has none, or none that fits
 * SIZE. */
bool http_host(const char *url, char *host, size_t size) cs_mustcheck;

/* Makes CALL; blocks for total_ms at most. A (zeroed) is filled as far as an answer came. */
enum http_result http_call(const struct http_call *call, struct http_answer *a);

#endif
