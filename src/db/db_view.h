/* SPDX-License-Identifier: MIT */
/*
 * Listings and counts, for the API and for cascadectl. A listing's columns are data (struct view),
 * in the order of its statement, so that whoever renders a row needs no list of its own. Rows are
 * read with db_next(); text lives as db.h says.
 */
#ifndef CS_DB_DB_VIEW_H
#define CS_DB_DB_VIEW_H

#include "conf/conf.h"
#include "db/db.h"

enum view_kind {
	VIEW_TEXT, /* text or time */
	VIEW_INT,
	VIEW_BOOL,
	VIEW_ARRAY,  /* text that should hold a JSON array, but nobody vouches for it */
	VIEW_OBJECT, /* the same of an object */
};
struct view_col {
	const char *key; /* of the JSON object, and of cascadectl's columns */
	enum view_kind kind;
};
struct view {
	const struct view_col *cols;
	size_t ncols;
};

/* The columns that these are sorted by; ids are the first ones. That of feeds is not shown. */
#define VIEW_ALLOCATION_TIME 17
#define VIEW_SYNC_TIME	     8
#define VIEW_FEED_PLACE	     12
extern const struct view view_allocation, view_attempt, view_beat, view_occurrence;
extern const struct view view_pulled_feed, view_pulled_task, view_sync, view_feed_status;

/* Every stored status: what the filter takes. */
#define VIEW_STATUSES "pending|claimed|executing|completed|failed|timeout|cancelled"

/* Up to here totals and counts are exact. */
#define DB_TOTAL_MAX 10000

/* NULL members do not filter. */
struct view_filter {
	const char *task_id, *node_id, *status;
};

/* Which rows of a listing: up to LIMIT from OFFSET on, or (ID not NULL) behind the row of this
 * place and id. The place is a time, rows without one come last; of feeds it is a view_feed_place.
 */
struct view_page {
	int64_t limit, offset;
	const char *id;
	const char *at; /* NULL: it has none */
};
/*
 * A feed's place in a walk over pages. The classes are as they were when the walk began: else time
 * would move feeds over their bounds, to where the walk has been, and it would miss them.
 */
struct view_feed_place {
	int64_t began; /* unix time */
	bool updated;  /* has an update_time */
	int64_t update_time;
};
/* Takes the column's TEXT (NULL: false) apart: "<began> <update_time or nothing>". */
bool view_feed_place(const char *text, struct view_feed_place *out);

/* A page of view_allocation, newest first. */
enum cs_err db_view_allocations(struct db *db, const struct view_filter *filter,
    const struct view_page *page, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* How many FILTER matches, counted up to MAX. */
enum cs_err db_view_allocations_total(struct db *db, const struct view_filter *filter, int64_t max,
    int64_t *total, struct fault *f) cs_mustcheck;
/* One row of view_allocation, already stepped to. CS_ENOTFOUND MSG_NO_ALLOCATION. */
enum cs_err db_view_allocation(
    struct db *db, const char *id, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Rows of view_attempt: every hand-out of allocation ID, the current one included. */
enum cs_err db_view_attempts(
    struct db *db, const char *id, struct db_rows *rows, struct fault *f) cs_mustcheck;

/* Every row of view_pulled_feed or view_pulled_task that is enabled. */
enum cs_err db_view_feeds(struct db *db, const struct db_taker *to, struct fault *f) cs_mustcheck;
enum cs_err db_view_tasks(struct db *db, const struct db_taker *to, struct fault *f) cs_mustcheck;

/* NULL members do not filter. */
struct view_sync_filter {
	const char *node_id, *operation;
};
/* A page of view_sync, newest first; and how many there are, counted up to MAX. */
enum cs_err db_view_sync(struct db *db, const struct view_sync_filter *filter,
    const struct view_page *page, struct db_rows *rows, struct fault *f) cs_mustcheck;
enum cs_err db_view_sync_total(struct db *db, const struct view_sync_filter *filter, int64_t max,
    int64_t *total, struct fault *f) cs_mustcheck;

/* A page of view_feed_status, those most in need of an update first (FEED_ID: that one only, by
 * offset); and how many there are, counted up to MAX. PAGE's place must be one, see above. */
enum cs_err db_view_feed_status(struct db *db, const char *feed_id, const struct view_page *page,
    struct db_rows *rows, struct fault *f) cs_mustcheck;
enum cs_err db_view_feed_status_total(
    struct db *db, const char *feed_id, int64_t max, int64_t *total, struct fault *f) cs_mustcheck;

struct view_counts {
	int64_t pending;	 /* assigned included */
	int64_t executing;	 /* claimed included */
	int64_t completed_today; /* the UTC day */
	int64_t failed_today;	 /* timeout included */
	int64_t online_nodes;	 /* active child nodes with a recent sign of life */
	bool exact;
};
/* What is above DB_TOTAL_MAX is as cascaded counted it last, else at least that: then not exact. */
enum cs_err db_view_counts(
    struct db *db, const struct conf *conf, struct view_counts *out, struct fault *f) cs_mustcheck;

/* Rows of view_occurrence, newest first, of task TASK_ID (NULL: of all): what the schedule made of
 * what fell due. */
enum cs_err db_view_occurrences(struct db *db, const char *task_id, int64_t limit,
    struct db_rows *rows, struct fault *f) cs_mustcheck;

struct view_load {
	int64_t nodes;	  /* child nodes */
	int64_t open;	  /* work assigned to or held by those online */
	int64_t capacity; /* of those online */
};
enum cs_err db_view_load(
    struct db *db, const struct conf *conf, struct view_load *out, struct fault *f) cs_mustcheck;
/* The row id, task_name, ready_at, seconds waited of what has waited longest; none where nothing
 * waits. */
enum cs_err db_view_oldest(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Rows of view_beat. */
enum cs_err db_view_beats(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;

#endif
