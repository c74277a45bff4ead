/* SPDX-License-Identifier: MIT */
/* Random numbers of property tests: splitmix64, enough for them and the same everywhere. */
#ifndef CS_TESTS_UNIT_RANDOM_H
#define CS_TESTS_UNIT_RANDOM_H

#include "base/base.h"

static uint64_t rng_state; /* the seed, to begin with */

static inline uint64_t
rng(void)
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Uniform in [LOW, HIGH]. */
static inline int64_t
between(int64_t low, int64_t high)
{
	return low + (int64_t)(rng() % (uint64_t)(high - low + 1));
}

static inline bool
one_in(int64_t n)
{
	return between(1, n) == 1;
}

#endif
