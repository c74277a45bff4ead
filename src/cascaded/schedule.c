/* SPDX-License-Identifier: MIT */
/*
 * The schedule in memory: tasks sorted by id, each with its parsed expression and next occurrence.
 * Times are the database's. An occurrence is late when the daemon is behind, and missed when it is
 * later than that: what then happens is the task's misfire policy. Nothing here decides whether an
 * occurrence has run already: its run's unique key does.
 */
#include "cascaded/schedule.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/cron.h"
#include "db/db_schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSED_S  30	/* less is the daemon's own delay */
#define ALL_MAX	  24	/* misfire = all: at most so many of the missed ones run */
#define NOTES_MAX 1000	/* occurrences left out that get a row of their own, at one catching up */
#define HORIZON_S 86400 /* beyond misfire_grace: how far back an outage is accounted for */
#define FIRE_MS	  1000	/* a call: the rest comes with the next */
#define FIRE_BATCH                                                                                 \
	100 /* tasks in one transaction: of thousands due at once each would pay for a commit */

struct entry {
	char *id, *expr, *zone_name, *misfire, *overlap;
	const struct zone *zone;
	struct cron cron;
	bool due_ever; /* parsed, and next_at is a time */
	int64_t next_at;
};

struct zone_entry {
	char *name;
	struct zone *zone; /* NULL: UTC */
};

struct schedule {
	struct entry *entries;
	size_t n;
	struct zone_entry *zones;
	size_t nzones;
	int64_t read_ms; /* 0: not yet */
};

static void
entry_free(struct entry *e)
{
	free(e->id);
	free(e->expr);
	free(e->zone_name);
	free(e->misfire);
	free(e->overlap);
}

static void
entries_free(struct entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		entry_free(&entries[i]);
	free(entries);
}

struct schedule *
schedule_new(void)
{
	return calloc(1, sizeof(struct schedule));
}

void
schedule_free(struct schedule *s)
{
	if (s == NULL)
		return;
	entries_free(s->entries, s->n);
	for (size_t i = 0; i < s->nzones; i++) {
		free(s->zones[i].name);
		zone_free(s->zones[i].zone);
	}
	free(s->zones);
	free(s);
}

void
schedule_reload(struct schedule *s)
{
	s->read_ms = 0;
}

/* The zone of NAME, opened once. */
static enum cs_err
find_zone(struct schedule *s, const char *name, const struct zone **out, struct fault *f)
{
	struct zone_entry *grown;
	struct zone *zone = NULL;

	for (size_t i = 0; i < s->nzones; i++) {
		if (strcmp(s->zones[i].name, name) == 0) {
			*out = s->zones[i].zone;
			return CS_OK;
		}
	}
	TRY(zone_open(name, &zone, f));
	grown = realloc(s->zones, (s->nzones + 1) * sizeof(*grown));
	if (grown != NULL) {
		s->zones = grown;
		grown[s->nzones] = (struct zone_entry){ strdup(name), zone };
		if (grown[s->nzones].name != NULL) {
			s->nzones++;
			*out = zone;
			return CS_OK;
		}
	}
	zone_free(zone);
	return cs_detail(f, CS_ENOMEM, "zones");
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static bool
copy_texts(struct entry *e, const struct db_schedule_task *t)
{
	e->id = strdup(t->id);
	e->expr = strdup(t->cron_exp);
	e->zone_name = strdup(t->zone);
	e->misfire = strdup(t->misfire);
	e->overlap = strdup(t->overlap);
	return e->id != NULL && e->expr != NULL && e->zone_name != NULL && e->misfire != NULL &&
	       e->overlap != NULL;
}

static void
set_next(struct entry *e, int64_t after)
{
	e->due_ever = cron_next(&e->cron, e->zone, after, e->id, &e->next_at);
}

/* A task that cannot be scheduled says why, in the log and in its row, once. */
static enum cs_err
note_broken(struct db *db, const struct db_schedule_task *t, int64_t now, struct fault *f)
{
	char why[sizeof(f->reason)];

	snprintf(why, sizeof(why), "%s", f->reason[0] != '\0' ? f->reason : fault_message(f));
	fault_clear(f);
	if (t->error != NULL && strcmp(t->error, why) == 0)
		return CS_OK;
	log_warn("schedule_broken", "task %s: %s: %s", t->id, t->cron_exp, why);
	return db_schedule_set(db, t, now, SCHEDULE_NEVER, why, f);
}

/* Makes E of task T; a new one, or one with another expression or zone, starts at NOW. */
static enum cs_err
make_entry(struct schedule *s, struct db *db, struct db_schedule_task *t, int64_t now,
    struct entry *e, struct fault *f)
{
	bool kept = t->kept_exp != NULL && strcmp(t->kept_exp, t->cron_exp) == 0 &&
		    strcmp(t->kept_zone, t->zone) == 0 && t->error == NULL;
	int64_t last = kept ? t->last_at : now;
	enum cs_err rc;

	*e = (struct entry){ .due_ever = false };
	if (!copy_texts(e, t))
		return cs_detail(f, CS_ENOMEM, "schedule");
	if (e->expr[0] == '\0')
		return CS_OK;
	rc = find_zone(s, e->zone_name, &e->zone, f);
	if (rc == CS_OK)
		rc = cron_parse(e->expr, &e->cron, f);
	if (rc == CS_EINVALID)
		return note_broken(db, t, now, f);
	if (rc != CS_OK)
		return rc;
	set_next(e, last);
	if (kept)
		return CS_OK;
	return db_schedule_set(db, t, last, e->due_ever ? e->next_at : SCHEDULE_NEVER, NULL, f);
}

/* Nothing has changed: what was computed still holds. */
static bool
is_same(const struct entry *e, const struct db_schedule_task *t)
{
	return e->expr != NULL && strcmp(e->expr, t->cron_exp) == 0 &&
	       strcmp(e->zone_name, t->zone) == 0 && strcmp(e->misfire, t->misfire) == 0 &&
	       strcmp(e->overlap, t->overlap) == 0 && t->kept_exp != NULL &&
	       strcmp(t->kept_exp, t->cron_exp) == 0;
}

/* Takes OLD over; its id stays where it was too, since the search needs it. */
static enum cs_err
keep_entry(struct entry *old, struct entry *out, struct fault *f)
{
	*out = *old;
	old->expr = old->zone_name = old->misfire = old->overlap = NULL;
	out->id = strdup(old->id);
	return out->id != NULL ? CS_OK : cs_detail(f, CS_ENOMEM, "schedule");
}

static enum cs_err
read_entries(struct schedule *s, struct db *db, const struct conf *conf, int64_t now,
    struct entry *out, size_t *n, struct db_rows *rows, struct fault *f)
{
	struct db_schedule_task t;

	while (db_schedule_next(rows, &t)) {
		struct entry key = { .id = (char *)(uintptr_t)t.id };
		struct entry *old =
		    s->n == 0 ? NULL : bsearch(&key, s->entries, s->n, sizeof(key), by_id);

		if (t.zone[0] == '\0')
			t.zone = conf->timezone;
		if (old != NULL && is_same(old, &t))
			TRY(keep_entry(old, &out[(*n)++], f));
		else
			TRY(make_entry(s, db, &t, now, &out[(*n)++], f));
	}
	return CS_OK;
}

static enum cs_err
read_tasks(struct schedule *s, struct db *db, const struct conf *conf, int64_t now, struct fault *f)
{
	struct entry *entries;
	auto_rows rows = { 0 };
	size_t n = 0;
	enum cs_err rc;

	TRY(db_schedule_tasks(db, &rows, f));
	entries = calloc(db_count(&rows) + 1, sizeof(*entries));
	if (entries == NULL)
		return cs_detail(f, CS_ENOMEM, "schedule");
	rc = read_entries(s, db, conf, now, entries, &n, &rows, f);
	entries_free(s->entries, s->n);
	s->entries = NULL;
	s->n = 0;
	if (rc != CS_OK) {
		entries_free(entries, n);
		return rc;
	}
	qsort(entries, n, sizeof(*entries), by_id);
	s->entries = entries;
	s->n = n;
	s->read_ms = clock_mono_ms();
	return CS_OK;
}

/* How many occurrences of E are due at NOW, counted up to MAX. */
static size_t
count_due(const struct entry *e, int64_t now, size_t max)
{
	int64_t at = e->next_at;
	size_t n = 1;

	while (n < max && cron_next(&e->cron, e->zone, at, e->id, &at) && at <= now)
		n++;
	return n;
}

/* Why the occurrence AT, followed by LEFT more that are due, is left out; NULL: it runs. */
static const char *
left_out(const struct entry *e, const struct conf *conf, int64_t at, int64_t now, size_t left)
{
	if (now - at <= MISSED_S)
		return NULL;
	if (strcmp(e->misfire, "skip") == 0)
		return "missed";
	if (now - at > conf->misfire_grace_s)
		return "missed, older than schedule.misfire_grace";
	if (strcmp(e->misfire, "all") == 0)
		return left < ALL_MAX ? NULL : "missed, beyond the number that is made up for";
	return left == 0 ? NULL : "missed, a later one runs";
}

static void
note_fired(const struct entry *e, int64_t at, int64_t now, const char *note)
{
	struct log_line l;

	log_begin(&l, LOG_LVL_INFO, note == NULL ? "occurrence" : "occurrence_left_out");
	log_str(&l, "task", e->id);
	log_int(&l, "at", at);
	log_int(&l, "late_s", now - at);
	log_str(&l, "reason", note);
	log_end(&l);
}

/* Everything of E that is due, oldest first; each advances the schedule as it is done. */
static enum cs_err
fire(struct entry *e, struct db *db, const struct conf *conf, int64_t now, struct fault *f)
{
	const struct db_schedule_task t = { .id = e->id, .overlap = e->overlap };
	int64_t horizon = now - conf->misfire_grace_s - HORIZON_S;
	size_t due;
	bool made;

	/* what is older than that is left out in any case, and not even counted */
	if (e->next_at < horizon)
		set_next(e, horizon);
	due = count_due(e, now, SIZE_MAX);

	while (e->due_ever && e->next_at <= now) {
		int64_t at = e->next_at;
		const char *note = left_out(e, conf, at, now, --due);

		set_next(e, at);
		/* after a very long outage the oldest are only counted */
		if (note != NULL && due >= NOTES_MAX)
			continue;
		TRY(db_schedule_fire(
		    db, &t, at, e->due_ever ? e->next_at : SCHEDULE_NEVER, note, &made, f));
		if (made)
			note_fired(e, at, now, note);
	}
	return CS_OK;
}

/* The next entry from *I on that is due. */
static bool
find_due(const struct schedule *s, size_t *i, int64_t now)
{
	while (*i < s->n && (!s->entries[*i].due_ever || s->entries[*i].next_at > now))
		(*i)++;
	return *i < s->n;
}

/* One transaction: the entries from *I on that are due, up to FIRE_BATCH of them. */
static enum cs_err
fire_batch(struct schedule *s, struct db *db, const struct conf *conf, int64_t now, size_t *i,
    struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	for (size_t n = 0; n < FIRE_BATCH && find_due(s, i, now); n++, (*i)++)
		TRY(fire(&s->entries[*i], db, conf, now, f));
	return db_commit(&tx, f);
}

enum cs_err
schedule_run(
    struct schedule *s, struct db *db, const struct conf *conf, bool *more, struct fault *f)
{
	int64_t until = clock_mono_ms() + FIRE_MS, now;

	TRY(db_now(db, &now, f));
	if (s->read_ms == 0 || clock_mono_ms() - s->read_ms >= SCHEDULE_RELOAD_MS)
		TRY(read_tasks(s, db, conf, now, f));
	for (size_t i = 0; find_due(s, &i, now);) {
		enum cs_err rc;

		if (clock_mono_ms() >= until) {
			*more = true;
			return CS_OK;
		}
		rc = fire_batch(s, db, conf, now, &i, f);
		if (rc == CS_OK)
			continue;
		/* what was not done is read again from the database */
		schedule_reload(s);
		return rc;
	}
	return CS_OK;
}
