/* SPDX-License-Identifier: MIT */
/*
 * /nodes: registration of nodes, their settings and credentials, for administrators. A node's
 * secret is shown once, by the request that makes it, and its hash never.
 */
#include "fcgi/handlers.h"

#include "db/db_node.h"

#include <string.h>

#define NAME_MAX_CHARS	255
#define URL_MAX_CHARS	500
#define CAPACITY_MAX	100000
#define STATUS_OFFLINE	0
#define STATUS_ONLINE	1
#define STATUS_DISABLED 2

/* What is no JSON object, whoever stored it, is shown as an empty one. */
static void
render_sync_config(struct ctx *c, const char *text)
{
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;

	if (text == NULL || jx_parse(text, strlen(text), &doc, &ignored) != CS_OK ||
	    jx_type(jx_root(doc)) != JX_OBJ)
		text = "{}";
	jw_kraw(&c->res->w, "sync_config", text);
}

static int
shown_status(const struct db_node *n)
{
	if (!n->is_active)
		return STATUS_DISABLED;
	return n->online ? STATUS_ONLINE : STATUS_OFFLINE;
}

static void
render_node(struct ctx *c, const struct db_node *n)
{
	struct jw *w = &c->res->w;

	jw_obj(w);
	jw_kstr(w, "id", n->id);
	jw_kint(w, "node_type", n->node_type);
	jw_kstr(w, "name", n->name);
	jw_kstr(w, "description", n->description);
	jw_kstr(w, "api_url", n->api_url);
	jw_kstr(w, "api_key", n->api_key);
	jw_kstr(w, "parent_id", n->parent_id);
	jw_kint(w, "status", shown_status(n));
	jw_kbool(w, "is_active", n->is_active);
	jw_kstr(w, "last_sync_at", n->last_sync_at);
	jw_kstr(w, "last_heartbeat_at", n->last_heartbeat_at);
	jw_kstr(w, "created_at", n->created_at);
	jw_kstr(w, "updated_at", n->updated_at);
	render_sync_config(c, n->sync_config);
	jw_kint(w, "current_tasks", n->open_count);
	jw_kint(w, "max_capacity", n->max_capacity);
	jw_kstr(w, "callback_url", n->callback_url);
	jw_kbool(w, "draining", n->draining);
	jw_kstr(w, "hold_until", n->hold_until);
	jw_kbool(w, "online", n->online);
	jw_kstr(w, "last_seen_at", n->last_seen_at);
	jw_obj_end(w);
}

enum cs_err
h_node_list(struct ctx *c)
{
	auto_rows rows = { 0 };
	struct db_node n;
	int64_t type;

	TRY(req_query_int(c, "node_type", -1, NODE_PARENT, NODE_CHILD, &type));
	TRY(db_node_list(c->db, c->conf, (int)type, &rows, &c->fault));
	jw_arr(&c->res->w);
	while (db_node_next(&rows, &n))
		render_node(c, &n);
	jw_arr_end(&c->res->w);
	return res_ok(c, MSG_SUCCESS);
}

enum cs_err
h_node_get(struct ctx *c)
{
	auto_rows rows = { 0 };
	struct db_node n;

	TRY(db_node_get(c->db, c->conf, req_param(c, "id"), &rows, &n, &c->fault));
	render_node(c, &n);
	return res_ok(c, MSG_SUCCESS);
}

struct new_node {
	int64_t node_type;
	const char *name, *description, *api_url;
};

static const struct jx_field new_fields[] = {
	{ "node_type", JX_INT, JX_REQUIRED, offsetof(struct new_node, node_type), NODE_PARENT,
	    NODE_CHILD },
	{ "name", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct new_node, name), 0,
	    NAME_MAX_CHARS },
	{ "description", JX_STR, 0, offsetof(struct new_node, description), 0, 0 },
	{ "api_url", JX_STR, JX_URL, offsetof(struct new_node, api_url), 0, URL_MAX_CHARS },
};

static const char *
null_if_empty(const char *s)
{
	return s != NULL && s[0] != '\0' ? s : NULL;
}

enum cs_err
h_node_create(struct ctx *c)
{
	struct new_node in = { .description = "" };
	auto_rows rows = { 0 };
	struct db_node made;
	struct jw *w = &c->res->w;
	char id[UUID_LEN + 1];

	TRY(jx_read(c->req->json, new_fields, ARRAY_LEN(new_fields), &in, NULL, "", &c->fault));
	TRY(db_node_create(c->db, c->conf,
	    &(struct db_node_new){ .node_type = (int)in.node_type,
		.name = in.name,
		.description = in.description,
		.api_url = null_if_empty(in.api_url) },
	    id, &c->fault));
	TRY(db_node_get(c->db, c->conf, id, &rows, &made, &c->fault));
	jw_obj(w);
	jw_kstr(w, "node_id", made.id);
	jw_kint(w, "node_type", made.node_type);
	jw_kstr(w, "name", made.name);
	jw_kbool(w, "is_active", made.is_active);
	jw_kstr(w, "created_at", made.created_at);
	jw_obj_end(w);
	return res_ok(c, MSG_NODE_CREATED);
}

struct changed_node {
	const char *name, *description, *api_url;
	bool is_active;
	const struct jx *sync_config;
};

/* Rows of change_fields, as bits of what jx_read() saw. */
enum { SEEN_NAME, SEEN_DESCRIPTION, SEEN_API_URL, SEEN_ACTIVE, SEEN_SYNC_CONFIG };

static const struct jx_field change_fields[] = {
	[SEEN_NAME] = { "name", JX_STR, JX_NONEMPTY, offsetof(struct changed_node, name), 0,
	    NAME_MAX_CHARS },
	[SEEN_DESCRIPTION] = { "description", JX_STR, 0, offsetof(struct changed_node, description),
	    0, 0 },
	[SEEN_API_URL] = { "api_url", JX_STR, JX_URL, offsetof(struct changed_node, api_url), 0,
	    URL_MAX_CHARS },
	[SEEN_ACTIVE] = { "is_active", JX_BOOL, 0, offsetof(struct changed_node, is_active), 0, 0 },
	[SEEN_SYNC_CONFIG] = { "sync_config", JX_OBJ, 0, offsetof(struct changed_node, sync_config),
	    0, 0 },
};

struct sync_config {
	int64_t max_capacity;
	const struct jx *feed_quota;
};

static const struct jx_field sync_fields[] = {
	{ "max_capacity", JX_INT, 0, offsetof(struct sync_config, max_capacity), 1, CAPACITY_MAX },
	{ "feed_quota", JX_OBJ, 0, offsetof(struct sync_config, feed_quota), 0, 0 },
};

static enum cs_err
check_quota(void *arg, const char *feed, const struct jx *v)
{
	struct ctx *c = arg;
	const char *field;

	if (jx_type(v) == JX_INT && jx_int(v) >= 0)
		return CS_OK;
	field = arena_printf(c->arena, "sync_config.feed_quota.%s", feed);
	if (field == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "feed_quota");
	if (jx_type(v) != JX_INT)
		return cs_bad(&c->fault, field, MSG_R_TYPE, "integer");
	return cs_bad(&c->fault, field, MSG_R_RANGE, 0LL, (long long)INT64_MAX);
}

/* Checks what we understand of sync_config, and renders all of it. *TEXT is NULL for defaults. */
static enum cs_err
read_sync_config(struct ctx *c, const struct jx *v, const char **text)
{
	struct sync_config in = { 0 };

	*text = NULL;
	if (v == NULL)
		return CS_OK;
	TRY(jx_read(v, sync_fields, ARRAY_LEN(sync_fields), &in, NULL, "sync_config.", &c->fault));
	TRY(jx_each(in.feed_quota, check_quota, c));
	*text = jx_text(v, c->arena);
	return *text != NULL ? CS_OK : cs_detail(&c->fault, CS_ENOMEM, "sync_config");
}

enum cs_err
h_node_update(struct ctx *c)
{
	struct changed_node in = { 0 };
	struct db_node_change change;
	uint32_t seen;

	TRY(jx_read(
	    c->req->json, change_fields, ARRAY_LEN(change_fields), &in, &seen, "", &c->fault));
	change = (struct db_node_change){
		.name = in.name,
		.set_description = seen & 1u << SEEN_DESCRIPTION,
		.set_api_url = seen & 1u << SEEN_API_URL,
		/* null says nothing: there is no default to go back to */
		.set_active = jx_get(c->req->json, "is_active") != NULL,
		.set_sync_config = seen & 1u << SEEN_SYNC_CONFIG,
		.description = in.description,
		.api_url = null_if_empty(in.api_url),
		.active = in.is_active,
	};
	TRY(read_sync_config(c, in.sync_config, &change.sync_config));
	TRY(db_node_update(c->db, c->conf, req_param(c, "id"), &change, &c->fault));
	return res_ok(c, MSG_NODE_UPDATED);
}

enum cs_err
h_node_delete(struct ctx *c)
{
	TRY(db_node_delete(c->db, c->conf, req_param(c, "id"), &c->fault));
	return res_ok(c, MSG_NODE_DELETED);
}

static enum cs_err
drain(struct ctx *c, bool on, enum msg_id message)
{
	const char *id = req_param(c, "id");
	auto_rows rows = { 0 };
	struct db_node n;

	TRY(db_node_drain(c->db, c->conf, id, on, &c->fault));
	TRY(db_node_get(c->db, c->conf, id, &rows, &n, &c->fault));
	render_node(c, &n);
	return res_ok(c, message);
}

enum cs_err
h_node_drain(struct ctx *c)
{
	return drain(c, true, MSG_NODE_DRAINING);
}

enum cs_err
h_node_resume(struct ctx *c)
{
	return drain(c, false, MSG_NODE_RESUMED);
}

enum cs_err
h_node_credentials(struct ctx *c)
{
	const char *id = req_param(c, "id");
	char key[CREDENTIAL_LEN + 1], secret[CREDENTIAL_LEN + 1];
	struct jw *w = &c->res->w;

	TRY(db_node_rotate(c->db, id, key, secret, &c->fault));
	c->res->no_store = true;
	jw_obj(w);
	jw_kstr(w, "node_id", id);
	jw_kstr(w, "api_key", key);
	jw_kstr(w, "api_secret", secret);
	jw_obj_end(w);
	return res_ok(c, MSG_CREDENTIAL_CREATED);
}
