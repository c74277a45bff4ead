/* SPDX-License-Identifier: MIT */
/*
 * Nodes and their credentials. Capacity and quotas stand in a JSON object, sync_config, of which
 * `node set` replaces what is given and keeps the rest.
 */
#include "cli/cli.h"

#include "base/parse.h"
#include "db/db_beat.h"
#include "db/db_daemon.h"
#include "db/db_node.h"
#include "json/jw.h"
#include "json/jx.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARS 255
#define QUOTA_MAX      INT64_C(1000000)
#define CAPACITY       "max_capacity"
#define QUOTA	       "feed_quota"

/* The feed of FEED=N, LEN bytes, and N. */
static bool
parse_quota(const char *text, size_t *len, int64_t *n)
{
	const char *equals = strrchr(text, '=');

	if (equals == NULL || equals == text)
		return false;
	*len = (size_t)(equals - text);
	return parse_int(equals + 1, 0, QUOTA_MAX, n);
}

static enum cs_err
check_quotas(struct cli *c)
{
	size_t len;
	int64_t n;

	for (size_t i = 0; i < c->ngiven; i++)
		if (c->given[i].opt == OPT_QUOTA && !parse_quota(c->given[i].text, &len, &n))
			return cs_bad(&c->fault, "--quota", MSG_C_QUOTA);
	return CS_OK;
}

/* Is there a --quota for FEED (LEN bytes) from the option at index FROM on? */
static bool
has_quota(const struct cli *c, size_t from, const char *feed, size_t feed_len)
{
	size_t len;
	int64_t n;

	for (size_t i = from; i < c->ngiven; i++)
		if (c->given[i].opt == OPT_QUOTA && parse_quota(c->given[i].text, &len, &n) &&
		    len == feed_len && memcmp(c->given[i].text, feed, len) == 0)
			return true;
	return false;
}

/* A sync_config under construction. */
struct config {
	struct cli *c;
	struct jw w;
};

static enum cs_err
keep_quota(void *arg, const char *feed, const struct jx *v)
{
	struct config *cf = arg;

	if (!has_quota(cf->c, 0, feed, strlen(feed)))
		jw_kraw(&cf->w, feed, jx_text(v, cf->c->arena));
	return CS_OK;
}

static enum cs_err
write_quotas(struct config *cf, const struct jx *old)
{
	struct cli *c = cf->c;
	size_t len;
	int64_t n;

	jw_key(&cf->w, QUOTA);
	jw_obj(&cf->w);
	if (jx_type(old) == JX_OBJ)
		TRY(jx_each(old, keep_quota, cf));
	for (size_t i = 0; i < c->ngiven; i++) {
		const char *feed = c->given[i].text;

		if (c->given[i].opt != OPT_QUOTA || !parse_quota(feed, &len, &n) || n == 0 ||
		    has_quota(c, i + 1, feed, len))
			continue;
		jw_kint(&cf->w, arena_strndup(c->arena, feed, len), n);
	}
	jw_obj_end(&cf->w);
	return CS_OK;
}

static enum cs_err
keep_member(void *arg, const char *key, const struct jx *v)
{
	struct config *cf = arg;

	if (strcmp(key, CAPACITY) == 0 && cli_has(cf->c, OPT_CAPACITY))
		return CS_OK;
	if (strcmp(key, QUOTA) == 0 && cli_has(cf->c, OPT_QUOTA))
		return CS_OK;
	jw_kraw(&cf->w, key, jx_text(v, cf->c->arena));
	return CS_OK;
}

static enum cs_err
write_config(struct config *cf, const struct jx *old)
{
	jw_obj(&cf->w);
	if (jx_type(old) == JX_OBJ)
		TRY(jx_each(old, keep_member, cf));
	if (cli_has(cf->c, OPT_CAPACITY))
		jw_kint(&cf->w, CAPACITY, cli_num(cf->c, OPT_CAPACITY, 0));
	if (cli_has(cf->c, OPT_QUOTA))
		TRY(write_quotas(cf, jx_get(old, QUOTA)));
	jw_obj_end(&cf->w);
	return CS_OK;
}

/* OLD with what the options change; what is stored but is no JSON object counts as empty. */
static enum cs_err
new_config(struct cli *c, const char *old, const char **text)
{
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;
	struct buf b = { 0 };
	struct config cf = { .c = c };
	enum cs_err err;

	if (old != NULL && jx_parse(old, strlen(old), &doc, &ignored) != CS_OK)
		doc = NULL;
	jw_init(&cf.w, &b);
	err = write_config(&cf, doc != NULL ? jx_root(doc) : NULL);
	*text = err != CS_OK || buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
	buf_free(&b);
	TRY(err);
	return *text != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
}

/* What the options change of a node whose sync_config is OLD. */
static enum cs_err
read_change(struct cli *c, const char *old, struct db_node_change *change)
{
	const char *active = cli_text(c, OPT_ACTIVE);
	const char *url = cli_text(c, OPT_API_URL);

	*change = (struct db_node_change){
		.name = cli_text(c, OPT_NAME),
		.set_description = cli_has(c, OPT_DESCRIPTION),
		.description = cli_text(c, OPT_DESCRIPTION),
		.set_api_url = url != NULL,
		.api_url = url != NULL && *url != '\0' ? url : NULL,
		.set_active = active != NULL,
		.active = active != NULL && strcmp(active, "yes") == 0,
		.set_sync_config = cli_has(c, OPT_CAPACITY) || cli_has(c, OPT_QUOTA),
	};
	return change->set_sync_config ? new_config(c, old, &change->sync_config) : CS_OK;
}

static enum cs_err
put_credential(struct cli *c, const char *id)
{
	char key[CREDENTIAL_LEN + 1], secret[CREDENTIAL_LEN + 1];

	TRY(db_node_rotate(c->db, id, key, secret, &c->fault));
	out_record(c->out);
	out_str(c->out, "node_id", MSG_T_ID, id);
	out_str(c->out, "api_key", MSG_T_API_KEY, key);
	out_str(c->out, "api_secret", MSG_T_API_SECRET, secret);
	out_end(c->out);
	out_note(c->out, MSG_C_CREDENTIAL);
	return CS_OK;
}

static enum cs_err
check_new(struct cli *c, const char *name)
{
	if (*name == '\0' || utf8_chars(name) > NAME_MAX_CHARS)
		return cs_bad(&c->fault, "NAME", MSG_R_LENGTH, 1LL, (long long)NAME_MAX_CHARS);
	if (cli_has(c, OPT_PARENT) && cli_has(c, OPT_CREDENTIALS))
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOT_BOTH, "--parent", "--credentials");
	return check_quotas(c);
}

enum cs_err
cmd_node_add(struct cli *c)
{
	const char *text = cli_text(c, OPT_DESCRIPTION);
	const char *url = cli_text(c, OPT_API_URL);
	const char *id = cli_text(c, OPT_ID);
	const struct db_node_new node = {
		.id = id,
		.node_type = cli_has(c, OPT_PARENT) ? NODE_PARENT : NODE_CHILD,
		.name = c->word[0],
		.description = text != NULL ? text : "",
		.api_url = url != NULL && *url != '\0' ? url : NULL,
	};
	struct db_node_change change;
	char made[UUID_LEN + 1];
	enum cs_err err;

	TRY(check_new(c, node.name));
	TRY(read_change(c, NULL, &change));
	err = db_node_create(c->db, c->conf, &node, made, &c->fault);
	if (err == CS_ECONFLICT && id != NULL)
		return cs_fail(&c->fault, CS_ECONFLICT, MSG_ID_TAKEN, id);
	TRY(err);
	id = id != NULL ? id : made;
	if (change.set_sync_config)
		TRY(db_node_update(c->db, c->conf, id, &change, &c->fault));
	if (cli_has(c, OPT_CREDENTIALS))
		return put_credential(c, id);
	out_plain(c->out, "node_id", id);
	return CS_OK;
}

static void
put_node(struct cli *c, const struct db_node *n)
{
	struct out *o = c->out;

	out_str(o, "id", MSG_T_ID, n->id);
	out_str(o, "name", MSG_T_NAME, n->name);
	out_int(o, "node_type", MSG_NONE, n->node_type);
	out_bool(o, "is_active", MSG_T_ACTIVE, n->is_active);
	out_bool(o, "online", MSG_T_ONLINE, n->online);
	out_bool(o, "draining", MSG_NONE, n->draining);
	out_str(o, "hold_until", MSG_NONE, n->hold_until);
	out_int(o, "current_tasks", MSG_T_OPEN, n->open_count);
	out_int(o, "max_capacity", MSG_T_CAPACITY, n->max_capacity);
	out_json(o, "sync_config", MSG_NONE, n->sync_config != NULL ? n->sync_config : "{}");
	out_str(o, "description", MSG_NONE, n->description);
	out_str(o, "api_url", MSG_NONE, n->api_url);
	out_str(o, "callback_url", MSG_NONE, n->callback_url);
	out_str(o, "api_key", MSG_NONE, n->api_key);
	out_str(o, "parent_id", MSG_NONE, n->parent_id);
	out_str(o, "last_seen_at", MSG_T_SEEN, n->last_seen_at);
	out_str(o, "last_heartbeat_at", MSG_NONE, n->last_heartbeat_at);
	out_str(o, "last_sync_at", MSG_NONE, n->last_sync_at);
	out_str(o, "created_at", MSG_NONE, n->created_at);
	out_str(o, "updated_at", MSG_NONE, n->updated_at);
}

enum cs_err
cmd_node_list(struct cli *c)
{
	struct db_node node;
	auto_rows rows = { 0 };

	TRY(db_node_list(c->db, c->conf, -1, &rows, &c->fault));
	out_list(c->out, NULL);
	while (db_node_next(&rows, &node)) {
		out_row(c->out);
		put_node(c, &node);
	}
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_node_show(struct cli *c)
{
	struct db_node node;
	auto_rows rows = { 0 };

	TRY(db_node_get(c->db, c->conf, c->word[0], &rows, &node, &c->fault));
	out_details(c->out);
	put_node(c, &node);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_node_set(struct cli *c)
{
	const char *id = c->word[0];
	struct db_node_change change;
	struct db_node node;
	auto_rows rows = { 0 };

	if ((c->cmd->opts & cli_given_opts(c)) == 0)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOTHING_TO_SET);
	TRY(check_quotas(c));
	TRY(db_node_get(c->db, c->conf, id, &rows, &node, &c->fault));
	TRY(read_change(c, node.sync_config, &change));
	TRY(db_node_update(c->db, c->conf, id, &change, &c->fault));
	out_done(c->out, "node_id", id, MSG_C_NODE_CHANGED, id);
	return CS_OK;
}

enum cs_err
cmd_node_rotate(struct cli *c)
{
	return put_credential(c, c->word[0]);
}

static enum cs_err
drain(struct cli *c, bool on, enum msg_id said)
{
	const char *id = c->word[0];

	TRY(db_node_drain(c->db, c->conf, id, on, &c->fault));
	out_done(c->out, "node_id", id, said, id);
	return CS_OK;
}

enum cs_err
cmd_node_drain(struct cli *c)
{
	return drain(c, true, MSG_C_NODE_DRAINING);
}

enum cs_err
cmd_node_resume(struct cli *c)
{
	return drain(c, false, MSG_C_NODE_RESUMED);
}

/* A node as it was before a refresh. */
struct seen {
	const char *id, *state;
};

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->id, ((const struct seen *)b)->id);
}

/* Every child and its state, sorted; text lives as long as ROWS. */
static enum cs_err
see_nodes(struct cli *c, struct db_rows *rows, struct seen **seen, size_t *n)
{
	*n = 0;
	TRY(DB_QUERY(c->db, &c->fault, rows, STMT_STATUS_NODES));
	*seen = arena_calloc(c->arena, db_count(rows) + 1, sizeof(**seen));
	if (*seen == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	while (db_next(rows))
		(*seen)[(*n)++] = (struct seen){ arena_strdup(c->arena, db_s(rows, 0)),
			arena_strdup(c->arena, db_s(rows, 2)) };
	for (size_t i = 0; i < *n; i++)
		if ((*seen)[i].id == NULL || (*seen)[i].state == NULL)
			return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	qsort(*seen, *n, sizeof(**seen), by_id);
	return CS_OK;
}

/* Rows of those whose state is another than it was. */
static int
put_changed(struct cli *c, struct db_rows *rows, const struct seen *seen, size_t n)
{
	int changed = 0;

	out_list(c->out, "changed");
	while (db_next(rows)) {
		const struct seen key = { .id = db_s(rows, 0) };
		const struct seen *was = bsearch(&key, seen, n, sizeof(key), by_id);

		if (was != NULL && strcmp(was->state, db_s(rows, 2)) == 0)
			continue;
		changed++;
		out_row(c->out);
		out_str(c->out, "id", MSG_T_ID, db_s(rows, 0));
		out_str(c->out, "name", MSG_T_NAME, db_s(rows, 1));
		out_str(c->out, "before", MSG_T_BEFORE, was != NULL ? was->state : "new");
		out_str(c->out, "now", MSG_T_NOW, db_s(rows, 2));
		out_int(c->out, "current_tasks", MSG_T_OPEN, db_i(rows, 3));
	}
	out_end(c->out);
	return changed;
}

/* What cascaded does each refresh, at once; it may run meanwhile. */
static enum cs_err
refresh(struct cli *c, bool *allowed, int64_t *moved)
{
	TRY(db_beat_rescue_allowed(c->db, c->conf, allowed, &c->fault));
	TRY(db_node_sync_all(c->db, c->conf, NULL, &c->fault));
	if (*allowed)
		TRY(db_refresh_nodes(c->db, c->conf, NULL, &c->fault));
	return db_balance(c->db, c->conf, moved, &c->fault);
}

enum cs_err
cmd_node_refresh(struct cli *c)
{
	auto_rows before = { 0 };
	auto_rows after = { 0 };
	struct seen *seen;
	bool allowed;
	int64_t moved;
	int changed;
	size_t n;

	TRY(see_nodes(c, &before, &seen, &n));
	TRY(refresh(c, &allowed, &moved));
	TRY(DB_QUERY(c->db, &c->fault, &after, STMT_STATUS_NODES));
	out_record(c->out);
	if (cli_has(c, OPT_JSON)) {
		out_bool(c->out, "grace", MSG_NONE, !allowed);
		out_int(c->out, "moved", MSG_NONE, moved);
	}
	changed = put_changed(c, &after, seen, n);
	out_end(c->out);
	if (!allowed)
		out_note(c->out, MSG_C_REFRESH_GRACE);
	out_note(c->out, MSG_C_REFRESHED, changed, (long long)moved);
	return CS_OK;
}

enum cs_err
cmd_node_rm(struct cli *c)
{
	const char *id = c->word[0];

	TRY(db_node_delete(c->db, c->conf, id, &c->fault));
	out_done(c->out, "node_id", id, MSG_C_NODE_REMOVED, id);
	return CS_OK;
}
