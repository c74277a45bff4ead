/* SPDX-License-Identifier: MIT */
/*
 * Runs one executor for one attempt: a program (or a function of ours, forked) in a process group,
 * an environment and a directory of its own, with limits; cascade-executor(7) is its contract.
 * Nothing here waits: the owner's loop polls what runner_fds() names and calls runner_step().
 *
 * Nothing is left behind. When the program has ended, for whatever reason, what remains of its
 * process group is killed, what is in its pipes is read, and its directory is removed; that
 * somebody still holds the pipes open holds up nobody. If this process dies, even by SIGKILL, the
 * kernel kills the program (PR_SET_PDEATHSIG); its children and directory are taken care of by
 * runner_sweep() at the next start.
 */
#ifndef CS_AGENT_RUNNER_H
#define CS_AGENT_RUNNER_H

#include "agent/lines.h"

#include <poll.h>
#include <sys/types.h>

#define RUNNER_FDS     3
#define RUNNER_LOG_MAX (64u << 10) /* of standard error; the last bytes are kept */

enum outcome {
	OUTCOME_DONE,	 /* feeds without a result are done */
	OUTCOME_RETRY,	 /* exit 75: those without a result are to be tried again later */
	OUTCOME_FAILED,	 /* those without a result have failed */
	OUTCOME_BANNED,	 /* exit 69: those without a result go back, and not to this node for now */
	OUTCOME_TIMEOUT, /* those without a result have failed, as with the next */
	OUTCOME_KILLED,	 /* by a signal, or by runner_stop() */
	OUTCOME_UNBEGUN, /* none ran: the attempt is handed back */
	OUTCOME__MAX
};
/* "done", "retry", …: stable, for logs. */
const char *outcome_name(enum outcome o);

struct runner_limits {
	int64_t timeout_s; /* of the whole attempt; 0: none */
	int64_t grace_s;   /* from SIGTERM to SIGKILL */
	int64_t memory;	   /* bytes of address space; 0: none */
	int64_t cpu_s;	   /* of processor time; 0: none */
};

/* Everything is borrowed until runner_start() returns, but feeds and their ids and ARG of FUNCTION:
 * until the end. */
struct runner_job {
	const char *const *argv; /* NULL-ended; argv[0] by PATH unless it has a slash */
	/* Where argv is NULL: called in the child, its return value the exit status. Standard
	 * output is OUT_FD. */
	int (*function)(const void *arg, const char *package, size_t len, int out_fd);
	const void *arg;
	const char *package; /* JSON text, the executor's standard input and its package.json */
	size_t package_len;
	const char *allocation_id, *task_id;
	int64_t attempt;
	const char *root;	  /* absolute; exists; the attempt's directory is made in it */
	const char *const *feeds; /* ids of the package's feeds */
	size_t nfeeds;
	struct runner_limits limits;
};

/* Called from runner_step() only. END comes last, exactly once; runner_free() may be called in it
 * or later. What a record holds is valid during the call. */
struct runner_ops {
	void (*record)(void *arg, const struct record *r); /* of any type but log */
	/* Something for the attempt's log: a log record, or a line that was no record. */
	void (*note)(void *arg, const char *text);
	void (*end)(void *arg, enum outcome o, const char *why); /* WHY: English; "" if done */
};

struct runner;

/* Starts JOB. NULL with a fault where that cannot be done (no process, no directory). A program
 * that cannot be executed ends as FAILED with the reason. */
struct runner *runner_start(const struct runner_job *job, const struct runner_ops *ops, void *arg,
    struct fault *f) cs_mustcheck;
/* Fills FDS with what to poll; returns how many, at most RUNNER_FDS, 0 after the end. */
size_t runner_fds(const struct runner *r, struct pollfd fds[RUNNER_FDS]);
/* Milliseconds until runner_step() is due even if nothing is readable; -1: never. */
int runner_timeout_ms(const struct runner *r);
/* Goes on with what has become readable or due. Asks the descriptors itself: revents need not be
 * passed on, and a call too many does no harm. */
void runner_step(struct runner *r);
/* Ends it early: SIGTERM now, SIGKILL after grace_s. The outcome will be KILLED and WHY its reason.
 */
void runner_stop(struct runner *r, const char *why);
bool runner_ended(const struct runner *r);
/* The last RUNNER_LOG_MAX bytes of standard error, valid UTF-8, NUL-terminated; R's. */
const char *runner_log(struct runner *r);
pid_t runner_pid(const struct runner *r);
/* If it still runs, kills it at once and waits for its death; calls nobody. NULL is fine. */
void runner_free(struct runner *r);
/* At start, before anything runs: kills what executors of an earlier process left running (found by
 * their CASCADE_WORK_DIR below ROOT) and removes their directories. ROOT must be this node's alone.
 */
void runner_sweep(const char *root);

#endif
