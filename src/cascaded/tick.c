/* SPDX-License-Identifier: MIT */
/*
 * One tick of cascaded. Only the leader works; the lead is an optimisation, since every step is
 * guarded in the database: a paused leader that wakes up does no harm. A step that fails is logged
 * and tried again at the next tick; the steps after it wait for that too.
 */
#include "cascaded/tick.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/ident.h"
#include "db/db_beat.h"
#include "db/db_daemon.h"
#include "db/db_dispatch.h"
#include "db/db_node.h"
#include "proc/notify.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RESUME_IDLE_S  30 /* a dispatcher that was silent for this long has died */
#define ASSIGN_BATCHES 4  /* a tick: the rest waits for the next, so that no tick is long */

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
note_count(const char *event, int64_t n)
{
	struct log_line l;

	if (n == 0)
		return;
	log_begin(&l, LOG_LVL_INFO, event);
	log_int(&l, "count", n);
	log_end(&l);
}

/* What needs our own health: rescuing work from nodes that seem dead. */
static enum cs_err
rescue(struct daemon *d, struct fault *f)
{
	bool allowed;
	int64_t n;

	TRY(db_beat_rescue_allowed(d->db, d->conf, &allowed, f));
	if (allowed == d->grace)
		log_warn(allowed ? "grace_over" : "grace",
		    "after an outage of ours nothing is rescued for %llds",
		    (long long)d->conf->offline_after_s);
	d->grace = !allowed;
	if (!allowed)
		return CS_OK;
	TRY(db_refresh_nodes(d->db, d->conf, note_offline, f));
	TRY(db_expire_leases(d->db, d->conf, &n, f));
	note_count("leases_expired", n);
	TRY(db_expire_reservations(d->db, d->conf, &n, f));
	note_count("reservations_freed", n);
	return CS_OK;
}

/* WeRSS's own dispatcher writes the table that we show. */
static enum cs_err
live_beside_werss(struct daemon *d, struct fault *f)
{
	struct db_adopted adopted;
	int64_t n;

	TRY(db_adopt(d->db, &adopted, f));
	note_count("adopted", adopted.adopted);
	note_count("duplicates_closed", adopted.duplicates);
	TRY(db_repair_shown(d->db, &d->repair_cursor, &n, f));
	note_count("shown_repaired", n);
	return CS_OK;
}

static enum cs_err
refresh(struct daemon *d, struct fault *f)
{
	int64_t n = 0;

	TRY(db_node_sync_all(d->db, d->conf, f));
	TRY(rescue(d, f));
	TRY(live_beside_werss(d, f));
	TRY(db_fail_orphans(d->db, d->conf, &n, f));
	note_count("orphans_failed", n);
	n = 0;
	TRY(db_dispatch_resume(d->db, d->conf, RESUME_IDLE_S, &n, f));
	note_count("runs_resumed", n);
	return CS_OK;
}

static enum cs_err
work(struct daemon *d, struct fault *f)
{
	bool led = d->leads;
	int64_t n = 1;

	TRY(db_beat(d->db, BEAT_CASCADED, d->conf, f));
	TRY(db_lead(d->db, d->holder, &d->leads, f));
	if (led != d->leads)
		log_info(d->leads ? "leads" : "follows", "%s", d->holder);
	if (!d->leads)
		return CS_OK;
	if (d->refreshed_ms == 0 ||
	    clock_mono_ms() - d->refreshed_ms >= d->conf->refresh_s * 1000) {
		TRY(refresh(d, f));
		d->refreshed_ms = clock_mono_ms();
	}
	for (int i = 0; i < ASSIGN_BATCHES && n > 0; i++) {
		TRY(db_assign(d->db, d->conf, &n, f));
		note_count("assigned", n);
	}
	return CS_OK;
}

void
tick(struct daemon *d)
{
	struct fault f = { 0 };
	enum cs_err rc = work(d, &f);
	bool away = rc == CS_EDBDOWN;

	/* an outage is logged when it begins and when it ends, not each second */
	if (rc != CS_OK && !(away && d->away))
		log_fault(rc == CS_EBUSY ? LOG_LVL_WARN : LOG_LVL_ERROR, "tick", &f);
	if (d->away && !away)
		log_info("database_back", "the database answers again");
	d->away = away;
	if (away)
		d->leads = false;
	notify_send("WATCHDOG=1\nSTATUS=%s", away	? "database away"
					     : d->leads ? "leads"
							: "follows");
}

void
tick_leave(struct daemon *d)
{
	struct fault f = { 0 };

	if (d->leads && db_lead_drop(d->db, d->holder, &f) != CS_OK)
		log_fault(LOG_LVL_WARN, "lead_drop", &f);
	d->leads = false;
}
