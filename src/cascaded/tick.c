/* SPDX-License-Identifier: MIT */
/*
 * One tick of cascaded: a table of steps. Only the leader works; the lead is an optimisation, since
 * every step is guarded in the database: a paused leader that wakes up does no harm. A step that
 * fails is logged and tried again at its next turn, and the others go on, so that no feed, task or
 * node blocks another; only a database that is away ends the tick.
 */
#include "cascaded/tick.h"

#include "base/clock.h"
#include "base/log.h"
#include "cascaded/alert.h"
#include "cascaded/schedule.h"
#include "cascaded/wake.h"
#include "core/ident.h"
#include "db/db_beat.h"
#include "db/db_daemon.h"
#include "db/db_gauge.h"
#include "db/db_schedule.h"
#include "db/db_sync.h"
#include "db/db_wake.h"
#include "proc/notify.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RESUME_IDLE_S  30    /* a dispatcher that was silent for this long has died */
#define DISPATCH_MS    500   /* a tick for the batches of runs */
#define SHARE	       50    /* what walks much does so for a 50th of the time at most, ... */
#define REST_MAX_MS    10000 /* ... but after so long at the latest */
#define ASSIGN_BATCHES 4     /* a tick: the rest waits for the next, so that no tick is long */

bool
tick_name(struct daemon *d)
{
	char host[48] = "", id[UUID_LEN + 1];

	if (gethostname(host, sizeof(host) - 1) != 0)
		strcpy(host, "unknown");
	for (char *p = host; *p != '\0'; p++)
		*p = *p > ' ' && *p < 0x7f ? *p : '_';
	if (!ident_uuid7(id, clock_wall_ms()))
		return false;
	snprintf(d->holder, sizeof(d->holder), "%s:%ld:%s", host, (long)getpid(), id + 24);
	return true;
}

static void
note_offline(const char *node_id, int64_t released)
{
	struct log_line l;

	log_begin(&l, LOG_LVL_WARN, "node_offline");
	log_str(&l, "node", node_id);
	log_int(&l, "released", released);
	log_end(&l);
}

static void
note_count(struct daemon *d, const char *event, int64_t n)
{
	struct log_line l;

	if (n == 0)
		return;
	d->found = true;
	log_begin(&l, LOG_LVL_INFO, event);
	log_int(&l, "count", n);
	log_end(&l);
}

/* After an outage of ours nothing is rescued for a while. */
static enum cs_err
step_grace(struct daemon *d, struct fault *f)
{
	bool allowed;

	TRY(db_beat_rescue_allowed(d->db, d->conf, &allowed, f));
	if (allowed == d->grace)
		log_warn(allowed ? "grace_over" : "grace",
		    "after an outage of ours nothing is rescued for %llds",
		    (long long)d->conf->offline_after_s);
	d->grace = !allowed;
	return CS_OK;
}

static enum cs_err
step_sync_nodes(struct daemon *d, struct fault *f)
{
	return db_node_sync_all(d->db, d->conf, &d->walk, f);
}

static enum cs_err
step_nodes(struct daemon *d, struct fault *f)
{
	return d->grace ? CS_OK : db_refresh_nodes(d->db, d->conf, note_offline, f);
}

static enum cs_err
step_leases(struct daemon *d, struct fault *f)
{
	int64_t n = 0;

	if (!d->grace)
		TRY(db_expire_leases(d->db, d->conf, &n, f));
	note_count(d, "leases_expired", n);
	return CS_OK;
}

static enum cs_err
step_reservations(struct daemon *d, struct fault *f)
{
	int64_t n = 0;

	if (!d->grace)
		TRY(db_expire_reservations(d->db, d->conf, &n, f));
	note_count(d, "reservations_freed", n);
	return CS_OK;
}

/* WeRSS's own dispatcher writes the table that we show. */
static enum cs_err
step_adopt(struct daemon *d, struct fault *f)
{
	struct db_adopted adopted;

	TRY(db_adopt(d->db, &adopted, f));
	note_count(d, "adopted", adopted.adopted);
	note_count(d, "duplicates_closed", adopted.duplicates);
	return CS_OK;
}

static enum cs_err
step_repair(struct daemon *d, struct fault *f)
{
	int64_t n;

	TRY(db_repair_shown(d->db, &d->repair_cursor, &n, f));
	note_count(d, "shown_repaired", n);
	return CS_OK;
}

static enum cs_err
step_orphans(struct daemon *d, struct fault *f)
{
	int64_t n;

	TRY(db_fail_orphans(d->db, d->conf, &n, f));
	note_count(d, "orphans_failed", n);
	return CS_OK;
}

static enum cs_err
step_retain(struct daemon *d, struct fault *f)
{
	int64_t n = 0;

	TRY(db_retain(d->db, d->conf, &n, f));
	note_count(d, "retired", n);
	return CS_OK;
}

/* With schedule = "werss" WeRSS's own dispatcher is the schedule; an administrator may stop ours.
 */
static enum cs_err
step_schedule(struct daemon *d, struct fault *f)
{
	struct db_scheduler state;

	if (strcmp(d->conf->schedule, "own") != 0)
		return CS_OK;
	TRY(db_scheduler_get(d->db, &state, f));
	if (state.enabled != d->scheduling)
		log_info(state.enabled ? "scheduler_started" : "scheduler_stopped",
		    "by an administrator");
	if (state.reloads != d->reloads)
		schedule_reload(d->schedule);
	d->scheduling = state.enabled;
	d->reloads = state.reloads;
	if (!d->scheduling)
		return CS_OK;
	return schedule_run(d->schedule, d->db, d->conf, &d->more_due, f);
}

static enum cs_err
step_runs(struct daemon *d, struct fault *f)
{
	int64_t n;

	TRY(db_runs_step(d->db, d->conf, RESUME_IDLE_S, DISPATCH_MS, &n, &d->busy, f));
	note_count(d, "batches_dispatched", n);
	return CS_OK;
}

/* *DONE counts what was assigned. */
static enum cs_err
assign(struct daemon *d, int64_t *done, struct fault *f)
{
	int64_t n = 1;

	*done = 0;
	for (int i = 0; i < ASSIGN_BATCHES && n > 0; i++) {
		TRY(db_assign(d->db, d->conf, &n, f));
		note_count(d, "assigned", n);
		*done += n;
	}
	return CS_OK;
}

static enum cs_err
step_balance(struct daemon *d, struct fault *f)
{
	int64_t n;

	TRY(db_balance(d->db, d->conf, &n, f));
	note_count(d, "rebalanced", n);
	return CS_OK;
}

static enum cs_err
step_assign(struct daemon *d, struct fault *f)
{
	int64_t done;

	return assign(d, &done, f);
}

static enum cs_err
step_wake(struct daemon *d, struct fault *f)
{
	return d->conf->wake_enabled ? wake_look(d->wake, d->db, d->conf, f) : CS_OK;
}

static enum cs_err
step_alerts(struct daemon *d, struct fault *f)
{
	TRY(alert_look(d->db, d->conf, f));
	return alert_retain(d->alert, d->db, d->conf, f);
}

static enum cs_err
step_alert_send(struct daemon *d, struct fault *f)
{
	return alert_send(d->alert, d->db, d->conf, f);
}

/* For /metrics and the counts of /pending-allocations. The queue and the day's work take as long to
 * count as they are; a fixed part of the time is spent on it. */
static enum cs_err
step_gauges(struct daemon *d, struct fault *f)
{
	int64_t begin = clock_mono_ms();

	TRY(wake_count(d->wake, d->db, f));
	TRY(db_gauge_count_attempts(d->db, f));
	if (begin < d->count_due_ms)
		return CS_OK;
	TRY(db_gauge_count(d->db, f));
	d->count_due_ms = clock_rested_ms(begin, SHARE, INT64_MAX);
	return CS_OK;
}

/* What the leader does, in this order. A step that fails does not keep the others from their work.
 */
static const struct {
	const char *name;
	enum cs_err (*run)(struct daemon *d, struct fault *f);
	bool refresh; /* each cascaded.refresh, else each tick */
	bool rests;   /* where it found nothing to do: it walks all that is assigned, or waits */
} steps[] = {
	{ "grace", step_grace, true },
	{ "sync_nodes", step_sync_nodes, true },
	{ "nodes", step_nodes, true },
	{ "leases", step_leases, true },
	{ "reservations", step_reservations, true, true },
	{ "adopt", step_adopt, true, true },
	{ "repair", step_repair, true },
	{ "orphans", step_orphans, true },
	{ "retain", step_retain, false },
	{ "schedule", step_schedule, false },
	{ "runs", step_runs, false },
	{ "assign", step_assign, false },
	{ "balance", step_balance, true, true },
	{ "wake", step_wake, false },
	{ "gauges", step_gauges, true },
	{ "alerts", step_alerts, true },
	{ "alert_send", step_alert_send, false },
};

/* Runs step I, unless it rests. */
static enum cs_err
run_step(struct daemon *d, size_t i, struct fault *f)
{
	int64_t begin = clock_mono_ms();
	enum cs_err rc;

	if (begin < d->rests_ms[i])
		return CS_OK;
	fault_clear(f);
	d->found = false;
	rc = steps[i].run(d, f);
	if (rc == CS_OK && steps[i].rests && !d->found)
		d->rests_ms[i] = clock_rested_ms(begin, SHARE, REST_MAX_MS);
	return rc;
}

/* CS_EDBDOWN ends the tick; any other failure is the step's own. */
static enum cs_err
run_steps(struct daemon *d, struct fault *f)
{
	int64_t now = clock_mono_ms();
	bool due = d->refreshed_ms == 0 || now - d->refreshed_ms >= d->conf->refresh_s * 1000;
	enum cs_err rc;

	_Static_assert(ARRAY_LEN(steps) <= TICK_STEPS_MAX, "struct daemon has no room for them");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i].refresh && !due)
			continue;
		rc = run_step(d, i, f);
		if (rc == CS_EDBDOWN)
			return rc;
		if (rc != CS_OK)
			log_fault(rc == CS_EBUSY ? LOG_LVL_WARN : LOG_LVL_ERROR, steps[i].name, f);
	}
	if (due)
		d->refreshed_ms = now;
	return CS_OK;
}

static enum cs_err
work(struct daemon *d, struct fault *f)
{
	bool led = d->leads;

	TRY(db_beat(d->db, BEAT_CASCADED, d->conf, f));
	TRY(db_lead(d->db, d->holder, &d->leads, f));
	if (led != d->leads)
		log_info(d->leads ? "leads" : "follows", "%s", d->holder);
	TRY(alert_settle(d->alert, d->db, f));
	return d->leads ? run_steps(d, f) : CS_OK;
}

void
tick(struct daemon *d)
{
	struct fault f = { 0 };
	bool away, led = d->leads;
	enum cs_err rc;

	d->busy = d->more_due = false;
	rc = work(d, &f);
	d->peek_due_ms = clock_mono_ms() + TICK_PEEK_MS;
	away = rc == CS_EDBDOWN;
	/* an outage is logged when it begins and when it ends, not each second */
	if (rc != CS_OK && !(away && d->away))
		log_fault(rc == CS_EBUSY ? LOG_LVL_WARN : LOG_LVL_ERROR, "tick", &f);
	if (d->away && !away)
		log_info("database_back", "the database answers again");
	d->away = away;
	d->leads = d->leads && !away;
	alert_database(d->alert, d->conf, away, led);
	notify_send("WATCHDOG=1\nSTATUS=%s", away	? "database away"
					     : d->leads ? "leads"
							: "follows");
}

/* *STUCK: what waits can be given to nobody now. */
static enum cs_err
peek(struct daemon *d, bool *stuck, struct fault *f)
{
	int64_t done = 0;
	bool waits, given;

	TRY(db_wake_given(d->db, &d->newest, &given, f));
	TRY(db_wake_waiting(d->db, &waits, f));
	if (waits)
		TRY(assign(d, &done, f));
	*stuck = waits && done == 0;
	return done > 0 || given ? step_wake(d, f) : CS_OK;
}

void
tick_peek(struct daemon *d)
{
	struct fault f = { 0 };
	bool stuck = false;
	enum cs_err rc = CS_OK;

	if (!d->leads || !d->conf->wake_enabled)
		return;
	if (clock_mono_ms() >= wake_due_ms(d->wake))
		rc = step_wake(d, &f);
	if (rc == CS_OK && clock_mono_ms() >= d->peek_due_ms)
		rc = peek(d, &stuck, &f);
	/* a database that is away is the next tick's business */
	if (rc != CS_OK && rc != CS_EDBDOWN)
		log_fault(rc == CS_EBUSY ? LOG_LVL_WARN : LOG_LVL_ERROR, "peek", &f);
	if (stuck || rc != CS_OK)
		d->peek_due_ms = INT64_MAX;
	else if (clock_mono_ms() >= d->peek_due_ms)
		d->peek_due_ms = clock_mono_ms() + TICK_PEEK_MS;
}

void
tick_leave(struct daemon *d)
{
	struct fault f = { 0 };

	if (d->leads && db_lead_drop(d->db, d->holder, &f) != CS_OK)
		log_fault(LOG_LVL_WARN, "lead_drop", &f);
	d->leads = false;
}
