/* SPDX-License-Identifier: MIT */
/*
 * Signs of life, at once or many together. Written by itself each is a transaction of its own,
 * which for a large fleet is most of what the database does; together they take a fifth of that.
 */
#include "fcgi/alive.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/db_alloc.h"
#include "fcgi/metrics.h"

#define ALIVE_MS     500
#define STEADY_ALONE 1	/* written at once in that time, of nodes that are shown online */
#define OTHERS_ALONE 16 /* with those of others */

/* A half second in which ALONE count as written at once. */
static void
begin(struct alive *a, int alone)
{
	a->due_ms = clock_mono_ms() + ALIVE_MS;
	a->alone = alone;
}

static enum cs_err
flush(struct alive *a, struct db *db, struct metrics *metrics, struct fault *f)
{
	size_t n = a->n;

	begin(a, STEADY_ALONE);
	TRY(db_alive_many(db, a->node, n, f));
	metrics_heartbeats(metrics, 0, (int64_t)n);
	a->n = 0;
	return CS_OK;
}

enum cs_err
alive_note(struct ctx *c)
{
	struct alive *a = c->alive;

	if (a->n == 0 && clock_mono_ms() >= a->due_ms)
		begin(a, 0);
	if (a->alone < (c->who.steady ? STEADY_ALONE : OTHERS_ALONE)) {
		a->alone++;
		TRY(db_alive(c->db, c->who.node, c->who.node_id, &c->fault));
		metrics_heartbeats(c->metrics, 1, 0);
		return CS_OK;
	}
	if (a->n == ALIVE_MAX)
		TRY(flush(a, c->db, c->metrics, &c->fault));
	a->node[a->n++] = c->who.node;
	return CS_OK;
}

void
alive_write(struct alive *a, struct db *db, struct metrics *metrics, bool now)
{
	struct fault f = { 0 };

	if (a->n > 0 && (now || alive_wait_ms(a) == 0) && flush(a, db, metrics, &f) != CS_OK)
		log_fault(LOG_LVL_DEBUG, "alive", &f);
}

int64_t
alive_wait_ms(const struct alive *a)
{
	int64_t ms = a->due_ms - clock_mono_ms();

	if (a->n == 0)
		return -1;
	return ms > 0 ? ms : 0;
}
