/* SPDX-License-Identifier: MIT */
/* What the files of the runner share. */
#ifndef CS_AGENT_RUNNER_PRIV_H
#define CS_AGENT_RUNNER_PRIV_H

#include "agent/runner.h"

/* Begins the name of every attempt's directory. */
#define WORK_DIR_PREFIX "attempt-"
#define WORK_DIR_ENV	"CASCADE_WORK_DIR"

/* Makes a directory in ROOT, mode 0700, with the package in it. Its path is the caller's to free.
 */
enum cs_err workdir_make(
    const char *root, const char *package, size_t len, char **path, struct fault *f) cs_mustcheck;
/* Removes PATH and what is in it, as far as that can be done. */
void workdir_remove(const char *path);
/* Opens the package in PATH for reading; -1: it cannot be. */
int workdir_package(const char *path);

/* Becomes JOB with PATH as its directory: the child's side of the fork. PARENT: who may die. */
_Noreturn void child_become(
    const struct runner_job *job, const char *path, pid_t parent, const int fds[3]);

#endif
