/* SPDX-License-Identifier: MIT */
/* The sync log's row of a request: the one place that writes what the handlers do not. */
#ifndef CS_FCGI_SYNC_H
#define CS_FCGI_SYNC_H

#include "fcgi/router.h"

/*
 * Logs C, which route R answers with ERR, where a node called and R has an operation: pulls, and
 * what was refused of pulls and pushes. Best effort: a failure of ours is not the node's.
 */
void sync_note(struct ctx *c, const struct route *r, enum cs_err err);

#endif
