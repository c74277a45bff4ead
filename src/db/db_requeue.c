/* SPDX-License-Identifier: MIT */
/*
 * Requeueing. Whether a state may be left again is core/alloc.h's to say; the procedure (sql/)
 * carries it out, guarded by the status it was decided on.
 */
#include "db/db_requeue.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_admin.h"
#include "db/db_alloc.h"

#include <stdio.h>
#include <string.h>

#define TRIES	  8
#define PAGE	  500
#define FIRST_AT  "9999-12-31"
#define ID_SIZE	  (255 * 4 + 1)
#define TIME_SIZE 32

/* What cascade_requeue answers. */
enum moved { CHANGED, MOVED, NEWER_OPEN, NO_TASK, NO_FEED, MOVED__MAX };

static const enum msg_id refusal[MOVED__MAX] = {
	[NEWER_OPEN] = MSG_NEWER_OPEN,
	[NO_TASK] = MSG_NO_TASK,
	[NO_FEED] = MSG_NO_FEED,
};

static enum cs_err
call(struct db *db, const char *id, const char *status, enum moved *moved, struct fault *f)
{
	int64_t seq = ident_seq(clock_wall_ms(), 1);
	auto_rows r = { 0 };

	if (seq == 0)
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	TRY(DB_QUERY(db, f, &r, STMT_ALLOC_REQUEUE, A_S(id), A_S(status), A_I(seq)));
	if (!db_next(&r) || db_i(&r, 0) < 0 || db_i(&r, 0) >= MOVED__MAX)
		return cs_detail(f, CS_EINTERNAL, "cascade_requeue answered nothing");
	*moved = (enum moved)db_i(&r, 0);
	return CS_OK;
}

/* A duplicate key means that somebody opens one of the feeds at this very moment: look again. */
static enum cs_err
requeue(struct db *db, const char *id, const char *status, enum moved *moved, struct fault *f)
{
	enum cs_err rc = CS_EBUSY;

	for (int tries = 0; tries < TRIES && (rc == CS_EBUSY || rc == CS_ECONFLICT); tries++) {
		fault_clear(f);
		rc = call(db, id, status, moved, f);
	}
	return rc == CS_ECONFLICT
		   ? cs_detail(f, CS_EBUSY, "allocation %s: its feeds are contended", id)
		   : rc;
}

enum cs_err
db_alloc_requeue(struct db *db, const char *id, struct arena *a, struct fault *f)
{
	enum moved moved = CHANGED;
	struct db_alloc al;

	for (int tries = 0; moved == CHANGED && tries < TRIES; tries++) {
		TRY(db_alloc_get(db, id, 0, a, &al, f));
		if (!al.found)
			return cs_fail(f, CS_ENOTFOUND, MSG_NO_ALLOCATION);
		if (alloc_state_is_open(al.state))
			return cs_fail(f, CS_ECONFLICT, MSG_NOT_ENDED);
		if (alloc_rule(al.state, EV_REQUEUE)->verdict != ALLOC_MOVE)
			return cs_fail(
			    f, CS_ECONFLICT, MSG_ALREADY_ENDED, alloc_state_name(al.state));
		TRY(requeue(db, id, alloc_state_name(al.state), &moved, f));
	}
	if (moved == CHANGED)
		return cs_detail(f, CS_EBUSY, "allocation %s keeps changing", id);
	return moved == MOVED ? CS_OK : cs_fail(f, CS_ECONFLICT, refusal[moved]);
}

/* Where a walk over a task's allocations stands: the last one that was looked at. */
struct walk {
	const char *task_id;
	const char *status[2];
	char at[TIME_SIZE]; /* "": rows without a time */
	char id[ID_SIZE];
};

static enum cs_err
requeue_page(struct db *db, struct walk *w, size_t *n, struct db_requeued *out, struct fault *f)
{
	const char *at = w->at[0] != '\0' ? w->at : NULL;
	enum moved moved;
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_TASK_ENDED, A_S(w->task_id), A_S(w->status[0]),
	    A_S(w->status[1]), A_S(at), A_S(at), A_S(w->id), A_S(at), A_I(PAGE)));
	*n = db_count(&r);
	while (db_next(&r)) {
		TRY(requeue(db, db_s(&r, 0), db_s(&r, 1), &moved, f));
		out->requeued += moved == MOVED;
		out->skipped += moved != MOVED;
		snprintf(w->id, sizeof(w->id), "%s", db_s(&r, 0));
		snprintf(w->at, sizeof(w->at), "%s", db_is_null(&r, 2) ? "" : db_s(&r, 2));
	}
	return CS_OK;
}

enum cs_err
db_task_requeue(
    struct db *db, const char *id, const char *status, struct db_requeued *out, struct fault *f)
{
	struct walk w = {
		.task_id = id,
		.status = { status != NULL ? status : alloc_state_name(ALLOC_FAILED),
		    status != NULL ? status : alloc_state_name(ALLOC_TIMEOUT) },
		.at = FIRST_AT,
	};
	enum alloc_state state = ALLOC_FAILED;
	auto_rows task = { 0 };
	size_t n = PAGE;

	*out = (struct db_requeued){ 0 };
	if ((status != NULL && !alloc_state_parse(status, &state)) ||
	    alloc_rule(state, EV_REQUEUE)->verdict != ALLOC_MOVE)
		return cs_bad(f, "status", MSG_R_CHOICE, "failed|timeout|cancelled");
	TRY(db_task_get(db, id, &task, f));
	while (n == PAGE)
		TRY(requeue_page(db, &w, &n, out, f));
	return CS_OK;
}
