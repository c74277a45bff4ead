/* SPDX-License-Identifier: MIT */
/*
 * Address blocks, by comparing leading bits. An IPv4 address has one form here, whichever way it
 * was written, so that no rule about it can be evaded by the other.
 */
#include "base/cidr.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define IPV4_BITS 32
#define IPV6_BITS 128
#define MAPPED	  96 /* bits before the IPv4 address of a mapped one */

static bool
is_mapped(const unsigned char *addr)
{
	static const unsigned char prefix[MAPPED / 8] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr, prefix, sizeof(prefix)) == 0;
}

/* Makes a block of mapped addresses one of IPv4 addresses. */
static void
unmap(struct cidr *c)
{
	if (c->family != AF_INET6 || c->bits < MAPPED || !is_mapped(c->addr))
		return;
	c->family = AF_INET;
	c->bits -= MAPPED;
	memmove(c->addr, c->addr + MAPPED / 8, IPV4_BITS / 8);
}

bool
cidr_parse(const char *s, struct cidr *out)
{
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	char text[INET6_ADDRSTRLEN];
	int64_t bits, max;

	if (len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, s);
	memset(out, 0, sizeof(*out));
	out->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	bits = max = out->family == AF_INET ? IPV4_BITS : IPV6_BITS;
	if (inet_pton(out->family, text, out->addr) != 1)
		return false;
	if (slash != NULL && !parse_int(slash + 1, 0, max, &bits))
		return false;
	out->bits = (unsigned)bits;
	unmap(out);
	return true;
}

/* The address of ADDR as a block of one. */
static bool
take_address(const struct sockaddr *addr, struct cidr *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(out, 0, sizeof(*out));
	out->family = addr->sa_family;
	if (addr->sa_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		memcpy(out->addr, &in.sin_addr, sizeof(in.sin_addr));
		out->bits = IPV4_BITS;
	} else if (addr->sa_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		memcpy(out->addr, &in6.sin6_addr, sizeof(in6.sin6_addr));
		out->bits = IPV6_BITS;
		unmap(out);
	}
	return out->bits > 0;
}

bool
cidr_contains(const struct cidr *c, const struct sockaddr *addr)
{
	unsigned bytes = c->bits / 8, rest = c->bits % 8;
	unsigned mask = 0xffu << (8 - rest) & 0xffu;
	struct cidr one;

	if (!take_address(addr, &one) || one.family != c->family)
		return false;
	return memcmp(one.addr, c->addr, bytes) == 0 &&
	       (rest == 0 || ((one.addr[bytes] ^ c->addr[bytes]) & mask) == 0);
}
