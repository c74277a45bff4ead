/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a JSON string that need no look of their own. Almost all of an article is such, and
 * there are megabytes of them: they are taken eight at a time.
 */
#include "json/plain.h"

#include <string.h>

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Is any of eight bytes below LIMIT (at most 0x80)? Bytes of 0x80 and more are not. */
static bool
has_below(uint64_t eight, uint64_t limit)
{
	return ((eight - EACH_BYTE(limit)) & ~eight & EACH_BYTE(0x80)) != 0;
}

/* Is any of eight bytes a control character, a quote or a backslash? */
static bool
has_special(uint64_t eight)
{
	return has_below(eight, ' ') || has_below(eight ^ EACH_BYTE('"'), 1) ||
	       has_below(eight ^ EACH_BYTE('\\'), 1);
}

static bool
is_special(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\';
}

size_t
json_plain(const char *s, size_t n, bool *ascii)
{
	size_t i = 0;
	uint64_t eight, all = 0;

	for (; n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s + i, sizeof(eight));
		if (has_special(eight))
			break;
		all |= eight;
	}
	for (; i < n && !is_special((unsigned char)s[i]); i++)
		all |= (unsigned char)s[i];
	*ascii = (all & EACH_BYTE(0x80)) == 0;
	return i;
}
