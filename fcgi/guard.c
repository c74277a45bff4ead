/* SPDX-License-Identifier: MIT */
/*
 * Enforces the columns of the route table: who may call, and what the body has to be. Nothing about
 * a principal is remembered between requests: a credential revoked, a node deactivated or a user
 * disabled is refused from the next request on. The body is parsed only for those who may call.
 */
#include "fcgi/router.h"

#include "base/clock.h"
#include "core/ident.h"
#include "db/db_auth.h"
#include "fcgi/credential.h"
#include "fcgi/inflate.h"

#include <string.h>
#include <strings.h>

#define NODE_KEY_PREFIX "CN"
#define NODE_TYPE_CHILD 1

static enum cs_err
refuse(struct ctx *c)
{
	return cs_fail(&c->fault, CS_EAUTH, MSG_NONE);
}

/* Is CRED the pair of KEY and SECRET_HASH as stored? Exact, which the database's collation is not.
 */
static bool
is_pair(const struct credential *cred, const char *key, const char *secret_hash)
{
	char hash[SHA256_HEX_LEN + 1];

	ident_sha256(hash, cred->secret, strlen(cred->secret));
	return key != NULL && secret_hash != NULL && strcmp(cred->key, key) == 0 &&
	       ident_equal(hash, secret_hash);
}

static bool
is_admin_role(const struct conf *conf, const char *role)
{
	for (size_t i = 0; i < conf->admin_roles.n; i++) {
		if (strcmp(conf->admin_roles.v[i], role) == 0)
			return true;
	}
	return false;
}

static enum cs_err
enter_user(struct ctx *c, const char *username, const char *role)
{
	c->who = (struct principal){
		.kind = WHO_USER,
		.name = username,
		.admin = is_admin_role(c->conf, role),
	};
	return CS_OK;
}

static enum cs_err
enter_node(struct ctx *c, const struct db_auth_node *n)
{
	c->who = (struct principal){
		.kind = WHO_NODE,
		.name = n->node_id,
		.node_id = n->node_id,
		.node_name = n->name,
		.node = n->node,
		.open_count = n->open_count,
		.max_capacity = n->max_capacity,
		.draining = n->draining,
		.on_hold = n->on_hold,
		.assigned = n->assigned,
		.touch_due = n->touch_due,
		.heartbeat_due = n->heartbeat_due,
		.steady = n->steady,
	};
	return CS_OK;
}

static enum cs_err
by_token(struct ctx *c, const struct credential *cred)
{
	const char *sub =
	    credential_subject(cred->token, c->conf->jwt_secret, clock_wall_s(), c->arena);
	struct db_auth_user u = { 0 };

	if (sub == NULL)
		return refuse(c);
	TRY(db_auth_user(c->db, sub, c->arena, &u, &c->fault));
	if (!u.found || !u.active)
		return refuse(c);
	return enter_user(c, u.username, u.role);
}

static enum cs_err
by_user_key(struct ctx *c, const struct credential *cred)
{
	struct db_auth_key k = { 0 };

	TRY(db_auth_key(c->db, cred->key, c->arena, &k, &c->fault));
	if (!k.found || !k.usable || !is_pair(cred, k.key, k.secret_hash))
		return refuse(c);
	return enter_user(c, k.username, k.role);
}

static enum cs_err
by_key(struct ctx *c, const struct credential *cred)
{
	struct db_auth_node n = { 0 };

	if (strncmp(cred->key, NODE_KEY_PREFIX, strlen(NODE_KEY_PREFIX)) != 0)
		return by_user_key(c, cred);
	TRY(db_auth_node(c->db, cred->key, c->conf, c->arena, &n, &c->fault));
	if (!n.found)
		return by_user_key(c, cred);
	if (!n.active || n.node_type != NODE_TYPE_CHILD || !is_pair(cred, n.key, n.secret_hash))
		return refuse(c);
	return enter_node(c, &n);
}

static enum cs_err
authenticate(struct ctx *c)
{
	struct credential cred;

	if (!credential_parse(c->req->authorization, c->arena, &cred))
		return refuse(c);
	return cred.kind == CRED_TOKEN ? by_token(c, &cred) : by_key(c, &cred);
}

static enum cs_err
authorise(struct ctx *c, enum route_auth auth)
{
	enum principal_kind kind = c->who.kind;

	if (auth == AUTH_NODE && kind != WHO_NODE)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_NODE_ONLY);
	if ((auth == AUTH_READ || auth == AUTH_ADMIN) && kind != WHO_USER)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_USER_ONLY);
	if (auth == AUTH_ADMIN && !c->who.admin)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_ROLE);
	return CS_OK;
}

/* Undoes the body's Content-Encoding, up to MAX bytes; only for those who may call, and once. */
static enum cs_err
decode_body(struct ctx *c, int64_t max)
{
	struct req *q = c->req;

	if (q->body == NULL || q->encoding == NULL || strcasecmp(q->encoding, "identity") == 0)
		return CS_OK;
	if (strcasecmp(q->encoding, "gzip") != 0 && strcasecmp(q->encoding, "x-gzip") != 0)
		return cs_bad_as(&c->fault, CS_EENCODING, "Content-Encoding", MSG_R_ENCODING);
	buf_reset(c->inflated);
	TRY(inflate_gzip(q->body, q->body_len, (size_t)max, c->inflated, &c->fault));
	q->body = c->inflated->data;
	q->body_len = c->inflated->len;
	q->encoding = NULL;
	return CS_OK;
}

static bool
is_blank(const struct req *q)
{
	return q->body == NULL || strspn(q->body, " \t\r\n") == q->body_len;
}

static enum cs_err
parse_body(struct ctx *c, const struct route *r)
{
	enum route_body want = r->body;
	struct req *q = c->req;
	const struct jx *root;

	if (want == BODY_NONE)
		return CS_OK;
	TRY(decode_body(c, route_body_max(r, c->conf)));
	if (is_blank(q))
		return want == BODY_OPTIONAL ? CS_OK : cs_bad(&c->fault, "body", MSG_R_REQUIRED);
	if (q->doc == NULL)
		TRY(jx_parse(q->body, q->body_len, &q->doc, &c->fault));
	root = jx_root(q->doc);
	if (jx_type(root) == JX_OBJ)
		q->json = root;
	else if (jx_type(root) != JX_NULL || want != BODY_OPTIONAL)
		return cs_bad(&c->fault, "body", MSG_R_OBJECT);
	return CS_OK;
}

enum cs_err
guard_enter(struct ctx *c, const struct route *r)
{
	if (r->auth != AUTH_NONE) {
		TRY(authenticate(c));
		TRY(authorise(c, r->auth));
	}
	if (c->who.touch_due && (r->flags & R_TOUCHES) == 0)
		TRY(db_node_touch(c->db, c->who.node, c->conf, &c->fault));
	return parse_body(c, r);
}
