/* SPDX-License-Identifier: MIT */
/*
 * Credentials as they are stored now, for fcgi/guard.c to compare, and signs of life. Lookups go by
 * the database's collation, which ignores case: among nodes the very key is picked here, since
 * their key is not unique to the database.
 */
#include "db/db_auth.h"

#include "db/db_node.h"
#include "db/db_priv.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Where keys of nodes were found last: half of the key's hash and the node in one word, so that
 * processes read and write it without a lock; 0: nothing. A key has two places, of which it is
 * written to the first; what was there moves to the second. 2 MiB, touched as far as there are
 * nodes.
 */
#define PLACES (1u << 18)
static _Atomic uint64_t *places;

/* Columns of STMT_AUTH_NODE. */
enum {
	N_KEY,
	N_HASH,
	N_ID,
	N_NAME,
	N_TYPE,
	N_ACTIVE,
	N_SEQ,
	N_OPEN,
	N_CAPACITY,
	N_DRAINING,
	N_TOUCH_DUE,
	N_HEARTBEAT_DUE,
	N_ON_HOLD,
	N_ASSIGNED,
	N_STEADY,
};

/* Copies text that is not NULL; false: out of memory. */
static bool
keep(struct arena *a, const struct db_rows *r, unsigned col, const char **out)
{
	const char *s = db_s(r, col);

	*out = arena_strdup(a, s);
	return s == NULL || *out != NULL;
}

enum cs_err
db_auth_user(
    struct db *db, const char *username, struct arena *a, struct db_auth_user *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_auth_user){ .role = "" };
	TRY(DB_QUERY(db, f, &r, STMT_AUTH_USER, A_S(username)));
	if (!db_next(&r))
		return CS_OK;
	if (!keep(a, &r, 0, &out->username) || !keep(a, &r, 2, &out->role))
		return cs_detail(f, CS_ENOMEM, "user");
	out->active = db_i(&r, 1) != 0;
	out->found = true;
	return CS_OK;
}

enum cs_err
db_auth_key(
    struct db *db, const char *key, struct arena *a, struct db_auth_key *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_auth_key){ .role = "" };
	TRY(DB_QUERY(db, f, &r, STMT_AUTH_KEY, A_S(key)));
	if (!db_next(&r))
		return CS_OK;
	if (!keep(a, &r, 0, &out->key) || !keep(a, &r, 1, &out->secret_hash) ||
	    !keep(a, &r, 2, &out->username) || !keep(a, &r, 3, &out->role))
		return cs_detail(f, CS_ENOMEM, "access key");
	out->usable = db_i(&r, 4) != 0;
	out->found = true;
	return CS_OK;
}

static uint64_t
hash_of(const char *key)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
	return hash;
}

bool
db_auth_share(void)
{
	void *p = mmap(NULL, PLACES * sizeof(*places), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	places = p != MAP_FAILED ? p : NULL;
	return places != NULL;
}

/* 0: not known. */
static uint32_t
recall(uint64_t hash)
{
	for (unsigned i = 0; i < 2 && places != NULL; i++) {
		uint64_t place =
		    atomic_load_explicit(&places[(hash ^ i) % PLACES], memory_order_relaxed);

		if (place >> 32 == hash >> 32)
			return (uint32_t)place;
	}
	return 0;
}

static void
remember(uint64_t hash, uint32_t node)
{
	_Atomic uint64_t *first, *second;
	uint64_t place;

	if (places == NULL)
		return;
	first = &places[hash % PLACES];
	second = &places[(hash ^ 1) % PLACES];
	place = atomic_load_explicit(first, memory_order_relaxed);
	if (place >> 32 != hash >> 32)
		atomic_store_explicit(second, place, memory_order_relaxed);
	place = (hash >> 32) << 32 | node;
	atomic_store_explicit(first, place, memory_order_relaxed);
}

/* The row of R whose key is KEY, if there is one. */
static enum cs_err
pick_node(
    struct db_rows *r, const char *key, struct arena *a, struct db_auth_node *out, struct fault *f)
{
	*out = (struct db_auth_node){ 0 };
	do {
		if (!db_next(r))
			return CS_OK;
	} while (db_is_null(r, N_KEY) || strcmp(db_s(r, N_KEY), key) != 0);
	if (!keep(a, r, N_KEY, &out->key) || !keep(a, r, N_HASH, &out->secret_hash) ||
	    !keep(a, r, N_ID, &out->node_id) || !keep(a, r, N_NAME, &out->name))
		return cs_detail(f, CS_ENOMEM, "node");
	out->node_type = (int)db_i(r, N_TYPE);
	out->active = db_i(r, N_ACTIVE) != 0;
	out->node = db_i(r, N_SEQ);
	out->open_count = db_i(r, N_OPEN);
	out->max_capacity = db_i(r, N_CAPACITY);
	out->draining = db_i(r, N_DRAINING) != 0;
	out->on_hold = db_i(r, N_ON_HOLD) != 0;
	out->assigned = db_i(r, N_ASSIGNED);
	out->touch_due = db_i(r, N_TOUCH_DUE) != 0;
	out->heartbeat_due = db_i(r, N_HEARTBEAT_DUE) != 0;
	out->steady = db_i(r, N_STEADY) != 0;
	out->found = true;
	return CS_OK;
}

/*
 * Reads the node as it is now. Only where to look is remembered: a key that is another's by now, or
 * nobody's, is not there, and is looked for.
 */
static enum cs_err
read_node(struct db *db, const char *key, const struct conf *conf, struct arena *a,
    struct db_auth_node *out, struct fault *f)
{
	uint64_t hash = hash_of(key);
	uint32_t place = recall(hash);
	int64_t steady_s = conf->offline_after_s / 2;
	auto_rows r = { 0 };

	if (place != 0) {
		auto_rows at = { 0 };

		TRY(DB_QUERY(db, f, &at, STMT_AUTH_NODE_AT, A_I(conf->touch_s), A_I(conf->touch_s),
		    A_I(steady_s), A_I(place)));
		TRY(pick_node(&at, key, a, out, f));
		if (out->found)
			return CS_OK;
	}
	TRY(DB_QUERY(db, f, &r, STMT_AUTH_NODE, A_I(conf->touch_s), A_I(conf->touch_s),
	    A_I(steady_s), A_S(key)));
	TRY(pick_node(&r, key, a, out, f));
	if (out->node != 0)
		remember(hash, (uint32_t)out->node);
	return CS_OK;
}

enum cs_err
db_auth_node(struct db *db, const char *key, const struct conf *conf, struct arena *a,
    struct db_auth_node *out, struct fault *f)
{
	TRY(read_node(db, key, conf, a, out, f));
	if (!out->active || out->node != 0)
		return CS_OK;
	TRY(db_node_sync(db, conf, out->node_id, f));
	return read_node(db, key, conf, a, out, f);
}

enum cs_err
db_node_touch(struct db *db, int64_t node, const struct conf *conf, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_NODE_TOUCH, A_I(node), A_I(conf->touch_s));
}
