/* SPDX-License-Identifier: MIT */
/*
 * Open allocations: reads, and the transitions that core/alloc.h decides, carried out as guarded
 * statements (stmt_alloc.def) and procedures (sql/). Nothing here decides what may follow what.
 * A guard that does not hold is no error: *moved is false and the caller reads again.
 */
#include "db/db_alloc.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/ident.h"

#include <stdio.h>
#include <string.h>

/* error_message of what ends an attempt or a life without a report that says why. */
static const enum msg_id event_text[EV__MAX] = {
	[EV_FAILED] = MSG_E_NO_REASON,
	[EV_RELEASED] = MSG_E_RELEASED,
	[EV_LAPSE] = MSG_E_LAPSED,
	[EV_MAX_RUN] = MSG_E_MAX_RUN,
	[EV_NODE_LOST] = MSG_E_NODE_LOST,
	[EV_NODE_DELETED] = MSG_E_NODE_DELETED,
	[EV_NODE_INACTIVE] = MSG_E_NODE_INACTIVE,
	[EV_GONE] = MSG_NO_TASK,
};

enum cs_err
db_alloc_get(struct db *db, const char *id, int64_t node, struct arena *a, struct db_alloc *out,
    struct fault *f)
{
	auto_rows r = { 0 };

	memset(out, 0, sizeof(*out));
	TRY(DB_QUERY(db, f, &r, STMT_ALLOC_GET, A_I(node), A_S(id)));
	/* the collation ignores case: the id must be the same byte for byte */
	if (!db_next(&r) || strcmp(db_s(&r, 0), id) != 0)
		return CS_OK;
	out->id = arena_strdup(a, db_s(&r, 0));
	out->task_id = arena_strdup(a, db_s(&r, 1));
	out->feed_ids = db_is_null(&r, 2) ? "[]" : arena_strdup(a, db_s(&r, 2));
	out->seq = db_i(&r, 4);
	if (out->seq != 0)
		out->state = (enum alloc_state)db_i(&r, 5);
	else if (db_is_null(&r, 3) || !alloc_state_parse(db_s(&r, 3), &out->state))
		/* another program's word, or none: nothing follows from it */
		return cs_fail(f, CS_ECONFLICT, MSG_STATUS_UNKNOWN);
	out->ver = db_i(&r, 6);
	out->node = db_i(&r, 7);
	out->attempt = db_i(&r, 8);
	out->failures = (int)db_i(&r, 9);
	out->losts = (int)db_i(&r, 10);
	out->max_attempts = (int)db_i(&r, 11);
	out->mine = db_i(&r, 12);
	out->mine_outcome = out->mine == 0 ? "" : arena_strdup(a, db_s(&r, 13));
	if (out->id == NULL || out->task_id == NULL || out->feed_ids == NULL ||
	    out->mine_outcome == NULL)
		return cs_detail(f, CS_ENOMEM, "allocation %s", id);
	out->found = true;
	return CS_OK;
}

/* Where NODE holds it, and ATTEMPT is none or the current one; else not found. */
static enum cs_err
get_held(struct db *db, const char *id, int64_t node, int64_t attempt, struct arena *a,
    struct db_alloc *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_alloc){ .node = node, .mine_outcome = "" };
	TRY(DB_QUERY(db, f, &r, STMT_ALLOC_GET_HELD, A_S(id), A_I(node)));
	if (!db_next(&r) || strcmp(db_s(&r, 0), id) != 0)
		return CS_OK;
	out->attempt = db_i(&r, 6);
	if (attempt != 0 && attempt != out->attempt)
		return CS_OK;
	out->id = arena_strdup(a, db_s(&r, 0));
	out->task_id = arena_strdup(a, db_s(&r, 1));
	out->feed_ids = db_is_null(&r, 2) ? "[]" : arena_strdup(a, db_s(&r, 2));
	out->seq = db_i(&r, 3);
	out->state = (enum alloc_state)db_i(&r, 4);
	out->ver = db_i(&r, 5);
	out->failures = (int)db_i(&r, 7);
	out->losts = (int)db_i(&r, 8);
	out->max_attempts = (int)db_i(&r, 9);
	if (out->id == NULL || out->task_id == NULL || out->feed_ids == NULL)
		return cs_detail(f, CS_ENOMEM, "allocation %s", id);
	out->found = true;
	return CS_OK;
}

enum cs_err
db_alloc_get_reported(struct db *db, const char *id, int64_t node, int64_t attempt, struct arena *a,
    struct db_alloc *out, struct fault *f)
{
	TRY(get_held(db, id, node, attempt, a, out, f));
	return out->found ? CS_OK : db_alloc_get(db, id, node, a, out, f);
}

static struct alloc_limits
limits(const struct conf *conf, const struct db_alloc *al)
{
	return (struct alloc_limits){
		.max_attempts = al->max_attempts > 0 ? al->max_attempts : (int)conf->max_attempts,
		.max_lost = (int)conf->max_lost,
		.handouts_left = ALLOC_HANDOUTS_MAX - al->attempt,
		.backoff_s = conf->backoff_s,
		.backoff_max_s = conf->backoff_max_s,
	};
}

/* The text that is stored as the reason where END gives none; NULL: none. */
static const char *
end_error(char *buf, size_t size, const struct conf *conf, const struct db_alloc *al,
    enum alloc_event event, const struct db_end *end)
{
	if (end->error != NULL || event_text[event] == MSG_NONE)
		return end->error;
	if (event == EV_LAPSE && al->state == ALLOC_CLAIMED)
		return msg_render(buf, size, LANG_ZH, MSG_E_UNACKNOWLEDGED, (int)conf->claim_ack_s);
	return msg_render(buf, size, LANG_ZH, event_text[event]);
}

/* Feeds that go out again: the new allocation's identity and what becomes of it. */
struct again {
	char id[UUID_LEN + 1];
	int64_t seq;
	struct alloc_next next;
};

static enum cs_err
plan_again(const struct conf *conf, const struct db_alloc *al, struct again *out, struct fault *f)
{
	int64_t now = clock_wall_ms();
	struct alloc_limits lim = limits(conf, al);

	out->seq = ident_seq(now, 1);
	if (out->seq == 0 || !ident_uuid7(out->id, now))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	out->next = alloc_retry(
	    alloc_rule(ALLOC_EXECUTING, EV_FAILED), &lim, al->failures, al->losts, ident_random());
	return CS_OK;
}

/* Runs a procedure that answers one row: moved. */
static enum cs_err
call_moved(struct db *db, enum stmt_id id, const struct db_arg *args, size_t nargs, int64_t *moved,
    struct fault *f)
{
	auto_rows r = { 0 };
	enum cs_err rc = db_query(db, f, &r, id, args, nargs);

	/* a dispatch took one of the feeds at this very moment: decide anew on what is there now */
	if (rc == CS_ECONFLICT)
		return cs_detail(f, CS_EBUSY, "duplicate while ending an allocation");
	if (rc != CS_OK)
		return rc;
	if (!db_next(&r))
		return cs_detail(f, CS_EINTERNAL, "the procedure answered no row");
	*moved = db_i(&r, 0);
	return CS_OK;
}

enum cs_err
db_alloc_end(struct db *db, const struct conf *conf, const struct db_alloc *al,
    enum alloc_event event, const struct db_end *end, bool *moved, struct fault *f)
{
	const struct alloc_rule *rule = alloc_rule(al->state, event);
	struct alloc_limits lim = limits(conf, al);
	struct alloc_next next = { rule->next, al->failures, al->losts, 0 };
	const struct db_log *log = end->log;
	struct again again = { .seq = 0 };
	char text[256], log_id[UUID_LEN + 1];
	int64_t n = 0;

	if (rule->verdict == ALLOC_RETRY)
		next = alloc_retry(rule, &lim, al->failures, al->losts, ident_random());
	if (end->failed_feeds != NULL)
		TRY(plan_again(conf, al, &again, f));
	if (log != NULL && !ident_uuid7(log_id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	const struct db_arg args[] = {
		A_I(al->seq),
		A_I(al->ver),
		A_S(alloc_state_name(next.state)),
		A_S(rule->outcome),
		A_I(end->late_attempt),
		A_I(next.failures),
		A_I(next.losts),
		A_I(next.delay_ms),
		A_S(end_error(text, sizeof(text), conf, al, event, end)),
		A_S(end->result),
		A_S(again.seq != 0 ? again.id : NULL),
		A_I(again.seq),
		A_S(end->failed_feeds),
		A_S(again.seq != 0 ? alloc_state_name(again.next.state) : NULL),
		A_I(again.next.delay_ms),
		A_S(end->failed_error),
		A_S(log != NULL ? log_id : NULL),
		A_S(log != NULL ? log->node_id : NULL),
		A_S(log != NULL ? log->operation : NULL),
		A_I(log != NULL ? log->count : 0),
		A_S(log != NULL ? log->extra : NULL),
		event == EV_RELEASED ? A_I(end->hold_s) : A_NULL,
	};
	TRY(call_moved(db, STMT_ALLOC_END, args, ARRAY_LEN(args), &n, f));
	*moved = n == 1;
	return CS_OK;
}

enum cs_err
db_alloc_complete_late(struct db *db, const struct db_alloc *al, const struct db_end *end,
    bool *moved, struct fault *f)
{
	const struct db_log *log = end->log;
	char log_id[UUID_LEN + 1], retry_id[UUID_LEN + 1];
	int64_t n = 0;

	if (!ident_uuid7(log_id, clock_wall_ms()) || !ident_uuid7(retry_id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	const struct db_arg args[] = {
		A_S(al->id),
		A_I(al->mine),
		A_S(end->result),
		A_S(end->failed_feeds != NULL ? retry_id : NULL),
		A_S(end->failed_feeds),
		A_S(end->failed_error),
		A_S(log != NULL ? log_id : NULL),
		A_S(log != NULL ? log->node_id : NULL),
		A_S(log != NULL ? log->operation : NULL),
		A_I(log != NULL ? log->count : 0),
		A_S(log != NULL ? log->extra : NULL),
	};
	TRY(call_moved(db, STMT_ALLOC_COMPLETE_LATE, args, ARRAY_LEN(args), &n, f));
	if (n == 2)
		return cs_fail(f, CS_ECONFLICT, MSG_NEWER_OPEN);
	*moved = n == 1;
	return CS_OK;
}

enum cs_err
db_alloc_executing(struct db *db, const struct conf *conf, const struct db_alloc *al, int64_t node,
    const struct db_progress *progress, bool *moved, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ALLOC_PROCEED, A_I(node), A_I(progress->seen), A_I(al->seq),
	    A_I(al->ver), A_S(al->id), A_I(al->state == ALLOC_CLAIMED), A_I(conf->exec_lease_s),
	    A_I(conf->max_run_s), A_I(progress->linked), A_I(progress->new_articles)));
	*moved = db_next(&r) && db_i(&r, 0) != 0;
	return CS_OK;
}

enum cs_err
db_alloc_retake(struct db *db, const struct conf *conf, const struct db_alloc *al, int64_t node,
    bool *moved, struct fault *f)
{
	/* the same attempt goes on where it was the last one, else the number of a new hand-out */
	int64_t attempt = al->mine == al->attempt ? al->attempt : al->attempt + 1;
	int64_t ver = al->ver;
	uint64_t n = 0;

	*moved = false;
	if (al->node != 0 && al->node != node) {
		TRY(db_alloc_unassign(db, al->seq, al->ver, al->node, moved, f));
		if (!*moved)
			return CS_OK;
		ver++;
	}
	TRY(DB_EXEC(db, f, &n, STMT_ALLOC_RETAKE, A_I(attempt), A_I(conf->exec_lease_s), A_I(node),
	    A_I(al->seq), A_I(ver)));
	*moved = n > 0;
	return CS_OK;
}

enum cs_err
db_alloc_unassign(
    struct db *db, int64_t seq, int64_t ver, int64_t node, bool *moved, struct fault *f)
{
	uint64_t n = 0;

	TRY(DB_EXEC(db, f, &n, STMT_ALLOC_UNASSIGN, A_I(seq), A_I(ver), A_I(node)));
	if (moved != NULL)
		*moved = n > 0;
	return CS_OK;
}

/* One open allocation of a node that is going away. */
static enum cs_err
release_one(struct db *db, const struct conf *conf, const struct db_alloc *al,
    enum alloc_event event, bool *moved, struct fault *f)
{
	const struct db_end end = { 0 };

	if (al->state == ALLOC_PENDING)
		return db_alloc_unassign(db, al->seq, al->ver, al->node, moved, f);
	return db_alloc_end(db, conf, al, event, &end, moved, f);
}

struct db_alloc
db_alloc_of_row(const struct db_rows *r)
{
	return (struct db_alloc){
		.found = true,
		.id = db_s(r, 0),
		.seq = db_i(r, 1),
		.state = (enum alloc_state)db_i(r, 2),
		.ver = db_i(r, 3),
		.node = db_i(r, 4),
		.attempt = db_i(r, 5),
		.failures = (int)db_i(r, 6),
		.losts = (int)db_i(r, 7),
		.max_attempts = (int)db_i(r, 8),
	};
}

enum cs_err
db_alloc_end_row(struct db *db, const struct conf *conf, const struct db_rows *r,
    enum alloc_event event, const struct db_end *end, int64_t *n, struct fault *f)
{
	const struct db_alloc al = db_alloc_of_row(r);
	bool moved = false;
	enum cs_err rc = db_alloc_end(db, conf, &al, event, end, &moved, f);

	*n += moved;
	if (rc == CS_OK || rc == CS_EDBDOWN)
		return rc;
	snprintf(f->field, sizeof(f->field), "%s", al.id);
	log_fault(LOG_LVL_ERROR, alloc_event_name(event), f);
	fault_clear(f);
	return CS_OK;
}

/* Releases what NODE has in states up to LAST, and has held for HELD_S seconds. */
static enum cs_err
release(struct db *db, const struct conf *conf, int64_t node, enum alloc_event event,
    enum alloc_state last, int64_t held_s, int64_t *released, struct fault *f)
{
	int64_t after = 0;
	bool more = true, moved;

	while (more) {
		auto_rows r = { 0 };

		more = false;
		TRY(DB_QUERY(db, f, &r, STMT_OPEN_OF_NODE, A_I(node), A_I(after), A_I(held_s)));
		while (db_next(&r)) {
			const struct db_alloc al = db_alloc_of_row(&r);

			more = true;
			after = al.seq;
			if (al.state > last)
				continue;
			TRY(release_one(db, conf, &al, event, &moved, f));
			*released += moved;
		}
	}
	return CS_OK;
}

enum cs_err
db_alloc_release_node(struct db *db, const struct conf *conf, int64_t node, enum alloc_event event,
    bool executing_too, int64_t *released, struct fault *f)
{
	enum alloc_state last = executing_too ? ALLOC_EXECUTING : ALLOC_CLAIMED;
	/* a node that is lost was silent so long: what it holds for less time it took since it came
	 * back */
	int64_t held_s = event == EV_NODE_LOST ? conf->offline_after_s : 0;
	int64_t count = 0;

	TRY(release(db, conf, node, event, last, held_s, &count, f));
	if (released != NULL)
		*released = count;
	return CS_OK;
}

enum cs_err
db_alloc_unreserve_node(struct db *db, const struct conf *conf, int64_t node, struct fault *f)
{
	int64_t count = 0;

	return release(db, conf, node, EV_NODE_INACTIVE, ALLOC_PENDING, 0, &count, f);
}
