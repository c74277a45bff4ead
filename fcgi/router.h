/* SPDX-License-Identifier: MIT */
/*
 * THE route table's row: what a route demands is said here as data, and enforced by guard.c before
 * the handler runs, so that no handler checks a credential, a size or a content type.
 */
#ifndef CS_FCGI_ROUTER_H
#define CS_FCGI_ROUTER_H

#include "db/db_sync.h"
#include "fcgi/ctx.h"

enum route_auth {
	AUTH_NONE,  /* anybody */
	AUTH_NODE,  /* a node; a user gets 403 MSG_NODE_ONLY */
	AUTH_READ,  /* any active user; a node gets 403 MSG_USER_ONLY */
	AUTH_ADMIN, /* a user whose role is in admin_roles, else 403 MSG_ROLE; a node 403
		       MSG_USER_ONLY */
	AUTH_ANY,   /* a node or any active user */
};

enum route_body {
	BODY_NONE,     /* ignored (still bounded) */
	BODY_OPTIONAL, /* JSON object, or absent, empty, null, {} : req->json may be NULL */
	BODY_JSON,     /* JSON object required */
	BODY_UPLOAD,   /* BODY_JSON up to upload_max */
};

enum route_flags {
	R_TOP = 1,	/* not below a mount but at the top: /healthz */
	R_WAIT_DB = 2,	/* a node's write: waits for a database that is away (database.wait) */
	R_TOUCHES = 4,	/* the handler writes the node's sign of life itself */
	R_LOGS = 8,	/* what succeeds logs itself, in the transaction that does it (sync.h) */
	R_NO_HEAD = 16, /* a GET that changes something: HEAD would, and show nothing of it */
};

struct route {
	enum method method;
	const char *pattern; /* "/nodes/{id}/credentials"; a segment is literal or {name} */
	enum route_auth auth;
	enum route_body body;
	unsigned flags;
	enum cs_err (*handler)(struct ctx *c);
	enum sync_op op; /* what a node's call is in the sync log */
};

extern const struct route routes[];
extern const size_t nroutes;

/*
 * The route of METHOD and PATH (below the mount; TOP: at the top). NULL: none. Then *ALLOW is ""
 * (404) or the methods that the path has, as of an Allow header (405). Fills REQ->param on success.
 */
const struct route *router_find(const char *method, const char *path, bool top, struct req *req,
    struct arena *a, char *allow, size_t allow_size);

/* The largest body of R, as it is sent and as it is inflated. */
int64_t route_body_max(const struct route *r, const struct conf *conf);
/* "GET", ... */
const char *router_method(enum method m);

/* Authenticates and authorises C->req for R, writes the node's sign of life where due, and parses
 * the body. Returns what is to be answered when it refuses. */
enum cs_err guard_enter(struct ctx *c, const struct route *r) cs_mustcheck;

#endif
