/* SPDX-License-Identifier: MIT */
/* The key table as data, and the state of one load: for the files of src/conf only. */
#ifndef CS_CONF_CONF_KEY_H
#define CS_CONF_CONF_KEY_H

#include "base/arena.h"
#include "conf/conf.h"

enum conf_kind {
	CONF_KIND_STR,
	CONF_KIND_INT,
	CONF_KIND_BOOL,
	CONF_KIND_DURATION,
	CONF_KIND_SIZE,
	CONF_KIND_LIST,
};

/* Of conf.def. */
enum conf_flags {
	C_SECRET = 1,  /* masked when printed, never quoted in an error */
	C_RESTART = 2, /* in force until the program is restarted */
};

/* A key's place in conf_keys[]. */
enum conf_id {
#define CONF(kind, member, key, def, min, max, flags, help) CONF_ID_##member,
#include "conf/conf.def"
#undef CONF
	CONF_ID__MAX
};

struct conf_key {
	enum conf_kind kind;
	size_t offset; /* of the member in struct conf */
	const char *key, *def;
	int64_t min, max;
	unsigned flags;
	const char *help;
};

extern const struct conf_key conf_keys[CONF_ID__MAX];

struct conf_load {
	struct conf *conf;
	struct arena *arena;		  /* of everything CONF points to */
	const char *origin[CONF_ID__MAX]; /* where each value came from, for errors */
	struct fault *f;
};

/* The member of key ID in CONF. */
void *conf_member(struct conf *conf, enum conf_id id);
/* Sets key ID from TEXT if that is what the key takes. ORIGIN (kept) is named in errors. */
enum cs_err conf_set(
    struct conf_load *l, enum conf_id id, const char *text, const char *origin) cs_mustcheck;
/* Fails with CS_ECONFIG: the value of key ID is refused because of WHY. */
enum cs_err conf_refuse(struct conf_load *l, enum conf_id id, const char *fmt, ...) cs_printf(3, 4);
/* Reads the secret files, then checks what a kind and two bounds cannot say. */
enum cs_err conf_check_all(struct conf_load *l) cs_mustcheck;

#endif
