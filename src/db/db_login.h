/* SPDX-License-Identifier: MIT */
/* Logins with a password: what is stored of the user, and how often it went wrong lately. */
#ifndef CS_DB_DB_LOGIN_H
#define CS_DB_DB_LOGIN_H

#include "base/arena.h"
#include "conf/conf.h"
#include "db/db.h"

struct db_login_user {	      /* text in the caller's arena */
	const char *username; /* as stored; NULL: there is none */
	const char *password_hash;
	bool active;
};

/*
 * Begins an attempt of USERNAME from ADDRESS: it counts as a failure until db_login_done(), so that
 * many at once cannot outrun the count. CS_ETOOMANY, with the time to wait, above the limits.
 */
enum cs_err db_login_begin(struct db *db, const struct conf *conf, const char *username,
    const char *address, struct fault *f) cs_mustcheck;
/* The attempt succeeded: the account's failures are forgotten, the address's are one less. */
enum cs_err db_login_done(
    struct db *db, const char *username, const char *address, struct fault *f) cs_mustcheck;
enum cs_err db_login_user(struct db *db, const char *username, struct arena *a,
    struct db_login_user *out, struct fault *f) cs_mustcheck;

#endif
