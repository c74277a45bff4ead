/* SPDX-License-Identifier: MIT */
/*
 * Routes say as data what they are in the sync log. What a handler stored has its row from the same
 * transaction (R_LOGS); the rest is noted here, after the handler: reads, and refusals with their
 * reason. Failures of our own (5xx) are not, since what failed may well be the database.
 */
#include "fcgi/sync.h"

#include "base/clock.h"
#include "base/log.h"

#define FIRST_5XX 500

/* What the client is told, in one line. */
static const char *
refusal(struct ctx *c)
{
	const struct fault *f = &c->fault;

	if (f->field[0] == '\0')
		return fault_message(f);
	return arena_printf(c->arena, "%s: %s %s", fault_message(f), f->field, f->reason);
}

void
sync_note(struct ctx *c, const struct route *r, enum cs_err err)
{
	struct fault f = { 0 };
	struct db_sync row = {
		.op = r->op,
		.node_id = c->who.node_id,
		.failed = err != CS_OK,
		.count = c->res->pulled,
		.took_us = clock_mono_us() - c->started_us,
	};

	if (r->op == SYNC_NONE || c->who.kind != WHO_NODE || cs_err_http(err) >= FIRST_5XX ||
	    (!row.failed && (r->flags & R_LOGS) != 0))
		return;
	if (row.failed) {
		row.count = 0;
		row.error = refusal(c);
	}
	if (db_sync_log(c->db, &row, &f) != CS_OK)
		log_fault(LOG_LVL_WARN, "sync_log", &f);
}
