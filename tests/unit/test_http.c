/* SPDX-License-Identifier: MIT */
/*
 * Calls at once, against a server that lives in the same loop: its sockets are the descriptors that
 * http_multi_wait() waits for beside the calls.
 */
#include "net/http_multi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"

#define CONNS_MAX   128
#define PATIENCE_MS 30000

struct server {
	int port;
	struct pollfd fds[1 + CONNS_MAX]; /* the listener first */
	char in[CONNS_MAX][4096];
	size_t len[CONNS_MAX];
	size_t accepted, served;
	char last[4096];    /* the last request */
	const char *answer; /* to everyone; NULL: silence */
};

struct outcome {
	size_t done;
	enum http_result result;
	int status;
	long retry_after;
	char why[256], body[256];
	struct http_multi *again; /* start one more from the callback */
	struct http_call *call;
};

static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void
serve_start(struct server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < ARRAY_LEN(s->fds); i++)
		s->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	s->answer = fine;
	s->fds[0].fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fds[0].fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s->fds[0].fd, CONNS_MAX), 0);
	assert_int_equal(getsockname(s->fds[0].fd, (struct sockaddr *)&in, &len), 0);
	s->port = ntohs(in.sin_port);
}

static void
serve_end(struct server *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->fds); i++)
		if (s->fds[i].fd >= 0)
			close(s->fds[i].fd);
}

/* A request is whole when its header is, and as much body as that says. */
static bool
is_whole(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");
	const char *len = strstr(text, "Content-Length: ");

	return end != NULL && (len == NULL || strlen(end + 4) >= strtoul(len + 16, NULL, 10));
}

static void
serve_one(struct server *s, size_t i)
{
	struct pollfd *p = &s->fds[i + 1];
	char *in = s->in[i];
	ssize_t n = read(p->fd, in + s->len[i], sizeof(s->in[i]) - 1 - s->len[i]);

	if (n <= 0) {
		close(p->fd);
		p->fd = -1;
		return;
	}
	s->len[i] += (size_t)n;
	in[s->len[i]] = '\0';
	if (!is_whole(in))
		return;
	s->served++;
	s->len[i] = 0;
	strcpy(s->last, in);
	if (s->answer != NULL)
		assert_int_equal(write(p->fd, s->answer, strlen(s->answer)), strlen(s->answer));
}

static void
serve(struct server *s)
{
	if (s->fds[0].revents & POLLIN) {
		size_t i = 1;

		while (s->fds[i].fd >= 0)
			assert_true(++i < ARRAY_LEN(s->fds));
		s->fds[i].fd = accept(s->fds[0].fd, NULL, NULL);
		s->fds[i].revents = 0;
		s->len[i - 1] = 0;
		s->accepted++;
	}
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->fds[i + 1].fd >= 0 && s->fds[i + 1].revents != 0)
			serve_one(s, i);
}

/* Until no more than LEFT of the calls run. */
static void
drive(struct http_multi *m, struct server *s, size_t left)
{
	int64_t until = clock_mono_ms() + PATIENCE_MS;

	while (http_multi_running(m) > left) {
		assert_true(clock_mono_ms() < until);
		http_multi_wait(m, s->fds, ARRAY_LEN(s->fds), 1000);
		serve(s);
	}
}

static void
on_done(void *arg, enum http_result result, struct http_answer *a)
{
	struct outcome *o = arg;

	o->done++;
	o->result = result;
	o->status = a->status;
	o->retry_after = a->retry_after;
	strcpy(o->why, a->why);
	snprintf(o->body, sizeof(o->body), "%s", a->body.data != NULL ? a->body.data : "");
	if (o->again != NULL) {
		struct http_multi *m = o->again;

		o->again = NULL;
		assert_true(http_multi_start(m, o->call, on_done, o));
	}
}

static struct http_call
call_to(const struct server *s, char url[64])
{
	snprintf(url, 64, "http://127.0.0.1:%d/x", s->port);
	return (struct http_call){
		.url = url,
		.body = "{}",
		.anywhere = true,
		.connect_ms = PATIENCE_MS,
		.total_ms = PATIENCE_MS,
		.max = 64,
	};
}

static void
one(struct http_multi *m, struct server *s, struct http_call *call, struct outcome *o)
{
	*o = (struct outcome){ 0 };
	assert_true(http_multi_start(m, call, on_done, o));
	drive(m, s, 0);
	assert_int_equal(o->done, 1);
}

static void
test_methods(void **state)
{
	static const struct {
		enum http_method method;
		const char *body, *line;
	} rows[] = {
		{ HTTP_POST, "{\"a\": 1}", "POST /x HTTP/1.1\r\n" },
		{ HTTP_POST, NULL, "POST /x HTTP/1.1\r\n" },
		{ HTTP_GET, NULL, "GET /x HTTP/1.1\r\n" },
		{ HTTP_PUT, "[]", "PUT /x HTTP/1.1\r\n" },
		{ HTTP_DELETE, NULL, "DELETE /x HTTP/1.1\r\n" },
	};
	static const char *const headers[] = { "X-Own: 1", "X-Other: 2", NULL };
	struct http_multi *m = http_multi_new(4, 4);
	struct server s;
	struct outcome o;
	char url[64];

	(void)state;
	serve_start(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_call call = call_to(&s, url);

		call.method = rows[i].method;
		call.body = rows[i].body;
		call.headers = headers;
		one(m, &s, &call, &o);
		assert_int_equal(o.result, HTTP_ANSWERED);
		assert_int_equal(o.status, 200);
		assert_string_equal(o.body, "ok");
		assert_int_equal(o.retry_after, -1);
		assert_memory_equal(s.last, rows[i].line, strlen(rows[i].line));
		assert_non_null(strstr(s.last, "\r\nX-Own: 1\r\nX-Other: 2\r\n"));
		assert_null(strstr(s.last, "Expect"));
		assert_int_equal(strstr(s.last, "Content-Type: application/json\r\n") != NULL,
		    rows[i].body != NULL);
		assert_string_equal(
		    strstr(s.last, "\r\n\r\n") + 4, rows[i].body != NULL ? rows[i].body : "");
	}
	assert_int_equal(s.accepted, 1); /* one connection served them all */
	http_multi_free(m);
	serve_end(&s);
}

/* A length that is given counts, whatever the body has in it. */
static void
test_length(void **state)
{
	struct http_multi *m = http_multi_new(4, 4);
	struct server s;
	struct outcome o;
	char url[64];
	struct http_call call;

	(void)state;
	serve_start(&s);
	call = call_to(&s, url);
	call.body = "{\"cut\": 1} and more";
	call.body_len = 10;
	one(m, &s, &call, &o);
	assert_non_null(strstr(s.last, "Content-Length: 10\r\n"));
	assert_string_equal(strstr(s.last, "\r\n\r\n") + 4, "{\"cut\": 1}");
	http_multi_free(m);
	serve_end(&s);
}

static void
test_answers(void **state)
{
	struct http_multi *m = http_multi_new(4, 4);
	struct server s;
	struct outcome o;
	char url[64];
	struct http_call call;

	(void)state;
	serve_start(&s);
	call = call_to(&s, url);
	s.answer = "HTTP/1.1 503 No\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n";
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_ANSWERED);
	assert_int_equal(o.status, 503);
	assert_int_equal(o.retry_after, 17);
	s.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789";
	call.max = 4;
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_ANSWERED);
	assert_string_equal(o.body, "1234");
	s.answer = "HTTP/1.1 302 Away\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n";
	one(m, &s, &call, &o);
	assert_int_equal(o.status, 302);
	assert_int_equal(s.served, 3);
	s.answer = "nonsense\r\n\r\n";
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_FAILED);
	assert_true(o.why[0] != '\0');
	call.url = "no url";
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_FAILED);
	assert_true(o.why[0] != '\0');
	http_multi_free(m);
	serve_end(&s);
}

/* Also on a connection that is open already, for a call that was allowed more. */
static void
test_refused(void **state)
{
	static const char *const own[] = { "127.0.0.0/8" };
	struct http_multi *m = http_multi_new(4, 4);
	struct server s;
	struct outcome o;
	char url[64];
	struct http_call call;

	(void)state;
	serve_start(&s);
	call = call_to(&s, url);
	call.anywhere = false;
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_REFUSED);
	assert_string_equal(o.why, "127.0.0.1");
	assert_int_equal(s.accepted, 0);
	call.anywhere = true;
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_ANSWERED);
	call.anywhere = false;
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_REFUSED);
	assert_string_equal(o.why, "127.0.0.1");
	assert_int_equal(s.served, 1);
	call.outbound = (struct outbound){ own, 1 };
	one(m, &s, &call, &o);
	assert_int_equal(o.result, HTTP_ANSWERED);
	assert_int_equal(s.served, 2);
	http_multi_free(m);
	serve_end(&s);
}

static void
test_many(void **state)
{
	struct http_multi *m = http_multi_new(50, 20);
	static struct outcome o[200];
	struct server s;
	char url[64];
	struct http_call call;

	(void)state;
	serve_start(&s);
	memset(o, 0, sizeof(o));
	call = call_to(&s, url);
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		assert_true(http_multi_start(m, &call, on_done, &o[i]));
	assert_int_equal(http_multi_running(m), ARRAY_LEN(o));
	drive(m, &s, 0);
	for (size_t i = 0; i < ARRAY_LEN(o); i++) {
		assert_int_equal(o[i].done, 1);
		assert_int_equal(o[i].status, 200);
	}
	assert_int_equal(s.served, ARRAY_LEN(o));
	assert_true(s.accepted <= 20);
	http_multi_free(m);
	serve_end(&s);
}

/* Who does not answer takes nobody else's time, and is given up when his own is over. */
static void
test_silence(void **state)
{
	struct http_multi *m = http_multi_new(50, 20);
	struct outcome silent[10] = { 0 }, o;
	struct server deaf, s;
	char url[64], other[64];
	struct http_call call;

	(void)state;
	serve_start(&deaf);
	serve_start(&s);
	call = call_to(&deaf, other);
	call.total_ms = 1500;
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		assert_true(http_multi_start(m, &call, on_done, &silent[i]));
	call = call_to(&s, url);
	o = (struct outcome){ .again = m, .call = &call };
	assert_true(http_multi_start(m, &call, on_done, &o));
	drive(m, &s, ARRAY_LEN(silent));
	assert_int_equal(o.done, 2); /* the second started by the first's end */
	assert_int_equal(silent[0].done, 0);
	drive(m, &s, 0);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		assert_int_equal(silent[i].result, HTTP_TIMEOUT);
	http_multi_free(m);
	serve_end(&deaf);
	serve_end(&s);
}

static void
test_abandoned(void **state)
{
	struct http_multi *m = http_multi_new(2, 2);
	struct outcome o[5] = { 0 };
	struct server s;
	char url[64];
	struct http_call call;

	(void)state;
	serve_start(&s);
	call = call_to(&s, url);
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		assert_true(http_multi_start(m, &call, on_done, &o[i]));
	http_multi_wait(m, NULL, 0, 0);
	http_multi_free(m);
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		assert_int_equal(o[i].done, 0);
	serve_end(&s);
}

/* What the caller waits for ends the wait, a hang-up too. */
static void
test_descriptors(void **state)
{
	struct http_multi *m = http_multi_new(2, 2);
	struct pollfd fds[2] = { { .fd = -1 }, { .events = POLLIN } };
	int64_t start = clock_mono_ms();
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	fds[1].fd = pipes[0];
	assert_int_equal(write(pipes[1], "x", 1), 1);
	http_multi_wait(m, fds, 2, PATIENCE_MS);
	assert_int_equal(fds[1].revents, POLLIN);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &(char){ 0 }, 1), 1);
	http_multi_wait(m, fds, 2, PATIENCE_MS);
	assert_int_equal(fds[1].revents, POLLHUP);
	assert_true(clock_mono_ms() - start < PATIENCE_MS);
	http_multi_wait(m, NULL, 0, 10);
	close(pipes[0]);
	http_multi_free(m);
}

/* Where a call goes to, whatever stands before it. */
static void
test_host(void **state)
{
	static const struct {
		const char *url, *host; /* NULL: it has none that fits */
	} rows[] = {
		{ "http://example.org", "example.org" },
		{ "https://example.org:8443/a?b#c", "example.org" },
		{ "https://user:word@example.org/", "example.org" },
		{ "https://example.org@other.example/", "other.example" },
		{ "http://[2001:db8::1]:80/", "2001:db8::1" },
		{ "http:///", NULL },
		{ "", NULL },
		{ "http://a-name-of-sixteen/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[16] = "";

		assert_int_equal(http_host(rows[i].url, host, sizeof(host)), rows[i].host != NULL);
		if (rows[i].host != NULL)
			assert_string_equal(host, rows[i].host);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
