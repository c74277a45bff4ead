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

/* The last eight bytes of a text, all of a shorter one: some of them twice, or spaces with them. */
static uint64_t
last_eight(const char *s, size_t n)
{
	uint64_t eight = EACH_BYTE(' ');
	uint32_t first, last;

	if (n >= sizeof(eight)) {
		memcpy(&eight, s + n - sizeof(eight), sizeof(eight));
	} else if (n >= sizeof(first)) {
		memcpy(&first, s, sizeof(first));
		memcpy(&last, s + n - sizeof(last), sizeof(last));
		eight = (uint64_t)first << 32 | last;
	} else {
		for (size_t i = 0; i < n; i++)
			eight = eight << 8 | (unsigned char)s[i];
	}
	return eight;
}

size_t
json_plain(const char *s, size_t n, bool *ascii)
{
	size_t i = 0;
	uint64_t eight, all = 0;

	for (; n - i > sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s + i, sizeof(eight));
		if (has_special(eight))
			break;
		all |= eight;
	}
	if (n - i <= sizeof(eight)) {
		eight = last_eight(s, n);
		if (!has_special(eight)) {
			all |= eight;
			i = n;
		}
	}
	for (; i < n && !is_special((unsigned char)s[i]); i++)
		all |= (unsigned char)s[i];
	*ascii = (all & EACH_BYTE(0x80)) == 0;
	return i;
}
