/* SPDX-License-Identifier: MIT */
/*
 * What an administrator keeps: tasks, feeds, users and their access keys. Listings are views
 * (db_view.h). In what is to be stored NULL and DB_KEEP leave alone what is there.
 */
#ifndef CS_DB_DB_ADMIN_H
#define CS_DB_DB_ADMIN_H

#include "base/arena.h"
#include "db/db.h"
#include "db/db_view.h"

#define DB_KEEP INT64_MIN

extern const struct view view_task, view_feed, view_user, view_key;

struct db_task {
	const char *name;
	const char *message_template;
	const char *web_hook_url;
	const char *headers, *cookies; /* of the requests that children make */
	const char *mps_id; /* JSON array of {"id", "mp_name"}; empty: every enabled feed */
	const char *cron_exp;
	int64_t message_type;
	int64_t status; /* 1 enabled */
	int64_t feeds_per_allocation;
	int64_t max_attempts; /* 0: the configuration's */
	int64_t priority;
	const char *timezone; /* of cron_exp; "": the configuration's */
	const char *misfire;  /* once, skip, all */
	const char *overlap;  /* skip, queue, replace */
};

/* Rows of view_task, oldest first. */
enum cs_err db_task_list(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* One row of view_task, already stepped to. CS_ENOTFOUND MSG_NO_TASK. */
enum cs_err db_task_get(
    struct db *db, const char *id, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* What is left alone gets its default; name must be given. CS_ECONFLICT for an id that is taken. */
enum cs_err db_task_add(
    struct db *db, const char *id, const struct db_task *task, struct fault *f) cs_mustcheck;
/* CS_ENOTFOUND MSG_NO_TASK. */
enum cs_err db_task_set(
    struct db *db, const char *id, const struct db_task *task, struct fault *f) cs_mustcheck;
/* Its waiting work fails at the next claim of it. CS_ENOTFOUND MSG_NO_TASK. */
enum cs_err db_task_rm(struct db *db, const char *id, struct fault *f) cs_mustcheck;

/* Rows of id, name, cron_exp and timezone ("": the configuration's) of the tasks that have a
 * cron_exp, oldest first. */
enum cs_err db_task_schedules(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* One such row, its cron_exp maybe empty, already stepped to. CS_ENOTFOUND MSG_NO_TASK. */
enum cs_err db_task_schedule(
    struct db *db, const char *id, struct db_rows *rows, struct fault *f) cs_mustcheck;

struct db_feed {
	const char *id;
	const char *mp_name, *faker_id, *mp_cover, *mp_intro;
	int64_t status; /* 1 enabled */
};

/* Rows of view_feed, oldest first, at most LIMIT. */
enum cs_err db_feed_list(
    struct db *db, int64_t limit, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Id as stored and name of feed ID, in the arena; *ID_OUT NULL where there is none. */
enum cs_err db_feed_name(struct db *db, const char *id, struct arena *a, const char **id_out,
    const char **name_out, struct fault *f) cs_mustcheck;
/* Inserts or changes N feeds: all or none. */
enum cs_err db_feed_put(
    struct db *db, const struct db_feed *feeds, size_t n, struct fault *f) cs_mustcheck;
/* CS_ENOTFOUND MSG_NO_FEED. */
enum cs_err db_feed_set_status(
    struct db *db, const char *id, int64_t status, struct fault *f) cs_mustcheck;
/* What is open of it fails where it has no other feed; its articles stay. CS_ENOTFOUND MSG_NO_FEED.
 */
enum cs_err db_feed_rm(struct db *db, const char *id, struct fault *f) cs_mustcheck;

struct db_user {
	const char *id;
	const char *username; /* as stored: compared without case there */
	bool active;
};

/* Rows of view_user, by name. */
enum cs_err db_user_list(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* Text in the arena. CS_ENOTFOUND MSG_NO_USER. */
enum cs_err db_user_get(struct db *db, const char *username, struct arena *a, struct db_user *out,
    struct fault *f) cs_mustcheck;
/* NICKNAME may be NULL. CS_ECONFLICT MSG_USER_EXISTS. */
enum cs_err db_user_add(struct db *db, const struct db_user *user, const char *password_hash,
    const char *role, const char *nickname, struct fault *f) cs_mustcheck;
enum cs_err db_user_set_password(
    struct db *db, const char *id, const char *password_hash, struct fault *f) cs_mustcheck;
enum cs_err db_user_set_active(
    struct db *db, const char *id, bool active, struct fault *f) cs_mustcheck;
/* NULL keeps what is stored. */
enum cs_err db_user_set(struct db *db, const char *id, const char *role, const char *nickname,
    struct fault *f) cs_mustcheck;
/* With its access keys. */
enum cs_err db_user_rm(struct db *db, const char *id, struct fault *f) cs_mustcheck;

/* Rows of view_key, oldest first. */
enum cs_err db_key_list(struct db *db, struct db_rows *rows, struct fault *f) cs_mustcheck;
/* NAME may be NULL; TTL_S 0: never expires. */
enum cs_err db_key_add(struct db *db, const char *id, const char *user_id, const char *key,
    const char *secret_hash, const char *name, int64_t ttl_s, struct fault *f) cs_mustcheck;
/* CS_ENOTFOUND MSG_NO_KEY. */
enum cs_err db_key_rm(struct db *db, const char *key, struct fault *f) cs_mustcheck;

#endif
