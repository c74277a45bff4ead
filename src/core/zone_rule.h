/* SPDX-License-Identifier: MIT */
/* A rule for all years, as in the footer of a zone's file: POSIX TZ with the extensions of RFC
 * 8536 ("CET-1CEST,M3.5.0,M10.5.0/3"). */
#ifndef CS_CORE_ZONE_RULE_H
#define CS_CORE_ZONE_RULE_H

#include "core/zone.h"

enum zone_day_kind {
	ZONE_DAY_JULIAN,  /* 1 to 365; 29 February is never counted */
	ZONE_DAY_OF_YEAR, /* 0 to 365; it is */
	ZONE_DAY_WEEKDAY, /* of a week of a month; week 5 is the last */
};

/* When in a year the clocks change. */
struct zone_day {
	enum zone_day_kind kind;
	int day, month, week, weekday;
	int32_t time_s; /* local, from that day's midnight; may be negative or beyond it */
};

struct zone_rule {
	int32_t std_s, dst_s; /* offsets from UTC */
	bool has_dst;
	struct zone_day dst_start, dst_end;
};

/* False: TEXT is not wholly such a rule. */
bool zone_rule_parse(const char *text, struct zone_rule *out);
/* The stretch that UTC lies in by this rule alone. */
struct zone_span zone_rule_span(const struct zone_rule *rule, int64_t utc);

#endif
