/* SPDX-License-Identifier: MIT */
/*
 * Alerts. Occurrences are found by how things stand, never by being told: what happens while nobody
 * looks is found by whoever looks next. What has ended is read window by window of its end, some
 * seconds late, since transactions may still be open; the window moves in the transaction that
 * counts what is in it.
 */
#include "db/db_alert.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_gauge.h"

#define LAG_S	    10	 /* as the counters of ended attempts have it */
#define WINDOW_S    300	 /* looked at at once */
#define LOOK_BACK_S 3600 /* what is older when alerts begin, or go on, is not news */
#define WAITING_MAX 1000 /* of a receiver */

enum cs_err
db_alert_nodes(struct db *db, const struct conf *conf, struct fault *f)
{
	int64_t window = conf->alert_offline_window_s;

	return DB_EXEC(db, f, NULL, STMT_ALERT_OFFLINE, A_I(conf->offline_after_s),
	    A_I(conf->offline_after_s + LOOK_BACK_S), A_I(window), A_I(window), A_I(window));
}

/* The current row of ALERT_ENDED. */
static enum cs_err
count_ended(struct db *db, const struct conf *conf, const struct db_rows *r, struct fault *f)
{
	const char *task = db_s(r, 0), *name = db_s(r, 1), *run = db_s(r, 2), *why = db_s(r, 5);
	int64_t done = db_i(r, 3), failed = db_i(r, 4), since = db_i(r, 6);
	int64_t window = conf->alert_dead_window_s;

	if (failed > 0)
		TRY(DB_EXEC(db, f, NULL, STMT_ALERT_DEAD, A_S(task), A_S(name), A_I(failed),
		    A_I(failed), A_S(why), A_I(since), A_I(window), A_I(window), A_I(window)));
	if (done > 0)
		return DB_EXEC(db, f, NULL, STMT_ALERT_SUCCESS, A_S(run), A_S(task));
	return DB_EXEC(
	    db, f, NULL, STMT_ALERT_FAILING, A_S(task), A_S(name), A_S(why), A_S(run), A_I(since));
}

static enum cs_err
count_window(
    struct db *db, const struct conf *conf, int64_t kept, int64_t from, int64_t to, struct fault *f)
{
	auto_rows r = { 0 };
	auto_tx tx = { 0 };
	uint64_t moved = 0;

	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, &moved, STMT_ALERT_CURSOR_MOVE, A_I(to), A_I(kept)));
	if (moved == 0)
		return CS_OK;
	TRY(DB_QUERY(db, f, &r, STMT_ALERT_ENDED, A_I(from), A_I(to)));
	while (db_next(&r))
		TRY(count_ended(db, conf, &r, f));
	return db_commit(&tx, f);
}

enum cs_err
db_alert_ended(struct db *db, const struct conf *conf, struct fault *f)
{
	int64_t kept, from, to;
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ALERT_CURSOR));
	if (!db_next(&r))
		return CS_OK;
	kept = db_i(&r, 0);
	to = db_i(&r, 1) - LAG_S;
	if (kept == 0)
		return DB_EXEC(db, f, NULL, STMT_ALERT_CURSOR_START, A_I(to));
	from = kept < to - LOOK_BACK_S ? to - LOOK_BACK_S : kept;
	if (to > from + WINDOW_S)
		to = from + WINDOW_S;
	return to > from ? count_window(db, conf, kept, from, to, f) : CS_OK;
}

enum cs_err
db_alert_due(struct db *db, const struct db_alert_rule *rule, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ALERT_DUE, A_S(rule->event), A_I(rule->threshold),
	    A_I(rule->silence_s));
}

static const char *
text_of(const struct db_rows *rows, unsigned col)
{
	return db_is_null(rows, col) ? "" : db_s(rows, col);
}

bool
db_alert_next(struct db_rows *rows, const char *event, struct db_alert *out)
{
	if (!db_next(rows))
		return false;
	*out = (struct db_alert){
		.event = event,
		.subject = db_s(rows, 0),
		.name = text_of(rows, 1),
		.count = db_i(rows, 2),
		.detail = text_of(rows, 3),
		.since = db_i(rows, 4),
		.wanted = true,
	};
	return true;
}

enum cs_err
db_alert_over(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ALERT_OVER);
}

bool
db_alert_next_over(struct db_rows *rows, struct db_alert *out)
{
	if (!db_next(rows))
		return false;
	*out = (struct db_alert){
		.event = db_s(rows, 0),
		.subject = db_s(rows, 1),
		.name = text_of(rows, 2),
		.detail = "",
		.since = db_i(rows, 3),
		.wanted = db_i(rows, 4) != 0,
	};
	return true;
}

/* Part of the caller's transaction. */
static enum cs_err
put_out(struct db *db, const struct db_alert_out *out, size_t n, int64_t *dropped, struct fault *f)
{
	char id[UUID_LEN + 1];
	uint64_t stored;

	*dropped = 0;
	for (size_t i = 0; i < n; i++) {
		if (!ident_uuid7(id, clock_wall_ms()))
			return cs_detail(f, CS_EINTERNAL, "no random numbers");
		TRY(DB_EXEC(db, f, &stored, STMT_ALERT_OUT, A_S(id), A_S(out[i].event),
		    A_I(out[i].recovered), A_S(out[i].subject), A_S(out[i].text), A_I(out[i].at),
		    A_S(out[i].target), A_S(out[i].target), A_I(WAITING_MAX)));
		*dropped += stored == 0;
	}
	if (*dropped == 0)
		return CS_OK;
	return db_gauge_add(db, "alert_messages_total", "dropped", *dropped, f);
}

enum cs_err
db_alert_raise(struct db *db, const struct db_alert_rule *rule, const char *subject,
    const struct db_alert_out *out, size_t n, bool *taken, int64_t *dropped, struct fault *f)
{
	uint64_t moved = 0;
	auto_tx tx = { 0 };

	*taken = false;
	*dropped = 0;
	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, &moved, STMT_ALERT_RAISE, A_I(rule->recovery), A_S(rule->event),
	    A_S(subject), A_I(rule->silence_s)));
	if (moved == 0)
		return CS_OK;
	TRY(put_out(db, out, n, dropped, f));
	TRY(db_gauge_add(db, "alerts_total", rule->event, 1, f));
	TRY(db_commit(&tx, f));
	*taken = true;
	return CS_OK;
}

enum cs_err
db_alert_close(struct db *db, const char *event, const char *subject,
    const struct db_alert_out *out, size_t n, bool *taken, int64_t *dropped, struct fault *f)
{
	uint64_t moved = 0;
	auto_tx tx = { 0 };

	*taken = false;
	*dropped = 0;
	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, &moved, STMT_ALERT_CLOSE, A_S(event), A_S(subject)));
	if (moved == 0)
		return CS_OK;
	TRY(put_out(db, out, n, dropped, f));
	TRY(db_commit(&tx, f));
	*taken = true;
	return CS_OK;
}

enum cs_err
db_alert_hold(struct db *db, const char *target, const char *holder, int64_t hold_s, int64_t max,
    struct db_rows *rows, struct fault *f)
{
	uint64_t held = 0;

	TRY(DB_EXEC(
	    db, f, &held, STMT_ALERT_HOLD, A_S(holder), A_I(hold_s), A_S(target), A_I(max)));
	return held > 0 ? DB_QUERY(db, f, rows, STMT_ALERT_HELD, A_S(target), A_S(holder)) : CS_OK;
}

bool
db_alert_next_held(struct db_rows *rows, struct db_alert_out *out, int64_t *tries)
{
	if (!db_next(rows))
		return false;
	*out = (struct db_alert_out){
		.event = db_s(rows, 0),
		.recovered = db_i(rows, 1) != 0,
		.subject = db_s(rows, 2),
		.text = db_s(rows, 3),
		.at = db_i(rows, 4),
	};
	*tries = db_i(rows, 5);
	return true;
}

enum cs_err
db_alert_delivered(struct db *db, const char *target, const char *holder, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ALERT_DELIVERED, A_S(target), A_S(holder));
}

enum cs_err
db_alert_again(
    struct db *db, const char *target, const char *holder, int64_t wait_s, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ALERT_AGAIN, A_I(wait_s), A_S(target), A_S(holder));
}

enum cs_err
db_alert_retain(struct db *db, const struct conf *conf, int64_t *dropped, struct fault *f)
{
	int64_t silence = conf->alert_failing_silence_s;
	uint64_t n = 0;

	if (silence < conf->alert_dead_silence_s)
		silence = conf->alert_dead_silence_s;
	if (silence < conf->alert_offline_silence_s)
		silence = conf->alert_offline_silence_s;
	TRY(DB_EXEC(db, f, &n, STMT_ALERT_DROP, A_I(conf->alert_keep_s)));
	*dropped = (int64_t)n;
	return DB_EXEC(db, f, NULL, STMT_ALERT_FORGET, A_I(silence));
}
