/* SPDX-License-Identifier: MIT */
/*
 * Signs of life. A heartbeat that is due is written at once where a worker has little to write;
 * where they come thick and fast they are noted, and written together half a second later. A worker
 * that is killed meanwhile loses them: a node that is shown online is heard again long before
 * anybody takes it for offline. Others are noted only where many come at once, as after an outage.
 */
#ifndef CS_FCGI_ALIVE_H
#define CS_FCGI_ALIVE_H

#include "fcgi/ctx.h"

#define ALIVE_MAX 256

struct alive {
	size_t n;
	int64_t node[ALIVE_MAX];
	int64_t due_ms; /* monotonic: the half second ends, what is noted is to be written */
	int alone;	/* written at once since it began */
};

/* Writes or notes that the calling node, whose heartbeat is due, is alive. */
enum cs_err alive_note(struct ctx *c) cs_mustcheck;
/* Between requests: writes what is noted, if that is due or NOW is true. What cannot be written now
 * is kept for the next time. */
void alive_write(struct alive *a, struct db *db, struct metrics *metrics, bool now);
/* How long until then; -1: nothing is noted. */
int64_t alive_wait_ms(const struct alive *a);

#endif
