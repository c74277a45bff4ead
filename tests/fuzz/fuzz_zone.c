/* SPDX-License-Identifier: MIT */
/* Compiled zone files. What is accepted must have an answer for every time, and no holes. */
#include "core/zone.h"

#include <stdlib.h>

#define STEP_S INT64_C(3155695200) /* 100 years */
#define SPANS  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* The stretches from AT on follow each other. */
static void
walk(const struct zone *zone, int64_t at)
{
	for (int i = 0; i < SPANS && at < ZONE_TIME_MAX; i++) {
		struct zone_span span = zone_span_at(zone, at);

		must(span.start <= at && at < span.end);
		must(i == 0 || span.start == at);
		must(zone_local(zone, at) == at + span.offset_s);
		zone_utc(zone, at);
		at = span.end;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct zone *zone;

	if (zone_parse(data, n, &zone) != CS_OK)
		return 0;
	for (int64_t at = ZONE_TIME_MIN + STEP_S; at < ZONE_TIME_MAX; at += STEP_S)
		walk(zone, at);
	zone_free(zone);
	return 0;
}
