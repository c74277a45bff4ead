/* SPDX-License-Identifier: MIT */
/*
 * The request log: one line a request. The route's pattern stands for the path, so that lines can
 * be counted by it and no identifier gets in that was sent to the wrong place.
 */
#include "fcgi/access.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

#define US_PER_MS 1000

static const char *const kind_name[] = {
	[WHO_NONE] = "none",
	[WHO_NODE] = "node",
	[WHO_USER] = "user",
};

/* Microseconds as milliseconds with their fraction. */
static void
log_ms(struct log_line *l, const char *key, int64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld.%03lld", (long long)(us / US_PER_MS),
	    (long long)(us % US_PER_MS));
	log_str(l, key, text);
}

static void
log_error_of(struct log_line *l, const struct reply *r, const struct fault *f)
{
	if (r->err == CS_OK)
		return;
	log_str(l, "err", cs_err_name(r->err));
	log_str(l, "field", f->field[0] != '\0' ? f->field : NULL);
	if (r->status >= 500)
		log_str(l, "detail", f->detail[0] != '\0' ? f->detail : NULL);
}

void
access_log(const struct exchange *x, const struct reply *r)
{
	struct db_stats db = db_stats(x->ctx.db);
	size_t body = r->head ? 0 : r->body_len;
	struct log_line l;

	log_begin(&l, r->status >= 500 ? LOG_LVL_ERROR : LOG_LVL_INFO, "request");
	log_str(&l, "id", x->req.id);
	log_str(&l, "who", x->ctx.who.name);
	log_str(&l, "kind", kind_name[x->ctx.who.kind]);
	log_str(&l, "method", x->method);
	log_str(&l, "route", x->route != NULL ? x->route->pattern : "-");
	if (log_enabled(LOG_LVL_DEBUG))
		log_str(&l, "path", x->req.path);
	log_int(&l, "status", r->status);
	log_ms(&l, "ms", clock_mono_us() - x->ctx.started_us);
	log_ms(&l, "db_ms", db.us);
	log_int(&l, "db_rt", db.round_trips);
	log_int(&l, "db_rows", db.rows);
	log_int(&l, "in", (int64_t)x->req.body_len);
	log_int(&l, "out", (int64_t)(r->header.len + body));
	log_str(&l, "remote", x->req.remote_addr);
	log_error_of(&l, r, &x->ctx.fault);
	log_end(&l);
}
