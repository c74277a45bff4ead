/* SPDX-License-Identifier: MIT */
/*
 * Alerts: tells the receivers of the configuration (alerts) what an operator should know. What
 * there is to tell, and what is on its way, is in the database (db/db_alert.h); only that the
 * database is away cannot be, and is told by the daemon that led when it went.
 */
#ifndef CS_CASCADED_ALERT_H
#define CS_CASCADED_ALERT_H

#include "conf/conf.h"
#include "db/db.h"

struct http_multi;
struct alert;

/* Messages run on M, as HOLDER; both outlive it, and M has none left before alert_free(). NULL: out
 * of memory. */
struct alert *alert_new(struct http_multi *m, const char *holder);
void alert_free(struct alert *a);

/* The leader's: finds what has happened and puts it on its way. */
enum cs_err alert_look(struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;
/* The leader's: gives up what could not be delivered for too long, forgets what is long past. */
enum cs_err alert_retain(
    struct alert *a, struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;
/* The leader's: sends what is due. CONF outlives the messages. */
enum cs_err alert_send(
    struct alert *a, struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;
/* Everybody's: notes in the database what became of messages. */
enum cs_err alert_settle(struct alert *a, struct db *db, struct fault *f) cs_mustcheck;
/* Everybody's, each tick: the database is AWAY or not; LED: this daemon led when it went. */
void alert_database(struct alert *a, const struct conf *conf, bool away, bool led);

#endif
