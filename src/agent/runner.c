/* SPDX-License-Identifier: MIT */
/*
 * The node's side of an executor. Its end is asked for, a pidfd waking us, and never concluded from
 * an end of its output, which some grandchild may hold open for ever. The program stays unreaped
 * until its process group has been killed, so the group's number cannot have become somebody
 * else's. What it wrote is in the pipes by then, and just as much as is there is read.
 */
#include "agent/runner_priv.h"

#include "base/clock.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define LOOK_MS	  100 /* how often for its end, where there are no pidfds (an old valgrind) */
#define READ_MAX  (256u << 10) /* of one stream in one step: nobody keeps the loop to himself */
#define WHY_SIZE  512
#define QUOTE_MAX 160 /* characters of the log that a reason quotes */

struct runner {
	const struct runner_ops *ops;
	void *arg;
	struct runner_limits limits;
	pid_t pid;
	int pidfd, out, err; /* -1: closed */
	char *dir;
	struct lines lines;
	struct buf log;	      /* standard error, up to twice what is kept */
	struct buf shown;     /* what runner_log() made of it */
	int64_t due_ms;	      /* the time limit, then the SIGKILL; 0: none */
	bool stopping;	      /* SIGTERM was sent … */
	enum outcome stopped; /* … and this is what it ends as */
	bool ended;
	char why[WHY_SIZE];
};

const char *
outcome_name(enum outcome o)
{
	static const char *const names[OUTCOME__MAX] = {
		[OUTCOME_DONE] = "done",
		[OUTCOME_RETRY] = "retry",
		[OUTCOME_FAILED] = "failed",
		[OUTCOME_BANNED] = "banned",
		[OUTCOME_TIMEOUT] = "timeout",
		[OUTCOME_KILLED] = "killed",
		[OUTCOME_UNBEGUN] = "not begun",
	};

	return names[o];
}

/* ---- What it writes ---- */

static void
on_record(void *arg, const struct record *rec)
{
	struct runner *r = arg;

	if (rec->type == RECORD_LOG)
		r->ops->note(r->arg, rec->text);
	else
		r->ops->record(r->arg, rec);
}

static void
on_broken(void *arg, size_t number, const char *why)
{
	struct runner *r = arg;
	char text[WHY_SIZE + 64];

	snprintf(text, sizeof(text), "line %zu of the executor's output: %s", number, why);
	r->ops->note(r->arg, text);
}

static const struct lines_ops line_ops = { on_record, on_broken };

static void
keep_log(struct runner *r, const char *p, size_t n)
{
	size_t extra;

	buf_add(&r->log, p, n);
	if (buf_failed(&r->log))
		buf_reset(&r->log);
	if (r->log.len <= 2 * (size_t)RUNNER_LOG_MAX)
		return;
	extra = r->log.len - RUNNER_LOG_MAX;
	memmove(r->log.data, r->log.data + extra, RUNNER_LOG_MAX);
	r->log.len = RUNNER_LOG_MAX;
}

static void
keep_lines(struct runner *r, const char *p, size_t n)
{
	lines_feed(&r->lines, p, n);
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Passes at most MAX bytes of *FD on; closes it at its end. */
static void
read_stream(
    struct runner *r, int *fd, void (*keep)(struct runner *, const char *, size_t), size_t max)
{
	char part[16384];
	ssize_t n;

	while (*fd != -1 && max > 0) {
		n = read(*fd, part, max < sizeof(part) ? max : sizeof(part));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(fd);
			return;
		}
		keep(r, part, (size_t)n);
		max -= (size_t)n;
	}
}

/* What is there now, and not what a process outside the group goes on writing. */
static void
drain(struct runner *r, int *fd, void (*keep)(struct runner *, const char *, size_t))
{
	int n = 0;

	if (*fd != -1 && ioctl(*fd, FIONREAD, &n) == 0 && n > 0)
		read_stream(r, fd, keep, (size_t)n);
	close_fd(fd);
}

/* ---- Its end ---- */

/* The last line of the log, as far as a reason has room for it. */
static void
quote_log(struct runner *r, char *out, size_t size)
{
	const char *text = runner_log(r), *line = text, *newline;
	size_t len = strlen(text);

	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	newline = len > 0 ? memrchr(text, '\n', len) : NULL;
	if (newline != NULL)
		line = newline + 1;
	len -= (size_t)(line - text);
	if (len > utf8_prefix(line, QUOTE_MAX))
		len = utf8_prefix(line, QUOTE_MAX);
	snprintf(out, size, "%s%.*s", len > 0 ? ": " : "", (int)len, line);
}

static enum outcome
judge_exit(struct runner *r, int status)
{
	static const struct {
		int status;
		enum outcome outcome;
	} known[] = {
		{ EX_OK, OUTCOME_DONE },
		{ EX_TEMPFAIL, OUTCOME_RETRY },
		{ EX_UNAVAILABLE, OUTCOME_BANNED },
	};
	char quoted[WHY_SIZE - 32];

	if (status == EX_OK)
		return OUTCOME_DONE;
	quote_log(r, quoted, sizeof(quoted));
	snprintf(r->why, sizeof(r->why), "exit status %d%s", status, quoted);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].status == status)
			return known[i].outcome;
	}
	return OUTCOME_FAILED;
}

static enum outcome
judge(struct runner *r, const siginfo_t *end)
{
	if (r->stopping)
		return r->stopped;
	if (end->si_code == CLD_EXITED)
		return judge_exit(r, end->si_status);
	if (end->si_status == SIGXCPU) {
		snprintf(r->why, sizeof(r->why), "processor time limit of %lld s",
		    (long long)r->limits.cpu_s);
		return OUTCOME_TIMEOUT;
	}
	snprintf(r->why, sizeof(r->why), "killed by signal %d (%s)", end->si_status,
	    strsignal(end->si_status));
	return OUTCOME_KILLED;
}

/* The program is dead and not reaped. OPS->end comes last: it may free R. */
static void
finish(struct runner *r)
{
	siginfo_t end = { 0 };
	enum outcome outcome;

	kill(-r->pid, SIGKILL);
	drain(r, &r->out, keep_lines);
	drain(r, &r->err, keep_log);
	lines_end(&r->lines);
	while (waitid(P_PID, (id_t)r->pid, &end, WEXITED) != 0 && errno == EINTR)
		;
	close_fd(&r->pidfd);
	workdir_remove(r->dir);
	outcome = judge(r, &end);
	r->ended = true;
	r->ops->end(r->arg, outcome, r->why);
}

/* Has the program ended? It stays unreaped. */
static bool
is_dead(const struct runner *r)
{
	siginfo_t end = { 0 };

	return waitid(P_PID, (id_t)r->pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       end.si_pid == r->pid;
}

static void
end_early(struct runner *r, enum outcome outcome)
{
	r->stopping = true;
	r->stopped = outcome;
	r->due_ms = clock_mono_ms() + r->limits.grace_s * 1000;
	kill(-r->pid, SIGTERM);
}

/* The time limit first, then the end of the grace. */
static void
check_due(struct runner *r)
{
	if (r->due_ms == 0 || clock_mono_ms() < r->due_ms)
		return;
	if (r->stopping) {
		kill(-r->pid, SIGKILL);
		r->due_ms = 0;
		return;
	}
	snprintf(r->why, sizeof(r->why), "time limit of %lld s", (long long)r->limits.timeout_s);
	end_early(r, OUTCOME_TIMEOUT);
}

void
runner_step(struct runner *r)
{
	if (r->ended)
		return;
	read_stream(r, &r->out, keep_lines, READ_MAX);
	read_stream(r, &r->err, keep_log, READ_MAX);
	check_due(r);
	if (is_dead(r))
		finish(r);
}

void
runner_stop(struct runner *r, const char *why)
{
	if (r->ended || r->stopping)
		return;
	snprintf(r->why, sizeof(r->why), "%s", why);
	end_early(r, OUTCOME_KILLED);
}

/* ---- Its start ---- */

static bool
make_pipe(int fd[2])
{
	return pipe2(fd, O_CLOEXEC) == 0 && fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0;
}

/* Forks with all signals blocked: no handler of ours may run in the child. */
static pid_t
fork_child(const struct runner_job *job, const char *dir, const int fds[3])
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_become(job, dir, parent, fds);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid > 0)
		setpgid(pid, pid); /* as the child does: whoever comes first */
	return pid;
}

/* Starts it with its ends of the pipes. False: errno. */
static bool
launch(struct runner *r, const struct runner_job *job)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int in = workdir_package(r->dir), saved;
	bool ok = in != -1 && make_pipe(out) && make_pipe(err);

	if (ok)
		r->pid = fork_child(job, r->dir, (const int[]){ in, out[1], err[1] });
	saved = errno;
	r->out = out[0];
	r->err = err[0];
	close_fd(&in);
	close_fd(&out[1]);
	close_fd(&err[1]);
	errno = saved;
	if (r->pid <= 0)
		return false;
	r->pidfd = pidfd_open(r->pid, 0);
	return true;
}

static struct runner *
new_runner(const struct runner_job *job, const struct runner_ops *ops, void *arg)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ops = ops;
	r->arg = arg;
	r->limits = job->limits;
	r->pidfd = r->out = r->err = -1;
	lines_init(&r->lines, &line_ops, r, job->feeds, job->nfeeds);
	return r;
}

struct runner *
runner_start(const struct runner_job *job, const struct runner_ops *ops, void *arg, struct fault *f)
{
	struct runner *r = new_runner(job, ops, arg);

	if (r == NULL) {
		cs_fail(f, CS_ENOMEM, MSG_NONE);
		return NULL;
	}
	if (workdir_make(job->root, job->package, job->package_len, &r->dir, f) != CS_OK) {
		runner_free(r);
		return NULL;
	}
	if (!launch(r, job)) {
		cs_detail(f, CS_EIO, "cannot start an executor: %s", strerror(errno));
		runner_free(r);
		return NULL;
	}
	if (r->limits.timeout_s > 0)
		r->due_ms = clock_mono_ms() + r->limits.timeout_s * 1000;
	return r;
}

void
runner_free(struct runner *r)
{
	if (r == NULL)
		return;
	if (r->pid > 0 && !r->ended) {
		kill(-r->pid, SIGKILL);
		kill(r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	if (r->dir != NULL && !r->ended)
		workdir_remove(r->dir);
	close_fd(&r->pidfd);
	close_fd(&r->out);
	close_fd(&r->err);
	lines_fini(&r->lines);
	buf_free(&r->log);
	buf_free(&r->shown);
	free(r->dir);
	free(r);
}

/* ---- What is asked about it ---- */

size_t
runner_fds(const struct runner *r, struct pollfd fds[RUNNER_FDS])
{
	const int all[RUNNER_FDS] = { r->pidfd, r->out, r->err };
	size_t n = 0;

	for (size_t i = 0; i < RUNNER_FDS; i++) {
		if (all[i] != -1)
			fds[n++] = (struct pollfd){ .fd = all[i], .events = POLLIN };
	}
	return n;
}

int
runner_timeout_ms(const struct runner *r)
{
	int64_t left = r->due_ms != 0 ? r->due_ms - clock_mono_ms() : INT_MAX;
	int64_t most = r->pidfd == -1 ? LOOK_MS : INT_MAX;

	if (r->ended || (r->due_ms == 0 && r->pidfd != -1))
		return -1;
	return left < 0 ? 0 : (int)(left < most ? left : most);
}

const char *
runner_log(struct runner *r)
{
	size_t skip = r->log.len > RUNNER_LOG_MAX ? r->log.len - RUNNER_LOG_MAX : 0, len;
	const char *p = r->log.data + skip, *end = r->log.data + r->log.len;

	buf_reset(&r->shown);
	while (p < end && skip > 0 && (*p & 0xc0) == 0x80) /* of a character that was cut */
		p++;
	for (; p < end; p += len) {
		len = utf8_next(p, (size_t)(end - p));
		if (len > 0 && *p != '\0') {
			buf_add(&r->shown, p, len);
			continue;
		}
		buf_putc(&r->shown, '?');
		len = 1;
	}
	return r->shown.len > 0 && !buf_failed(&r->shown) ? r->shown.data : "";
}

bool
runner_ended(const struct runner *r)
{
	return r->ended;
}

pid_t
runner_pid(const struct runner *r)
{
	return r->pid;
}
