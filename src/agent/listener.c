/* SPDX-License-Identifier: MIT */
/*
 * Hears the parent's wake-up calls: POSTs of {type: "new_task", ...} that it signs with the hash of
 * this node's secret (X-Cascade-Signature: t=UNIX,v1=HMAC of "t.body"). A good one means "claim
 * now", and nothing else: what it says is not believed. Just enough HTTP for that, a few
 * connections at a time, each for a few seconds.
 */
#include "agent/node.h"
#include "base/clock.h"
#include "base/parse.h"
#include "core/ident.h"
#include "proc/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS	    (LISTENER_FDS - 1)
#define REQUEST_MAX (32u << 10)
#define TIME_MS	    5000
#define WINDOW_S    300
#define SEEN	    256

struct conn {
	int fd; /* -1: free */
	struct buf in;
	int64_t until_ms;
};

struct listener_state {
	struct listener listener;
	struct conn conns[CONNS];
	char key[SHA256_HEX_LEN + 1];
	/* Signatures of the last calls: one that comes again is a replay. */
	char seen[SEEN][SHA256_HEX_LEN + 1];
	size_t next_seen;
};

enum cs_err
listener_start(struct node *n, struct fault *f)
{
	struct listener_state *l;

	if (n->conf->listen[0] == '\0')
		return CS_OK;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return cs_detail(f, CS_ENOMEM, "listener");
	for (size_t i = 0; i < CONNS; i++)
		l->conns[i].fd = -1;
	ident_sha256(l->key, n->conf->api_secret, strlen(n->conf->api_secret));
	n->listener = l;
	return listen_open(n->conf->listen, 0, &l->listener, f);
}

static void
hang_up(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
}

void
listener_stop(struct node *n)
{
	struct listener_state *l = n->listener;

	if (l == NULL)
		return;
	for (size_t i = 0; i < CONNS; i++) {
		if (l->conns[i].fd >= 0)
			hang_up(&l->conns[i]);
	}
	if (l->listener.fd >= 0)
		close(l->listener.fd);
	free(l);
	n->listener = NULL;
}

/* --- a request --- */

/* The value of header NAME among the lines up to END, LEN bytes; NULL: none. */
static const char *
header(const char *at, const char *end, const char *name, size_t *len)
{
	size_t n = strlen(name);

	while ((at = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL && at + 2 < end) {
		at += 2;
		if ((size_t)(end - at) <= n || strncasecmp(at, name, n) != 0 || at[n] != ':')
			continue;
		at += n + 1;
		at += strspn(at, " \t");
		*len = strcspn(at, "\r");
		return at;
	}
	return NULL;
}

/* Copies header NAME into OUT; false: there is none, or it is too long. */
static bool
get_header(const char *head, const char *end, const char *name, char *out, size_t size)
{
	size_t len;
	const char *value = header(head, end, name, &len);

	if (value == NULL || len >= size)
		return false;
	memcpy(out, value, len);
	out[len] = '\0';
	return true;
}

static bool
is_replay(struct listener_state *l, const char *mac)
{
	for (size_t i = 0; i < SEEN; i++) {
		if (strcmp(l->seen[i], mac) == 0)
			return true;
	}
	memcpy(l->seen[l->next_seen], mac, sizeof(l->seen[0]));
	l->next_seen = (l->next_seen + 1) % SEEN;
	return false;
}

/* NULL: SIGNATURE ("t=…,v1=…") is the parent's over BODY, new, and of now. Else what is wrong. */
static const char *
verify(struct listener_state *l, char *signature, const char *body, size_t len)
{
	char mac[SHA256_HEX_LEN + 1] = "", *given;
	struct buf b = { 0 };
	int64_t t, now = clock_wall_s();

	given = strstr(signature, ",v1=");
	if (strncmp(signature, "t=", 2) != 0 || given == NULL)
		return "the signature is malformed";
	*given = '\0';
	given += strlen(",v1=");
	if (!parse_int(signature + 2, 0, INT64_MAX, &t))
		return "the signature is malformed";
	if (t < now - WINDOW_S || t > now + WINDOW_S)
		return "the signature is too old or too new: are both clocks right?";
	buf_printf(&b, "%s.", signature + 2);
	buf_add(&b, body, len);
	if (!buf_failed(&b))
		ident_hmac_sha256(mac, l->key, SHA256_HEX_LEN, b.data, b.len);
	buf_free(&b);
	if (!ident_equal(given, mac))
		return "the signature is not the parent's";
	return is_replay(l, mac) ? "this call was heard before" : NULL;
}

static void
answer(struct conn *c, int status, const char *message)
{
	struct buf b = { 0 };

	buf_printf(&b,
	    "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n{\"code\":%d,\"message\":\"%s\",\"data\":null}",
	    status, status == 200 ? "OK" : "Refused",
	    strlen("{\"code\":200,\"message\":\"\",\"data\":null}") + strlen(message), status,
	    message);
	/* As much as the socket takes: it is new and empty. */
	if (!buf_failed(&b))
		(void)send(c->fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&b);
	shutdown(c->fd, SHUT_WR);
	hang_up(c);
}

/* A whole request: HEAD_LEN bytes of head, then LEN of body. */
static void
serve(struct node *n, struct conn *c, size_t head_len, size_t len)
{
	const char *head = c->in.data, *end = head + head_len;
	char signature[256];
	const char *wrong;

	if (strncmp(head, "POST ", 5) != 0) {
		answer(c, 405, "only POST");
		return;
	}
	if (!get_header(head, end, "X-Cascade-Signature", signature, sizeof(signature)))
		wrong = "there is no signature";
	else
		wrong = verify(n->listener, signature, end, len);
	if (wrong != NULL) {
		log_warn("notify", "refused: %s", wrong);
		answer(c, 401, wrong);
		return;
	}
	log_debug("notify", "the parent has work");
	answer(c, 200, "success");
	claim_soon(n);
}

/* Serves what has come if it is all there. */
static void
look(struct node *n, struct conn *c)
{
	const char *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
	char length[16] = "0";
	int64_t len;
	size_t head;

	if (end == NULL)
		return;
	end += 4;
	head = (size_t)(end - c->in.data);
	if (header(c->in.data, end, "Content-Length", &(size_t){ 0 }) != NULL &&
	    !get_header(c->in.data, end, "Content-Length", length, sizeof(length)))
		length[0] = '\0';
	if (!parse_int(length, 0, REQUEST_MAX, &len))
		answer(c, 400, "bad Content-Length");
	else if (c->in.len >= head + (size_t)len)
		serve(n, c, head, (size_t)len);
}

static void
hear(struct node *n, struct conn *c)
{
	char *room = buf_reserve(&c->in, 4096);
	ssize_t got = room != NULL ? recv(c->fd, room, 4096, MSG_DONTWAIT) : 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		hang_up(c);
		return;
	}
	c->in.len += (size_t)got;
	c->in.data[c->in.len] = '\0';
	look(n, c);
	if (c->fd >= 0 && c->in.len >= 2 * REQUEST_MAX)
		answer(c, 413, "too long");
}

static void
welcome(struct listener_state *l)
{
	for (size_t i = 0; i < CONNS; i++) {
		struct conn *c = &l->conns[i];

		if (c->fd >= 0)
			continue;
		c->fd = accept4(l->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		c->until_ms = clock_mono_ms() + TIME_MS;
		if (c->fd < 0)
			return;
	}
}

/* The listening socket comes first, where there is room for another connection. */
size_t
listener_fds(struct node *n, struct pollfd *fds)
{
	struct listener_state *l = n->listener;
	size_t count = 1;

	if (l == NULL)
		return 0;
	for (size_t i = 0; i < CONNS; i++) {
		if (l->conns[i].fd < 0)
			continue;
		fds[count++] = (struct pollfd){ .fd = l->conns[i].fd, .events = POLLIN };
		node_wake_at(n, l->conns[i].until_ms);
	}
	fds[0] = (struct pollfd){ .fd = count <= CONNS ? l->listener.fd : -1, .events = POLLIN };
	return count;
}

void
listener_step(struct node *n, const struct pollfd *fds, size_t nfds)
{
	struct listener_state *l = n->listener;
	int64_t now = clock_mono_ms();

	if (l == NULL)
		return;
	for (size_t i = 0; i < CONNS; i++) {
		struct conn *c = &l->conns[i];

		if (c->fd < 0)
			continue;
		for (size_t k = 1; k < nfds && c->fd >= 0; k++) {
			if (fds[k].fd == c->fd && fds[k].revents != 0) {
				hear(n, c);
				break;
			}
		}
		if (c->fd >= 0 && now >= c->until_ms)
			hang_up(c);
	}
	if (nfds > 0 && fds[0].revents != 0)
		welcome(l);
}
