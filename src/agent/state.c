/* SPDX-License-Identifier: MIT */
/*
 * Two processes must never share a spool: the lock is a record lock, which is not inherited by
 * executors and ends with the process, however it ends.
 */
#include "agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LEN 64

bool
state_is_name(const char *instance)
{
	static const char chars[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t n = strspn(instance, chars);

	return n > 0 && n <= NAME_MAX_LEN && instance[n] == '\0' && instance[0] != '.';
}

char *
state_dir(const char *root, const char *instance)
{
	char *dir;

	if (asprintf(&dir, "%s/%s", root, instance != NULL ? instance : STATE_DEFAULT) < 0)
		return NULL;
	return dir;
}

static enum cs_err
make(const char *path, mode_t mode, struct fault *f)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return CS_OK;
	return cs_detail(f, CS_EIO, "%s: %s", path, strerror(errno));
}

enum cs_err
state_make(const char *dir, struct fault *f)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/work", dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return cs_detail(f, CS_ECONFIG, "cascade.state_dir: too long");
	snprintf(path, sizeof(path), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	TRY(make(path, 0755, f));
	TRY(make(dir, 0700, f));
	snprintf(path, sizeof(path), "%s/work", dir);
	return make(path, 0700, f);
}

static int
open_in(const char *dir, const char *name, int flags)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

enum cs_err
state_lock(const char *dir, struct fault *f)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_in(dir, "lock", O_RDWR | O_CREAT);

	if (fd < 0)
		return cs_detail(f, CS_EIO, "%s/lock: %s", dir, strerror(errno));
	/* Open until the end: closing it would give up the lock. */
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return CS_OK;
	close(fd);
	return cs_detail(f, CS_EBUSY, "%s is in use by process %ld: one instance, one process", dir,
	    (long)state_holder(dir));
}

pid_t
state_holder(const char *dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open_in(dir, "lock", O_RDWR);
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	close(fd);
	return pid;
}

bool
state_replace(const char *dir, const char *name, const char *data, size_t len)
{
	char path[600], new_name[80], new_path[600];
	int fd, saved;
	bool ok;

	snprintf(new_name, sizeof(new_name), "%s.new", name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(new_path, sizeof(new_path), "%s/%s", dir, new_name);
	fd = open_in(dir, new_name, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return false;
	errno = ENOSPC; /* of a write that took less */
	ok = write(fd, data, len) == (ssize_t)len;
	saved = errno;
	close(fd);
	ok = ok && rename(new_path, path) == 0;
	if (!ok && saved != 0)
		errno = saved;
	return ok;
}
