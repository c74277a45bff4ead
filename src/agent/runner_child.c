/* SPDX-License-Identifier: MIT */
/*
 * The child's side of a start: between fork and exec, in a process that shares nothing with the
 * node but what it has copied. Descriptors, signals, environment and limits become the executor's
 * own; what goes wrong is said on its standard error, which is the attempt's log.
 */
#include "agent/runner_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CANNOT_RUN     126
#define NOT_FOUND      127
#define DEFAULT_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CPU_GRACE_S    2     /* from SIGXCPU, which may be caught, to SIGKILL */
#define OOM_SCORE      "500" /* sooner the executor than the node */
#define OOM_SCORE_FILE "/proc/self/oom_score_adj"

static _Noreturn void
give_up(const char *what, const char *name, int status)
{
	dprintf(STDERR_FILENO, "%s %s: %s\n", what, name, strerror(errno));
	_exit(status);
}

/* FDS become 0, 1 and 2 and everything else is closed. They may be such numbers themselves. */
static void
take_descriptors(const int fds[3])
{
	int high[3];

	for (int i = 0; i < 3; i++) {
		high[i] = fcntl(fds[i], F_DUPFD, 3);
		if (high[i] == -1)
			_exit(CANNOT_RUN);
	}
	for (int i = 0; i < 3; i++)
		dup2(high[i], i);
	close_range(3, ~0u, 0);
}

static void
reset_signals(void)
{
	struct sigaction deflt = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &deflt, NULL); /* fails for a few that have no choice */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
limit(int resource, int64_t soft, int64_t hard)
{
	struct rlimit l = { .rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard };

	if (setrlimit((__rlimit_resource_t)resource, &l) != 0)
		give_up("cannot set a", "limit", CANNOT_RUN);
}

static void
set_limits(const struct runner_limits *l)
{
	limit(RLIMIT_CORE, 0, 0);
	if (l->memory > 0)
		limit(RLIMIT_AS, l->memory, l->memory);
	if (l->cpu_s > 0)
		limit(RLIMIT_CPU, l->cpu_s, l->cpu_s + CPU_GRACE_S);
}

/* Where it is not permitted it does not matter enough. */
static void
offer_to_oom_killer(void)
{
	int fd = open(OOM_SCORE_FILE, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0) {
		close(fd);
		return;
	}
	close(fd);
}

/* Copies what is taken over before all else goes: getenv()'s strings stay where they are. */
static void
set_environment(const struct runner_job *job, const char *dir)
{
	const char *path = getenv("PATH"), *home = getenv("HOME"), *lang = getenv("LANG"),
		   *zone = getenv("TZ");
	char attempt[24];

	snprintf(attempt, sizeof(attempt), "%lld", (long long)job->attempt);
	clearenv();
	setenv("PATH", path != NULL ? path : DEFAULT_PATH, 1);
	setenv("HOME", home != NULL ? home : dir, 1);
	setenv("LANG", lang != NULL ? lang : "C.UTF-8", 1);
	if (zone != NULL)
		setenv("TZ", zone, 1);
	setenv("CASCADE_ALLOCATION_ID", job->allocation_id, 1);
	setenv("CASCADE_ATTEMPT", attempt, 1);
	setenv("CASCADE_TASK_ID", job->task_id, 1);
	setenv(WORK_DIR_ENV, dir, 1);
}

static _Noreturn void
execute(const struct runner_job *job)
{
	execvp(job->argv[0], (char *const *)(uintptr_t)job->argv);
	give_up("cannot run", job->argv[0], errno == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

_Noreturn void
child_become(const struct runner_job *job, const char *dir, pid_t parent, const int fds[3])
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* died before that */
		_exit(CANNOT_RUN);
	take_descriptors(fds);
	reset_signals();
	umask(077);
	if (chdir(dir) != 0)
		give_up("cannot enter", dir, CANNOT_RUN);
	set_environment(job, dir);
	set_limits(&job->limits);
	offer_to_oom_killer();
	if (job->argv != NULL)
		execute(job);
	_exit(job->function(job->arg, job->package, job->package_len, STDOUT_FILENO));
}
