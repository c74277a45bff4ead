/* SPDX-License-Identifier: MIT */
/*
 * The loop: waits in one place for answers, executors, wake-up calls and signals, then lets each
 * part take its step. Nothing else blocks. SIGTERM: nothing more is claimed or begun; what runs may
 * end within cascade.stop_timeout, then is stopped and reported as failed; what is not delivered a
 * few seconds later stays in the spool, and is delivered at the next start.
 */
#include "agent/parent.h"
#include "agent/state.h"
#include "base/clock.h"
#include "core/ident.h"
#include "proc/notify.h"
#include "proc/signals.h"
#include "proc/trim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS   16 /* at once, and half of that to one host */
#define TRIM_MS	      3000
#define IDLE_MS	      1000
#define LEAVE_MS      10000
#define FIRST_BEAT_MS 2000

void
node_wake_at(struct node *n, int64_t at_ms)
{
	if (at_ms < n->wake_ms)
		n->wake_ms = at_ms;
}

int64_t
node_jitter(int64_t ms)
{
	return (int64_t)((double)ms * (0.8 + 0.4 * ident_random()));
}

void
node_error(struct node *n, const struct attempt *a, const char *what, const char *fmt, ...)
{
	char text[400], line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	attempt_log(LOG_LVL_WARN, a, what, text);
	snprintf(line, sizeof(line), "%s%s%s", a != NULL ? a->allocation : "",
	    a != NULL ? ": " : "", text);
	spool_note_error(n->spool, what, line);
}

/* --- beginning --- */

static void
recover(void *arg, const struct spool_attempt *from)
{
	struct node *n = arg;
	struct attempt *a = attempt_add(n, from);

	if (a == NULL) {
		log_error("spool", "attempt %lld cannot be read", (long long)from->seq);
		return;
	}
	a->recovered = true;
	if (a->state == ATTEMPT_RUNNING)
		work_lost(a);
}

static enum cs_err
open_all(struct node *n, struct fault *f)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/" STATE_SPOOL, n->dir);
	TRY(spool_open(path, false, &n->spool, f));
	n->http = http_multi_new(CONNECTIONS, CONNECTIONS / 2);
	if (n->http == NULL)
		return cs_detail(f, CS_ENOMEM, "connections");
	TRY(parent_init(n, f));
	node_wechat(n);
	TRY(listener_start(n, f));
	snprintf(path, sizeof(path), "%s/work", n->dir);
	runner_sweep(path);
	if (!spool_each(n->spool, recover, n))
		return cs_detail(f, CS_EIO, "%s: the spool cannot be read", n->dir);
	if (n->attempts != NULL)
		log_info("spool", "%zu attempts are left of an earlier process",
		    attempt_count(n, ATTEMPT_STATE__MAX));
	n->beat_every_s = n->conf->heartbeat_s;
	n->started_s = clock_wall_s();
	return CS_OK;
}

static void
close_all(struct node *n)
{
	while (n->attempts != NULL)
		attempt_remove(n, n->attempts);
	http_multi_free(n->http);
	listener_stop(n);
	parent_fini(n);
	spool_close(n->spool);
}

/* --- signals --- */

static enum cs_err
read_conf(struct node *n, struct node_conf **conf, struct fault *f)
{
	TRY(node_conf_load(n->conf_path, n->instance, conf, f));
	TRY(node_conf_check_run(*conf, f));
	return log_open(NODE_PROGRAM, (*conf)->log_target, log_level_of((*conf)->log_level), f);
}

/* A bad new configuration keeps the old one in force. What is under way goes on with what it began
 * with, so the old one is kept until nothing is. */
static void
reload(struct node *n)
{
	struct fault f = { 0 }, g = { 0 };
	struct node_conf *conf = NULL;

	notify_send("RELOADING=1");
	/* Whatever comes of it, a log that was rotated is written anew. */
	if (log_reopen(&g) != CS_OK)
		log_fault(LOG_LVL_ERROR, "log_reopen", &g);
	if (read_conf(n, &conf, &f) != CS_OK) {
		log_fault(LOG_LVL_ERROR, "reload", &f);
		node_conf_free(conf);
		notify_send("READY=1");
		return;
	}
	n->old_conf = n->conf;
	n->conf = conf;
	if (parent_init(n, &f) != CS_OK)
		log_fault(LOG_LVL_ERROR, "reload", &f);
	node_wechat(n);
	n->beat_due_ms = n->claim_due_ms = 0;
	n->parent.until_ms = 0;
	log_info("reload", "configuration reloaded");
	notify_send("READY=1");
}

static void
begin_stop(struct node *n)
{
	int64_t now = clock_mono_ms();

	notify_send("STOPPING=1");
	if (n->stop) {
		n->stop_by_ms = now; /* asked twice: at once */
		return;
	}
	n->stop = true;
	n->stop_by_ms = now + n->conf->stop_timeout_s * 1000;
	log_info(
	    "stop", "nothing more is claimed; %zu attempts run", attempt_count(n, ATTEMPT_ENDED));
}

static void
take_signals(struct node *n, int fd)
{
	unsigned stops = 0;

	signals_read(fd, &stops, &n->reload);
	while (stops-- > 0)
		begin_stop(n);
	/* One reload at a time: requests under way may still use what the last one replaced. */
	if (n->old_conf != NULL && http_multi_running(n->http) == 0) {
		node_conf_free(n->old_conf);
		n->old_conf = NULL;
	}
	if (n->reload && n->old_conf == NULL) {
		n->reload = false;
		reload(n);
	}
}

/* --- the end --- */

/* Is there nothing left that could still be done? */
static bool
is_over(struct node *n)
{
	int64_t now = clock_mono_ms();
	bool running = false;

	if (!n->stop)
		return false;
	node_wake_at(n, n->stop_by_ms);
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (now >= n->stop_by_ms)
			work_stop(a, "its node is stopping: handed back");
		running = running || a->state == ATTEMPT_RUNNING;
	}
	if (running) {
		n->leave_by_ms = now + LEAVE_MS;
		return false;
	}
	if (n->leave_by_ms == 0)
		n->leave_by_ms = now + LEAVE_MS;
	if (now >= n->leave_by_ms || n->parent.fails > 0)
		return true;
	node_wake_at(n, n->leave_by_ms);
	for (struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (a->state == ATTEMPT_ENDED || a->unsent > 0)
			return false;
	}
	return !n->claiming;
}

static void
watchdog(struct node *n)
{
	int64_t now = clock_mono_ms();

	if (now < n->watchdog_due_ms)
		return;
	n->watchdog_due_ms = now + IDLE_MS;
	notify_send("WATCHDOG=1\nSTATUS=%zu attempts run, %zu wait to be delivered%s",
	    attempt_count(n, ATTEMPT_ENDED),
	    attempt_count(n, ATTEMPT_STATE__MAX) - attempt_count(n, ATTEMPT_ENDED),
	    n->parent.fails > 0 ? "; the parent does not answer" : "");
}

/* What the start, or the last work, has needed is given back when nothing has been done for a
 * while. */
static void
trim(struct node *n)
{
	int64_t now = clock_mono_ms();

	if (n->attempts != NULL || n->beats == 0)
		n->trim_due_ms = now + TRIM_MS;
	else if (n->trim_due_ms != 0 && now >= n->trim_due_ms) {
		n->trim_due_ms = 0;
		trim_memory();
	}
}

static void
wait(struct node *n, int signals)
{
	size_t runners = attempt_count(n, ATTEMPT_ENDED), nfds, heard;
	struct pollfd *fds = calloc(1 + LISTENER_FDS + runners * RUNNER_FDS, sizeof(*fds));
	int64_t left;

	if (fds == NULL) {
		log_error("memory", "none left to wait with");
		abort();
	}
	fds[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
	heard = listener_fds(n, fds + 1);
	nfds = 1 + heard;
	nfds += work_fds(n, fds + nfds);
	left = n->wake_ms - clock_mono_ms();
	http_multi_wait(n->http, fds, nfds, left > 0 ? (int)left : 0);
	take_signals(n, signals);
	listener_step(n, fds + 1, heard);
	free(fds);
}

static void
step(struct node *n)
{
	n->wake_ms = clock_mono_ms() + IDLE_MS;
	work_poll(n);
	beat_step(n);
	claim_step(n);
	work_step(n);
	send_step(n);
	report_step(n);
	status_step(n);
	watchdog(n);
	trim(n);
}

int
node_run(struct node *n)
{
	struct fault f = { 0 };
	int signals = signals_open();

	if (signals < 0 || open_all(n, &f) != CS_OK) {
		log_fault(LOG_LVL_ERROR, "start", &f);
		close_all(n);
		return cs_err_exit(f.code);
	}
	log_info("start", "%s: %s, executor %s", n->dir, n->parent.base, n->conf->executor);
	notify_send("READY=1");
	do {
		step(n);
		if (is_over(n))
			break;
		wait(n, signals);
	} while (true);
	n->status_due_ms = 0;
	status_step(n);
	log_info(
	    "stop", "%zu attempts are left in the spool", attempt_count(n, ATTEMPT_STATE__MAX));
	close_all(n);
	close(signals);
	return EXIT_SUCCESS;
}
