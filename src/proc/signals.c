/* SPDX-License-Identifier: MIT */
/*
 * signalfd(2). A signal that comes before signals_open() still does what it does by default.
 */
#include "proc/signals.h"

#include <signal.h>
#include <unistd.h>

#include <sys/signalfd.h>

int
signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
signals_read(int fd, unsigned *stops, bool *reload)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			*reload = true;
		else
			++*stops;
	}
}
