/* SPDX-License-Identifier: MIT */
/*
 * What /metrics and /pending-allocations say of the database. What takes long to count where there
 * is much of it, cascaded counts now and then into cascade_gauge; the rest is read when somebody
 * asks.
 */
#ifndef CS_DB_DB_GAUGE_H
#define CS_DB_DB_GAUGE_H

#include "conf/conf.h"
#include "db/db.h"

/* Rows of metric (without its prefix), label and value (times in milliseconds), in one cheap query.
 */
enum cs_err db_gauges(
    struct db *db, const struct conf *conf, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Counts what is open, by state, and what ended today: takes as long as there is much of it. */
enum cs_err db_gauge_count(struct db *db, struct fault *f) cs_mustcheck;
/* Adds the attempts that have ended since the last call, or the first 20,000 or so of them. */
enum cs_err db_gauge_count_attempts(struct db *db, struct fault *f) cs_mustcheck;

#endif
