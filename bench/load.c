/* SPDX-License-Identifier: MIT */
/*
 * The load generator: HTTP/1.1 over kept connections, one thread, epoll. Each connection repeats a
 * script, a request a line ("METHOD PATH BODY"), in which $A, $F and $T stand for the allocation,
 * its first feed and its task as the last package named them, and $N for a number that comes once.
 * An answer without what the next line needs sends the connection back to the script's start.
 *
 * Closed loop: a connection sends its next request when it has the answer. Open loop (-r): requests
 * are due at fixed times whatever the answers do; a latency counts from when the request was due,
 * so a stall of the server is in the figures of all that it delayed (no coordinated omission).
 *
 * One line of JSON tells the outcome and what the generator itself cost.
 */
#include "bench/text.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000
#define READ_MIN 65536
#define EVENTS	 64
#define IDLE_NS	 100000000
#define PATIENCE 15 /* seconds after the end for what is still under way */

struct connection {
	int fd;
	bool busy;
	size_t who, line; /* its credential; where it is in the script */
	struct text out, in;
	size_t sent;
	int64_t due_ns;
	char var[3][256]; /* A, F, T */
};

static struct {
	struct sockaddr_in to;
	size_t connections;
	double seconds, rate;
	bool rotate;
	char **lines, **who;
	size_t nlines, nwho;
} o = { .connections = 8, .seconds = 5 };

static struct {
	struct text_times times;
	int64_t errors, empty, packages, requests, bytes;
	char first_error[512];
} got;

static struct connection *all;
static int64_t begin_ns, end_ns, issued;
static size_t next_who;
static int epoll_fd;

static void
watch(struct connection *c, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll_fd, op, c->fd, &e) != 0)
		err(1, "epoll_ctl");
}

static void
dial(struct connection *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&o.to, sizeof(o.to)) != 0)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

/* The value of "KEY":"…" in TEXT, into OUT; false where there is none. */
static bool
pick(const char *text, const char *key, char out[256])
{
	const char *p = strstr(text, key);
	size_t n;

	if (p == NULL)
		return false;
	p += strlen(key);
	n = strcspn(p, "\"");
	if (n > 255)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

/* Writes the request of the connection's line; false where it needs what the answer did not give.
 */
static bool
compose(struct connection *c)
{
	struct text_values v = { 0 };
	static struct text filled;
	char number[32], head[512], *path, *body;
	int n;

	snprintf(number, sizeof(number), "%d%lld", (int)getpid() % 100000, (long long)issued);
	v.of['N' - 'A'] = number;
	v.of['A' - 'A'] = c->var[0][0] != '\0' ? c->var[0] : NULL;
	v.of['F' - 'A'] = c->var[1][0] != '\0' ? c->var[1] : NULL;
	v.of['T' - 'A'] = c->var[2][0] != '\0' ? c->var[2] : NULL;
	filled.len = 0;
	if (!text_fill(&filled, o.lines[c->line], &v))
		return false;
	path = strchr(filled.data, ' ');
	if (path == NULL)
		errx(64, "a line is METHOD PATH BODY");
	body = strchr(path + 1, ' ');
	if (body != NULL)
		*body++ = '\0';
	n = snprintf(head, sizeof(head),
	    "%s HTTP/1.1\r\nHost: bench\r\nAuthorization: %s\r\nContent-Length: %zu\r\n\r\n",
	    filled.data, o.nwho > 0 ? o.who[c->who] : "none", body != NULL ? strlen(body) : 0);
	c->out.len = c->sent = 0;
	text_add(&c->out, head, (size_t)n);
	if (body != NULL)
		text_add(&c->out, body, strlen(body));
	return true;
}

static void
push(struct connection *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0)
			break; /* the answer, or the end of file, is there to be read */
		c->sent += (size_t)n;
	}
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void
begin(struct connection *c, int64_t due_ns)
{
	if (c->line == 0)
		memset(c->var, 0, sizeof(c->var));
	if (o.rotate)
		c->who = next_who++ % o.nwho;
	if (!compose(c)) {
		got.empty++;
		c->line = 0;
		memset(c->var, 0, sizeof(c->var));
		if (!compose(c))
			errx(64, "the script's first line needs an answer");
	}
	issued++;
	c->busy = true;
	c->due_ns = due_ns;
	c->in.len = 0;
	push(c);
}

/* The length of the answer, when its header is there; 0 before that. */
static size_t
whole(const struct connection *c)
{
	const char *end = c->in.len > 0 ? strstr(c->in.data, "\r\n\r\n") : NULL;
	const char *length = end != NULL ? strcasestr(c->in.data, "content-length:") : NULL;

	if (end == NULL)
		return 0;
	if (length == NULL || length > end)
		errx(1, "an answer without Content-Length: %.300s", c->in.data);
	return (size_t)(end + 4 - c->in.data) + (size_t)strtoul(length + 15, NULL, 10);
}

static void
digest(struct connection *c, int64_t now)
{
	bool bad = strncmp(c->in.data + 8, " 200", 4) != 0;

	got.requests++;
	got.bytes += (int64_t)c->in.len;
	text_took(&got.times, now - c->due_ns);
	if (bad && got.errors++ == 0)
		snprintf(got.first_error, sizeof(got.first_error), "%s",
		    strstr(c->in.data, "\r\n\r\n") + 4);
	for (const char *p = c->in.data; (p = strstr(p, "\"allocation_id\":\"")) != NULL; p++)
		got.packages++;
	if (pick(c->in.data, "\"allocation_id\":\"", c->var[0])) {
		pick(c->in.data, "\"feeds\":[{\"id\":\"", c->var[1]);
		pick(c->in.data, "\"task_id\":\"", c->var[2]);
	}
	c->line = bad ? 0 : (c->line + 1) % o.nlines;
	c->busy = false;
}

static void
redial(struct connection *c)
{
	close(c->fd);
	dial(c);
}

/* Closed without an answer: an error, and the request is sent once more. */
static void
lost(struct connection *c)
{
	if (got.errors++ == 0)
		snprintf(got.first_error, sizeof(got.first_error), "closed without an answer");
	c->sent = c->in.len = 0;
	push(c);
}

/* Reads what there is; true when the answer is complete. */
static bool
pull(struct connection *c)
{
	char part[READ_MIN];
	ssize_t n = recv(c->fd, part, sizeof(part), MSG_DONTWAIT);
	size_t want;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		redial(c);
		if (c->busy)
			lost(c);
		return false;
	}
	text_add(&c->in, part, (size_t)n);
	want = whole(c);
	return want > 0 && c->in.len >= want;
}

static bool
answer_closes(const struct connection *c)
{
	return strcasestr(c->in.data, "\r\nConnection: close") != NULL;
}

/* Open loop: hands what is due to connections that are free. Returns how long to wait for more. */
static int64_t
hand_out_due(int64_t now)
{
	static size_t at;
	double step = NS_PER_S / o.rate;

	for (size_t tried = 0; tried < o.connections; tried++, at++) {
		struct connection *c = &all[at % o.connections];
		int64_t due = begin_ns + (int64_t)((double)issued * step);

		if (due >= end_ns)
			return IDLE_NS;
		if (due > now)
			return due - now;
		if (!c->busy)
			begin(c, due);
	}
	return IDLE_NS; /* all are busy: an answer ends the wait */
}

static bool
any_busy(void)
{
	for (size_t i = 0; i < o.connections; i++) {
		if (all[i].busy)
			return true;
	}
	return false;
}

static void
loop(void)
{
	struct epoll_event event[EVENTS];
	int64_t now = text_now_ns(), wait_ns = IDLE_NS;

	for (size_t i = 0; o.rate == 0 && i < o.connections; i++)
		begin(&all[i], now);
	while (now < end_ns + (int64_t)PATIENCE * NS_PER_S && (now < end_ns || any_busy())) {
		if (o.rate > 0 && now < end_ns)
			wait_ns = hand_out_due(now);
		struct timespec wait = { .tv_nsec = wait_ns < IDLE_NS ? wait_ns : IDLE_NS };
		int n = epoll_pwait2(epoll_fd, event, EVENTS, &wait, NULL);

		for (int i = 0; i < n; i++) {
			struct connection *c = event[i].data.ptr;

			if (event[i].events & EPOLLOUT)
				push(c);
			if (!(event[i].events & ~(uint32_t)EPOLLOUT) || !pull(c))
				continue;
			now = text_now_ns();
			digest(c, now);
			if (answer_closes(c))
				redial(c);
			if (o.rate == 0 && now < end_ns)
				begin(c, now);
		}
		now = text_now_ns();
	}
	if (any_busy())
		errx(1, "some requests were not answered within %d s of the end", PATIENCE);
}

static void
report(double took)
{
	const struct text_times *t = &got.times;

	text_sort(&got.times);
	for (char *p = got.first_error; *p != '\0'; p++)
		*p = *p == '"' || *p == '\\' || *p < ' ' ? '\'' : *p;
	printf("{\"rate\": %.1f, \"requests\": %lld, \"errors\": %lld, \"empty\": %lld, "
	       "\"packages\": %lld, \"seconds\": %.3f, \"bytes\": %lld, \"p50_ms\": %.3f, "
	       "\"p90_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, "
	       "\"cpu_s\": %.3f, \"first_error\": \"%s\"}\n",
	    (double)got.requests / took, (long long)got.requests, (long long)got.errors,
	    (long long)got.empty, (long long)got.packages, took, (long long)got.bytes,
	    text_percentile_ms(t, 0.5), text_percentile_ms(t, 0.9), text_percentile_ms(t, 0.99),
	    text_percentile_ms(t, 0.999), text_percentile_ms(t, 1), text_cpu_s(), got.first_error);
}

static void
usage(void)
{
	errx(64, "usage: load [-c connections] [-t seconds] [-r requests/s] [-k credentials]"
		 " [-R] port script\n"
		 "  -R  each request takes the next credential, else each connection has its own");
}

static void
options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:t:r:k:R")) != -1) {
		switch (opt) {
		case 'c':
			o.connections = strtoul(optarg, NULL, 10);
			break;
		case 't':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			o.rate = strtod(optarg, NULL);
			break;
		case 'k':
			o.who = text_lines(text_read(optarg), &o.nwho);
			break;
		case 'R':
			o.rotate = true;
			break;
		default:
			usage();
		}
	}
	if (argc != optind + 2 || o.connections < 1)
		usage();
	o.to.sin_family = AF_INET;
	o.to.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	o.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o.lines = text_lines(text_read(argv[optind + 1]), &o.nlines);
	if (o.nlines == 0 || (o.rotate && o.nwho == 0))
		usage();
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	all = calloc(o.connections, sizeof(*all));
	if (epoll_fd < 0 || all == NULL)
		err(1, "start");
	for (size_t i = 0; i < o.connections; i++) {
		all[i].who = o.nwho > 0 ? i % o.nwho : 0;
		dial(&all[i]);
	}
	begin_ns = text_now_ns();
	end_ns = begin_ns + (int64_t)(o.seconds * NS_PER_S);
	loop();
	report((double)(text_now_ns() - begin_ns) / NS_PER_S);
	return 0;
}
