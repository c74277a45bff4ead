/* SPDX-License-Identifier: MIT */
/*
 * Many HTTP calls at once on one thread; connections are reused. The loop that owns it waits in
 * http_multi_wait() and nowhere else.
 */
#ifndef CS_NET_HTTP_MULTI_H
#define CS_NET_HTTP_MULTI_H

#include "net/http_client.h"

struct pollfd;
struct http_multi;

/* How a call ended; A is the multi's, and valid during the call. May start others. */
typedef void http_done(void *arg, enum http_result result, struct http_answer *a);

/*
 * At most TOTAL connections, PER_HOST (0: all) of them to one host and port; calls beyond wait for
 * one, and their time runs. NULL: out of memory.
 */
struct http_multi *http_multi_new(unsigned total, unsigned per_host);
/* Abandons what runs, and calls nobody. */
void http_multi_free(struct http_multi *m);
/*
 * Starts CALL, of which it copies url, headers and body. DONE(ARG) is called by http_multi_wait()
 * once. False: out of memory, and nothing was started.
 */
bool http_multi_start(
    struct http_multi *m, const struct http_call *call, http_done *done, void *arg) cs_mustcheck;
/* Calls started whose DONE has not been called. */
size_t http_multi_running(const struct http_multi *m);
/*
 * Waits up to TIMEOUT_MS, or less, for the calls and for the N of FDS (as poll(2) has them, revents
 * filled; may be NULL), advances the calls, then calls DONE of those that ended.
 */
void http_multi_wait(struct http_multi *m, struct pollfd *fds, size_t n, int timeout_ms);

#endif
