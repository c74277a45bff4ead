/* SPDX-License-Identifier: MIT */
/*
 * The schedule: every enabled task's expression, when it falls due next, and what becomes of
 * occurrences that were missed. What has been done is in the database (db/db_schedule.h); what is
 * here may be lost.
 */
#ifndef CS_CASCADED_SCHEDULE_H
#define CS_CASCADED_SCHEDULE_H

#include "conf/conf.h"
#include "db/db.h"

struct schedule;

/* NULL: out of memory. */
struct schedule *schedule_new(void);
void schedule_free(struct schedule *s);
/* Forgets what it knows of the tasks: the next schedule_run() reads them anew. */
void schedule_reload(struct schedule *s);
/*
 * Reads the tasks where that is due (each SCHEDULE_RELOAD_MS), and makes runs of what has fallen
 * due. *MORE: there is more to do now. CS_EDBDOWN and the like end it anywhere; it goes on the next
 * time.
 */
enum cs_err schedule_run(struct schedule *s, struct db *db, const struct conf *conf, bool *more,
    struct fault *f) cs_mustcheck;

#define SCHEDULE_RELOAD_MS 4000

#endif
