/* SPDX-License-Identifier: MIT */
/*
 * Nodes: the rows that WeRSS shares (we_cascade_nodes) and, for children, what we keep beside them
 * (cascade_node, cascade_quota). Ids are compared byte for byte, which the collation does not do.
 */
#ifndef CS_DB_DB_NODE_H
#define CS_DB_DB_NODE_H

#include "conf/conf.h"
#include "core/ident.h"
#include "db/db.h"

#define NODE_PARENT  0
#define NODE_CHILD   1
#define NODE_ID_SIZE (255 * 4 + 1) /* bytes of the longest id, with its end */

/* A node as it is shown. Text may be NULL (id and name are not) and belongs to the rows read from.
 */
struct db_node {
	const char *id, *name, *description, *api_url, *callback_url, *api_key, *parent_id;
	const char *sync_config; /* as stored, by whoever: not necessarily JSON */
	const char *last_sync_at, *last_heartbeat_at, *last_seen_at, *created_at, *updated_at;
	int node_type;
	bool is_active;
	bool
	    online; /* an active child whose last sign of life is younger than node.offline_after */
	bool draining;
	const char *hold_until; /* it asked for no work until then; NULL: it did not */
	int64_t seq; /* cascade_node.seq; 0: none (a parent, or a child not adopted yet) */
	int64_t open_count;
	int64_t max_capacity; /* 0 for a parent */
};

/* Reads node ID; *OUT lives as long as *ROWS, which the caller closes. CS_ENOTFOUND MSG_NO_NODE. */
enum cs_err db_node_get(struct db *db, const struct conf *conf, const char *id,
    struct db_rows *rows, struct db_node *out, struct fault *f) cs_mustcheck;
/* Opens the list of the nodes of TYPE (-1: every), newest first; one query, however many. */
enum cs_err db_node_list(struct db *db, const struct conf *conf, int type, struct db_rows *rows,
    struct fault *f) cs_mustcheck;
/* Steps to the next of ROWS; false at the end. *OUT lives until the next step. */
bool db_node_next(struct db_rows *rows, struct db_node *out);

struct db_node_new {
	const char *id; /* NULL: a new one is made */
	int node_type;
	const char *name;
	const char *description; /* never NULL */
	const char *api_url;	 /* NULL: none */
};
/* Creates a node and writes its id to ID where a new one is made. CS_ECONFLICT: the id is taken. */
enum cs_err db_node_create(struct db *db, const struct conf *conf, const struct db_node_new *node,
    char id[UUID_LEN + 1], struct fault *f) cs_mustcheck;

/* What to change; only what is set. */
struct db_node_change {
	const char *name; /* NULL: leave it */
	bool set_description, set_api_url, set_active, set_sync_config;
	const char *description; /* NULL: "" */
	const char *api_url;	 /* NULL: none */
	bool active;
	const char *sync_config; /* JSON object; NULL: defaults */
};
/*
 * Changes node ID: all of CHANGE or nothing. A node made inactive loses its work at once; if taking
 * it back is interrupted, db_node_sync_all() goes on. CS_ENOTFOUND MSG_NO_NODE.
 */
enum cs_err db_node_update(struct db *db, const struct conf *conf, const char *id,
    const struct db_node_change *change, struct fault *f) cs_mustcheck;
/* Deletes node ID; its work goes back to the pool. May be repeated where it was interrupted.
 * CS_ENOTFOUND MSG_NO_NODE. */
enum cs_err db_node_delete(
    struct db *db, const struct conf *conf, const char *id, struct fault *f) cs_mustcheck;
/*
 * Child ID gets no new work from now on (ON) or does again. What is reserved for it returns to the
 * pool at once; what it holds it finishes. CS_ENOTFOUND MSG_NO_NODE; CS_EINPUT for a parent.
 */
enum cs_err db_node_drain(
    struct db *db, const struct conf *conf, const char *id, bool on, struct fault *f) cs_mustcheck;
/* Gives child ID a new credential, of which only the hash is kept; the former is void from now on.
 * CS_ENOTFOUND MSG_NO_NODE; CS_EINPUT MSG_CHILD_ONLY for a parent. */
enum cs_err db_node_rotate(struct db *db, const char *id, char key[CREDENTIAL_LEN + 1],
    char secret[CREDENTIAL_LEN + 1], struct fault *f) cs_mustcheck;

/* Makes cascade_node and cascade_quota of child ID what its row and sync_config say; no matter for
 * a parent or an unknown node. */
enum cs_err db_node_sync(
    struct db *db, const struct conf *conf, const char *id, struct fault *f) cs_mustcheck;
/* Where a walk over all nodes stands; all zero at first. */
struct db_node_walk {
	int64_t ours;		  /* cascade_node.seq */
	char shown[NODE_ID_SIZE]; /* we_cascade_nodes.id */
};
/*
 * The same for every node that WeRSS inserted, changed or deleted; gives back the work of those
 * that are inactive or gone. With WALK a window a call, which begins anew behind the last node;
 * NULL: all. A node that cannot be synchronised is logged and does not keep the others.
 */
enum cs_err db_node_sync_all(struct db *db, const struct conf *conf, struct db_node_walk *walk,
    struct fault *f) cs_mustcheck;

#endif
