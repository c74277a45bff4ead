/* SPDX-License-Identifier: MIT */
/* The parent's configuration: its table, for the reader of table.c. */
#include "conf/conf.h"
#include "conf/conf_key.h"

#define DEFAULT_PATH SYSCONFDIR "/cascade/cascade.conf"

const struct conf_key conf_keys[CONF_ID__MAX] = {
#define CONF(kind, member, key, def, min, max, flags, help)                                        \
	{ CONF_KIND_##kind, offsetof(struct conf, member), key, def, min, max, flags, help },
#include "conf/conf.def"
};

static const struct conf_key alert_keys[CONF_ALERT_ID__MAX] = {
#define CONF_ALERT(kind, member, key, def, min, max, flags, help)                                  \
	{ CONF_KIND_##kind, offsetof(struct conf_alert, member), key, def, min, max, flags, help },
#include "conf/conf.def"
};

const struct conf_table conf_alert_table = {
	.keys = alert_keys,
	.n = CONF_ALERT_ID__MAX,
	.size = sizeof(struct conf_alert),
	.check = conf_check_alert,
};

static const struct conf_groups alerts = {
	.name = "alerts",
	.table = &conf_alert_table,
	.offset = offsetof(struct conf, alerts),
	.count = offsetof(struct conf, nalerts),
	.max = CONF_ALERTS_MAX,
};

const struct conf_table conf_table = {
	.keys = conf_keys,
	.n = CONF_ID__MAX,
	.size = sizeof(struct conf),
	.path = DEFAULT_PATH,
	.title = "# cascade.conf: every key with its default; see cascade.conf(5).\n",
	.check = conf_check_all,
	.groups = &alerts,
};

enum cs_err
conf_load(const char *path, struct conf **conf, struct fault *f)
{
	void *made = NULL;

	TRY(conf_table_load(&conf_table, path, &made, f));
	*conf = made;
	return CS_OK;
}

void
conf_free(struct conf *conf)
{
	conf_table_free(conf);
}

const char *
conf_default_path(void)
{
	return DEFAULT_PATH;
}

void
conf_print(const struct conf *conf, FILE *out)
{
	conf_table_print(&conf_table, conf, out);
}

void
conf_print_example(FILE *out)
{
	conf_table_print_example(&conf_table, out);
}

void
conf_print_mdoc(FILE *out)
{
	conf_table_print_mdoc(&conf_table, out);
}
