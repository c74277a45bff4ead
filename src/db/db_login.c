/* SPDX-License-Identifier: MIT */
/*
 * Logins. Failures are counted under the account's name as it was given, in the collation that
 * finds the user: other spellings of the same name are no other account.
 */
#include "db/db_login.h"

static enum cs_err
check_counts(struct db *db, const struct conf *conf, const char *username, const char *address,
    struct fault *f)
{
	const int64_t max[] = { conf->login_failures, conf->login_address_failures };
	auto_rows r = { 0 };
	int64_t wait_s = 0;

	TRY(DB_QUERY(
	    db, f, &r, STMT_LOGIN_COUNTS, A_I(conf->login_window_s), A_S(username), A_S(address)));
	while (db_next(&r)) {
		if (db_i(&r, 1) > max[db_i(&r, 0) != 0] && db_i(&r, 2) > wait_s)
			wait_s = db_i(&r, 2);
	}
	if (wait_s == 0)
		return CS_OK;
	/* what is not compared is no failure either */
	TRY(DB_EXEC(db, f, NULL, STMT_LOGIN_TAKE_BACK, A_S(username), A_S(address)));
	(void)cs_fail(f, CS_ETOOMANY, MSG_LOGIN_LIMIT);
	f->retry_after_s = (int)wait_s;
	return CS_ETOOMANY;
}

enum cs_err
db_login_begin(struct db *db, const struct conf *conf, const char *username, const char *address,
    struct fault *f)
{
	TRY(DB_EXEC(db, f, NULL, STMT_LOGIN_TRY, A_S(username), A_S(address),
	    A_I(conf->login_window_s), A_I(conf->login_window_s)));
	return check_counts(db, conf, username, address, f);
}

enum cs_err
db_login_done(struct db *db, const char *username, const char *address, struct fault *f)
{
	TRY(DB_EXEC(db, f, NULL, STMT_LOGIN_FORGIVE_USER, A_S(username)));
	return DB_EXEC(db, f, NULL, STMT_LOGIN_FORGIVE_ADDRESS, A_S(address));
}

enum cs_err
db_login_user(struct db *db, const char *username, struct arena *a, struct db_login_user *out,
    struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_login_user){ .username = NULL };
	TRY(DB_QUERY(db, f, &r, STMT_LOGIN_USER, A_S(username)));
	if (!db_next(&r))
		return CS_OK;
	out->username = arena_strdup(a, db_s(&r, 0));
	out->password_hash = arena_strdup(a, db_s(&r, 1));
	out->active = db_i(&r, 2) != 0;
	if (out->username == NULL || out->password_hash == NULL)
		return cs_detail(f, CS_ENOMEM, "user");
	return CS_OK;
}
