/* SPDX-License-Identifier: MIT */
/*
 * Beats: our own parts' signs of life. After a gap longer than node.outage_gap in any of them
 * nobody is declared offline and nothing rescued for node.offline_after: a hiccup of ours must not
 * turn into duplicated work. Source: docs/design.md, "Own outage".
 */
#ifndef CS_DB_DB_BEAT_H
#define CS_DB_DB_BEAT_H

#include "conf/conf.h"
#include "db/db.h"

#define BEAT_CASCADED "cascaded"
#define BEAT_POOL     "pool"

/* Every part beats at least this often, as far as it gets to: cascaded at each tick
 * (cascaded.tick), every worker of the pool by a timer. The least node.outage_gap is twice as long.
 */
#define BEAT_S 5

/* Writes NAME's beat, and the end of a gap if there was one. */
enum cs_err db_beat(
    struct db *db, const char *name, const struct conf *conf, struct fault *f) cs_mustcheck;
/* *ALLOWED: every known part beats, and the last gap ended long enough ago. */
enum cs_err db_beat_rescue_allowed(
    struct db *db, const struct conf *conf, bool *allowed, struct fault *f) cs_mustcheck;

#endif
