/* SPDX-License-Identifier: MIT */
/*
 * Credentials and signs of life, read anew for every request: nothing is remembered but where the
 * row was, so a revoked credential is refused from the next request on. Text is in the caller's
 * arena.
 */
#ifndef CS_DB_DB_AUTH_H
#define CS_DB_DB_AUTH_H

#include "base/arena.h"
#include "conf/conf.h"
#include "db/db.h"

struct db_auth_user {
	bool found;
	bool active;
	const char *username;
	const char *role; /* never NULL */
};

struct db_auth_key { /* a user's access key */
	bool found;
	bool usable;	 /* the key is active and not expired, its user active */
	const char *key; /* as stored: compare exactly, the collation does not */
	const char *secret_hash;
	const char *username;
	const char *role;
};

struct db_auth_node {
	bool found;
	const char *key; /* as stored */
	const char *secret_hash;
	const char *node_id;
	const char *name;
	int node_type;
	bool active;
	int64_t node; /* cascade_node.seq */
	int64_t open_count;
	int64_t max_capacity;
	bool draining, on_hold;
	int64_t assigned;   /* grows whenever work is assigned to it */
	bool touch_due;	    /* the last sign of life is older than node.touch */
	bool heartbeat_due; /* so is the last heartbeat */
	bool steady; /* shown online, its last heartbeat younger than half of node.offline_after */
};

/* Where keys of nodes are found is remembered, from now on, by this process and those that it forks
 * together. False: there is no memory for that, and each node is looked for by its key, as before.
 * Called once. */
bool db_auth_share(void);
enum cs_err db_auth_user(struct db *db, const char *username, struct arena *a,
    struct db_auth_user *out, struct fault *f) cs_mustcheck;
enum cs_err db_auth_key(struct db *db, const char *key, struct arena *a, struct db_auth_key *out,
    struct fault *f) cs_mustcheck;
/* One read. Makes the cascade_node row of a node that WeRSS inserted and that has none yet. */
enum cs_err db_auth_node(struct db *db, const char *key, const struct conf *conf, struct arena *a,
    struct db_auth_node *out, struct fault *f) cs_mustcheck;
/* Writes a sign of life, one update by primary key; nothing if one is younger than node.touch. */
enum cs_err db_node_touch(
    struct db *db, int64_t node, const struct conf *conf, struct fault *f) cs_mustcheck;

#endif
