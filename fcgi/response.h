/* SPDX-License-Identifier: MIT */
/* The answer: envelope, headers, and their way to the web server. */
#ifndef CS_FCGI_RESPONSE_H
#define CS_FCGI_RESPONSE_H

#include "fcgi/ctx.h"

#include <fcgiapp.h>

struct reply {
	enum cs_err err;   /* CS_OK: ctx->res is the answer, else ctx->fault */
	const char *allow; /* methods of the path, for 405 */
	bool head;	   /* HEAD: headers only */
	int status;	   /* set by response_build() */
	struct buf header;
	/* The body in three pieces: the data of an answer may be megabytes and is not copied. */
	struct buf opening; /* of the envelope, up to its data */
	const struct buf *data;
	const char *closing;
	size_t body_len; /* of all three */
};

/* Empties RES for another run of a handler; keeps its memory. */
void response_reset(struct res *res);
/*
 * Renders status, headers and body of C into R. An answer that does not fit into memory becomes an
 * error, R->err and C->fault with it.
 */
void response_build(struct reply *r, struct ctx *c);
/* Sends R as the answer to FR; what fits into libfcgi's buffer goes out with FCGX_Finish_r(), in
 * one write. False: the web server is gone. */
bool response_send(const struct reply *r, FCGX_Request *fr);

#endif
