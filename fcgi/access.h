/* SPDX-License-Identifier: MIT */
/* One request on its way through a worker, and the line that is logged about it. */
#ifndef CS_FCGI_ACCESS_H
#define CS_FCGI_ACCESS_H

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/router.h"

struct exchange {
	const char *env[ENV__MAX]; /* valid until the request is finished */
	const char *method;	   /* as sent */
	struct req req;
	struct ctx ctx;
	const struct route *route; /* NULL: none found */
	char allow[64];
};

/* Logs X, answered by R: who, what, how long; never a credential, a body or a raw path (but at
 * debug). */
void access_log(const struct exchange *x, const struct reply *r);

#endif
