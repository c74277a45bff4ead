/* SPDX-License-Identifier: MIT */
/*
 * curl's multi interface. A call is a transfer with its answer, linked into the multi until it has
 * ended. curl waits for the caller's descriptors beside its own, but reports no hang-up of them:
 * they are polled once more, without waiting.
 */
#include "net/http_multi.h"

#include "net/http_client_priv.h"

#include <poll.h>
#include <stdlib.h>

#define BLIND_MS 100

struct call {
	struct transfer transfer;
	struct http_answer answer;
	http_done *done;
	void *arg;
	struct call *prev, *next;
};

struct http_multi {
	CURLM *m;
	struct call *calls;
	size_t n;
	struct curl_waitfd *extra; /* room for the caller's descriptors */
	size_t nextra;
};

struct http_multi *
http_multi_new(unsigned total, unsigned per_host)
{
	struct http_multi *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->m = curl_multi_init()) == NULL) {
		free(m);
		return NULL;
	}
	curl_multi_setopt(m->m, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)total);
	curl_multi_setopt(m->m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)per_host);
	curl_multi_setopt(m->m, CURLMOPT_MAXCONNECTS, (long)total);
	return m;
}

static void
link_call(struct http_multi *m, struct call *c)
{
	c->next = m->calls;
	if (c->next != NULL)
		c->next->prev = c;
	m->calls = c;
	m->n++;
}

static void
unlink_call(struct http_multi *m, struct call *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		m->calls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	m->n--;
}

static void
call_free(struct call *c)
{
	transfer_fini(&c->transfer);
	http_answer_free(&c->answer);
	free(c);
}

void
http_multi_free(struct http_multi *m)
{
	if (m == NULL)
		return;
	while (m->calls != NULL) {
		struct call *c = m->calls;

		unlink_call(m, c);
		curl_multi_remove_handle(m->m, c->transfer.h);
		call_free(c);
	}
	curl_multi_cleanup(m->m);
	free(m->extra);
	free(m);
}

bool
http_multi_start(struct http_multi *m, const struct http_call *call, http_done *done, void *arg)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	c->done = done;
	c->arg = arg;
	if (!transfer_init(&c->transfer, call, &c->answer) ||
	    curl_multi_add_handle(m->m, c->transfer.h) != CURLM_OK) {
		call_free(c);
		return false;
	}
	link_call(m, c);
	return true;
}

size_t
http_multi_running(const struct http_multi *m)
{
	return m->n;
}

static void
end_call(struct http_multi *m, CURL *h, CURLcode rc)
{
	struct transfer *t = NULL;
	struct call *c;

	curl_easy_getinfo(h, CURLINFO_PRIVATE, &t);
	c = (struct call *)t; /* its first member */
	curl_multi_remove_handle(m->m, h);
	unlink_call(m, c);
	c->done(c->arg, transfer_conclude(t, rc), &c->answer);
	call_free(c);
}

/* FDS as curl takes them, in m->extra; 0: none, or no memory. */
static size_t
take_fds(struct http_multi *m, const struct pollfd *fds, size_t n)
{
	if (n > m->nextra) {
		struct curl_waitfd *grown = realloc(m->extra, n * sizeof(*grown));

		if (grown == NULL)
			return 0;
		m->extra = grown;
		m->nextra = n;
	}
	for (size_t i = 0; i < n; i++)
		m->extra[i] = (struct curl_waitfd){ .fd = fds[i].fd,
			.events = (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
					  (fds[i].events & POLLPRI ? CURL_WAIT_POLLPRI : 0) |
					  (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0)) };
	return n;
}

/* For curl's descriptors and FDS, whichever comes first. */
static void
wait_for(struct http_multi *m, struct pollfd *fds, size_t n, int timeout_ms)
{
	size_t taken = take_fds(m, fds, n);

	/* without memory to wait for them they are looked at all the same */
	if (taken < n && timeout_ms > BLIND_MS)
		timeout_ms = BLIND_MS;
	curl_multi_poll(m->m, m->extra, (unsigned)taken, timeout_ms, NULL);
	if (n > 0)
		poll(fds, n, 0);
}

void
http_multi_wait(struct http_multi *m, struct pollfd *fds, size_t n, int timeout_ms)
{
	int running, left;
	CURLMsg *msg;

	wait_for(m, fds, n, timeout_ms);
	curl_multi_perform(m->m, &running);
	while ((msg = curl_multi_info_read(m->m, &left)) != NULL) {
		if (msg->msg == CURLMSG_DONE)
			end_call(m, msg->easy_handle, msg->data.result);
	}
}
