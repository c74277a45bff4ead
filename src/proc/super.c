/* SPDX-License-Identifier: MIT */
/*
 * The manager of a prefork pool. It handles no connection and holds no resource of the workers, so
 * nothing they do can take it down. All its signals stay blocked and are taken one by one with
 * sigtimedwait(): there is no handler and nothing runs concurrently with anything.
 *
 * What decides (pids, start times) is kept in private memory; the shared scoreboard, which a worker
 * gone wild could overwrite, only says whether a worker is ready or stuck.
 */
#include "proc/super.h"

#include "base/clock.h"
#include "base/log.h"
#include "proc/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS      1000000
#define TICK_MS	       500  /* how often stuck workers are looked for */
#define TICK_HURRY_MS  20   /* while workers are to be started or waited for */
#define YOUNG_MS       5000 /* who dies younger is started again with back-off */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 10000
#define FORK_RETRY_MS  1000

struct child {
	pid_t pid; /* 0: none */
	int64_t started_ms;
	int64_t due_ms; /* not started again before */
	int64_t backoff_ms;
	bool killed;
	enum super_end why; /* it was killed */
};

struct pool {
	struct pool *older;
	struct super_conf sc;
	struct super_slot *slots; /* shared with the workers */
	struct child *child;
	unsigned generation;
	bool draining;
	int64_t deadline_ms; /* of the drain */
};

struct super {
	const struct super_ops *ops;
	void *arg;
	pid_t self;
	sigset_t signals;
	struct pool *newest;
	unsigned generation;
	bool promoted; /* the newest pool is ready and the older ones were told to go */
	bool stopping;
};

void
slot_ready(struct super_slot *s)
{
	atomic_store(&s->ready, true);
}

void
slot_begin(struct super_slot *s, const char *what)
{
	slot_name(s, what, "");
	slot_progress(s);
	atomic_store(&s->busy, true);
}

void
slot_name(struct super_slot *s, const char *what, const char *id)
{
	snprintf(s->id, sizeof(s->id), "%s", id);
	atomic_store_explicit(&s->what, what, memory_order_relaxed);
}

void
slot_progress(struct super_slot *s)
{
	atomic_store_explicit(&s->progress_ms, clock_mono_ms(), memory_order_relaxed);
}

void
slot_end(struct super_slot *s, bool counted)
{
	if (counted)
		atomic_fetch_add_explicit(&s->done, 1, memory_order_relaxed);
	atomic_store(&s->busy, false);
}

/* One line about worker I of P, saying also what it was doing. */
static void
log_worker(enum log_level level, const char *event, const struct pool *p, unsigned i,
    const char *why, int64_t ms)
{
	const struct super_slot *slot = &p->slots[i];
	char id[SLOT_ID_SIZE];
	struct log_line l;

	snprintf(id, sizeof(id), "%.*s", SLOT_ID_SIZE - 1, slot->id);
	log_begin(&l, level, event);
	log_int(&l, "worker", i);
	log_int(&l, "generation", p->generation);
	log_int(&l, "worker_pid", p->child[i].pid);
	log_str(&l, "why", why);
	log_int(&l, "ms", ms);
	if (slot->busy) {
		log_str(&l, "doing", slot->what);
		log_str(&l, "request", id);
	}
	log_end(&l);
}

static void
pool_free(struct super *s, struct pool *p)
{
	s->ops->retire(s->arg, &p->sc);
	if (p->slots != NULL)
		munmap(p->slots, p->sc.workers * sizeof(*p->slots));
	free(p->child);
	free(p);
}

static bool
pool_alloc(struct pool *p)
{
	void *slots = mmap(NULL, p->sc.workers * sizeof(*p->slots), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	p->slots = slots != MAP_FAILED ? slots : NULL;
	p->child = calloc(p->sc.workers, sizeof(*p->child));
	return p->slots != NULL && p->child != NULL;
}

/* Puts a generation on top of the list; its workers are started by tend(). Takes over SC->conf. */
static bool
pool_add(struct super *s, const struct super_conf *sc)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		s->ops->retire(s->arg, sc);
		return false;
	}
	p->sc = *sc;
	if (!pool_alloc(p)) {
		pool_free(s, p);
		return false;
	}
	p->generation = ++s->generation;
	p->older = s->newest;
	s->newest = p;
	s->promoted = false;
	return true;
}

static _Noreturn void
be_worker(const struct super *s, const struct pool *p, unsigned i)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != s->self) /* it died before it could be noticed */
		exit(0);
	exit(s->ops->run(s->arg, &p->sc, i, &p->slots[i]));
}

static void
spawn(struct super *s, struct pool *p, unsigned i)
{
	struct super_slot *slot = &p->slots[i];
	struct child *c = &p->child[i];
	int64_t now = clock_mono_ms();
	pid_t pid;

	slot_name(slot, "start", "");
	slot_end(slot, false);
	atomic_store(&slot->ready, false);
	atomic_store(&slot->generation, p->generation);
	pid = fork();
	if (pid == 0)
		be_worker(s, p, i);
	if (pid < 0) {
		log_error("fork", "cannot start worker %u: %s", i, strerror(errno));
		c->due_ms = now + FORK_RETRY_MS;
		return;
	}
	atomic_store(&slot->pid, pid);
	atomic_fetch_add(&p->sc.stats->starts, 1);
	c->pid = pid;
	c->started_ms = now;
	c->killed = false;
}

/* Tells the workers of P to finish what they do and go. */
static void
drain(struct pool *p)
{
	if (p->draining)
		return;
	p->draining = true;
	p->deadline_ms = clock_mono_ms() + p->sc.drain_ms;
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid > 0)
			kill(p->child[i].pid, SIGTERM);
	}
}

static void
drain_from(struct pool *p)
{
	for (; p != NULL; p = p->older)
		drain(p);
}

static void
stop(struct super *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	log_info("stopping", "requests in flight are finished");
	notify_send("STOPPING=1\nSTATUS=finishing requests in flight");
	s->ops->stopping(s->arg);
	drain_from(s->newest);
}

/* The configuration stays; the workers at least open the log anew, for logrotate's sake. */
static void
pass_on_hup(const struct pool *p)
{
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid > 0)
			kill(p->child[i].pid, SIGHUP);
	}
}

static void
reload(struct super *s)
{
	struct pool *former = s->newest;
	bool superseded = !s->promoted && former->older != NULL;
	struct super_conf next;

	if (s->stopping)
		return;
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
	if (!s->ops->reload(s->arg, &next) || !pool_add(s, &next)) {
		log_error("reload", "failed, all stays as it was");
		pass_on_hup(former);
		notify_send("READY=1\nSTATUS=reload failed, the former configuration is in force");
		return;
	}
	log_info("reload", "starting generation %u of %u workers", s->generation, next.workers);
	if (superseded)
		drain(former);
}

static void
on_signal(struct super *s, int sig)
{
	if (sig == SIGTERM || sig == SIGINT)
		stop(s);
	else if (sig == SIGHUP)
		reload(s);
}

/* When to start another: at once after a life of some length, then ever later up to a limit. */
static void
plan_restart(struct child *c, int64_t lived_ms, int64_t now)
{
	if (lived_ms >= YOUNG_MS) {
		c->backoff_ms = 0;
		c->due_ms = now;
		return;
	}
	c->due_ms = now + c->backoff_ms;
	c->backoff_ms = c->backoff_ms == 0 ? BACKOFF_MIN_MS : c->backoff_ms * 2;
	if (c->backoff_ms > BACKOFF_MAX_MS)
		c->backoff_ms = BACKOFF_MAX_MS;
}

static void
count_end(const struct pool *p, const struct child *c, bool by_wish)
{
	enum super_end end = SUPER_DIED;

	if (c->killed)
		end = c->why;
	else if (by_wish)
		end = p->draining ? SUPER_DRAINED : SUPER_RECYCLED;
	atomic_fetch_add(&p->sc.stats->ends[end], 1);
}

static void
on_exit_of(struct pool *p, unsigned i, int status)
{
	struct child *c = &p->child[i];
	int64_t now = clock_mono_ms(), lived = now - c->started_ms;
	bool by_wish = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char why[32];

	count_end(p, c, by_wish);
	if (by_wish) {
		log_worker(LOG_LVL_DEBUG, "worker_end", p, i, "done", lived);
		c->due_ms = now;
		c->backoff_ms = 0;
	} else {
		snprintf(why, sizeof(why), WIFSIGNALED(status) ? "signal %d" : "exit %d",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		log_worker(LOG_LVL_WARN, "worker_died", p, i, why, lived);
		plan_restart(c, lived, now);
	}
	c->pid = 0;
	atomic_store(&p->slots[i].pid, 0);
}

/* Books the end of process PID if it is one of P's workers. */
static void
bury(struct pool *p, pid_t pid, int status)
{
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid == pid)
			on_exit_of(p, i, status);
	}
}

static void
reap(struct super *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct pool *p = s->newest; p != NULL; p = p->older)
			bury(p, pid, status);
	}
}

static void
kill_worker(struct pool *p, unsigned i, enum super_end end, int64_t ms)
{
	bool stuck = end == SUPER_STUCK;

	log_worker(LOG_LVL_ERROR, stuck ? "worker_stuck" : "drain_timeout", p, i,
	    stuck ? "no progress" : "did not finish in time", ms);
	kill(p->child[i].pid, SIGKILL);
	p->child[i].killed = true;
	p->child[i].why = end;
}

/* Starts worker I when it is missing, kills it when it is stuck or late. */
static void
tend(struct super *s, struct pool *p, unsigned i)
{
	const struct super_slot *slot = &p->slots[i];
	const struct child *c = &p->child[i];
	int64_t now = clock_mono_ms();
	int64_t still = slot->busy ? now - slot->progress_ms : 0;

	if (c->pid == 0 && !p->draining && now >= c->due_ms)
		spawn(s, p, i);
	else if (c->pid == 0 || c->killed)
		return;
	else if (p->draining && now >= p->deadline_ms)
		kill_worker(p, i, SUPER_DRAIN_TIMEOUT, p->sc.drain_ms);
	else if (still > p->sc.stuck_ms)
		kill_worker(p, i, SUPER_STUCK, still);
}

static bool
is_ready(const struct pool *p)
{
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid == 0 || !p->slots[i].ready)
			return false;
	}
	return true;
}

static void
promote(struct super *s)
{
	if (s->promoted || s->stopping || !is_ready(s->newest))
		return;
	s->promoted = true;
	drain_from(s->newest->older);
	log_info(
	    "ready", "generation %u, %u workers", s->newest->generation, s->newest->sc.workers);
	notify_send("READY=1\nSTATUS=%u workers, generation %u", s->newest->sc.workers,
	    s->newest->generation);
}

static bool
is_complete(const struct pool *p)
{
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid == 0)
			return false;
	}
	return true;
}

static bool
is_empty(const struct pool *p)
{
	for (unsigned i = 0; i < p->sc.workers; i++) {
		if (p->child[i].pid != 0)
			return false;
	}
	return true;
}

/* Forgets the generations whose last worker is gone. */
static void
sweep(struct super *s)
{
	struct pool **at = &s->newest, *p;

	while ((p = *at) != NULL) {
		if (p->draining && is_empty(p)) {
			*at = p->older;
			pool_free(s, p);
		} else {
			at = &p->older;
		}
	}
}

/* SUPER_STATE__MAX: there is none, and shall be none. */
static enum super_state
state_of(const struct pool *p, unsigned i)
{
	const struct super_slot *slot = &p->slots[i];

	if (p->draining)
		return p->child[i].pid != 0 ? SUPER_DRAINING : SUPER_STATE__MAX;
	if (p->child[i].pid == 0)
		return SUPER_MISSING;
	if (!slot->ready)
		return SUPER_STARTING;
	return slot->busy ? SUPER_BUSY : SUPER_IDLE;
}

static void
publish(const struct super *s)
{
	unsigned n[SUPER_STATE__MAX + 1] = { 0 };

	for (const struct pool *p = s->newest; p != NULL; p = p->older) {
		for (unsigned i = 0; i < p->sc.workers; i++)
			n[state_of(p, i)]++;
	}
	for (size_t i = 0; i < SUPER_STATE__MAX; i++)
		atomic_store(&s->newest->sc.stats->workers[i], n[i]);
}

static int
wait_signal(const struct super *s)
{
	bool hurry = !s->stopping && (!s->promoted || !is_complete(s->newest));
	struct timespec t = { .tv_nsec = (hurry ? TICK_HURRY_MS : TICK_MS) * NS_PER_MS };

	return sigtimedwait(&s->signals, NULL, &t);
}

/* Blocks what wait_signal() takes; the workers inherit that. */
static void
take_signals(struct super *s)
{
	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap for us */
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGCHLD);
	sigaddset(&s->signals, SIGTERM);
	sigaddset(&s->signals, SIGINT);
	sigaddset(&s->signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &s->signals, NULL);
}

int
super_run(const struct super_ops *ops, void *arg, const struct super_conf *first)
{
	struct super s = { .ops = ops, .arg = arg, .self = getpid() };

	take_signals(&s);
	if (!pool_add(&s, first)) {
		log_error("start", "out of memory");
		return EX_OSERR;
	}
	while (s.newest != NULL) {
		for (struct pool *p = s.newest; p != NULL; p = p->older) {
			for (unsigned i = 0; i < p->sc.workers; i++)
				tend(&s, p, i);
		}
		promote(&s);
		publish(&s);
		on_signal(&s, wait_signal(&s));
		reap(&s);
		sweep(&s);
	}
	return 0;
}
