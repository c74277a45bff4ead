/* SPDX-License-Identifier: MIT */
/*
 * Counters of the whole pool, and the page that shows them. They lie in memory that the workers
 * share, so they outlive every worker and every reload. Nothing here locks: each number is an
 * atomic of its own.
 */
#ifndef CS_FCGI_METRICS_H
#define CS_FCGI_METRICS_H

#include "base/buf.h"
#include "db/db.h"
#include "fcgi/router.h"
#include "proc/super.h"

struct metrics;

/* What the database says of a metric: its name less the prefix, the value of its label or "". */
struct metrics_row {
	const char *name;
	const char *label;
	int64_t value;
};

/* Zeros, shared with every process forked from here on. NULL: out of memory. Lives as long as they.
 */
struct metrics *metrics_map(void);
/* Its part that the supervisor writes. */
struct super_stats *metrics_super(struct metrics *m);

/* A request for route R (NULL: none found) was answered with STATUS after US microseconds. */
void metrics_request(
    struct metrics *m, const struct route *r, int status, int64_t us, const struct db_stats *db);
/* One for route R is run again because of ERR. */
void metrics_retry(struct metrics *m, const struct route *r, enum cs_err err);
void metrics_articles(struct metrics *m, int64_t fresh, int64_t updated);
/* Heartbeats written, one each and many together. */
void metrics_heartbeats(struct metrics *m, int64_t alone, int64_t together);

/* Adds the page, in the Prometheus text format 0.0.4, to OUT. ROWS is NULL: the database is away.
 */
void metrics_render(
    const struct metrics *m, const struct metrics_row *rows, size_t nrows, struct buf *out);

#endif
