/* SPDX-License-Identifier: MIT */
/*
 * The way of an alert to its receivers. One message at a time to each, and some seconds between
 * two, as robots want it; what has come together meanwhile goes in one. Messages about the database
 * go ahead of the others and need none. What became of a message is kept here until the database
 * knows.
 */
#include "cascaded/alert.h"

#include "base/clock.h"
#include "base/log.h"
#include "cascaded/alert_text.h"
#include "core/ident.h"
#include "db/db_alert.h"
#include "db/db_gauge.h"
#include "net/http_multi.h"
#include "net/robot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_MS    3100 /* robots take 20 messages a minute */
#define BATCH_MAX     200  /* alerts in one message */
#define HOLD_S	      12   /* beyond the time that a message takes */
#define BACKOFF_S     5
#define BACKOFF_MAX_S 3600
#define ANSWER_MAX    16384

enum outcome { DELIVERED, FAILED, DROPPED, OUTCOME__MAX };
static const char *const outcomes[OUTCOME__MAX] = { "delivered", "failed", "dropped" };

enum load { NOTHING, ROWS, URGENT };

/* What a message about the database says. */
struct urgent {
	char text[ALERT_TEXT_MAX];
	bool recovered;
	int64_t at;	 /* unix seconds */
	int64_t made_ms; /* monotonic; 0: there is none */
	int64_t due_ms;
	int64_t tries;
};

/* A receiver; known by its name from then on. */
struct target {
	struct alert *alert;
	char name[256];
	const char *format; /* while it flies: of the configuration then */
	enum load flying;
	int64_t next_ms; /* monotonic */
	int64_t tries;	 /* of what flies */
	bool settled;	 /* what became of rows, which the database is to know: */
	bool delivered;
	int64_t wait_s;
	struct urgent urgent;
	struct target *next;
};

struct alert {
	struct http_multi *http;
	const char *holder;
	struct target *targets;
	int64_t counts[OUTCOME__MAX]; /* since they were added up */
	int64_t raised;		      /* alerts about the database, likewise */
	/* The database: */
	bool away, led, told;
	int64_t away_ms;   /* monotonic, when it went */
	int64_t away_at;   /* the same, unix seconds */
	int64_t silent_ms; /* no alert before */
};

struct alert *
alert_new(struct http_multi *m, const char *holder)
{
	struct alert *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->http = m;
	a->holder = holder;
	return a;
}

void
alert_free(struct alert *a)
{
	struct target *next;

	if (a == NULL)
		return;
	for (struct target *t = a->targets; t != NULL; t = next) {
		next = t->next;
		free(t);
	}
	free(a);
}

/* NULL: out of memory. */
static struct target *
target_of(struct alert *a, const char *name)
{
	struct target *t = a->targets;

	while (t != NULL && strcmp(t->name, name) != 0)
		t = t->next;
	if (t != NULL)
		return t;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->alert = a;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->next = a->targets;
	a->targets = t;
	return t;
}

/* Seconds until try number TRIES + 1. */
static int64_t
backoff_s(int64_t tries, long asked_s)
{
	int64_t wait = BACKOFF_S;

	while (tries-- > 0 && wait < BACKOFF_MAX_S)
		wait *= 2;
	wait = (int64_t)((double)wait * (0.8 + 0.4 * ident_random()));
	if (wait < asked_s)
		wait = asked_s;
	return wait < BACKOFF_MAX_S ? wait : BACKOFF_MAX_S;
}

static void
note(const struct target *t, bool delivered, const char *why)
{
	struct log_line l;

	log_begin(&l, delivered ? LOG_LVL_INFO : LOG_LVL_WARN,
	    delivered ? "alert_delivered" : "alert_failed");
	log_str(&l, "target", t->name);
	log_int(&l, "try", t->tries + 1);
	log_str(&l, "reason", delivered ? NULL : why);
	log_end(&l);
}

static void
settle_urgent(struct target *t, bool delivered, int64_t wait_s)
{
	t->urgent.tries++;
	t->urgent.due_ms = clock_mono_ms() + wait_s * 1000;
	if (delivered)
		t->urgent.made_ms = 0;
}

static void
on_done(void *arg, enum http_result result, struct http_answer *answer)
{
	struct target *t = arg;
	const struct robot robot = { t->format, "", "" };
	char why[256];
	bool delivered = robot_accepted(&robot, result, answer, why, sizeof(why));
	int64_t wait_s = backoff_s(t->tries, answer->retry_after);

	note(t, delivered, why);
	t->alert->counts[delivered ? DELIVERED : FAILED]++;
	if (t->flying == URGENT) {
		settle_urgent(t, delivered, wait_s);
	} else {
		t->settled = true;
		t->delivered = delivered;
		t->wait_s = wait_s;
	}
	t->flying = NOTHING;
	t->next_ms = clock_mono_ms() + SPACING_MS;
}

/* False: out of memory, and nothing was sent. */
static bool
send_to(struct target *t, const struct conf *conf, const struct conf_alert *to, enum load load,
    const char *text, const struct robot_event *events, size_t n)
{
	const struct robot robot = { to->format, to->url, to->secret };
	auto_request request = { 0 };
	const char *headers[2] = { NULL, NULL };
	struct http_call call = {
		.headers = headers,
		.anywhere = true,
		.tls = &(struct http_tls){ .ca_file = conf->outbound_ca_file },
		.connect_ms = conf->alert_timeout_s * 1000,
		.total_ms = conf->alert_timeout_s * 1000,
		.max = ANSWER_MAX,
	};

	if (!robot_write(&request, &robot, text, events, n, clock_wall_ms()))
		return false;
	if (request.signature[0] != '\0')
		headers[0] = request.signature;
	call.url = request.url.data;
	call.body = request.body.data;
	if (!http_multi_start(t->alert->http, &call, on_done, t))
		return false;
	t->format = to->format;
	t->flying = load;
	return true;
}

/* The texts of EVENTS, as many as fit, and how many more there are. */
static void
join(char *out, size_t size, const struct conf *conf, const struct robot_event *events, size_t n)
{
	char more[128];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		size_t need = strlen(events[i].text) + 2;

		msg_render(more, sizeof(more), alert_lang(conf), MSG_A_MORE, (long long)(n - i));
		if (len + need + (i + 1 < n ? strlen(more) + 2 : 0) >= size) {
			snprintf(out + len, size - len, "\n\n%s", more);
			return;
		}
		len += (size_t)snprintf(
		    out + len, size - len, "%s%s", i == 0 ? "" : "\n\n", events[i].text);
	}
}

static enum cs_err
no_memory(struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "alert");
}

/* What waits for T, claimed before it is sent. */
static enum cs_err
send_rows(struct target *t, struct db *db, const struct conf *conf, const struct conf_alert *to,
    struct fault *f)
{
	struct robot_event events[BATCH_MAX];
	char text[ROBOT_TEXT_MAX];
	struct db_alert_out out;
	auto_rows rows = { 0 };
	size_t n = 0;

	TRY(db_alert_hold(
	    db, t->name, t->alert->holder, conf->alert_timeout_s + HOLD_S, BATCH_MAX, &rows, f));
	while (n < BATCH_MAX && rows.db != NULL && db_alert_next_held(&rows, &out, &t->tries))
		events[n++] =
		    (struct robot_event){ out.event, out.subject, out.text, out.recovered, out.at };
	if (n == 0)
		return CS_OK;
	join(text, sizeof(text), conf, events, n);
	return send_to(t, conf, to, ROWS, text, events, n) ? CS_OK : no_memory(f);
}

enum cs_err
alert_send(struct alert *a, struct db *db, const struct conf *conf, struct fault *f)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < conf->nalerts; i++) {
		struct target *t = target_of(a, conf->alerts[i].name);

		if (t == NULL)
			return no_memory(f);
		if (t->flying == NOTHING && !t->settled && t->urgent.made_ms == 0 &&
		    now >= t->next_ms)
			TRY(send_rows(t, db, conf, &conf->alerts[i], f));
	}
	return CS_OK;
}

enum cs_err
alert_settle(struct alert *a, struct db *db, struct fault *f)
{
	for (struct target *t = a->targets; t != NULL; t = t->next) {
		if (!t->settled)
			continue;
		if (t->delivered)
			TRY(db_alert_delivered(db, t->name, a->holder, f));
		else
			TRY(db_alert_again(db, t->name, a->holder, t->wait_s, f));
		t->settled = false;
	}
	for (size_t i = 0; i < OUTCOME__MAX; i++) {
		if (a->counts[i] == 0)
			continue;
		TRY(db_gauge_add(db, "alert_messages_total", outcomes[i], a->counts[i], f));
		a->counts[i] = 0;
	}
	if (a->raised > 0)
		TRY(db_gauge_add(db, "alerts_total", "database", a->raised, f));
	a->raised = 0;
	return CS_OK;
}

static void
note_dropped(struct alert *a, int64_t n)
{
	if (n > 0)
		log_warn("alert_dropped", "%lld alerts could not be delivered for too long",
		    (long long)n);
	a->counts[DROPPED] += n;
}

enum cs_err
alert_retain(struct alert *a, struct db *db, const struct conf *conf, struct fault *f)
{
	int64_t dropped = 0;

	TRY(db_alert_retain(db, conf, &dropped, f));
	note_dropped(a, dropped);
	return CS_OK;
}

/* Puts TEXT before whatever else waits for those who want to know of the database. */
static void
urge(struct alert *a, const struct conf *conf, const char *text, bool recovered)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < conf->nalerts; i++) {
		struct target *t = target_of(a, conf->alerts[i].name);

		if (t == NULL || !alert_wanted(&conf->alerts[i], "database"))
			continue;
		t->urgent = (struct urgent){
			.recovered = recovered, .at = a->away_at, .made_ms = now, .due_ms = now
		};
		snprintf(t->urgent.text, sizeof(t->urgent.text), "%s", text);
	}
	log_warn(recovered ? "alert_over" : "alert", "about=database");
}

static void
send_urgent(struct alert *a, const struct conf *conf)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < conf->nalerts; i++) {
		struct target *t = target_of(a, conf->alerts[i].name);
		struct robot_event event = { .event = "database", .subject = conf->db_name };

		if (t == NULL || t->urgent.made_ms == 0 || t->flying != NOTHING)
			continue;
		if (now - t->urgent.made_ms > conf->alert_keep_s * 1000) {
			t->urgent.made_ms = 0;
			note_dropped(a, 1);
			continue;
		}
		if (now < t->next_ms || now < t->urgent.due_ms)
			continue;
		event.text = t->urgent.text;
		event.recovered = t->urgent.recovered;
		event.at = t->urgent.at;
		t->tries = t->urgent.tries;
		/* without memory it is tried at the next tick */
		(void)send_to(t, conf, &conf->alerts[i], URGENT, event.text, &event, 1);
	}
}

static void
tell_away(struct alert *a, const struct conf *conf)
{
	char text[ALERT_TEXT_MAX], since[32];

	a->told = true;
	a->raised++;
	a->silent_ms = clock_mono_ms() + conf->alert_database_silence_s * 1000;
	alert_time(since, sizeof(since), conf, a->away_at);
	msg_render(
	    text, sizeof(text), alert_lang(conf), MSG_A_DATABASE, conf->db_name, a->holder, since);
	urge(a, conf, text, false);
}

static void
tell_back(struct alert *a, const struct conf *conf)
{
	char text[ALERT_TEXT_MAX], since[32], until[32];

	alert_time(since, sizeof(since), conf, a->away_at);
	alert_time(until, sizeof(until), conf, clock_wall_s());
	msg_render(text, sizeof(text), alert_lang(conf), MSG_A_DATABASE_BACK, conf->db_name,
	    a->holder, since, until);
	urge(a, conf, text, true);
}

void
alert_database(struct alert *a, const struct conf *conf, bool away, bool led)
{
	int64_t now = clock_mono_ms();

	if (away && !a->away) {
		a->away_ms = now;
		a->away_at = clock_wall_s();
		a->led = led;
		a->told = false;
	}
	if (away && a->led && !a->told && now >= a->silent_ms &&
	    now - a->away_ms >= conf->alert_database_after_s * 1000)
		tell_away(a, conf);
	if (!away && a->told && conf->alert_database_recovery)
		tell_back(a, conf);
	a->told = a->told && away;
	a->away = away;
	send_urgent(a, conf);
}
