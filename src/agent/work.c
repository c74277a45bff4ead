/* SPDX-License-Identifier: MIT */
/*
 * Executors: one for each attempt that has a slot. What they say waits in memory until it is on
 * disk; while that cannot be done nothing more is read from them, so they wait too, and nothing is
 * lost. An attempt has ended when its end is on disk.
 */
#include "agent/node.h"
#include "base/clock.h"
#include "base/parse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define TEXT_MAX      500 /* characters */
#define GRACE_S	      5
#define DISK_RETRY_MS 1000
#define RETRY_HOLD_S  30	  /* exit 75: the feed is left alone for so long */
#define ROOM_MIN      (256 << 10) /* bytes, for a package in files and the first records */

static struct said *
new_said(struct attempt *a, const char *feed, const char *text)
{
	struct said *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->feed = strdup(feed);
		s->text = strdup(text);
	}
	if (s == NULL || s->feed == NULL || s->text == NULL) {
		/* The spool has all but this: better begin again than go on without it. */
		log_error("memory", "none left for what an executor said");
		abort();
	}
	*a->said_end = s;
	a->said_end = &s->next;
	return s;
}

/* Texts for people are cut: a report has to fit into the parent's limit. */
static struct said *
said_shortly(struct attempt *a, const char *feed, const char *text)
{
	char cut[4 * TEXT_MAX + 1];

	snprintf(cut, sizeof(cut), "%.*s", (int)utf8_prefix(text, TEXT_MAX), text);
	return new_said(a, feed, cut);
}

static void
on_record(void *arg, const struct record *r)
{
	struct attempt *a = arg;
	struct said *s;

	if (r->type == RECORD_ARTICLE) {
		struct arena *arena = arena_new(2 * LINES_MAX_BYTES);
		const char *json = arena != NULL ? jx_text(r->article, arena) : NULL;

		if (json == NULL)
			attempt_log(LOG_LVL_ERROR, a, "article", "no memory for it");
		else
			new_said(a, r->feed_id, json)->what = SAID_ARTICLE;
		arena_free(arena);
	} else if (r->type == RECORD_RESULT) {
		s = said_shortly(a, r->feed_id, r->error);
		s->what = SAID_RESULT;
		a->has_result = true;
		s->success = r->success;
		s->count = r->article_count;
	} else if (r->type == RECORD_HOLD) {
		s = said_shortly(a, r->feed_id, r->text);
		s->what = SAID_HOLD;
		s->count = r->seconds;
	}
}

static void
on_note(void *arg, const char *text)
{
	attempt_log(LOG_LVL_INFO, arg, "executor", text);
}

static void
say_end(struct attempt *a, enum outcome o, const char *why)
{
	struct said *s = new_said(a, "", why);

	s->what = SAID_END;
	s->outcome = o;
}

static void
on_end(void *arg, enum outcome o, const char *why)
{
	say_end(arg, o, why);
}

/* --- to disk --- */

/* For how long a feed without a result is left alone after END. */
static int64_t
hold_after(const struct attempt *a, const struct said *end)
{
	if (end->outcome == OUTCOME_BANNED)
		return a->node->conf->banned_s;
	return end->outcome == OUTCOME_RETRY ? RETRY_HOLD_S : 0;
}

/* Is END that of an attempt of which nothing was done, and that others may do? */
static bool
is_handed_back(const struct attempt *a, const struct said *end)
{
	if (end->outcome == OUTCOME_UNBEGUN)
		return true;
	return hold_after(a, end) > 0 && !a->has_result;
}

/* A feed about which nothing was said. */
static bool
conclude_feed(struct spool *s, const struct attempt *a, const char *feed, const struct said *end)
{
	int64_t now = clock_wall_s(), hold = hold_after(a, end);
	char error[512];

	if (end->outcome == OUTCOME_DONE)
		return spool_result(s, a->seq, feed, true, -1, "");
	snprintf(error, sizeof(error), "%s: %s", outcome_name(end->outcome), end->text);
	if (hold > 0 && spool_held_until(s, feed, now) == 0 &&
	    !spool_hold(s, feed, now + hold, error))
		return false;
	return is_handed_back(a, end) || spool_result(s, a->seq, feed, false, -1, error);
}

static bool
store_end(struct spool *s, const struct attempt *a, const struct said *end)
{
	const char *log = a->runner != NULL ? runner_log(a->runner) : "";

	for (size_t i = 0; i < a->nfeeds; i++) {
		if (!conclude_feed(s, a, a->feeds[i], end))
			return false;
	}
	return spool_end(
	    s, a->seq, outcome_name(end->outcome), end->text, log, a->wants_message && !a->revoked);
}

static bool
store(struct spool *s, const struct attempt *a, const struct said *r)
{
	switch (r->what) {
	case SAID_ARTICLE:
		return spool_article(s, a->seq, r->feed, r->text);
	case SAID_RESULT:
		return spool_result(s, a->seq, r->feed, r->success, r->count, r->text);
	case SAID_HOLD:
		return spool_hold(s, r->feed, clock_wall_s() + r->count, r->text);
	case SAID_END:
		return store_end(s, a, r);
	}
	return false;
}

static bool
store_all(struct node *n, bool *any)
{
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		for (const struct said *r = a->said; r != NULL; r = r->next) {
			if (!*any && !spool_begin(n->spool))
				return false;
			*any = true;
			if (!store(n->spool, a, r))
				return false;
		}
	}
	return true;
}

/* What happens when R is on disk. */
static void
take_effect(struct attempt *a, const struct said *r)
{
	struct node *n = a->node;
	struct spool_message m;
	int64_t next;

	if (r->what == SAID_ARTICLE) {
		a->articles++;
		a->unsent++;
	} else if (r->what == SAID_HOLD)
		attempt_log(LOG_LVL_WARN, a, "hold", r->text);
	if (r->what != SAID_END)
		return;
	a->state = ATTEMPT_ENDED;
	runner_free(a->runner);
	a->runner = NULL;
	a->owes_message = spool_message_due(n->spool, a->seq, INT64_MAX, &m, &next);
	if (r->outcome == OUTCOME_DONE)
		attempt_log(LOG_LVL_INFO, a, "done", NULL);
	else if (r->outcome == OUTCOME_UNBEGUN)
		attempt_log(LOG_LVL_INFO, a, "unbegun", r->text);
	else
		node_error(n, a, outcome_name(r->outcome), "%s", r->text);
	claim_soon(n);
}

void
work_lost(struct attempt *a)
{
	say_end(a, OUTCOME_KILLED, "its node was killed while it ran");
}

void
work_flush(struct node *n)
{
	bool any = false;

	if (!store_all(n, &any) || (any && !spool_commit(n->spool))) {
		spool_rollback(n->spool);
		node_wake_at(n, clock_mono_ms() + DISK_RETRY_MS);
		return;
	}
	for (struct attempt *a = n->attempts; any && a != NULL; a = a->next) {
		while (a->said != NULL) {
			struct said *r = a->said;

			a->said = r->next;
			take_effect(a, r);
			free(r->feed);
			free(r->text);
			free(r);
		}
		a->said_end = &a->said;
	}
}

/* --- running --- */

static struct runner *
start(struct attempt *a, const char *package, struct fault *f)
{
	static const struct runner_ops ops = { on_record, on_note, on_end };
	const struct node *n = a->node;
	const struct node_conf *c = n->conf;
	const char *argv[CONF_LIST_MAX + 1] = { NULL };
	char root[512];
	struct runner_job job = {
		.package = package,
		.package_len = strlen(package),
		.allocation_id = a->allocation,
		.task_id = a->task,
		.attempt = a->number,
		.root = root,
		.feeds = (const char *const *)a->feeds,
		.nfeeds = a->nfeeds,
		.limits = { c->run_timeout_s, GRACE_S, c->memory, c->cpu_s },
	};

	snprintf(root, sizeof(root), "%s/work", n->dir);
	memcpy(argv, c->command.v, c->command.n * sizeof(*argv));
	if (strcmp(c->executor, "exec") == 0)
		job.argv = argv;
	else {
		job.function = (int (*)(const void *, const char *, size_t, int))agent_wechat_main;
		job.arg = &n->wechat;
	}
	return runner_start(&job, &ops, a, f);
}

static void
begin(struct node *n, struct attempt *a)
{
	struct fault f = { 0 };
	char *package;

	if (!spool_started(n->spool, a->seq))
		return;
	a->state = ATTEMPT_RUNNING;
	a->began_ms = clock_mono_ms();
	package = spool_package(n->spool, a->seq);
	if (package != NULL)
		a->runner = start(a, package, &f);
	if (a->runner == NULL)
		say_end(a, OUTCOME_RETRY, f.detail[0] != '\0' ? f.detail : "no executor started");
	else
		attempt_log(LOG_LVL_INFO, a, "begin", NULL);
	free(package);
}

/* What is begun on a full disk would fail for nothing. */
static bool
has_room(const struct node *n)
{
	struct statvfs fs;

	return statvfs(n->dir, &fs) != 0 || (int64_t)(fs.f_bavail * fs.f_frsize) >= ROOM_MIN;
}

void
work_step(struct node *n)
{
	size_t running = 0;

	for (const struct attempt *a = n->attempts; a != NULL; a = a->next)
		running += a->state == ATTEMPT_RUNNING;
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (a->state != ATTEMPT_CLAIMED || a->revoked || a->said != NULL)
			continue;
		if (n->stop) {
			say_end(a, OUTCOME_UNBEGUN, "its node is stopping");
			continue;
		}
		if (running >= (size_t)n->conf->concurrency || !has_room(n))
			break;
		if ((a->recovered && !a->acked) || attempt_waits(n, a, STAGE_ENDED))
			continue;
		if (hold_attempt_s(a) > 0) {
			say_end(a, OUTCOME_UNBEGUN, "its feed is on hold here");
			continue;
		}
		begin(n, a);
		running++;
	}
	work_flush(n);
}

size_t
work_fds(struct node *n, struct pollfd *fds)
{
	size_t count = 0;

	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		int due;

		/* Who waits for the disk is not listened to. */
		if (a->runner == NULL || a->said != NULL)
			continue;
		count += runner_fds(a->runner, fds + count);
		due = runner_timeout_ms(a->runner);
		if (due >= 0)
			node_wake_at(n, clock_mono_ms() + due);
	}
	return count;
}

void
work_poll(struct node *n)
{
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (a->runner != NULL && a->said == NULL)
			runner_step(a->runner);
	}
	work_flush(n);
}

void
work_stop(struct attempt *a, const char *why)
{
	if (a->runner == NULL || a->stopping)
		return;
	a->stopping = true;
	runner_stop(a->runner, why);
}
