/* SPDX-License-Identifier: MIT */
/* Signals of a process with a loop: read while the loop waits, so that no step is interrupted half
 * way. */
#ifndef CS_PROC_SIGNALS_H
#define CS_PROC_SIGNALS_H

#include "base/base.h"

/* Holds SIGTERM, SIGINT and SIGHUP back for reading, ignores SIGPIPE. A descriptor to poll, the
 * caller's; -1: errno says why. */
int signals_open(void);
/* Takes what has come on FD: adds to *STOPS the requests to end, sets *RELOAD after a SIGHUP. */
void signals_read(int fd, unsigned *stops, bool *reload);

#endif
