/* SPDX-License-Identifier: MIT */
/*
 * Makes or takes over the listening socket. A unix socket file is only ever removed when connecting
 * to it is refused (its owner died) or when it is the very file that this process made: two pools
 * started on one path must not steal it from each other.
 */
#include "proc/listen.h"

#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	    1024
#define UNIX_PREFIX "unix:"
#define SYSTEMD_FD  3
#define HOST_MAX    256

static enum cs_err
system_fault(struct fault *f, const char *what, const char *spec)
{
	return cs_detail(f, CS_EIO, "%s %s: %s", what, spec, strerror(errno));
}

/* Does somebody answer at ADDR? A full queue (EAGAIN) says so too. */
static bool
is_served(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return true;
	served = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 ||
		 (errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return served;
}

/* Makes way for our socket file; refuses to touch what is in use or no socket. */
static enum cs_err
clear_path(const struct sockaddr_un *addr, struct fault *f)
{
	struct stat st;

	if (lstat(addr->sun_path, &st) != 0)
		return CS_OK; /* bind() tells what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode))
		return cs_detail(f, CS_EIO, "%s exists and is no socket", addr->sun_path);
	if (is_served(addr))
		return cs_detail(f, CS_EIO, "somebody listens on %s already", addr->sun_path);
	if (unlink(addr->sun_path) != 0 && errno != ENOENT)
		return system_fault(f, "cannot remove the stale", addr->sun_path);
	return CS_OK;
}

/* bind() and listen(); the file appears with no permissions but the owner's until chmod(). */
static enum cs_err
bind_unix(int fd, const struct sockaddr_un *addr, mode_t mode, struct fault *f)
{
	mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int saved = errno;

	umask(mask);
	errno = saved;
	if (rc != 0 || chmod(addr->sun_path, mode) != 0 || listen(fd, BACKLOG) != 0)
		return system_fault(f, "cannot listen on", addr->sun_path);
	return CS_OK;
}

static enum cs_err
open_unix(const char *path, mode_t mode, struct listener *l, struct fault *f)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	if (*path == '\0' || strlen(path) >= sizeof(addr.sun_path))
		return cs_detail(f, CS_ECONFIG, "unix socket path too long or empty: \"%s\"", path);
	strcpy(addr.sun_path, path);
	TRY(clear_path(&addr, f));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return system_fault(f, "no socket for", path);
	TRY(bind_unix(l->fd, &addr, mode, f));
	if (lstat(path, &st) != 0)
		return system_fault(f, "cannot look at", path);
	strcpy(l->path, path);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return CS_OK;
}

/* Splits "HOST:PORT", "[HOST]:PORT", "*:PORT"; HOST "" means every address. */
static bool
split_address(const char *spec, char host[HOST_MAX], const char **port)
{
	const char *colon = strrchr(spec, ':');
	size_t len = colon != NULL ? (size_t)(colon - spec) : 0;
	int64_t n;

	if (colon == NULL || len >= HOST_MAX || !parse_int(colon + 1, 1, 65535, &n))
		return false;
	*port = colon + 1;
	if (len >= 2 && spec[0] == '[' && spec[len - 1] == ']') {
		spec++;
		len -= 2;
	}
	if (len == 1 && spec[0] == '*')
		len = 0;
	memcpy(host, spec, len);
	host[len] = '\0';
	return true;
}

static int
bind_inet(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, saved;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static enum cs_err
open_inet(const char *spec, struct listener *l, struct fault *f)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	char host[HOST_MAX];
	const char *port;
	int rc;

	if (!split_address(spec, host, &port))
		return cs_detail(f, CS_ECONFIG, "neither unix:PATH nor HOST:PORT: \"%s\"", spec);
	rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
	if (rc != 0)
		return cs_detail(f, CS_EIO, "cannot resolve %s: %s", spec, gai_strerror(rc));
	for (const struct addrinfo *ai = list; ai != NULL && l->fd < 0; ai = ai->ai_next)
		l->fd = bind_inet(ai);
	freeaddrinfo(list);
	if (l->fd < 0)
		return system_fault(f, "cannot listen on", spec);
	return CS_OK;
}

enum cs_err
listen_open(const char *spec, mode_t mode, struct listener *l, struct fault *f)
{
	bool is_unix = strncmp(spec, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
	enum cs_err err;

	*l = (struct listener){ .fd = -1, .source = LISTEN_OWN };
	err = is_unix ? open_unix(spec + strlen(UNIX_PREFIX), mode, l, f) : open_inet(spec, l, f);
	if (err != CS_OK && l->fd >= 0) {
		close(l->fd);
		l->fd = -1;
	}
	return err;
}

static bool
is_listening(int fd)
{
	socklen_t len = sizeof(int);
	int on = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

/* LISTEN_PID guards against variables meant for a parent of ours. */
static bool
has_systemd_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int64_t n;

	return pid != NULL && fds != NULL && parse_int(pid, getpid(), getpid(), &n) &&
	       parse_int(fds, 1, INT32_MAX, &n) && is_listening(SYSTEMD_FD);
}

bool
listen_inherited(struct listener *l)
{
	*l = (struct listener){ .fd = -1 };
	if (has_systemd_socket()) {
		l->fd = SYSTEMD_FD;
		l->source = LISTEN_SYSTEMD;
		unsetenv("LISTEN_PID");
		unsetenv("LISTEN_FDS");
	} else if (is_listening(STDIN_FILENO)) {
		l->fd = STDIN_FILENO;
		l->source = LISTEN_STDIN;
	} else {
		return false;
	}
	fcntl(l->fd, F_SETFD, FD_CLOEXEC);
	fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
	return true;
}

void
listen_withdraw(struct listener *l)
{
	struct stat st;

	if (l->path[0] != '\0' && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->path);
	l->path[0] = '\0';
}
