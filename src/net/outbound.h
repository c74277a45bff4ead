/* SPDX-License-Identifier: MIT */
/*
 * Where our own HTTP calls may go (outbound.allow). Administrators and children name addresses that
 * this machine then connects to: they must not reach what only this machine can.
 */
#ifndef CS_NET_OUTBOUND_H
#define CS_NET_OUTBOUND_H

#include "base/base.h"

#include <sys/socket.h>

struct outbound {
	const char *const *allow; /* address blocks and host patterns ("*.example.org", "*") */
	size_t n;
};

/*
 * May HOST (as the URL names it), which resolved to ADDR, be connected to? A block allows every
 * address in it; a pattern the hosts that match it, but at no address that is special: loopback,
 * link-local, unspecified, multicast, reserved.
 */
bool outbound_allows(const struct outbound *o, const char *host, const struct sockaddr *addr);

#endif
