/* SPDX-License-Identifier: MIT */
/* The parent's table as data: for the files of src/conf and their test only. */
#ifndef CS_CONF_CONF_KEY_H
#define CS_CONF_CONF_KEY_H

#include "conf/conf.h"

/* A key's place in conf_keys[]. */
enum conf_id {
#define CONF(kind, member, key, def, min, max, flags, help) CONF_ID_##member,
#include "conf/conf.def"
	CONF_ID__MAX
};

extern const struct conf_key conf_keys[CONF_ID__MAX];
extern const struct conf_table conf_table;

/* The same of a group of alerts. */
enum conf_alert_id {
#define CONF_ALERT(kind, member, key, def, min, max, flags, help) CONF_ALERT_ID_##member,
#include "conf/conf.def"
	CONF_ALERT_ID__MAX
};
extern const struct conf_table conf_alert_table;

/* Reads the secret files, then checks what a kind and two bounds cannot say. */
enum cs_err conf_check_all(struct conf_load *l) cs_mustcheck;
/* The same of one group of alerts. */
enum cs_err conf_check_alert(struct conf_load *l) cs_mustcheck;

#endif
