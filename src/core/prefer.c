/* SPDX-License-Identifier: MIT */
/*
 * Preferences for waiting work, read from text. Numbers are read by hand: strtoll() would skip
 * blanks and signs that do not belong here.
 */
#include "core/prefer.h"

/* Reads digits at *P; false where there are none or too many. */
static bool
number(const char **p, int64_t *out)
{
	const char *s = *p;

	*out = 0;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (*out > INT64_MAX / 10 - 1)
			return false;
		*out = *out * 10 + (*s - '0');
	}
	if (s == *p)
		return false;
	*p = s;
	return true;
}

/* Steps over C; false where something else stands. */
static bool
skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

size_t
prefer_parse_nodes(const char *list, int64_t *out, size_t max)
{
	size_t n = 0;

	while (n < max && number(&list, &out[n])) {
		n++;
		if (!skip(&list, ','))
			break;
	}
	return n;
}

bool
prefer_has_node(const char *list, int64_t node)
{
	int64_t id;

	while (number(&list, &id)) {
		if (id == node)
			return true;
		if (!skip(&list, ','))
			break;
	}
	return false;
}

bool
prefer_is_elsewhere(const char *quotas, int64_t node)
{
	int64_t best = 0, mine = 0, id, left;

	while (number(&quotas, &id) && skip(&quotas, '=')) {
		/* a quota that is overdrawn comes as a negative number: nothing is left */
		bool overdrawn = skip(&quotas, '-');

		if (!number(&quotas, &left))
			break;
		left = overdrawn ? 0 : left;
		if (id == node)
			mine = left > mine ? left : mine;
		else
			best = left > best ? left : best;
		if (!skip(&quotas, ','))
			break;
	}
	return best > mine;
}
