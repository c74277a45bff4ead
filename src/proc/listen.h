/* SPDX-License-Identifier: MIT */
/*
 * The listening socket of a pool: made here, or inherited from spawn-fcgi, mod_fcgid or systemd. It
 * is non-blocking, so that workers who race for one connection do not sleep in accept().
 */
#ifndef CS_PROC_LISTEN_H
#define CS_PROC_LISTEN_H

#include "base/err.h"

#include <sys/types.h>

enum listen_source { LISTEN_OWN, LISTEN_STDIN, LISTEN_SYSTEMD };

struct listener {
	int fd; /* -1: none */
	enum listen_source source;
	char path[108]; /* of a unix socket that listen_open() made, else "" */
	dev_t dev;	/* its identity: only our own is removed */
	ino_t ino;
};

/*
 * Listens on SPEC: "unix:PATH" (permissions MODE) or "HOST:PORT" ("[::1]:9000", "*:9000"). A socket
 * file that nobody listens on any more is replaced. CS_ECONFIG for a SPEC that cannot be read,
 * CS_EIO for what the system refuses, an address in use included.
 */
enum cs_err listen_open(
    const char *spec, mode_t mode, struct listener *l, struct fault *f) cs_mustcheck;
/* The socket this process was started with: systemd's fd 3 or a listening fd 0. False: none. */
bool listen_inherited(struct listener *l);
/* Removes the socket file, if it is ours: nobody new shall queue for workers that are leaving. */
void listen_withdraw(struct listener *l);

#endif
