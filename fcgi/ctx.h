/* SPDX-License-Identifier: MIT */
/*
 * What a handler gets: one struct ctx, its only argument. Everything in it dies with the request.
 */
#ifndef CS_FCGI_CTX_H
#define CS_FCGI_CTX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "db/db.h"
#include "json/jw.h"
#include "json/jx.h"

enum method { M_GET, M_POST, M_PUT, M_DELETE, M__MAX };

#define REQ_MAX_QUERY  32
#define REQ_MAX_PARAMS 4

struct pair {
	const char *name;
	const char *value;
};

/* A request, parsed. All text is in the arena, UTF-8 checked, percent-decoded. */
struct req {
	enum method method;
	const char *path;		/* below the mount, no final slash: "/nodes/abc" */
	const struct conf_mount *mount; /* NULL for /healthz, /readyz */
	struct pair query[REQ_MAX_QUERY];
	size_t nquery;
	struct pair param[REQ_MAX_PARAMS]; /* {name} segments of the route */
	size_t nparams;
	const char *authorization;   /* NULL: no such header */
	const char *encoding;	     /* Content-Encoding; NULL: none, or undone already */
	const char *idempotency_key; /* NULL: no such header */
	const char *if_none_match;   /* NULL: no such header */
	const char *accept_language;
	const char *remote_addr;
	const char *id;	  /* X-Request-Id: the caller's if sane, else generated */
	const char *body; /* raw, NULL when empty */
	size_t body_len;
	const struct jx *json; /* its root where the route asks for JSON; NULL: absent or null */
	struct jx_doc *doc;    /* what json belongs to; kept over retries, freed by worker.c */
};

enum principal_kind { WHO_NONE, WHO_NODE, WHO_USER };

/* Who calls; filled by guard.c from the database, for this request only. */
struct principal {
	enum principal_kind kind;
	const char *name; /* node id or username: for logs and audit */
	bool admin;	  /* WHO_USER: its role is one of admin_roles */
	/* WHO_NODE: the row as just read */
	const char *node_id;
	const char *node_name;
	int64_t node; /* cascade_node.seq */
	int64_t open_count;
	int64_t max_capacity;
	bool draining;
	bool on_hold;	    /* it asked for no work for now */
	int64_t assigned;   /* grows whenever work is assigned to it */
	bool touch_due;	    /* last sign of life is older than node.touch: write one */
	bool heartbeat_due; /* the same of the last heartbeat */
	bool steady;	    /* shown online, and for a while yet */
};

/* The answer under construction. */
struct res {
	int status; /* HTTP; 200 unless changed */
	enum msg_id message;
	char text[256]; /* rendered message; used instead of message unless "" */
	struct jw w;	/* writes the value of "data"; untouched means null */
	struct buf data;
	bool bare;	  /* data is the whole body (openapi.json), not an envelope's */
	const char *type; /* its Content-Type; NULL: application/json */
	bool no_store;	  /* Cache-Control: no-store */
	const char *etag; /* quoted: may be kept, and is to be asked for anew; NULL: none */
	int64_t pulled;	  /* what a node was given, for the sync log */
};

struct candidates; /* the worker's list of claimable work: claim.h */
struct alive;	   /* signs of life that are still to be written: alive.h */
struct metrics;	   /* the pool's counters: metrics.h */

struct ctx {
	struct arena *arena;
	const struct conf *conf;
	struct db *db;
	struct candidates *candidates;
	struct alive *alive;
	struct metrics *metrics;
	struct req *req;
	struct res *res;
	struct principal who;
	struct buf *inflated; /* the worker's, for a body that came compressed */
	int64_t started_us;   /* monotonic */
	struct fault fault;
};

/* Sets the message of a successful answer. Returns CS_OK, so a handler may end with it. */
enum cs_err res_ok(struct ctx *c, enum msg_id message);
/* As res_ok() with a message that has arguments. */
enum cs_err res_ok_text(struct ctx *c, enum msg_id message, ...);

/* The value of {NAME} of the route; never NULL for a name in the route's pattern. */
const char *req_param(const struct ctx *c, const char *name);
/* The query parameter NAME, NULL when absent or empty. The last one wins. */
const char *req_query(const struct ctx *c, const char *name);
/* An integer query parameter; absent: DEF. CS_EINVALID (422) naming it, unless within [MIN, MAX].
 */
enum cs_err req_query_int(struct ctx *c, const char *name, int64_t def, int64_t min, int64_t max,
    int64_t *out) cs_mustcheck;
/* A text query parameter of at most MAX characters; absent or empty: NULL. */
enum cs_err req_query_text(
    struct ctx *c, const char *name, size_t max, const char **out) cs_mustcheck;
/* limit (1..200, 50) and offset (0..) as every listing takes them. */
enum cs_err req_page(struct ctx *c, int64_t *limit, int64_t *offset) cs_mustcheck;
/* Writes "total" (exact to DB_TOTAL_MAX, else "total_exact": false). */
void res_total(struct ctx *c, int64_t total);
/* Every element of ARR (NULL: none) must be an object: else CS_EINVALID (422) naming NAME[i]. */
enum cs_err req_objects(struct ctx *c, const struct jx *arr, const char *name) cs_mustcheck;

#endif
