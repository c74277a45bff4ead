/* SPDX-License-Identifier: MIT */
/* Tells the service manager (systemd, Type=notify) how a daemon is; without one nothing happens. */
#ifndef CS_PROC_NOTIFY_H
#define CS_PROC_NOTIFY_H

#include "base/base.h"

/* Sends assignments such as "READY=1\nSTATUS=serving" to $NOTIFY_SOCKET. Failure is ignored. */
void notify_send(const char *fmt, ...) cs_printf(1, 2);

#endif
