/* SPDX-License-Identifier: MIT */
/*
 * Renders what a handler left behind, or the fault it ended with, and sends it: by libfcgi, but for
 * data that is large. The detail of a fault is for the log: nothing here reads it.
 */
#include "fcgi/response.h"

#include <errno.h>
#include <fastcgi.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

#define RETRY_AFTER_S 2 /* where the fault does not say */
#define NOT_MODIFIED  304
#define RECORD_MAX    (FCGI_MAX_LENGTH / 8u * 8u) /* whole words, as the protocol recommends */
#define LARGE	      (32u << 10)		  /* bytes that are worth a write of their own */

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ NOT_MODIFIED, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Other";
}

void
response_reset(struct res *res)
{
	struct buf data = res->data;

	buf_reset(&data);
	*res = (struct res){ .status = 200, .message = MSG_SUCCESS, .data = data };
	jw_init(&res->w, &res->data);
}

/* {"code":…,"message":…,"data":…}, or the data alone. */
static void
envelope(struct reply *r, const struct buf *data, bool bare, int code, const char *message)
{
	struct jw w;

	buf_reset(&r->opening);
	r->data = data;
	r->closing = "";
	if (!bare) {
		jw_init(&w, &r->opening);
		jw_obj(&w);
		jw_kint(&w, "code", code);
		jw_kstr(&w, "message", message);
		jw_key(&w, "data");
		r->closing = data->len > 0 ? "}" : "null}";
	}
	r->body_len = r->opening.len + data->len + strlen(r->closing);
}

static void
build_success(struct reply *r, const struct ctx *c)
{
	const struct res *res = c->res;
	const char *message =
	    res->text[0] != '\0' ? res->text : msg_text(c->fault.lang, res->message);
	int code = c->req->mount != NULL ? c->req->mount->success : res->status;

	r->status = res->status;
	envelope(r, &res->data, res->bare, code, message);
}

/* "data" of an error: the field and what is wrong with it. */
static void
build_error(struct reply *r, struct ctx *c)
{
	struct res *res = c->res;
	const struct fault *f = &c->fault;
	bool no_store = res->no_store;

	response_reset(res);
	res->no_store = no_store;
	r->status = cs_err_http(f->code);
	if (f->field[0] != '\0') {
		jw_obj(&res->w);
		jw_kstr(&res->w, "field", f->field);
		jw_kstr(&res->w, "reason", f->reason);
		jw_obj_end(&res->w);
	}
	envelope(r, &res->data, false, r->status, fault_message(f));
}

static int
retry_after(const struct fault *f)
{
	return f->retry_after_s > 0 ? f->retry_after_s : RETRY_AFTER_S;
}

static void
build_header(struct reply *r, const struct ctx *c)
{
	struct buf *h = &r->header;

	buf_reset(h);
	buf_printf(h, "Status: %d %s\r\n", r->status, reason_of(r->status));
	if (r->status != NOT_MODIFIED) { /* which has no body to speak of */
		buf_printf(h, "Content-Type: %s\r\n",
		    r->err == CS_OK && c->res->type != NULL ? c->res->type : "application/json");
		buf_printf(h, "Content-Length: %zu\r\n", r->body_len);
	}
	buf_printf(h, "X-Request-Id: %s\r\n", c->req->id);
	if (r->status == 401)
		buf_puts(h, "WWW-Authenticate: Bearer\r\n");
	if (r->status == 405)
		buf_printf(h, "Allow: %s\r\n", r->allow);
	if (r->status == 415)
		buf_puts(h, "Accept-Encoding: gzip, identity\r\n");
	if (r->status == 429 || r->status == 503)
		buf_printf(h, "Retry-After: %d\r\n", retry_after(&c->fault));
	if (c->res->etag != NULL)
		buf_printf(h, "ETag: %s\r\nCache-Control: no-cache\r\n", c->res->etag);
	else if (c->res->no_store || c->req->authorization != NULL)
		buf_puts(h, "Cache-Control: no-store\r\n");
	buf_puts(h, "\r\n");
}

void
response_build(struct reply *r, struct ctx *c)
{
	if (r->err == CS_OK) {
		build_success(r, c);
		if (buf_failed(&c->res->data) || buf_failed(&r->opening))
			r->err = cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	}
	if (r->err != CS_OK)
		build_error(r, c);
	build_header(r, c);
}

static bool
put(FCGX_Stream *out, const char *s, size_t left)
{
	while (left > 0) { /* FCGX counts in int */
		size_t n = left < INT_MAX ? left : INT_MAX;

		if (FCGX_PutStr(s, (int)n, out) != (int)n)
			return false;
		s += n;
		left -= n;
	}
	return true;
}

/* HEAD and the N bytes behind it, all of them. */
static bool
write_both(int fd, FCGI_Header *head, char *s, size_t n)
{
	struct iovec parts[2] = { { head, sizeof(*head) }, { s, n } };
	struct iovec *part = parts;
	ssize_t sent;

	while (part < parts + ARRAY_LEN(parts)) {
		sent = writev(fd, part, (int)(parts + ARRAY_LEN(parts) - part));
		if (sent < 0 && errno != EINTR)
			return false;
		for (; part < parts + ARRAY_LEN(parts) && sent >= (ssize_t)part->iov_len; part++)
			sent -= (ssize_t)part->iov_len;
		if (sent > 0) {
			part->iov_base = (char *)part->iov_base + sent;
			part->iov_len -= (size_t)sent;
		}
	}
	return true;
}

/* What is large goes from where it is, in records as large as there are: libfcgi would copy it, and
 * wake the web server for each 8 KiB. */
static bool
put_data(FCGX_Request *fr, const struct buf *data)
{
	char *s = data->data;
	size_t left = data->len;
	bool ok;

	if (left < LARGE)
		return put(fr->out, s, left);
	ok = FCGX_FFlush(fr->out) == 0; /* what comes before it */
	while (ok && left > 0) {
		size_t n = left < RECORD_MAX ? left : RECORD_MAX;
		FCGI_Header head = {
			.version = FCGI_VERSION_1,
			.type = FCGI_STDOUT,
			.requestIdB1 = (unsigned char)(fr->requestId >> 8),
			.requestIdB0 = (unsigned char)fr->requestId,
			.contentLengthB1 = (unsigned char)(n >> 8),
			.contentLengthB0 = (unsigned char)n,
		};

		ok = write_both(fr->ipcFd, &head, s, n);
		s += n;
		left -= n;
	}
	return ok;
}

bool
response_send(const struct reply *r, FCGX_Request *fr)
{
	if (!put(fr->out, r->header.data, r->header.len))
		return false;
	return r->head || (put(fr->out, r->opening.data, r->opening.len) && put_data(fr, r->data) &&
			      put(fr->out, r->closing, strlen(r->closing)));
}
