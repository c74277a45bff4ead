/* SPDX-License-Identifier: MIT */
/* The table of cascade-node's configuration, and what a kind and two bounds cannot say of it. */
#include "agent/node_conf.h"
#include "base/parse.h"

#include <string.h>

#define DIR_PATH     SYSCONFDIR "/cascade/"
#define DEFAULT_PATH DIR_PATH "cascade-node.conf"

enum key_id {
#define CONF(kind, member, key, def, min, max, flags, help) KEY_##member,
#include "agent/node.def"
#undef CONF
	KEY__MAX
};

static const struct conf_key keys[KEY__MAX] = {
#define CONF(kind, member, key, def, min, max, flags, help)                                        \
	{ CONF_KIND_##kind, offsetof(struct node_conf, member), key, def, min, max, flags, help },
#include "agent/node.def"
#undef CONF
};

static enum cs_err
check_url(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const char *url = conf_str(l, id);

	if (url[0] == '\0' || parse_is_http_url(url, (size_t)l->table->keys[id].max))
		return CS_OK;
	return conf_refuse(l, id, "should be an http:// or https:// address");
}

static enum cs_err
check_listen(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	if (conf_str(l, id)[0] == '\0' || conf_is_host_port(conf_str(l, id)))
		return CS_OK;
	return conf_refuse(l, id, "should be HOST:PORT");
}

static enum cs_err
check_absolute(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	if (conf_str(l, id)[0] == '/')
		return CS_OK;
	return conf_refuse(l, id, "should be an absolute path");
}

/* A credential goes into a header: no blanks, no control characters. */
static enum cs_err
check_credential(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	for (const char *p = conf_str(l, id); *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || *p == ':')
			return conf_refuse(
			    l, id, "should have no blanks, colons or characters beyond ASCII");
	}
	return CS_OK;
}

static enum cs_err
check_command(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const struct conf_list *command = conf_member(l, id);

	if (command->n == 0 || command->v[0][0] == '/')
		return CS_OK;
	return conf_refuse(l, id, "the program should be an absolute path");
}

static const struct {
	enum key_id file, secret;
} secrets[] = {
	{ KEY_api_secret_file, KEY_api_secret },
	{ KEY_wechat_cookie_file, KEY_wechat_cookie },
	{ KEY_wechat_token_file, KEY_wechat_token },
};

static const struct {
	enum key_id id;
	enum cs_err (*check)(struct conf_load *l, size_t id, const char *arg);
	const char *arg;
} checks[] = {
	{ KEY_parent_url, check_url, NULL },
	{ KEY_callback_url, check_url, NULL },
	{ KEY_wechat_url, check_url, NULL },
	{ KEY_api_key, check_credential, NULL },
	{ KEY_api_secret, check_credential, NULL },
	{ KEY_listen, check_listen, NULL },
	{ KEY_ca_file, conf_check_ca_file, NULL },
	{ KEY_state_dir, check_absolute, NULL },
	{ KEY_executor, conf_check_choice, "wechat exec" },
	{ KEY_command, check_command, NULL },
	{ KEY_wechat_ca_file, conf_check_ca_file, NULL },
	{ KEY_log_target, conf_check_log_target, NULL },
	{ KEY_log_level, conf_check_choice, "error warn info debug" },
};

static enum cs_err
check_all(struct conf_load *l)
{
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		TRY(conf_load_secret(l, secrets[i].file, secrets[i].secret));
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		TRY(checks[i].check(l, checks[i].id, checks[i].arg));
	return CS_OK;
}

static const struct conf_table table = {
	.keys = keys,
	.n = KEY__MAX,
	.size = sizeof(struct node_conf),
	.path = DEFAULT_PATH,
	.plain = "cascade",
	.title = "# cascade-node.conf: every key with its default; see cascade-node.conf(5).\n",
	.check = check_all,
};

enum cs_err
node_conf_load(const char *path, const char *instance, struct node_conf **conf, struct fault *f)
{
	char of_instance[sizeof(DIR_PATH) + 128];
	void *made = NULL;

	if (path == NULL && instance != NULL) {
		snprintf(
		    of_instance, sizeof(of_instance), DIR_PATH "cascade-node-%s.conf", instance);
		path = of_instance;
	}
	TRY(conf_table_load(&table, path, &made, f));
	*conf = made;
	return CS_OK;
}

void
node_conf_free(struct node_conf *conf)
{
	conf_table_free(conf);
}

enum cs_err
node_conf_check_run(const struct node_conf *conf, struct fault *f)
{
	const struct {
		const char *value, *key;
	} needed[] = {
		{ conf->parent_url, "cascade.parent_api_url" },
		{ conf->api_key, "cascade.api_key" },
		{ conf->api_secret, "cascade.api_secret" },
	};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (needed[i].value[0] == '\0')
			return cs_detail(f, CS_ECONFIG, "%s: is not set", needed[i].key);
	}
	if (strcmp(conf->executor, "exec") == 0 && conf->command.n == 0)
		return cs_detail(
		    f, CS_ECONFIG, "executor.command: is not set, and executor.kind is exec");
	if (strcmp(conf->executor, "wechat") == 0 && conf->wechat_cookie[0] == '\0')
		return cs_detail(
		    f, CS_ECONFIG, "wechat.cookie: is not set, and executor.kind is wechat");
	if (conf->callback_url[0] != '\0' && conf->listen[0] == '\0')
		return cs_detail(
		    f, CS_ECONFIG, "cascade.callback_url: is set, but cascade.listen is not");
	return CS_OK;
}

void
node_conf_print(const struct node_conf *conf, FILE *out)
{
	conf_table_print(&table, conf, out);
}

void
node_conf_print_example(FILE *out)
{
	conf_table_print_example(&table, out);
}

void
node_conf_print_mdoc(FILE *out)
{
	conf_table_print_mdoc(&table, out);
}
