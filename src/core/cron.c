/* SPDX-License-Identifier: MIT */
/*
 * When an expression falls due. A day is looked for by jumping over months and days that do not
 * match, a time of day by the lowest bit left in the mask of each field, on the time line of the
 * clock on the wall, for one stretch without change of offset after the other. A field's mask
 * depends on the period that the field lies within, since part of it may be drawn there.
 */
#include "core/cron.h"

#include "core/civil.h"

#define FIRST_UTC INT64_C(-62135596800)		  /* 0001-01-01T00:00:00 */
#define END_UTC	  INT64_C(253402300800)		  /* 10000-01-01T00:00:00 */
#define SEARCH_S  (INT64_C(146097) * CIVIL_DAY_S) /* 400 years, then the calendar repeats */
#define HOUR_S	  3600
#define MINUTE_S  60
#define MONDAY	  3 /* days that 1970-01-01 lies behind a week's begin */
#define NO_TIME	  (-1)
#define WEEK	  7
#define BITS	  64
#define ALL	  (BITS - 1) /* as the last value of a period: nothing is cut off */

struct search {
	const struct cron *cron;
	uint64_t salt;
};

/* FNV-1a; what is drawn must never change, so nothing here may. */
static uint64_t
hash_text(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

/* The finalizer of splitmix64: every bit of X tells on every bit of the result. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static int
draw(const struct cron_value *v, int high, uint64_t *state)
{
	*state = mix(*state + UINT64_C(0x9e3779b97f4a7c15));
	return v->low + (int)(*state % (uint64_t)(high - v->low + 1));
}

static int
at_most(int value, int most)
{
	return value < most ? value : most;
}

/* What ITEM matches in PERIOD, whose last value is LAST: no day is drawn that a month has not. */
static uint64_t
item_mask(const struct search *s, const struct cron_item *item, int64_t period, int last)
{
	uint64_t state = mix(mix(s->salt + item->field) + (uint64_t)period), mask = 0;
	int first, end, step;

	if (item->first.low > last)
		return 0;
	/* An item's place among the drawn ones is part of its hash, lest two of a field draw alike.
	 */
	state += (uint64_t)(item - s->cron->drawn);
	first = draw(&item->first, at_most(item->first.high, last), &state);
	end = item->single ? first : draw(&item->last, item->last.high, &state);
	step = draw(&item->step, item->step.high, &state);
	for (int v = first; v <= end; v += step)
		mask |= UINT64_C(1) << (item->field == CRON_WEEKDAY ? v % WEEK : v);
	return mask;
}

static uint64_t
mask_of(const struct search *s, enum cron_field field, int64_t period, int last)
{
	uint64_t mask = s->cron->fixed[field];

	for (size_t i = 0; i < s->cron->ndrawn; i++)
		if (s->cron->drawn[i].field == field)
			mask |= item_mask(s, &s->cron->drawn[i], period, last);
	return mask;
}

/* The lowest number from FROM on that MASK has; BITS: none. */
static int
next_bit(uint64_t mask, int from)
{
	mask = from < BITS ? mask >> from << from : 0;
	return mask != 0 ? __builtin_ctzll(mask) : BITS;
}

static int
not_negative(int value)
{
	return value > 0 ? value : 0;
}

/* The first second of day DAYS, from second FROM of it on, that matches; or NO_TIME. */
static int
next_in_day(const struct search *s, int64_t days, int from)
{
	uint64_t hours = mask_of(s, CRON_HOUR, days, ALL);

	for (int h = next_bit(hours, from / HOUR_S); h < 24; h = next_bit(hours, h + 1)) {
		int64_t hour = days * 24 + h;
		int left = not_negative(from - h * HOUR_S);
		uint64_t minutes = mask_of(s, CRON_MINUTE, hour, ALL);

		for (int m = next_bit(minutes, left / 60); m < 60; m = next_bit(minutes, m + 1)) {
			uint64_t seconds = mask_of(s, CRON_SECOND, hour * 60 + m, ALL);
			int sec = next_bit(seconds, not_negative(left - m * MINUTE_S));

			if (sec < 60)
				return h * HOUR_S + m * MINUTE_S + sec;
		}
	}
	return NO_TIME;
}

static bool
matches_weekday(const struct search *s, int64_t days)
{
	int64_t week = civil_floor(days + MONDAY, WEEK);

	return (mask_of(s, CRON_WEEKDAY, week, ALL) >> civil_weekday(days) & 1) != 0;
}

/* Moves *DAYS on to the first day before END that matches, by its month, its number and its
 * weekday; false: there is none. */
static bool
next_day(const struct search *s, int64_t end, int64_t *days)
{
	while (*days < end) {
		struct civil c = civil_of_days(*days);
		int month = next_bit(mask_of(s, CRON_MONTH, c.year, ALL), c.month);
		int last = civil_month_len(c.year, c.month), day;

		if (month != c.month) {
			*days = month == BITS ? civil_days(c.year + 1, 1, 1)
					      : civil_days(c.year, month, 1);
			continue;
		}
		day = next_bit(mask_of(s, CRON_DAY, c.year * 12 + month, last), c.day);
		*days += (day <= last ? day : last + 1) - c.day;
		if (day > last)
			continue;
		if (matches_weekday(s, *days))
			return *days < end;
		++*days;
	}
	return false;
}

/* The first local second within [FROM, END) that matches. */
static bool
next_local(const struct search *s, int64_t from, int64_t end, int64_t *found)
{
	int64_t first = civil_floor(from, CIVIL_DAY_S), days = first;

	for (; next_day(s, civil_floor(end - 1, CIVIL_DAY_S) + 1, &days); days++) {
		int sec =
		    next_in_day(s, days, days == first ? (int)(from - first * CIVIL_DAY_S) : 0);

		if (sec != NO_TIME) {
			*found = days * CIVIL_DAY_S + sec;
			return *found < end;
		}
	}
	return false;
}

/* The first occurrence in SPAN from FROM on, both UTC. */
static bool
next_in_span(const struct search *s, const struct zone *zone, const struct zone_span *span,
    int64_t from, int64_t *next)
{
	int64_t local = from + span->offset_s, found;

	if (!s->cron->real_time) {
		/* What the clock showed when it was set, and what it showed from then on. */
		int64_t left = zone_local(zone, span->start - 1) + 1;
		int64_t entered = span->start + span->offset_s;

		if (from == span->start && next_local(s, left, entered, &found)) {
			*next = from;
			return true;
		}
		local = local < left ? left : local;
	}
	if (!next_local(s, local, span->end + span->offset_s, &found))
		return false;
	*next = found - span->offset_s;
	return true;
}

/* A time from FROM on before which there is no occurrence in any zone; END: none at all. */
static int64_t
not_before(const struct search *s, int64_t from, int64_t end)
{
	int64_t local;

	if (!next_local(s, from - ZONE_OFFSET_MAX, end + ZONE_OFFSET_MAX, &local))
		return end;
	return local - ZONE_OFFSET_MAX > from ? local - ZONE_OFFSET_MAX : from;
}

/* SPAN within [FIRST_UTC, END]. */
static void
clip(struct zone_span *span, int64_t end)
{
	if (span->start < FIRST_UTC)
		span->start = FIRST_UTC;
	if (span->end > end)
		span->end = end;
}

bool
cron_next(const struct cron *c, const struct zone *zone, int64_t after_utc, const char *salt,
    int64_t *next_utc)
{
	struct search s = { c, hash_text(salt != NULL ? salt : "") };
	int64_t from, end;

	if (after_utc >= END_UTC)
		return false;
	from = after_utc < FIRST_UTC ? FIRST_UTC : after_utc + 1;
	end = from < END_UTC - SEARCH_S ? from + SEARCH_S : END_UTC;
	while (from < end) {
		struct zone_span span = zone_span_at(zone, from);

		clip(&span, end);
		if (next_in_span(&s, zone, &span, from, next_utc))
			return true;
		from = not_before(&s, span.end, end);
	}
	return false;
}
