/* SPDX-License-Identifier: MIT */
/*
 * Loads a table's configuration: defaults, then the file, then the environment, each value through
 * conf_set(), so that the three are checked alike. What a value means beyond its kind and bounds is
 * the table's check's business. A load works on a new struct; the first error throws it away.
 */
#include "conf/table.h"
#include "base/buf.h"
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libconfig.h>

#define ARENA_CAP  (4u << 20)
#define ENV_PREFIX "CASCADE_"

/* What a load makes: this, and the table's struct behind it. */
struct owned_conf {
	struct arena *arena;
	const char **origin;
	_Alignas(max_align_t) char conf[];
};

#define auto_config cs_cleanup(config_destroy) config_t
#define auto_file   cs_cleanup(close_file) FILE

static void
close_file(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

void *
conf_member(const struct conf_load *l, size_t id)
{
	return (char *)l->conf + l->table->keys[id].offset;
}

const char *
conf_str(const struct conf_load *l, size_t id)
{
	return *(const char **)conf_member(l, id);
}

enum cs_err
conf_refuse(struct conf_load *l, size_t id, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return cs_detail(
	    l->f, CS_ECONFIG, "%s: %s: %s", l->origin[id], l->table->keys[id].key, why);
}

static enum cs_err
no_memory(struct conf_load *l)
{
	return cs_detail(l->f, CS_ENOMEM, "no memory for the configuration");
}

/* A store function's verdict: stored, of the wrong form, or no memory. */
enum verdict { STORED, UNFIT, NO_MEMORY };

static enum verdict
store_str(struct conf_load *l, const struct conf_key *k, const char *text, void *member)
{
	int64_t len = (int64_t)strlen(text);
	char *copy;

	if (len < k->min || len > k->max)
		return UNFIT;
	copy = arena_strdup(l->arena, text);
	*(const char **)member = copy;
	return copy != NULL ? STORED : NO_MEMORY;
}

static enum verdict
store_int(struct conf_load *l cs_unused, const struct conf_key *k, const char *text, void *member)
{
	return parse_int(text, k->min, k->max, member) ? STORED : UNFIT;
}

static enum verdict
store_bool(struct conf_load *l cs_unused, const struct conf_key *k cs_unused, const char *text,
    void *member)
{
	return parse_bool(text, member) ? STORED : UNFIT;
}

static enum verdict
store_duration(
    struct conf_load *l cs_unused, const struct conf_key *k, const char *text, void *member)
{
	return parse_duration_s(text, k->min, k->max, member) ? STORED : UNFIT;
}

static enum verdict
store_size(struct conf_load *l cs_unused, const struct conf_key *k, const char *text, void *member)
{
	return parse_size(text, k->min, k->max, member) ? STORED : UNFIT;
}

/* Takes the next entry off *TEXT: *LEN bytes without the blanks around it; *MORE: a comma follows.
 */
static const char *
next_entry(const char **text, size_t *len, bool *more)
{
	const char *start = *text + strspn(*text, " \t");
	size_t n = strcspn(start, ",");

	*more = start[n] == ',';
	*text = start + n + *more;
	while (n > 0 && strchr(" \t", start[n - 1]) != NULL)
		n--;
	*len = n;
	return start;
}

static enum verdict
store_list(struct conf_load *l, const struct conf_key *k, const char *text, void *member)
{
	struct conf_list list = { 0 };
	bool more = *text != '\0';
	size_t len;

	while (more) {
		const char *entry = next_entry(&text, &len, &more);

		if (len == 0 || list.n == (size_t)k->max)
			return UNFIT;
		entry = arena_strndup(l->arena, entry, len);
		if (entry == NULL)
			return NO_MEMORY;
		list.v[list.n++] = entry;
	}
	if ((int64_t)list.n < k->min)
		return UNFIT;
	*(struct conf_list *)member = list;
	return STORED;
}

#define ACCEPTS(type) (1u << (type))
#define INTEGERS      (ACCEPTS(CONFIG_TYPE_INT) | ACCEPTS(CONFIG_TYPE_INT64))

static const struct {
	enum verdict (*store)(
	    struct conf_load *, const struct conf_key *, const char *, void *member);
	unsigned accepts; /* libconfig's types */
	const char *what, *unit;
} kinds[] = {
	[CONF_KIND_STR] = { store_str, ACCEPTS(CONFIG_TYPE_STRING), "a string of", " bytes" },
	[CONF_KIND_INT] = { store_int, INTEGERS, "an integer of", "" },
	[CONF_KIND_BOOL] = { store_bool, ACCEPTS(CONFIG_TYPE_BOOL), "true or false", "" },
	[CONF_KIND_DURATION] = { store_duration, INTEGERS | ACCEPTS(CONFIG_TYPE_STRING),
	    "a duration such as 90, \"90s\", \"15m\", \"2h\" or \"7d\" of", " seconds" },
	[CONF_KIND_SIZE] = { store_size, INTEGERS | ACCEPTS(CONFIG_TYPE_STRING),
	    "a size such as 4096, \"64k\", \"64m\" or \"1g\" of", " bytes" },
	[CONF_KIND_LIST] = { store_list,
	    ACCEPTS(CONFIG_TYPE_STRING) | ACCEPTS(CONFIG_TYPE_ARRAY) | ACCEPTS(CONFIG_TYPE_LIST),
	    "a list of strings, none empty, with", " entries" },
};

/* Says what key ID takes. The value is not quoted: it may be a secret. */
static enum cs_err
refuse_kind(struct conf_load *l, size_t id)
{
	const struct conf_key *k = &l->table->keys[id];

	if (k->kind == CONF_KIND_BOOL)
		return conf_refuse(l, id, "should be %s", kinds[k->kind].what);
	return conf_refuse(l, id, "should be %s %lld to %lld%s", kinds[k->kind].what,
	    (long long)k->min, (long long)k->max, kinds[k->kind].unit);
}

enum cs_err
conf_set(struct conf_load *l, size_t id, const char *text, const char *origin)
{
	const struct conf_key *k = &l->table->keys[id];
	enum verdict v;

	l->origin[id] = origin;
	v = kinds[k->kind].store(l, k, text, conf_member(l, id));
	if (v == NO_MEMORY)
		return no_memory(l);
	return v == UNFIT ? refuse_kind(l, id) : CS_OK;
}

/* SECTION.NAME as an index; the number of keys where there is none. NAME NULL: any key of it. */
static size_t
find_key(const struct conf_table *table, const char *section, const char *name)
{
	size_t n = strlen(section);
	size_t id;

	for (id = 0; id < table->n; id++) {
		const char *key = table->keys[id].key;

		if (strncmp(key, section, n) == 0 && key[n] == '.' &&
		    (name == NULL || strcmp(key + n + 1, name) == 0))
			break;
	}
	return id;
}

/* "FILE:LINE" of S, in the arena; an included file has a name of its own. */
static const char *
origin_of(struct conf_load *l, const config_setting_t *s, const char *path)
{
	const char *file = config_setting_source_file(s);

	return arena_printf(
	    l->arena, "%s:%u", file != NULL ? file : path, config_setting_source_line(s));
}

/* The strings of an array or list, with commas; anything else becomes an empty one, which is
 * refused. */
static void
add_entries(struct buf *b, const config_setting_t *s)
{
	for (int i = 0; i < config_setting_length(s); i++) {
		const char *entry = config_setting_get_string_elem(s, i);

		if (i > 0)
			buf_putc(b, ',');
		buf_puts(b, entry != NULL ? entry : "");
	}
}

/* The text conf_set() takes of a setting of an accepted type. */
static void
add_text(struct buf *b, const config_setting_t *s)
{
	int type = config_setting_type(s);

	if (type == CONFIG_TYPE_STRING)
		buf_puts(b, config_setting_get_string(s));
	else if (type == CONFIG_TYPE_BOOL)
		buf_puts(b, config_setting_get_bool(s) ? "true" : "false");
	else if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64)
		buf_printf(b, "%lld", config_setting_get_int64(s));
	else
		add_entries(b, s);
}

static enum cs_err
load_setting(struct conf_load *l, size_t id, config_setting_t *s, const char *origin)
{
	struct buf text = { 0 };
	enum cs_err err;

	l->origin[id] = origin;
	if (!(kinds[l->table->keys[id].kind].accepts & ACCEPTS(config_setting_type(s))))
		return refuse_kind(l, id);
	buf_puts(&text, "");
	add_text(&text, s);
	err = buf_failed(&text) ? no_memory(l) : conf_set(l, id, text.data, origin);
	buf_free(&text);
	return err;
}

/* The keys of GROUP, which are called NAME.KEY. */
static enum cs_err
load_keys(struct conf_load *l, config_setting_t *group, const char *name, const char *path)
{
	for (int i = 0, n = config_setting_length(group); i < n; i++) {
		config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		size_t id = find_key(l->table, name, config_setting_name(s));
		const char *origin = origin_of(l, s, path);

		if (origin == NULL)
			return no_memory(l);
		if (id == l->table->n)
			return cs_detail(l->f, CS_ECONFIG, "%s: %s.%s: no such key", origin, name,
			    config_setting_name(s));
		TRY(load_setting(l, id, s, origin));
	}
	return CS_OK;
}

static enum cs_err
load_section(struct conf_load *l, config_setting_t *section, const char *path)
{
	const char *name = config_setting_name(section);
	const char *origin = origin_of(l, section, path);

	if (origin == NULL)
		return no_memory(l);
	if (find_key(l->table, name, NULL) == l->table->n)
		return cs_detail(l->f, CS_ECONFIG, "%s: %s: no such section", origin, name);
	if (!config_setting_is_group(section))
		return cs_detail(
		    l->f, CS_ECONFIG, "%s: %s: should be a section: %s: { … }", origin, name, name);
	return load_keys(l, section, name, path);
}

/* One of a list of groups, into CONF; what it does not say is as by default. */
static enum cs_err
load_group(struct conf_load *outer, config_setting_t *group, const char *path, void *conf)
{
	const struct conf_groups *groups = outer->table->groups;
	const char *origin = origin_of(outer, group, path);
	struct conf_load l = { groups->table, conf, outer->arena,
		arena_alloc(outer->arena, groups->table->n * sizeof(*l.origin)), outer->f };

	if (l.origin == NULL || origin == NULL)
		return no_memory(outer);
	if (!config_setting_is_group(group))
		return cs_detail(
		    l.f, CS_ECONFIG, "%s: %s: should have groups: { … }", origin, groups->name);
	for (size_t id = 0; id < l.table->n; id++)
		TRY(conf_set(&l, id, l.table->keys[id].def, origin));
	TRY(load_keys(&l, group, groups->name, path));
	return l.table->check(&l);
}

static enum cs_err
load_groups(struct conf_load *l, config_setting_t *list, const char *path)
{
	const struct conf_groups *groups = l->table->groups;
	const char *origin = origin_of(l, list, path);
	size_t *n = (size_t *)((char *)l->conf + groups->count);

	if (origin == NULL)
		return no_memory(l);
	if (!config_setting_is_list(list) || config_setting_length(list) > (int)groups->max)
		return cs_detail(l->f, CS_ECONFIG,
		    "%s: %s: should be a list of at most %zu groups: ( { … }, { … } )", origin,
		    groups->name, groups->max);
	for (*n = 0; *n < (size_t)config_setting_length(list); ++*n)
		TRY(load_group(l, config_setting_get_elem(list, (unsigned)*n), path,
		    (char *)l->conf + groups->offset + *n * groups->table->size));
	return CS_OK;
}

/* A section, or the list of groups. */
static enum cs_err
load_child(struct conf_load *l, config_setting_t *s, const char *path)
{
	const struct conf_groups *groups = l->table->groups;

	if (groups != NULL && strcmp(config_setting_name(s), groups->name) == 0)
		return load_groups(l, s, path);
	return load_section(l, s, path);
}

static enum cs_err
syntax_error(struct conf_load *l, const config_t *config, const char *path)
{
	const char *file = config_error_file(config);

	return cs_detail(l->f, CS_ECONFIG, "%s:%d: %s", file != NULL ? file : path,
	    config_error_line(config), config_error_text(config));
}

static enum cs_err
load_file(struct conf_load *l, const char *path)
{
	auto_file *in = fopen(path, "re");
	auto_config config;
	config_setting_t *root;
	struct stat st;

	config_init(&config);
	if (in == NULL || fstat(fileno(in), &st) != 0)
		return cs_detail(l->f, CS_ECONFIG, "%s: %s", path, strerror(errno));
	/* libconfig's scanner ends the process where a read fails. */
	if (S_ISDIR(st.st_mode))
		return cs_detail(l->f, CS_ECONFIG, "%s: is a directory", path);
	if (!config_read(&config, in))
		return syntax_error(l, &config, path);
	root = config_root_setting(&config);
	for (int i = 0, n = config_setting_length(root); i < n; i++)
		TRY(load_child(l, config_setting_get_elem(root, (unsigned)i), path));
	return CS_OK;
}

/* "CASCADE_DATABASE_HOST" of "database.host", "CASCADE_API_KEY" of "cascade.api_key". */
static const char *
env_name(struct conf_load *l, const char *key)
{
	size_t section = strcspn(key, ".");
	const char *plain = l->table->plain;
	char *name;

	if (plain != NULL && strlen(plain) == section && strncmp(key, plain, section) == 0)
		key += section + 1;
	name = arena_printf(l->arena, ENV_PREFIX "%s", key);
	for (char *p = name; p != NULL && *p != '\0'; p++)
		*p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
	return name;
}

static enum cs_err
load_environment(struct conf_load *l)
{
	for (size_t id = 0; id < l->table->n; id++) {
		const char *name = env_name(l, l->table->keys[id].key);
		const char *value;

		if (name == NULL)
			return no_memory(l);
		value = getenv(name);
		if (value != NULL)
			TRY(conf_set(l, id, value, name));
	}
	return CS_OK;
}

static enum cs_err
load_all(struct conf_load *l, const char *path)
{
	for (size_t id = 0; id < l->table->n; id++)
		TRY(conf_set(l, id, l->table->keys[id].def, "default"));
	if (path != NULL)
		TRY(load_file(l, path));
	TRY(load_environment(l));
	return l->table->check(l);
}

static void
free_owned(struct owned_conf *c)
{
	arena_free(c->arena);
	free(c->origin);
	free(c);
}

static struct owned_conf *
new_conf(const struct conf_table *table)
{
	struct owned_conf *c = calloc(1, sizeof(*c) + table->size);

	if (c == NULL)
		return NULL;
	c->arena = arena_new(ARENA_CAP);
	c->origin = calloc(table->n, sizeof(*c->origin));
	if (c->arena == NULL || c->origin == NULL) {
		free_owned(c);
		return NULL;
	}
	return c;
}

enum cs_err
conf_table_load(const struct conf_table *table, const char *path, void **conf, struct fault *f)
{
	struct owned_conf *c = new_conf(table);
	struct conf_load l = { .table = table, .f = f };
	struct stat st;
	enum cs_err err;

	if (c == NULL)
		return no_memory(&l);
	l.conf = c->conf;
	l.arena = c->arena;
	l.origin = c->origin;
	if (path == NULL && (stat(table->path, &st) == 0 || errno != ENOENT))
		path = table->path;
	err = load_all(&l, path);
	if (err != CS_OK) {
		conf_table_free(c->conf);
		return err;
	}
	*conf = c->conf;
	return CS_OK;
}

void
conf_table_free(void *conf)
{
	if (conf == NULL)
		return;
	free_owned((struct owned_conf *)((char *)conf - offsetof(struct owned_conf, conf)));
}
