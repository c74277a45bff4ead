/* SPDX-License-Identifier: MIT */
/*
 * The status of an instance: a file that the loop rewrites while things change, and once in a while
 * when they do not. What is only known to the running process (its parent, progress) is in it with
 * what the spool knows, so that `status` needs no connection to anybody; of an instance that does
 * not run the spool is asked.
 */
#include "agent/status.h"
#include "agent/node.h"
#include "agent/state.h"
#include "base/clock.h"
#include "base/parse.h"
#include "json/jw.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EVERY_MS   1000 /* while there is work */
#define IDLE_MS	   5000
#define ERRORS_MAX 5

static void
put_time(struct jw *w, const char *key, int64_t t)
{
	char text[32];

	jw_kstr(w, key, t > 0 ? render_time_utc(text, sizeof(text), t) : NULL);
}

static void
put_line(void *arg, const struct spool_line *l)
{
	struct jw *w = arg;

	jw_obj(w);
	put_time(w, "at", l->at);
	jw_kstr(w, "what", l->what);
	jw_kstr(w, "text", l->text);
	jw_obj_end(w);
}

void
status_put_spool(struct jw *w, struct spool *s)
{
	struct spool_figures f = { 0 };

	spool_figures(s, &f);
	jw_key(w, "spool");
	jw_obj(w);
	jw_kint(w, "bytes", f.bytes);
	jw_kint(w, "attempts", f.attempts);
	jw_kint(w, "articles", f.articles);
	jw_kint(w, "articles_unsent", f.unsent);
	jw_kint(w, "messages_unsent", f.messages);
	jw_obj_end(w);
	jw_key(w, "errors");
	jw_arr(w);
	spool_lines(s, false, ERRORS_MAX, put_line, w);
	jw_arr_end(w);
	jw_key(w, "ended");
	jw_arr(w);
	spool_lines(s, true, ERRORS_MAX, put_line, w);
	jw_arr_end(w);
}

/* The last line of a log, LEN bytes. */
static const char *
last_line(const char *log, size_t *len)
{
	size_t end = strlen(log), start;

	while (end > 0 && log[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && log[start - 1] != '\n'; start--)
		;
	*len = end - start;
	return log + start;
}

/* In words what it waits for, or does. */
static const char *
doing(const struct attempt *a)
{
	if (a->state == ATTEMPT_CLAIMED)
		return a->recovered && !a->acked ? "waits for the parent" : "waits for its turn";
	if (a->state == ATTEMPT_RUNNING)
		return a->said != NULL ? "waits for the disk" : a->stopping ? "is stopped" : "runs";
	if (a->owes_message)
		return "sends its message";
	return a->unsent > 0 ? "uploads" : "reports";
}

static void
put_attempt(struct jw *w, const struct attempt *a)
{
	const char *line;
	size_t len;

	jw_obj(w);
	jw_kstr(w, "allocation_id", a->allocation);
	jw_kint(w, "attempt", a->number);
	jw_kstr(w, "task_id", a->task);
	jw_key(w, "feeds");
	jw_arr(w);
	for (size_t i = 0; i < a->nfeeds; i++)
		jw_str(w, a->feeds[i]);
	jw_arr_end(w);
	jw_kstr(w, "state", attempt_state_name(a->state));
	jw_kstr(w, "doing", doing(a));
	jw_kint(w, "seconds", (clock_mono_ms() - a->began_ms) / 1000);
	jw_kint(w, "articles", a->articles);
	jw_kint(w, "articles_unsent", a->unsent);
	jw_key(w, "progress");
	if (a->runner != NULL) {
		line = last_line(runner_log(a->runner), &len);
		jw_strn(w, line, len);
	} else
		jw_null(w);
	jw_obj_end(w);
}

static void
put_parent(struct jw *w, const struct node *n)
{
	const struct parent *p = &n->parent;

	jw_key(w, "parent");
	jw_obj(w);
	jw_kstr(w, "url", n->conf->parent_url);
	jw_kbool(w, "answers", p->fails == 0 && p->answered_s > 0);
	put_time(w, "last_answer", p->answered_s);
	put_time(w, "away_since", p->since_s);
	jw_kstr(w, "error", p->fails > 0 ? p->error : NULL);
	jw_kint(w, "clock_off_s", n->clock_off_s);
	jw_kbool(w, "draining", n->drain);
	jw_obj_end(w);
}

static void
write_status(struct node *n, struct buf *b)
{
	struct jw w;

	jw_init(&w, b);
	jw_obj(&w);
	jw_kstr(&w, "version", PACKAGE_VERSION);
	jw_kint(&w, "pid", getpid());
	put_time(&w, "started", n->started_s);
	put_time(&w, "written", clock_wall_s());
	jw_kstr(&w, "executor", n->conf->executor);
	jw_kint(&w, "concurrency", n->conf->concurrency);
	jw_kbool(&w, "stopping", n->stop);
	jw_kstr(&w, "claims_nothing_because", n->pressure);
	put_parent(&w, n);
	jw_key(&w, "attempts");
	jw_arr(&w);
	for (const struct attempt *a = n->attempts; a != NULL; a = a->next)
		put_attempt(&w, a);
	jw_arr_end(&w);
	status_put_spool(&w, n->spool);
	jw_obj_end(&w);
	buf_putc(b, '\n');
}

void
status_step(struct node *n)
{
	int64_t now = clock_mono_ms();
	struct buf b = { 0 };

	if (now < n->status_due_ms)
		return;
	n->status_due_ms = now + (n->attempts != NULL ? EVERY_MS : IDLE_MS);
	write_status(n, &b);
	/* For people: what cannot be written now is written in a second. */
	if (!buf_failed(&b) && !state_replace(n->dir, "status.json", b.data, b.len))
		log_debug("status", "cannot be written: %s", strerror(errno));
	buf_free(&b);
}
