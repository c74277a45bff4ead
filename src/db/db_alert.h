/* SPDX-License-Identifier: MIT */
/*
 * What alerts are about and those on their way, in the database: whoever leads next goes on with
 * both. Nothing is counted or raised twice, however many try; an alert is sent twice only where its
 * sender died between sending it and saying so.
 */
#ifndef CS_DB_DB_ALERT_H
#define CS_DB_DB_ALERT_H

#include "conf/conf.h"
#include "db/db.h"

/* When an event is told. */
struct db_alert_rule {
	const char *event;
	int64_t threshold;
	int64_t silence_s;
	bool recovery; /* its end is told too */
};

/* What is to be told, or over; texts live as long as the rows. */
struct db_alert {
	const char *event, *subject, *name, *detail;
	int64_t count, since; /* unix seconds */
	bool wanted;	      /* of what is over: somebody should know */
};

/* A text for a receiver. */
struct db_alert_out {
	const char *target, *event, *subject, *text;
	bool recovered;
	int64_t at; /* unix seconds */
};

/* Counts nodes that went offline, and what ended for good. */
enum cs_err db_alert_nodes(struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;
enum cs_err db_alert_ended(struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;

/* What RULE says is to be told now; db_alert_next() steps through it. */
enum cs_err db_alert_due(struct db *db, const struct db_alert_rule *rule, struct db_rows *rows,
    struct fault *f) cs_mustcheck;
bool db_alert_next(struct db_rows *rows, const char *event, struct db_alert *out);
/* What was told and is over. */
enum cs_err db_alert_over(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
bool db_alert_next_over(struct db_rows *rows, struct db_alert *out);

/*
 * In one transaction: takes SUBJECT's alert by RULE (db_alert_close(): its end), counts it, and
 * puts the N texts of OUT on their way. *TAKEN false: another daemon was faster, and nothing was
 * done. *DROPPED counts texts whose receiver has too many waiting.
 */
enum cs_err db_alert_raise(struct db *db, const struct db_alert_rule *rule, const char *subject,
    const struct db_alert_out *out, size_t n, bool *taken, int64_t *dropped,
    struct fault *f) cs_mustcheck;
enum cs_err db_alert_close(struct db *db, const char *event, const char *subject,
    const struct db_alert_out *out, size_t n, bool *taken, int64_t *dropped,
    struct fault *f) cs_mustcheck;

/* Claims what is due for TARGET as HOLDER for HOLD_S, at most MAX; the rows are in order. */
enum cs_err db_alert_hold(struct db *db, const char *target, const char *holder, int64_t hold_s,
    int64_t max, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* The next of them; *TRIES is how often it was tried. */
bool db_alert_next_held(struct db_rows *rows, struct db_alert_out *out, int64_t *tries);
/* What HOLDER has of TARGET is delivered, or is tried again after WAIT_S. */
enum cs_err db_alert_delivered(
    struct db *db, const char *target, const char *holder, struct fault *f) cs_mustcheck;
enum cs_err db_alert_again(struct db *db, const char *target, const char *holder, int64_t wait_s,
    struct fault *f) cs_mustcheck;
/* Gives up what is too old (*DROPPED) and forgets what nothing happened to for long. */
enum cs_err db_alert_retain(
    struct db *db, const struct conf *conf, int64_t *dropped, struct fault *f) cs_mustcheck;

#endif
