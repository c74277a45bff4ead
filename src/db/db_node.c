/* SPDX-License-Identifier: MIT */
/*
 * Nodes: what administrators do to them, and keeping our rows in step with the ones that WeRSS
 * writes. sync_config is taken apart in SQL (stmt_node.def), the only place where it may be
 * anything. Lock order: cascade_node, then everything else. Work is given back after the commit
 * that makes its node inactive, since every allocation is a transaction of its own; no claim can
 * come in between.
 */
#include "db/db_node.h"

#include "base/clock.h"
#include "base/log.h"
#include "db/db_alloc.h"

#include <stdio.h>
#include <string.h>

#define SYNC_WINDOW 10000 /* nodes a step of a walk */

/* Columns of STMT_NODE_GET and STMT_NODE_LIST from the type on. */
enum {
	COL_TYPE = 13,
	COL_ACTIVE,
	COL_ONLINE,
	COL_DRAINING,
	COL_SEQ,
	COL_OPEN,
	COL_CAPACITY,
	COL_HOLD_UNTIL,
};

static void
read_row(const struct db_rows *r, struct db_node *out)
{
	*out = (struct db_node){
		.id = db_s(r, 0),
		.name = db_s(r, 1),
		.description = db_s(r, 2),
		.api_url = db_s(r, 3),
		.callback_url = db_s(r, 4),
		.api_key = db_s(r, 5),
		.parent_id = db_s(r, 6),
		.sync_config = db_s(r, 7),
		.last_sync_at = db_s(r, 8),
		.last_heartbeat_at = db_s(r, 9),
		.last_seen_at = db_s(r, 10),
		.created_at = db_s(r, 11),
		.updated_at = db_s(r, 12),
		.node_type = (int)db_i(r, COL_TYPE),
		.is_active = db_i(r, COL_ACTIVE) != 0,
		.online = db_i(r, COL_ONLINE) != 0,
		.draining = db_i(r, COL_DRAINING) != 0,
		.seq = db_i(r, COL_SEQ),
		.open_count = db_i(r, COL_OPEN),
		.max_capacity = db_i(r, COL_CAPACITY),
		.hold_until = db_s(r, COL_HOLD_UNTIL),
	};
}

static enum cs_err
no_node(struct fault *f)
{
	return cs_fail(f, CS_ENOTFOUND, MSG_NO_NODE);
}

bool
db_node_next(struct db_rows *rows, struct db_node *out)
{
	if (!db_next(rows))
		return false;
	read_row(rows, out);
	return true;
}

enum cs_err
db_node_get(struct db *db, const struct conf *conf, const char *id, struct db_rows *rows,
    struct db_node *out, struct fault *f)
{
	TRY(DB_QUERY(db, f, rows, STMT_NODE_GET, A_I(conf->offline_after_s),
	    A_I(conf->default_capacity), A_S(id)));
	if (!db_node_next(rows, out) || strcmp(out->id, id) != 0)
		return no_node(f);
	return CS_OK;
}

enum cs_err
db_node_list(
    struct db *db, const struct conf *conf, int type, struct db_rows *rows, struct fault *f)
{
	struct db_arg want = type < 0 ? A_NULL : A_I(type);

	return DB_QUERY(db, f, rows, STMT_NODE_LIST, A_I(conf->offline_after_s),
	    A_I(conf->default_capacity), want, want);
}

/* Locks our row of node ID; *SEQ 0: there is none. */
static enum cs_err
lock_ours(struct db *db, const char *id, int64_t *seq, struct fault *f)
{
	auto_rows r = { 0 };

	*seq = 0;
	TRY(DB_QUERY(db, f, &r, STMT_NODE_LOCK, A_S(id)));
	if (db_next(&r) && strcmp(db_s(&r, 1), id) == 0)
		*seq = db_i(&r, 0);
	return CS_OK;
}

/* Locks the shown row of node ID; *TYPE -1: there is none. */
static enum cs_err
lock_shown(struct db *db, const char *id, int *type, struct fault *f)
{
	auto_rows r = { 0 };

	*type = -1;
	TRY(DB_QUERY(db, f, &r, STMT_NODE_LOCK_SHOWN, A_S(id)));
	if (db_next(&r) && strcmp(db_s(&r, 0), id) == 0)
		*type = (int)db_i(&r, 1);
	return CS_OK;
}

/* Part of the caller's transaction: our rows of node ID follow its shown row. *SEQ as lock_ours().
 */
static enum cs_err
follow(struct db *db, const struct conf *conf, const char *id, int64_t *seq, struct fault *f)
{
	TRY(lock_ours(db, id, seq, f));
	if (*seq == 0) {
		TRY(DB_EXEC(db, f, NULL, STMT_NODE_ADOPT, A_S(id)));
		TRY(lock_ours(db, id, seq, f));
	}
	if (*seq == 0)
		return CS_OK;
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_CONFIG, A_I(conf->default_capacity), A_S(id)));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_QUOTA_CLEAR, A_I(*seq)));
	return DB_EXEC(db, f, NULL, STMT_NODE_QUOTA_FILL, A_I(*seq), A_S(id), A_S(id));
}

enum cs_err
db_node_create(struct db *db, const struct conf *conf, const struct db_node_new *node,
    char id[UUID_LEN + 1], struct fault *f)
{
	const char *used = node->id != NULL ? node->id : id;
	auto_tx tx = { 0 };
	int64_t seq;

	if (node->id == NULL && !ident_uuid7(id, clock_wall_ms()))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_INSERT, A_S(used), A_I(node->node_type), A_S(node->name),
	    A_S(node->description), A_S(node->api_url)));
	TRY(follow(db, conf, used, &seq, f));
	return db_commit(&tx, f);
}

static enum cs_err
change_shown(struct db *db, const char *id, const struct db_node_change *change, struct fault *f)
{
	struct db_arg active = change->set_active ? A_I(change->active) : A_NULL;

	return DB_EXEC(db, f, NULL, STMT_NODE_UPDATE, A_S(change->name),
	    A_I(change->set_description), A_S(change->description), A_I(change->set_api_url),
	    A_S(change->api_url), active, active, A_I(change->set_sync_config),
	    A_S(change->sync_config), A_S(id));
}

static enum cs_err
update_rows(struct db *db, const struct conf *conf, const char *id,
    const struct db_node_change *change, int64_t *seq, struct fault *f)
{
	auto_tx tx = { 0 };
	int type;

	TRY(db_begin(db, &tx, f));
	TRY(lock_ours(db, id, seq, f));
	TRY(lock_shown(db, id, &type, f));
	if (type < 0)
		return no_node(f);
	TRY(change_shown(db, id, change, f));
	TRY(follow(db, conf, id, seq, f));
	return db_commit(&tx, f);
}

enum cs_err
db_node_update(struct db *db, const struct conf *conf, const char *id,
    const struct db_node_change *change, struct fault *f)
{
	int64_t seq;

	TRY(update_rows(db, conf, id, change, &seq, f));
	if (seq == 0 || !change->set_active || change->active)
		return CS_OK;
	return db_alloc_release_node(db, conf, seq, EV_NODE_INACTIVE, true, NULL, f);
}

/* From here on no claim of the node succeeds. */
static enum cs_err
delete_shown(struct db *db, const char *id, int64_t *seq, struct fault *f)
{
	auto_tx tx = { 0 };
	int type;

	TRY(db_begin(db, &tx, f));
	TRY(lock_ours(db, id, seq, f));
	TRY(lock_shown(db, id, &type, f));
	/* our row alone: a deletion that was interrupted */
	if (type < 0 && *seq == 0)
		return no_node(f);
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_RETIRE, A_I(*seq)));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_DELETE, A_S(id)));
	return db_commit(&tx, f);
}

static enum cs_err
forget(struct db *db, int64_t seq, struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_FORGET, A_I(seq), A_I(seq)));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_QUOTA_CLEAR, A_I(seq)));
	return db_commit(&tx, f);
}

/* Gives back the work of a node that was deleted, then forgets it. */
static enum cs_err
bury(struct db *db, const struct conf *conf, int64_t seq, struct fault *f)
{
	TRY(db_alloc_release_node(db, conf, seq, EV_NODE_DELETED, true, NULL, f));
	return forget(db, seq, f);
}

enum cs_err
db_node_delete(struct db *db, const struct conf *conf, const char *id, struct fault *f)
{
	int64_t seq;

	TRY(delete_shown(db, id, &seq, f));
	return seq == 0 ? CS_OK : bury(db, conf, seq, f);
}

static enum cs_err
set_draining(
    struct db *db, const struct conf *conf, const char *id, bool on, int64_t *seq, struct fault *f)
{
	auto_tx tx = { 0 };
	int type;

	TRY(db_begin(db, &tx, f));
	TRY(lock_ours(db, id, seq, f));
	TRY(lock_shown(db, id, &type, f));
	if (type < 0)
		return no_node(f);
	if (type != NODE_CHILD)
		return cs_fail(f, CS_EINPUT, MSG_CHILD_DRAINS);
	if (*seq == 0)
		TRY(follow(db, conf, id, seq, f));
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_DRAIN, A_I(on), A_I(*seq)));
	return db_commit(&tx, f);
}

enum cs_err
db_node_drain(struct db *db, const struct conf *conf, const char *id, bool on, struct fault *f)
{
	int64_t seq;

	TRY(set_draining(db, conf, id, on, &seq, f));
	return on ? db_alloc_unreserve_node(db, conf, seq, f) : CS_OK;
}

enum cs_err
db_node_rotate(struct db *db, const char *id, char key[CREDENTIAL_LEN + 1],
    char secret[CREDENTIAL_LEN + 1], struct fault *f)
{
	char hash[SHA256_HEX_LEN + 1];
	auto_tx tx = { 0 };
	int type;

	if (!ident_credential(key, "CN") || !ident_credential(secret, "CS"))
		return cs_detail(f, CS_EINTERNAL, "no random numbers");
	ident_sha256(hash, secret, strlen(secret));
	TRY(db_begin(db, &tx, f));
	TRY(lock_shown(db, id, &type, f));
	if (type < 0)
		return no_node(f);
	if (type != NODE_CHILD)
		return cs_fail(f, CS_EINPUT, MSG_CHILD_ONLY);
	TRY(DB_EXEC(db, f, NULL, STMT_NODE_CREDENTIAL, A_S(key), A_S(hash), A_S(id)));
	return db_commit(&tx, f);
}

enum cs_err
db_node_sync(struct db *db, const struct conf *conf, const char *id, struct fault *f)
{
	auto_tx tx = { 0 };
	int64_t seq;

	TRY(db_begin(db, &tx, f));
	TRY(follow(db, conf, id, &seq, f));
	return db_commit(&tx, f);
}

/* One row of STMT_NODE_STALE or STMT_NODE_MISSING: node, id, gone, active. */
static enum cs_err
sync_row(struct db *db, const struct conf *conf, const struct db_rows *r, struct fault *f)
{
	int64_t seq = db_i(r, 0);

	if (db_i(r, 2) != 0) {
		TRY(DB_EXEC(db, f, NULL, STMT_NODE_RETIRE, A_I(seq)));
		return bury(db, conf, seq, f);
	}
	TRY(db_node_sync(db, conf, db_s(r, 1), f));
	if (db_i(r, 3) != 0)
		return CS_OK;
	return db_alloc_release_node(db, conf, seq, EV_NODE_INACTIVE, true, NULL, f);
}

static enum cs_err
sync_rows(struct db *db, const struct conf *conf, struct db_rows *r, struct fault *f)
{
	while (db_next(r)) {
		enum cs_err err = sync_row(db, conf, r, f);

		if (err == CS_EDBDOWN)
			return err;
		if (err != CS_OK)
			log_fault(LOG_LVL_WARN, "node_sync", f);
		fault_clear(f);
	}
	return CS_OK;
}

/* What others inserted, in the window after *AFTER, which becomes its end; "": of the table too. */
static enum cs_err
sync_shown(struct db *db, const struct conf *conf, char after[NODE_ID_SIZE], struct fault *f)
{
	auto_rows window = { 0 };
	auto_rows r = { 0 };
	const char *last;

	TRY(DB_QUERY(db, f, &window, STMT_NODE_SHOWN_WINDOW, A_S(after), A_I(SYNC_WINDOW - 1)));
	last = db_next(&window) ? db_s(&window, 0) : NULL;
	TRY(DB_QUERY(db, f, &r, STMT_NODE_MISSING, A_S(after), A_S(last), A_S(last)));
	TRY(sync_rows(db, conf, &r, f));
	snprintf(after, NODE_ID_SIZE, "%s", last != NULL ? last : "");
	return CS_OK;
}

/* What others changed or deleted, in the window after *AFTER; 0: as "" above. */
static enum cs_err
sync_ours(struct db *db, const struct conf *conf, int64_t *after, struct fault *f)
{
	auto_rows window = { 0 };
	auto_rows r = { 0 };
	bool more;

	TRY(DB_QUERY(db, f, &window, STMT_NODE_WINDOW, A_I(*after), A_I(SYNC_WINDOW - 1)));
	more = db_next(&window);
	TRY(DB_QUERY(db, f, &r, STMT_NODE_STALE, A_I(*after),
	    A_I(more ? db_i(&window, 0) : INT64_MAX), A_I(conf->default_capacity)));
	TRY(sync_rows(db, conf, &r, f));
	*after = more ? db_i(&window, 0) : 0;
	return CS_OK;
}

enum cs_err
db_node_sync_all(struct db *db, const struct conf *conf, struct db_node_walk *walk, struct fault *f)
{
	struct db_node_walk whole = { 0 }, *w = walk != NULL ? walk : &whole;

	do
		TRY(sync_shown(db, conf, w->shown, f));
	while (walk == NULL && w->shown[0] != '\0');
	do
		TRY(sync_ours(db, conf, &w->ours, f));
	while (walk == NULL && w->ours != 0);
	return CS_OK;
}
