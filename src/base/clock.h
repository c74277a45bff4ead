/* SPDX-License-Identifier: MIT */
/* The only clock reads of the project outside the database, whose clock decides all leases. */
#ifndef CS_BASE_CLOCK_H
#define CS_BASE_CLOCK_H

#include "base/base.h"

/* Monotonic milliseconds and microseconds: for intervals; never steps. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* When what began at BEGIN_MS (monotonic) and has ended now may be done again, so that it takes a
 * SHAREth of the time at most; MAX_MS after it began at the latest. */
int64_t clock_rested_ms(int64_t begin_ms, int64_t share, int64_t max_ms);
/* Wall clock, UTC: for token expiry and log lines only. */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);
/* Sleeps; returns early on a signal. */
void clock_sleep_ms(int64_t ms);

#endif
