/* SPDX-License-Identifier: MIT */
/*
 * A table of configuration keys as data, and the one reader of such tables: defaults, then a
 * libconfig file, then CASCADE_… variables, then the table's own checks. The parent's table is
 * conf.def; other programs bring theirs. What a load points to lives as long as what it made.
 */
#ifndef CS_CONF_TABLE_H
#define CS_CONF_TABLE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdio.h>

#define CONF_LIST_MAX 16

struct conf_list {
	size_t n;
	const char *v[CONF_LIST_MAX];
};

/* Storage of each kind of a table. */
#define CONF_TYPE_STR	   const char *
#define CONF_TYPE_INT	   int64_t
#define CONF_TYPE_BOOL	   bool
#define CONF_TYPE_DURATION int64_t
#define CONF_TYPE_SIZE	   int64_t
#define CONF_TYPE_LIST	   struct conf_list

enum conf_kind {
	CONF_KIND_STR,
	CONF_KIND_INT,
	CONF_KIND_BOOL,
	CONF_KIND_DURATION,
	CONF_KIND_SIZE,
	CONF_KIND_LIST,
};

enum conf_flags {
	C_SECRET = 1,  /* masked when printed, never quoted in an error */
	C_RESTART = 2, /* in force until the program is restarted */
};

struct conf_key {
	enum conf_kind kind;
	size_t offset; /* of the member in the table's struct */
	const char *key, *def;
	int64_t min, max;
	unsigned flags;
	const char *help;
};

struct conf_load;

/* A list of groups beside the sections, NAME = ( { … }, { … } ): each is a struct of TABLE. */
struct conf_groups {
	const char *name;
	const struct conf_table
	    *table;    /* its keys are NAME.KEY; only keys, n, size and check count */
	size_t offset; /* of the array in the struct that has the list */
	size_t count;  /* of the size_t there that says how many there are */
	size_t max;
};

struct conf_table {
	const struct conf_key *keys;
	size_t n;
	size_t size;	   /* of the struct that holds the values */
	const char *path;  /* read where no file is named and this one exists */
	const char *plain; /* section whose variables go without its name; NULL: none */
	const char *title; /* first lines of the example file */
	const struct conf_groups *groups; /* NULL: none */
	/* What a kind and two bounds cannot say; asked last. */
	enum cs_err (*check)(struct conf_load *l);
};

/* The state of one load, for a table's checks. */
struct conf_load {
	const struct conf_table *table;
	void *conf;
	struct arena *arena; /* of everything CONF points to */
	const char **origin; /* where each value came from, for errors */
	struct fault *f;
};

/*
 * Reads PATH (NULL: the table's) into a new struct of the table, which is the caller's
 * (conf_table_free). CS_ECONFIG: the detail names file, line and key.
 */
enum cs_err conf_table_load(
    const struct conf_table *table, const char *path, void **conf, struct fault *f) cs_mustcheck;
void conf_table_free(void *conf); /* NULL is fine */

/* Every key with its value in force, in the file's syntax, secrets masked. */
void conf_table_print(const struct conf_table *table, const void *conf, FILE *out);
/* An example file with every key, its default and help as comments. */
void conf_table_print_example(const struct conf_table *table, FILE *out);
/* The keys as mdoc. */
void conf_table_print_mdoc(const struct conf_table *table, FILE *out);
/* S as a string of the file's syntax. */
void conf_print_quoted(FILE *out, const char *s, size_t n);

/* The member of key ID. */
void *conf_member(const struct conf_load *l, size_t id);
const char *conf_str(const struct conf_load *l, size_t id);
/* Sets key ID from TEXT if that is what the key takes. ORIGIN (kept) is named in errors. */
enum cs_err conf_set(
    struct conf_load *l, size_t id, const char *text, const char *origin) cs_mustcheck;
/* Fails with CS_ECONFIG: the value of key ID is refused because of the text. */
enum cs_err conf_refuse(struct conf_load *l, size_t id, const char *fmt, ...) cs_printf(3, 4);

/* Checks that more than one table has; ARG of conf_check_choice(): words with blanks between. */
enum cs_err conf_check_choice(struct conf_load *l, size_t id, const char *arg) cs_mustcheck;
enum cs_err conf_check_log_target(struct conf_load *l, size_t id, const char *arg) cs_mustcheck;
/* A file of certificates in PEM that can be read, or none. */
enum cs_err conf_check_ca_file(struct conf_load *l, size_t id, const char *arg) cs_mustcheck;
/* HOST:PORT, HOST an address in brackets where it is IPv6's. */
bool conf_is_host_port(const char *s);
/* Sets key SECRET to the first line of the file that key ID names, if it names one. */
enum cs_err conf_load_secret(struct conf_load *l, size_t id, size_t secret) cs_mustcheck;

#endif
