/* SPDX-License-Identifier: MIT */
/* One worker process: accepts, serves one request at a time, beats when idle, ends when told to. */
#ifndef CS_FCGI_WORKER_H
#define CS_FCGI_WORKER_H

#include "conf/conf.h"

struct metrics;
struct super_slot;

struct worker_conf {
	const struct conf *conf;
	struct metrics *metrics; /* the pool's */
	int fd;			 /* non-blocking listening socket */
	unsigned index, count;	 /* it is worker INDEX of COUNT */
	bool alone;		 /* nobody replaces it: it does not end after max_requests */
};

/* Serves until SIGTERM, SIGINT or max_requests. Returns the exit status. */
int worker_run(const struct worker_conf *wc, struct super_slot *slot);

#endif
