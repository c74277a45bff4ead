/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics, for Prometheus. It answers whatever the database does: that is what somebody wants
 * to see who looks at it then.
 */
#include "fcgi/handlers.h"

#include "base/log.h"
#include "db/db_gauge.h"
#include "fcgi/metrics.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The rows that outlive the query; NULL where it fails. */
static const struct metrics_row *
read_rows(struct ctx *c, struct db_rows *r, size_t *n)
{
	struct metrics_row *rows = NULL;
	struct fault f = { 0 };
	enum cs_err err = db_gauges(c->db, c->conf, r, &f);

	if (err == CS_EDBDOWN) /* perhaps only a connection gone stale */
		err = db_gauges(c->db, c->conf, r, &f);
	if (err == CS_OK)
		rows = arena_calloc(c->arena, db_count(r) + 1, sizeof(*rows));
	else
		log_fault(LOG_LVL_WARN, "metrics", &f);
	for (*n = 0; rows != NULL && db_next(r); (*n)++)
		rows[*n] = (struct metrics_row){ db_s(r, 0), db_s(r, 1), db_i(r, 2) };
	return rows;
}

enum cs_err
h_metrics(struct ctx *c)
{
	auto_rows r = { 0 };
	size_t n;
	const struct metrics_row *rows = read_rows(c, &r, &n);

	metrics_render(c->metrics, rows, n, &c->res->data);
	c->res->bare = true;
	c->res->no_store = true;
	c->res->type = CONTENT_TYPE;
	return CS_OK;
}
