/* SPDX-License-Identifier: MIT */
/*
 * The worker's loop and the way of one request through it: read, route, run (again where that may
 * help), answer, log. What belongs to a process and not to its parent, the database connection
 * above all, is made here, after the fork.
 *
 * Signals are blocked except in ppoll(), so none interrupts a request; and libfcgi, which would
 * sleep through them in accept(), is only called when there is something to accept.
 */
#include "fcgi/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/ident.h"
#include "db/db_beat.h"
#include "fcgi/access.h"
#include "fcgi/alive.h"
#include "fcgi/claim.h"
#include "fcgi/metrics.h"
#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/router.h"
#include "fcgi/sync.h"
#include "proc/super.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ARENA_CAP      (64u << 20)
#define MS_PER_S       1000
#define BEAT_MS	       (BEAT_S * MS_PER_S)
#define NS_PER_MS      1000000
#define RECYCLE_SPREAD 0.2 /* max_requests +/- half of this */
#define BUSY_TRIES     5
#define BUSY_SLEEP_MS  5 /* first, doubling */
#define BUSY_SLEEP_MAX 50
#define DOWN_SLEEP_MS  100 /* while the database is away */
#define DOWN_SLEEP_MAX 500

struct worker {
	const struct worker_conf *wc;
	struct super_slot *slot;
	struct db *db;
	struct arena *arena;
	struct candidates *candidates;
	struct alive alive;
	struct buf body, inflated;
	struct res res;
	struct reply reply;
	sigset_t open_mask; /* while it waits */
	int epoll_fd;	    /* watches the listening socket */
	int64_t beat_due_ms;
	int64_t left; /* requests before it is replaced; -1: no end */
};

/* How often, and for how long yet, a failed request is run again. */
struct patience {
	unsigned busy;
	unsigned down;
	int64_t deadline_ms;
};

static volatile sig_atomic_t stop, reopen;

static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

static void
on_signal(int sig)
{
	if (sig == SIGHUP)
		reopen = 1;
	else
		stop = 1;
}

/* After FCGX_Init(), which takes SIGTERM, SIGUSR1 and SIGPIPE where it finds their defaults. */
static void
take_signals(struct worker *w)
{
	struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART: waiting is to end */
	sigset_t blocked;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&act.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &w->open_mask);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		sigdelset(&w->open_mask, signals[i]);
		sigaction(signals[i], &act, NULL);
	}
}

static bool
has_signal(void)
{
	sigset_t pending;
	size_t i = 0;

	sigpending(&pending);
	while (i < ARRAY_LEN(signals) && sigismember(&pending, signals[i]) == 0)
		i++;
	return i < ARRAY_LEN(signals);
}

/* Lets pending signals in: waiting does not, where it finds a connection at once, as under load. */
static void
heed_signals(const struct worker *w)
{
	struct fault f = { 0 };
	sigset_t mask;

	if (has_signal()) {
		sigprocmask(SIG_SETMASK, &w->open_mask, &mask);
		sigprocmask(SIG_SETMASK, &mask, NULL);
	}
	if (!reopen)
		return;
	reopen = 0;
	if (log_reopen(&f) != CS_OK)
		log_fault(LOG_LVL_ERROR, "log_reopen", &f);
}

/* Who shows no progress for request_timeout is taken for stuck and killed; each answer of the
 * database is some. */
static void
on_answer(void *slot)
{
	slot_progress(slot);
}

/* The pool's beat; it also keeps the database connection warm. */
static void
beat_if_due(struct worker *w)
{
	struct fault f = { 0 };

	if (clock_mono_ms() < w->beat_due_ms)
		return;
	slot_begin(w->slot, "beat");
	if (db_beat(w->db, BEAT_POOL, w->wc->conf, &f) != CS_OK)
		log_fault(LOG_LVL_DEBUG, "beat", &f);
	slot_end(w->slot, false);
	w->beat_due_ms = clock_mono_ms() + BEAT_MS;
}

/* Writes noted signs of life that are due, or all. */
static void
write_alive(struct worker *w, bool all)
{
	if (w->alive.n == 0)
		return;
	slot_begin(w->slot, "alive");
	alive_write(&w->alive, w->db, w->wc->metrics, all);
	slot_end(w->slot, false);
}

/*
 * Waits for a request, a signal, the next beat, or signs of life that are due. EPOLLEXCLUSIVE wakes
 * one idle worker for a connection; with poll() all would race for it, which halves the throughput
 * of 32. The caller tries to accept whatever the reason of waking was: one that was woken for a
 * connection may not leave it to sleepers. A connection that the web server keeps is waited for by
 * itself.
 */
static bool
wait_request(const struct worker *w, int kept_fd)
{
	struct pollfd p = { .fd = kept_fd, .events = POLLIN };
	struct epoll_event event;
	int64_t ms = w->beat_due_ms - clock_mono_ms();
	int64_t alive_ms = alive_wait_ms(&w->alive);
	struct timespec t = { 0 };

	if (ms < 0)
		ms = 0;
	if (alive_ms >= 0 && alive_ms < ms)
		ms = alive_ms;
	if (kept_fd < 0) {
		(void)epoll_pwait(w->epoll_fd, &event, 1, (int)ms, &w->open_mask);
		return true;
	}
	t.tv_sec = ms / MS_PER_S;
	t.tv_nsec = ms % MS_PER_S * NS_PER_MS;
	return ppoll(&p, 1, &t, &w->open_mask) > 0;
}

/* FIRST ms doubled N times, up to MAX, less up to a half: so that those who collided spread. */
static void
sleep_spread(int64_t first, int64_t max, unsigned n)
{
	int64_t ms = first;

	while (n-- > 0 && ms < max)
		ms *= 2;
	if (ms > max)
		ms = max;
	clock_sleep_ms(ms - (int64_t)(ident_random() * (double)(ms / 2)));
}

/*
 * May the request be run again after ERR? Sleeps before it says yes. What lost a race is tried a
 * few times. When the database is away, anything is tried once more at once, since it may only have
 * been a connection gone stale, and a node's write as long as a node can be made to wait. Nodes'
 * writes may be repeated; what an administrator asked for is not, where it may have been done.
 */
static bool
may_retry(struct patience *p, enum cs_err err, bool waits, bool uncertain)
{
	if (!cs_err_retry(err) || (uncertain && !waits))
		return false;
	if (err != CS_EDBDOWN) {
		if (p->busy == BUSY_TRIES)
			return false;
		sleep_spread(BUSY_SLEEP_MS, BUSY_SLEEP_MAX, p->busy++);
		return true;
	}
	if (p->down++ == 0)
		return true;
	if (!waits || clock_mono_ms() >= p->deadline_ms)
		return false;
	sleep_spread(DOWN_SLEEP_MS, DOWN_SLEEP_MAX, p->down - 2);
	return true;
}

static enum cs_err
run_once(struct ctx *c, const struct route *r)
{
	fault_clear(&c->fault);
	response_reset(c->res);
	c->who = (struct principal){ .kind = WHO_NONE };
	TRY(guard_enter(c, r));
	return r->handler(c);
}

/* The one place where a request is tried again: guard and handler, from the start. */
static enum cs_err
run(struct ctx *c, const struct route *r)
{
	struct patience p = { .deadline_ms = clock_mono_ms() + c->conf->db_wait_s * MS_PER_S };
	enum cs_err err;

	while ((err = run_once(c, r)) != CS_OK &&
	       may_retry(&p, err, (r->flags & R_WAIT_DB) != 0, c->fault.uncertain))
		metrics_retry(c->metrics, r, err);
	if (err != CS_OK)
		c->fault.code = err;
	return err;
}

/* Reads the request and finds its route. */
static enum cs_err
prepare(struct worker *w, struct exchange *x, FCGX_Stream *in)
{
	const struct conf *conf = w->wc->conf;
	struct ctx *c = &x->ctx;
	struct req *q = &x->req;

	TRY(request_parse(q, x->env, conf, w->arena, &c->fault));
	x->route = router_find(
	    x->method, q->path, q->mount == NULL, q, w->arena, x->allow, sizeof(x->allow));
	if (x->route == NULL)
		return cs_fail(
		    &c->fault, x->allow[0] != '\0' ? CS_EMETHOD : CS_ENOTFOUND, MSG_NONE);
	slot_name(w->slot, x->route->pattern, q->id);
	return request_body(
	    q, in, x->env[ENV_LENGTH], route_body_max(x->route, conf), &w->body, &c->fault);
}

/* Gives back what the request took; the buffers keep a little memory for the next. */
static void
forget(struct worker *w, struct exchange *x)
{
	jx_free(x->req.doc);
	arena_reset(w->arena);
	buf_reset(&w->body);
	buf_reset(&w->inflated);
	buf_reset(&w->res.data);
	buf_reset(&w->reply.header);
	buf_reset(&w->reply.opening);
}

/*
 * Sends what is left of the answer. The connection is closed here: libfcgi would first wait until
 * the web server has closed it too, lest something be lost that had not been read, and
 * request_drain() left nothing of that kind. A worker's last answer closes one that the web server
 * keeps as well, since a request sent on it after that would be lost.
 */
static void
finish(const struct worker *w, FCGX_Request *fr)
{
	bool keep;

	heed_signals(w);
	keep = fr->keepConnection && !stop && w->left != 1;
	fr->keepConnection = 1;
	FCGX_Finish_r(fr);
	if (keep || fr->ipcFd < 0) /* it is closed already where something failed */
		return;
	close(fr->ipcFd);
	fr->ipcFd = -1;
}

static void
serve(struct worker *w, FCGX_Request *fr)
{
	struct exchange x = { 0 };
	struct reply *r = &w->reply;
	struct db_stats db;

	x.ctx = (struct ctx){
		.arena = w->arena,
		.conf = w->wc->conf,
		.db = w->db,
		.candidates = w->candidates,
		.alive = &w->alive,
		.metrics = w->wc->metrics,
		.req = &x.req,
		.res = &w->res,
		.inflated = &w->inflated,
		.started_us = clock_mono_us(),
	};
	request_env(fr->envp, x.env);
	x.method = arena_strdup(w->arena, x.env[ENV_METHOD] != NULL ? x.env[ENV_METHOD] : "");
	if (x.method == NULL)
		x.method = "";
	db_stats_reset(w->db);
	response_reset(&w->res);
	r->allow = x.allow;
	r->head = strcmp(x.method, "HEAD") == 0;
	r->err = prepare(w, &x, fr->in);
	if (r->err == CS_OK) {
		r->err = run(&x.ctx, x.route);
		sync_note(&x.ctx, x.route, r->err);
	}
	request_drain(fr->in);
	response_build(r, &x.ctx);
	if (!response_send(r, fr))
		log_info("client_gone", "answer to %s not sent", x.req.id);
	finish(w, fr);
	db = db_stats(w->db);
	metrics_request(
	    w->wc->metrics, x.route, r->status, clock_mono_us() - x.ctx.started_us, &db);
	access_log(&x, r);
	forget(w, &x);
	candidates_tend(&x.ctx);
}

/* Takes a request, if nobody else was faster. False: the listening socket is broken. */
static bool
accept_one(struct worker *w, FCGX_Request *fr)
{
	int rc;

	slot_begin(w->slot, "accept");
	rc = FCGX_Accept_r(fr);
	if (rc == 0)
		serve(w, fr);
	slot_end(w->slot, rc == 0);
	if (rc == 0 && w->left > 0)
		w->left--;
	if (rc == 0 || rc == -EAGAIN || rc == -EINTR)
		return true;
	log_error("accept", "%s", strerror(-rc));
	return false;
}

static enum cs_err
loop(struct worker *w)
{
	enum cs_err err = CS_OK;
	FCGX_Request fr;

	if (FCGX_InitRequest(&fr, w->wc->fd, 0) != 0)
		return CS_EIO;
	slot_ready(w->slot);
	for (heed_signals(w); !stop && w->left != 0; heed_signals(w)) {
		beat_if_due(w);
		write_alive(w, false);
		if (wait_request(w, fr.ipcFd) && !accept_one(w, &fr)) {
			err = CS_EIO;
			break;
		}
	}
	FCGX_Free(&fr, 1);
	write_alive(w, true);
	return err;
}

static bool
watch_listener(struct worker *w)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return w->epoll_fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wc->fd, &event) == 0;
}

static bool
open_worker(struct worker *w)
{
	const struct conf *conf = w->wc->conf;
	double spread = 1 - RECYCLE_SPREAD / 2 + RECYCLE_SPREAD * ident_random();

	w->left = -1;
	if (conf->max_requests > 0 && !w->wc->alone)
		w->left = 1 + (int64_t)((double)conf->max_requests * spread);
	w->beat_due_ms = clock_mono_ms() + (int64_t)(ident_random() * MS_PER_S);
	w->db = db_new(conf);
	w->arena = arena_new(ARENA_CAP);
	w->candidates = candidates_new(w->wc->index, w->wc->count);
	if (w->db == NULL || w->arena == NULL || w->candidates == NULL)
		return false;
	db_on_answer(w->db, on_answer, w->slot);
	return watch_listener(w) && FCGX_Init() == 0;
}

static void
close_worker(struct worker *w)
{
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	candidates_free(w->candidates);
	db_free(w->db);
	arena_free(w->arena);
	buf_free(&w->body);
	buf_free(&w->inflated);
	buf_free(&w->res.data);
	buf_free(&w->reply.header);
	buf_free(&w->reply.opening);
}

int
worker_run(const struct worker_conf *wc, struct super_slot *slot)
{
	struct worker w = { .wc = wc, .slot = slot, .epoll_fd = -1 };
	enum cs_err err = CS_ENOMEM;

	if (open_worker(&w)) {
		take_signals(&w);
		err = loop(&w);
	} else {
		log_error("start", "worker %u: %s", wc->index, strerror(errno));
	}
	close_worker(&w);
	return cs_err_exit(err);
}
