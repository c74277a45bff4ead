/* SPDX-License-Identifier: MIT */
/*
 * Configuration: one table (conf.def), read from a libconfig file and CASCADE_… variables, checked
 * as a whole, then handed out read-only. A reload builds a new struct and keeps the old one when
 * anything is wrong. The only user of libconfig.
 */
#ifndef CS_CONF_CONF_H
#define CS_CONF_CONF_H

#include "conf/table.h"

/* One mount point, parsed from server.mounts. */
struct conf_mount {
	const char *prefix; /* "/api/v1/cascade", no final slash */
	size_t prefix_len;
	int success; /* envelope code of success */
	bool single; /* /pending-tasks always answers one package */
};

/* A receiver of alerts: a group of the list "alerts". */
struct conf_alert {
#define CONF_ALERT(kind, member, key, def, min, max, flags, help) CONF_TYPE_##kind member;
#include "conf/conf.def"
};
#define CONF_ALERTS_MAX 16

struct conf {
#define CONF(kind, member, key, def, min, max, flags, help) CONF_TYPE_##kind member;
#include "conf/conf.def"
	struct conf_alert alerts[CONF_ALERTS_MAX];
	size_t nalerts;
	struct conf_mount mount[CONF_LIST_MAX];
	size_t nmounts;
};

/*
 * Reads PATH (NULL: the default path where that file exists, else defaults and environment only),
 * applies the environment, reads the secret files and checks everything. On success *CONF is the
 * caller's (conf_free). On failure the fault is CS_ECONFIG and its detail names file, line and key.
 */
enum cs_err conf_load(const char *path, struct conf **conf, struct fault *f) cs_mustcheck;
void conf_free(struct conf *conf);
/* The file that conf_load(NULL) reads: SYSCONFDIR/cascade/cascade.conf. */
const char *conf_default_path(void);

/* Additional checks of what needs a secret: refuses an absent, short (< 8 bytes) or well-known
 * jwt_secret unless insecure_defaults is set (the well-known one only). CS_ECONFIG. */
enum cs_err conf_check_secret(const struct conf *conf, struct fault *f) cs_mustcheck;

/* Every key with its value in force, in the file's syntax, secrets masked; --print-config. */
void conf_print(const struct conf *conf, FILE *out);
/* An example file with every key, its default and help as comments. */
void conf_print_example(FILE *out);
/* The key table as mdoc for cascade.conf(5). */
void conf_print_mdoc(FILE *out);

#endif
