/* SPDX-License-Identifier: MIT */
/*
 * Tasks, feeds, users and access keys. A task stands in WeRSS's table and, where one of our own
 * settings was ever given, in cascade_task: both change in one transaction. Statements count rows
 * that changed, not rows found, so whatever must exist is looked up first.
 */
#include "db/db_admin.h"

#include <stdlib.h>

static const struct view_col task_cols[] = {
	{ "id", VIEW_TEXT },
	{ "name", VIEW_TEXT },
	{ "message_type", VIEW_INT },
	{ "message_template", VIEW_TEXT },
	{ "web_hook_url", VIEW_TEXT },
	{ "headers", VIEW_TEXT },
	{ "cookies", VIEW_TEXT },
	{ "mps_id", VIEW_TEXT },
	{ "cron_exp", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "feeds_per_allocation", VIEW_INT },
	{ "max_attempts", VIEW_INT },
	{ "priority", VIEW_INT },
	{ "timezone", VIEW_TEXT },
	{ "misfire", VIEW_TEXT },
	{ "overlap", VIEW_TEXT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_task = { task_cols, ARRAY_LEN(task_cols) };

static const struct view_col feed_cols[] = {
	{ "id", VIEW_TEXT },
	{ "faker_id", VIEW_TEXT },
	{ "mp_name", VIEW_TEXT },
	{ "mp_cover", VIEW_TEXT },
	{ "mp_intro", VIEW_TEXT },
	{ "status", VIEW_INT },
	{ "sync_time", VIEW_INT },
	{ "update_time", VIEW_INT },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_feed = { feed_cols, ARRAY_LEN(feed_cols) };

static const struct view_col user_cols[] = {
	{ "id", VIEW_TEXT },
	{ "username", VIEW_TEXT },
	{ "role", VIEW_TEXT },
	{ "nickname", VIEW_TEXT },
	{ "is_active", VIEW_BOOL },
	{ "created_at", VIEW_TEXT },
	{ "updated_at", VIEW_TEXT },
};
const struct view view_user = { user_cols, ARRAY_LEN(user_cols) };

static const struct view_col key_cols[] = {
	{ "key", VIEW_TEXT },
	{ "username", VIEW_TEXT },
	{ "name", VIEW_TEXT },
	{ "is_active", VIEW_BOOL },
	{ "created_at", VIEW_TEXT },
	{ "last_used_at", VIEW_TEXT },
	{ "expires_at", VIEW_TEXT },
};
const struct view view_key = { key_cols, ARRAY_LEN(key_cols) };

static struct db_arg
keep_or(int64_t n)
{
	return n == DB_KEEP ? A_NULL : A_I(n);
}

enum cs_err
db_task_list(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ADMIN_TASKS);
}

enum cs_err
db_task_get(struct db *db, const char *id, struct db_rows *rows, struct fault *f)
{
	TRY(DB_QUERY(db, f, rows, STMT_ADMIN_TASK, A_S(id)));
	if (!db_next(rows))
		return cs_fail(f, CS_ENOTFOUND, MSG_NO_TASK);
	return CS_OK;
}

static enum cs_err
task_must_exist(struct db *db, const char *id, struct fault *f)
{
	auto_rows r = { 0 };

	return db_task_get(db, id, &r, f);
}

/* Our own settings, where any is given. */
static enum cs_err
task_put_own(struct db *db, const char *id, const struct db_task *t, struct fault *f)
{
	struct db_arg feeds = keep_or(t->feeds_per_allocation);
	struct db_arg attempts = keep_or(t->max_attempts);
	struct db_arg priority = keep_or(t->priority);

	if (feeds.type == 'n' && attempts.type == 'n' && priority.type == 'n' &&
	    t->timezone == NULL && t->misfire == NULL && t->overlap == NULL)
		return CS_OK;
	return DB_EXEC(db, f, NULL, STMT_ADMIN_TASK_OWN, A_S(id), feeds, attempts, priority,
	    A_S(t->timezone), A_S(t->misfire), A_S(t->overlap), feeds, attempts, priority,
	    A_S(t->timezone), A_S(t->misfire), A_S(t->overlap));
}

enum cs_err
db_task_add(struct db *db, const char *id, const struct db_task *t, struct fault *f)
{
	auto_tx tx = { 0 };
	enum cs_err err;

	TRY(db_begin(db, &tx, f));
	err = DB_EXEC(db, f, NULL, STMT_ADMIN_TASK_ADD, A_S(id),
	    A_I(t->message_type == DB_KEEP ? 0 : t->message_type), A_S(t->name),
	    A_S(t->message_template), A_S(t->web_hook_url), A_S(t->headers), A_S(t->cookies),
	    A_S(t->mps_id), A_S(t->cron_exp), keep_or(t->status));
	if (err == CS_ECONFLICT)
		return cs_fail(f, CS_ECONFLICT, MSG_ID_TAKEN, id);
	TRY(err);
	TRY(task_put_own(db, id, t, f));
	return db_commit(&tx, f);
}

enum cs_err
db_task_set(struct db *db, const char *id, const struct db_task *t, struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(task_must_exist(db, id, f));
	TRY(DB_EXEC(db, f, NULL, STMT_ADMIN_TASK_SET, A_S(t->name), keep_or(t->message_type),
	    A_S(t->message_template), A_S(t->web_hook_url), A_S(t->headers), A_S(t->cookies),
	    A_S(t->mps_id), A_S(t->cron_exp), keep_or(t->status), A_S(id)));
	TRY(task_put_own(db, id, t, f));
	return db_commit(&tx, f);
}

enum cs_err
db_task_rm(struct db *db, const char *id, struct fault *f)
{
	uint64_t removed = 0;

	TRY(DB_EXEC(db, f, &removed, STMT_ADMIN_TASK_RM, A_S(id)));
	return removed == 1 ? CS_OK : cs_fail(f, CS_ENOTFOUND, MSG_NO_TASK);
}

enum cs_err
db_task_schedules(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ADMIN_SCHEDULES);
}

enum cs_err
db_task_schedule(struct db *db, const char *id, struct db_rows *rows, struct fault *f)
{
	TRY(DB_QUERY(db, f, rows, STMT_ADMIN_SCHEDULE, A_S(id)));
	return db_next(rows) ? CS_OK : cs_fail(f, CS_ENOTFOUND, MSG_NO_TASK);
}

enum cs_err
db_feed_list(struct db *db, int64_t limit, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ADMIN_FEEDS, A_I(limit));
}

enum cs_err
db_feed_name(struct db *db, const char *id, struct arena *a, const char **id_out,
    const char **name_out, struct fault *f)
{
	auto_rows r = { 0 };

	*id_out = *name_out = NULL;
	TRY(DB_QUERY(db, f, &r, STMT_ADMIN_FEED_NAME, A_S(id)));
	if (!db_next(&r))
		return CS_OK;
	*id_out = arena_strdup(a, db_s(&r, 0));
	*name_out = arena_strdup(a, db_s(&r, 1));
	if (*id_out == NULL || *name_out == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	return CS_OK;
}

#define FEED_ARGS 11

enum cs_err
db_feed_put(struct db *db, const struct db_feed *feeds, size_t n, struct fault *f)
{
	auto_tx tx = { 0 };
	struct db_arg *args;
	enum cs_err err;

	if (n == 0)
		return CS_OK;
	args = calloc(n, FEED_ARGS * sizeof(*args));
	if (args == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	for (size_t i = 0; i < n; i++) {
		const struct db_feed *d = &feeds[i];
		const struct db_arg row[FEED_ARGS] = { A_S(d->id), A_S(d->mp_name),
			A_S(d->faker_id), A_S(d->mp_cover), A_S(d->mp_intro), keep_or(d->status),
			A_S(d->mp_name), A_S(d->faker_id), A_S(d->mp_cover), A_S(d->mp_intro),
			keep_or(d->status) };

		for (size_t k = 0; k < FEED_ARGS; k++)
			args[i * FEED_ARGS + k] = row[k];
	}
	err = db_begin(db, &tx, f);
	if (err == CS_OK)
		err = db_exec_bulk(db, f, NULL, STMT_ADMIN_FEED_PUT, args, FEED_ARGS, n);
	free(args);
	TRY(err);
	return db_commit(&tx, f);
}

enum cs_err
db_feed_set_status(struct db *db, const char *id, int64_t status, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ADMIN_FEED_NAME, A_S(id)));
	if (!db_next(&r))
		return cs_fail(f, CS_ENOTFOUND, MSG_NO_FEED);
	return DB_EXEC(db, f, NULL, STMT_ADMIN_FEED_STATUS, A_I(status), A_S(id));
}

enum cs_err
db_feed_rm(struct db *db, const char *id, struct fault *f)
{
	uint64_t removed = 0;

	TRY(DB_EXEC(db, f, &removed, STMT_ADMIN_FEED_RM, A_S(id)));
	return removed == 1 ? CS_OK : cs_fail(f, CS_ENOTFOUND, MSG_NO_FEED);
}

enum cs_err
db_user_list(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ADMIN_USERS);
}

enum cs_err
db_user_get(
    struct db *db, const char *username, struct arena *a, struct db_user *out, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_ADMIN_USER, A_S(username)));
	if (!db_next(&r))
		return cs_fail(f, CS_ENOTFOUND, MSG_NO_USER, username);
	out->id = arena_strdup(a, db_s(&r, 0));
	out->username = arena_strdup(a, db_s(&r, 1));
	out->active = db_i(&r, 2) == 1;
	if (out->id == NULL || out->username == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	return CS_OK;
}

enum cs_err
db_user_add(struct db *db, const struct db_user *user, const char *password_hash, const char *role,
    const char *nickname, struct fault *f)
{
	enum cs_err err = DB_EXEC(db, f, NULL, STMT_ADMIN_USER_ADD, A_S(user->id),
	    A_S(user->username), A_S(password_hash), A_S(role), A_S(nickname));

	if (err == CS_ECONFLICT)
		return cs_fail(f, CS_ECONFLICT, MSG_USER_EXISTS, user->username);
	return err;
}

enum cs_err
db_user_set_password(struct db *db, const char *id, const char *password_hash, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ADMIN_USER_PASSWORD, A_S(password_hash), A_S(id));
}

enum cs_err
db_user_set_active(struct db *db, const char *id, bool active, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ADMIN_USER_ACTIVE, A_I(active), A_S(id));
}

enum cs_err
db_user_set(struct db *db, const char *id, const char *role, const char *nickname, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ADMIN_USER_SET, A_S(role), A_S(nickname), A_S(id));
}

enum cs_err
db_user_rm(struct db *db, const char *id, struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, NULL, STMT_ADMIN_USER_KEYS_RM, A_S(id)));
	TRY(DB_EXEC(db, f, NULL, STMT_ADMIN_USER_RM, A_S(id)));
	return db_commit(&tx, f);
}

enum cs_err
db_key_list(struct db *db, struct db_rows *rows, struct fault *f)
{
	return DB_QUERY(db, f, rows, STMT_ADMIN_KEYS);
}

enum cs_err
db_key_add(struct db *db, const char *id, const char *user_id, const char *key,
    const char *secret_hash, const char *name, int64_t ttl_s, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_ADMIN_KEY_ADD, A_S(id), A_S(user_id), A_S(key),
	    A_S(secret_hash), A_S(name), ttl_s == 0 ? A_NULL : A_I(ttl_s));
}

enum cs_err
db_key_rm(struct db *db, const char *key, struct fault *f)
{
	uint64_t removed = 0;

	TRY(DB_EXEC(db, f, &removed, STMT_ADMIN_KEY_RM, A_S(key)));
	return removed == 1 ? CS_OK : cs_fail(f, CS_ENOTFOUND, MSG_NO_KEY);
}
