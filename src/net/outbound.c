/* SPDX-License-Identifier: MIT */
/*
 * The rule about outbound connections, pure. It judges the address that is about to be connected
 * to, not what a name resolved to at some other time. Special addresses take more than a name:
 * whoever runs its zone could point it there.
 */
#include "net/outbound.h"

#include "base/cidr.h"

#include <fnmatch.h>

/* ADDR is in one of the N blocks of LIST; entries that are no blocks are passed over. */
static bool
in_blocks(const char *const *list, size_t n, const struct sockaddr *addr)
{
	struct cidr c;

	for (size_t i = 0; i < n; i++) {
		if (cidr_parse(list[i], &c) && cidr_contains(&c, addr))
			return true;
	}
	return false;
}

static bool
is_special(const struct sockaddr *addr)
{
	static const char *const blocks[] = {
		"0.0.0.0/8",
		"127.0.0.0/8",
		"169.254.0.0/16",
		"224.0.0.0/3",
		"::/127", /* unspecified and loopback */
		"fe80::/10",
		"ff00::/8",
	};

	return in_blocks(blocks, ARRAY_LEN(blocks), addr);
}

static bool
matches_pattern(const struct outbound *o, const char *host)
{
	struct cidr c;

	for (size_t i = 0; i < o->n; i++) {
		if (!cidr_parse(o->allow[i], &c) &&
		    fnmatch(o->allow[i], host, FNM_NOESCAPE | FNM_CASEFOLD) == 0)
			return true;
	}
	return false;
}

bool
outbound_allows(const struct outbound *o, const char *host, const struct sockaddr *addr)
{
	if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6)
		return false;
	if (in_blocks(o->allow, o->n, addr))
		return true;
	return matches_pattern(o, host) && !is_special(addr);
}
