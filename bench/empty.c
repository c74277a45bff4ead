/* SPDX-License-Identifier: MIT */
/*
 * The empty FastCGI worker: what a request costs through nginx and libfcgi when nothing is done for
 * it. It listens on fd 0, forks so many workers as it is told, and they end with it.
 * It waits as our own workers do (epoll with EPOLLEXCLUSIVE, then a non-blocking accept).
 */
#include <err.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char answer[] = "Status: 200 OK\r\nContent-Type: application/json\r\n"
			     "Content-Length: 42\r\n\r\n"
			     "{\"code\":200,\"message\":\"empty\",\"data\":null}";

static void
work(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC);
	FCGX_Request r;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* libfcgi only takes note of SIGTERM */
	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event) != 0 || FCGX_Init() != 0 ||
	    FCGX_InitRequest(&r, 0, 0) != 0)
		err(1, "start");
	for (;;) {
		(void)epoll_wait(fd, &event, 1, -1);
		if (FCGX_Accept_r(&r) != 0)
			continue;
		FCGX_PutStr(answer, sizeof(answer) - 1, r.out);
		FCGX_Finish_r(&r);
	}
}

int
main(int argc, char **argv)
{
	int n = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;

	if (n < 1)
		errx(64, "usage: empty WORKERS <listening socket");
	if (fcntl(0, F_SETFL, O_NONBLOCK) != 0)
		err(1, "fd 0");
	for (int i = 0; i < n; i++) {
		if (fork() == 0)
			work();
	}
	while (wait(NULL) > 0)
		;
	return 1;
}
