/* SPDX-License-Identifier: MIT */
/*
 * Time zones as data: IANA zones from the system's compiled files (RFC 8536), whose offsets from
 * UTC are asked for by time. Nothing depends on TZ or on anything else of the process. A zone never
 * changes once it is open and may be shared. Where a function takes a zone, NULL is UTC.
 */
#ifndef CS_CORE_ZONE_H
#define CS_CORE_ZONE_H

#include "base/err.h"

#define ZONE_NAME_MAX 64
#define ZONE_FILE_MAX 65536 /* bytes */
/* Offsets from UTC that RFC 8536 allows, in seconds: less than 25 hours west, less than 26 east. */
#define ZONE_OFFSET_MIN (-89999)
#define ZONE_OFFSET_MAX 93599

/* Times that a zone can be asked about: some years beyond what four digits can write. */
#define ZONE_TIME_MIN INT64_C(-100000000000)
#define ZONE_TIME_MAX INT64_C(300000000000)

struct zone;

/* A stretch of time with one offset. */
struct zone_span {
	int64_t start, end; /* UTC seconds, [start, end); INT64_MIN, INT64_MAX: for ever */
	int32_t offset_s;   /* local time less UTC */
};

/*
 * Opens zone NAME ("Europe/Berlin"; "" is the system's own, /etc/localtime, or UTC where there is
 * none: then *ZONE is NULL). *ZONE is the caller's (zone_free). CS_EINVALID, its field "timezone":
 * no such zone on this system; CS_ENOMEM.
 */
enum cs_err zone_open(const char *name, struct zone **zone, struct fault *f) cs_mustcheck;
/* A zone from the N bytes of a compiled file, version 2 or later. CS_EINVALID: not well-formed to
 * the last byte; CS_ENOMEM. *ZONE is then untouched. */
enum cs_err zone_parse(const void *data, size_t n, struct zone **zone) cs_mustcheck;
void zone_free(struct zone *zone);

#define auto_zone cs_cleanup(zone_cleanup) struct zone
static inline void
zone_cleanup(struct zone **zone)
{
	zone_free(*zone);
}

/* The stretch that UTC (within ZONE_TIME_MIN and _MAX) lies in. */
struct zone_span zone_span_at(const struct zone *zone, int64_t utc);
/* Local time as seconds, as if it were UTC. */
int64_t zone_local(const struct zone *zone, int64_t utc);
/* The reverse: of a local time that comes twice the first, for one that does not exist the end of
 * the gap. */
int64_t zone_utc(const struct zone *zone, int64_t local);

#endif
