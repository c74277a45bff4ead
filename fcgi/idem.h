/* SPDX-License-Identifier: MIT */
/* The Idempotency-Key header. */
#ifndef CS_FCGI_IDEM_H
#define CS_FCGI_IDEM_H

#include "db/db_idem.h"
#include "fcgi/ctx.h"

/*
 * What the request's key stands for on ROUTE; K->id is NULL where it has none. CS_EINVALID naming
 * the header for a key that is not 1 to 128 visible ASCII characters.
 */
enum cs_err idem_read(struct ctx *c, const char *route, struct db_idem *k) cs_mustcheck;

#endif
