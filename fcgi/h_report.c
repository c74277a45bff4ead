/* SPDX-License-Identifier: MIT */
/*
 * Reports of a node about an allocation: PUT /task-status and POST /report-completion. Who may
 * report what, and what a repeated or late report does, is decided here from core/alloc.h's table
 * on what was read, and carried out under its guard: where the allocation changed meanwhile, read
 * and decide again.
 */
#include "fcgi/handlers.h"

#include "db/db_alloc.h"
#include "db/db_auth.h"
#include "db/db_sync.h"

#include <string.h>

#define DECIDE_TRIES 16

/* One report, whatever way it came. */
struct report {
	const char *allocation_id;
	const char *task_id;	/* NULL: not given */
	int64_t attempt;	/* echoed by our own children; 0: not given */
	enum alloc_event event; /* EV_EXECUTING, EV_COMPLETED, EV_FAILED, EV_RELEASED ... */
	enum alloc_event late;	/* ... and the same from a former holder */
	const char *outcome;	/* of an attempt for which it was accepted before; NULL: none */
	const struct jx *results;
	struct db_end end;
};

static const struct report kinds[] = {
	{ .event = EV_EXECUTING, .late = EV_LATE_EXECUTING },
	{ .event = EV_COMPLETED, .late = EV_LATE_COMPLETED, .outcome = "completed" },
	{ .event = EV_FAILED, .late = EV_LATE_FAILED, .outcome = "failed" },
	{ .event = EV_RELEASED, .late = EV_LATE_FAILED, .outcome = "released" },
};
enum { KIND_EXECUTING, KIND_COMPLETED, KIND_FAILED, KIND_RELEASED };
static const char *const kind_names[] = { "executing", "completed", "failed" };

static void
set_kind(struct report *r, size_t kind)
{
	r->event = kinds[kind].event;
	r->late = kinds[kind].late;
	r->outcome = kinds[kind].outcome;
}

/* Says why the table refuses. */
static enum cs_err
refuse(struct ctx *c, const struct db_alloc *al)
{
	struct fault *f = &c->fault;

	if (alloc_state_is_held(al->state))
		return cs_fail(f, CS_ECONFLICT, MSG_HELD_BY_OTHER);
	if (al->state == ALLOC_PENDING)
		return cs_fail(f, CS_ECONFLICT, MSG_NO_LONGER_HELD);
	if (al->state == ALLOC_CANCELLED)
		return cs_fail(f, CS_ECONFLICT, MSG_ALREADY_CANCELLED);
	if (al->state == ALLOC_COMPLETED && strcmp(al->mine_outcome, "completed") != 0)
		return cs_fail(f, CS_ECONFLICT, MSG_DONE_BY_OTHER);
	return cs_fail(f, CS_ECONFLICT, MSG_ALREADY_ENDED, alloc_state_name(al->state));
}

/* Was this very report accepted before? Then it succeeds and changes nothing. */
static bool
is_repeated(const struct db_alloc *al, const struct report *r, bool holds)
{
	if (r->outcome == NULL || al->mine == 0 || strcmp(al->mine_outcome, r->outcome) != 0)
		return false;
	if (r->attempt != 0)
		return r->attempt == al->mine;
	return !holds;
}

static enum cs_err
retake(struct ctx *c, const struct db_alloc *al, bool *done)
{
	struct db_load load;

	TRY(db_alloc_retake(c->db, c->conf, al, c->who.node, done, &c->fault));
	if (*done || al->node == c->who.node)
		return CS_OK;
	TRY(db_alloc_load(c->db, c->who.node, &load, &c->fault));
	if (load.open >= load.capacity)
		return cs_fail(&c->fault, CS_ECONFLICT, MSG_AT_CAPACITY);
	return CS_OK;
}

/* Carries EVENT out; *DONE is false where the allocation has changed under us. */
static enum cs_err
apply(struct ctx *c, const struct db_alloc *al, const struct report *r, enum alloc_event event,
    bool *done)
{
	const struct db_progress progress = { .seen = c->who.touch_due };
	struct db_end end = r->end;

	if (event == EV_EXECUTING)
		return db_alloc_executing(
		    c->db, c->conf, al, c->who.node, &progress, done, &c->fault);
	if (event == EV_LATE_EXECUTING)
		return retake(c, al, done);
	if (event == EV_LATE_COMPLETED) {
		end.late_attempt = al->mine;
		if (al->seq == 0)
			return db_alloc_complete_late(c->db, al, &end, done, &c->fault);
	}
	return db_alloc_end(c->db, c->conf, al, event, &end, done, &c->fault);
}

static enum cs_err
decide(struct ctx *c, const struct db_alloc *al, const struct report *r, bool *wrote, bool *done)
{
	bool holds = alloc_state_is_held(al->state) && al->node == c->who.node;
	enum alloc_event event = holds ? r->event : r->late;

	*wrote = false;
	if (!al->found)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_ALLOCATION);
	if (!holds && al->mine == 0)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_NEVER_HELD);
	if (r->task_id != NULL && strcmp(r->task_id, al->task_id) != 0)
		return cs_bad(&c->fault, "task_id", MSG_R_OTHER_TASK);
	*done = is_repeated(al, r, holds);
	if (*done)
		return CS_OK;
	if (al->state == ALLOC_CANCELLED)
		return refuse(c, al);
	if (r->attempt != 0 && r->attempt != al->attempt)
		return cs_fail(&c->fault, CS_ECONFLICT, MSG_WRONG_ATTEMPT, (int)al->attempt);
	/* what it handed back it is not to take again by a report that was under way */
	if (event == EV_LATE_EXECUTING && strcmp(al->mine_outcome, "released") == 0)
		return refuse(c, al);
	if (alloc_rule(al->state, event)->verdict == ALLOC_REFUSE)
		return refuse(c, al);
	TRY(apply(c, al, r, event, done));
	*wrote = *done;
	return CS_OK;
}

/* Which feeds failed, by the results; decides between completion and failure. */
static enum cs_err judge_results(struct ctx *c, struct report *r, const struct db_alloc *al);

static enum cs_err
report(struct ctx *c, struct report *r, enum msg_id message)
{
	bool done = false, wrote = false;
	enum cs_err rc = CS_OK;
	struct db_alloc al;

	for (int tries = 0; !done && rc == CS_OK && tries < DECIDE_TRIES; tries++) {
		TRY(db_alloc_get_reported(
		    c->db, r->allocation_id, c->who.node, r->attempt, c->arena, &al, &c->fault));
		if (al.found && r->results != NULL)
			TRY(judge_results(c, r, &al));
		rc = decide(c, &al, r, &wrote, &done);
	}
	if (rc == CS_OK && !done)
		return cs_detail(
		    &c->fault, CS_EBUSY, "allocation %s keeps changing", r->allocation_id);
	if (!wrote && c->who.touch_due) {
		struct fault ignored = { 0 };

		if (db_node_touch(c->db, c->who.node, c->conf, &ignored) != CS_OK && rc == CS_OK)
			c->fault = ignored;
	}
	return rc != CS_OK ? rc : res_ok(c, message);
}

enum cs_err
h_task_status(struct ctx *c)
{
	struct in {
		const char *id, *status, *error;
		int64_t attempt, hold_s;
		bool released;
	} in = { .hold_s = -1 };
	static const struct jx_field fields[] = {
		{ "allocation_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct in, id), 0,
		    255 },
		{ "status", JX_STR, JX_REQUIRED, offsetof(struct in, status), 0, 0 },
		{ "error_message", JX_STR, 0, offsetof(struct in, error), 0, 0 },
		{ "attempt", JX_INT, 0, offsetof(struct in, attempt), 1, 65535 },
		{ "released", JX_BOOL, 0, offsetof(struct in, released), 0, 0 },
		{ "hold_s", JX_INT, 0, offsetof(struct in, hold_s), 0, HOLD_MAX_S },
	};
	struct report r = { 0 };
	size_t kind = 0;

	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), &in, NULL, "", &c->fault));
	while (kind < ARRAY_LEN(kind_names) && strcmp(kind_names[kind], in.status) != 0)
		kind++;
	if (kind == ARRAY_LEN(kind_names))
		return cs_bad(&c->fault, "status", MSG_R_CHOICE, "executing, completed, failed");
	if (in.released && kind != KIND_FAILED)
		return cs_bad(&c->fault, "released", MSG_R_ONLY_FAILED);
	if (in.hold_s >= 0 && !in.released)
		return cs_bad(&c->fault, "hold_s", MSG_R_ONLY_RELEASED);
	r.allocation_id = in.id;
	r.attempt = in.attempt;
	set_kind(&r, in.released ? KIND_RELEASED : kind);
	r.end.hold_s = in.hold_s > 0 ? in.hold_s : 0;
	if (kind == KIND_FAILED && in.error != NULL && in.error[0] != '\0')
		r.end.error = in.error;
	return report(c, &r, MSG_STATUS_UPDATED);
}

/* Did this feed fail? In either of the two forms that WeRSS's children use. */
static bool
result_failed(const struct jx *v)
{
	const struct jx *success = jx_get(v, "success");
	const char *status = jx_str(jx_get(v, "status"));

	return (jx_type(success) == JX_BOOL && !jx_bool(success)) ||
	       (status != NULL && strcmp(status, "failed") == 0);
}

static const char *
result_feed(const struct jx *v)
{
	const char *id = jx_str(jx_get(v, "feed_id"));

	return id != NULL ? id : jx_str(jx_get(v, "mp_id"));
}

static const char *
result_error(const struct jx *v)
{
	const char *e = jx_str(jx_get(v, "error"));

	return e != NULL ? e : jx_str(jx_get(v, "error_message"));
}

static bool
feed_failed(const struct jx *results, const char *feed)
{
	for (size_t i = 0; i < jx_len(results); i++) {
		const struct jx *v = jx_at(results, i);
		const char *id = result_feed(v);

		if (id != NULL && strcmp(id, feed) == 0 && result_failed(v))
			return true;
	}
	return false;
}

/* The feeds of the allocation that failed, as a JSON array; *ALL: every one. NULL: none. */
static const char *
failed_feeds(struct ctx *c, const struct jx *results, const struct jx *feeds, bool *all)
{
	struct buf b = { 0 };
	const char *text = NULL;
	struct jw w;
	size_t n = 0;

	jw_init(&w, &b);
	jw_arr(&w);
	for (size_t i = 0; i < jx_len(feeds); i++) {
		const char *id = jx_str(jx_at(feeds, i));

		if (id == NULL || !feed_failed(results, id))
			continue;
		jw_str(&w, id);
		n++;
	}
	jw_arr_end(&w);
	*all = n > 0 && n == jx_len(feeds);
	if (n > 0 && !buf_failed(&b))
		text = arena_strndup(c->arena, b.data, b.len);
	buf_free(&b);
	return text;
}

static enum cs_err
judge_results(struct ctx *c, struct report *r, const struct db_alloc *al)
{
	size_t n = jx_len(r->results), failed = 0;
	const char *error = NULL;
	auto_jx *doc = NULL;
	bool all;

	for (size_t i = 0; i < n; i++) {
		const struct jx *v = jx_at(r->results, i);

		if (!result_failed(v))
			continue;
		error = error != NULL ? error : result_error(v);
		failed++;
	}
	set_kind(r, KIND_COMPLETED);
	r->end.error = r->end.failed_feeds = r->end.failed_error = NULL;
	if (failed == 0)
		return CS_OK;
	if (error == NULL || error[0] == '\0')
		error = msg_text(LANG_ZH, MSG_E_ALL_FAILED);
	TRY(jx_parse(al->feed_ids, strlen(al->feed_ids), &doc, &c->fault));
	const char *feeds = failed_feeds(c, r->results, jx_root(doc), &all);
	if (failed == n || all) {
		set_kind(r, KIND_FAILED);
		r->end.error = error;
	} else if (feeds != NULL) {
		r->end.failed_feeds = feeds;
		r->end.failed_error = error;
	}
	return CS_OK;
}

/* The sync log's row of a completion. */
static const char *
completion_extra(struct ctx *c, const struct report *r, int64_t article_count)
{
	struct buf b = { 0 };
	const char *text;
	struct jw w;

	jw_init(&w, &b);
	jw_obj(&w);
	jw_kstr(&w, "allocation_id", r->allocation_id);
	jw_kstr(&w, "task_id", r->task_id);
	jw_kint(&w, "article_count", article_count);
	jw_kint(&w, "result_count", (int64_t)jx_len(r->results));
	jw_obj_end(&w);
	text = buf_failed(&b) ? NULL : arena_strndup(c->arena, b.data, b.len);
	buf_free(&b);
	return text;
}

enum cs_err
h_report_completion(struct ctx *c)
{
	struct in {
		const char *id, *task;
		const struct jx *results;
		int64_t article_count, attempt;
	} in = { 0 };
	static const struct jx_field fields[] = {
		{ "allocation_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct in, id), 0,
		    255 },
		{ "task_id", JX_STR, 0, offsetof(struct in, task), 0, 255 },
		{ "results", JX_ARR, 0, offsetof(struct in, results), 0, 0 },
		{ "article_count", JX_INT, 0, offsetof(struct in, article_count), 0, INT32_MAX },
		{ "attempt", JX_INT, 0, offsetof(struct in, attempt), 1, 65535 },
	};
	struct report r = { 0 };
	struct db_log log = { .operation = sync_op_name(SYNC_COMPLETION) };

	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), &in, NULL, "", &c->fault));
	TRY(req_objects(c, in.results, "results"));
	r.allocation_id = in.id;
	r.task_id = in.task;
	r.attempt = in.attempt;
	r.results = in.results;
	set_kind(&r, KIND_COMPLETED);
	if (in.results != NULL)
		r.end.result = jx_text(in.results, c->arena);
	log.node_id = c->who.node_id;
	log.count = in.article_count;
	log.extra = completion_extra(c, &r, in.article_count);
	r.end.log = &log;
	return report(c, &r, MSG_COMPLETED);
}
