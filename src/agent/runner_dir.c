/* SPDX-License-Identifier: MIT */
/*
 * The directories that attempts work in, and what an earlier life of the node left in them. Their
 * names are made up here: an allocation's id is the parent's word and no file name.
 */
#include "agent/runner_priv.h"

#include "base/log.h"
#include "base/parse.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGE_FILE "/package.json"
#define OPEN_DIRS    16
#define ENVIRON_MAX  (1u << 20)

static char *
join(const char *a, const char *b)
{
	char *path;

	return asprintf(&path, "%s%s", a, b) >= 0 ? path : NULL;
}

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return false;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

static bool
write_package(const char *dir, const char *package, size_t len)
{
	char *path = join(dir, PACKAGE_FILE);
	int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	bool ok = fd != -1 && write_all(fd, package, len);

	if (fd != -1)
		ok = close(fd) == 0 && ok;
	free(path);
	return ok;
}

int
workdir_package(const char *dir)
{
	char *path = join(dir, PACKAGE_FILE);
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	free(path);
	return fd;
}

enum cs_err
workdir_make(const char *root, const char *package, size_t len, char **path, struct fault *f)
{
	char *dir = join(root, "/" WORK_DIR_PREFIX "XXXXXX");

	if (dir == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	if (mkdtemp(dir) == NULL) {
		cs_detail(f, CS_EIO, "cannot make a directory in %s: %s", root, strerror(errno));
		free(dir);
		return CS_EIO;
	}
	if (!write_package(dir, package, len)) {
		cs_detail(f, CS_EIO, "cannot write to %s: %s", dir, strerror(errno));
		workdir_remove(dir);
		free(dir);
		return CS_EIO;
	}
	*path = dir;
	return CS_OK;
}

static int
remove_one(const char *path, const struct stat *st cs_unused, int type, struct FTW *at cs_unused)
{
	if (type == FTW_DNR || type == FTW_D) /* not entered: it has no permission for us */
		chmod(path, 0700);
	if (remove(path) != 0)
		log_warn("workdir_left", "cannot remove %s: %s", path, strerror(errno));
	return 0;
}

/* An executor may have locked a directory in it: its owner can open it again, but that has to
 * happen before it is entered. */
static int
open_one(const char *path, const struct stat *st cs_unused, int type, struct FTW *at cs_unused)
{
	if (type == FTW_DNR || (type == FTW_D && (st->st_mode & 0700) != 0700))
		chmod(path, 0700);
	return 0;
}

void
workdir_remove(const char *path)
{
	nftw(path, open_one, OPEN_DIRS, FTW_PHYS | FTW_MOUNT);
	nftw(path, remove_one, OPEN_DIRS, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
}

static bool
is_pid(const char *name)
{
	while (isdigit((unsigned char)*name))
		name++;
	return *name == '\0';
}

/* Reads the environment that PID was started with into B; empty for a process of somebody else. */
static void
read_environ(const char *pid, struct buf *b)
{
	char path[64], part[4096];
	ssize_t n;
	int fd;

	buf_reset(b);
	snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	while ((n = read(fd, part, sizeof(part))) > 0 && !buf_failed(b))
		buf_add(b, part, (size_t)n);
	close(fd);
}

/* Does B, of variables that each end with a zero, have one that begins with PREFIX? */
static bool
has_variable(const struct buf *b, const char *prefix)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < b->len; i += strlen(b->data + i) + 1) {
		if (strncmp(b->data + i, prefix, len) == 0)
			return true;
	}
	return false;
}

/* They inherited the variable from the executor, wherever they moved to since. */
static void
kill_leftovers(const char *root)
{
	char *prefix = join(WORK_DIR_ENV "=", root), *whole = NULL;
	struct buf env = { .cap = ENVIRON_MAX };
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int64_t pid;

	if (prefix != NULL)
		whole = join(prefix, "/" WORK_DIR_PREFIX);
	while (proc != NULL && whole != NULL && (e = readdir(proc)) != NULL) {
		if (!is_pid(e->d_name))
			continue;
		read_environ(e->d_name, &env);
		if (!has_variable(&env, whole))
			continue;
		log_warn("leftover_killed", "process %s of an executor", e->d_name);
		if (parse_int(e->d_name, 1, INT32_MAX, &pid))
			kill((pid_t)pid, SIGKILL);
	}
	if (proc != NULL)
		closedir(proc);
	buf_free(&env);
	free(whole);
	free(prefix);
}

void
runner_sweep(const char *root)
{
	DIR *dir = opendir(root);
	struct dirent *e;
	char *path;

	kill_leftovers(root);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, WORK_DIR_PREFIX, strlen(WORK_DIR_PREFIX)) != 0)
			continue;
		if (asprintf(&path, "%s/%s", root, e->d_name) < 0)
			break;
		workdir_remove(path);
		free(path);
	}
	if (dir != NULL)
		closedir(dir);
}
