/* SPDX-License-Identifier: MIT */
/*
 * The machine's clocks. Nothing that decides about leases or schedules reads them: that is the
 * database's clock, passed in.
 */
#include "base/clock.h"

#include <time.h>

#define NS_PER_US 1000
#define NS_PER_MS 1000000
#define US_PER_S  1000000
#define MS_PER_S  1000

static struct timespec
now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t;
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / MS_PER_S;
}

int64_t
clock_mono_us(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / NS_PER_US;
}

int64_t
clock_rested_ms(int64_t begin_ms, int64_t share, int64_t max_ms)
{
	int64_t rest = share * (clock_mono_ms() - begin_ms);

	return begin_ms + (rest < max_ms ? rest : max_ms);
}

int64_t
clock_wall_s(void)
{
	return now(CLOCK_REALTIME).tv_sec;
}

int64_t
clock_wall_ms(void)
{
	struct timespec t = now(CLOCK_REALTIME);

	return (int64_t)t.tv_sec * MS_PER_S + t.tv_nsec / NS_PER_MS;
}

void
clock_sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / MS_PER_S, .tv_nsec = ms % MS_PER_S * NS_PER_MS };

	if (ms > 0)
		nanosleep(&t, NULL);
}
