/* SPDX-License-Identifier: MIT */
/* Blocks of internet addresses: "10.0.0.0/8", "fe80::/10", "192.0.2.1". */
#ifndef CS_BASE_CIDR_H
#define CS_BASE_CIDR_H

#include "base/base.h"

#include <sys/socket.h>

struct cidr {
	int family; /* AF_INET, AF_INET6 */
	unsigned char addr[16];
	unsigned bits; /* that have to agree */
};

/* An address alone is a block of one. False, and *OUT undefined: S is none. */
bool cidr_parse(const char *s, struct cidr *out);
/* Is ADDR in C? An IPv4 address that is written as an IPv6 one (::ffff:192.0.2.1) is the IPv4
 * address. False for other families. */
bool cidr_contains(const struct cidr *c, const struct sockaddr *addr);

#endif
