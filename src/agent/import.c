/* SPDX-License-Identifier: MIT */
/*
 * Reads the `cascade` section of a WeRSS child's config.yaml and prints what it says in our syntax.
 * Values such as "${CASCADE_API_KEY:-}" are taken as WeRSS takes them: the environment's, else the
 * default in them. The only user of libyaml.
 */
#include "agent/import.h"
#include "base/err.h"
#include "conf/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define VALUE_MAX 1024

/* What WeRSS has and we take: strings are quoted. */
static const struct {
	const char *theirs, *ours;
	bool quoted;
} keys[] = {
	{ "parent_api_url", "parent_api_url", true },
	{ "api_key", "api_key", true },
	{ "api_secret", "api_secret", true },
	{ "sync_interval", "sync_interval", false },
	{ "heartbeat_interval", "heartbeat_interval", false },
	{ "task_poll_interval", "task_poll_interval", false },
};
/* What it has and we need not. */
static const char *const ignored[] = { "enabled", "node_type" };

static const yaml_node_t *
member(yaml_document_t *doc, const yaml_node_t *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = yaml_document_get_node(doc, p->key);

		if (k->type == YAML_SCALAR_NODE && strcmp((char *)k->data.scalar.value, key) == 0)
			return yaml_document_get_node(doc, p->value);
	}
	return NULL;
}

/* The value of TEXT, with ${NAME:-DEFAULT} replaced; false: too long. */
static bool
expand(const char *text, char out[VALUE_MAX])
{
	const char *minus = strstr(text, ":-"), *value;
	size_t n = strlen(text), name;
	char variable[128];

	if (strncmp(text, "${", 2) != 0 || text[n - 1] != '}')
		return snprintf(out, VALUE_MAX, "%s", text) < VALUE_MAX;
	name = minus != NULL ? (size_t)(minus - text) - 2 : n - 3;
	if (name >= sizeof(variable))
		return false;
	snprintf(variable, sizeof(variable), "%.*s", (int)name, text + 2);
	value = getenv(variable);
	if (value != NULL && value[0] != '\0')
		return snprintf(out, VALUE_MAX, "%s", value) < VALUE_MAX;
	if (minus == NULL)
		minus = text + n - 3;
	return snprintf(out, VALUE_MAX, "%.*s", (int)(text + n - 1 - (minus + 2)), minus + 2) <
	       VALUE_MAX;
}

static bool
is_number(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static void
print_key(size_t i, const yaml_node_t *v)
{
	char value[VALUE_MAX];

	if (v->type != YAML_SCALAR_NODE || !expand((char *)v->data.scalar.value, value) ||
	    (!keys[i].quoted && !is_number(value))) {
		fprintf(
		    stderr, "cascade-node: cascade.%s: not understood, left out\n", keys[i].theirs);
		return;
	}
	if (value[0] == '\0')
		return;
	printf("\t%s = ", keys[i].ours);
	if (keys[i].quoted)
		conf_print_quoted(stdout, value, strlen(value));
	else
		fputs(value, stdout);
	puts(";");
}

static bool
is_known(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].theirs, key) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
		if (strcmp(ignored[i], key) == 0)
			return true;
	}
	return false;
}

static void
say_unknown(yaml_document_t *doc, const yaml_node_t *map)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = yaml_document_get_node(doc, p->key);

		if (k->type == YAML_SCALAR_NODE && !is_known((char *)k->data.scalar.value))
			fprintf(stderr, "cascade-node: cascade.%s: has no equivalent, left out\n",
			    (char *)k->data.scalar.value);
	}
}

static int
print_document(yaml_document_t *doc, const char *path)
{
	const yaml_node_t *map = member(doc, yaml_document_get_root_node(doc), "cascade"), *type;
	char value[VALUE_MAX];

	if (map == NULL || map->type != YAML_MAPPING_NODE) {
		fprintf(stderr, "cascade-node: %s: has no section cascade\n", path);
		return cs_err_exit(CS_EINPUT);
	}
	type = member(doc, map, "node_type");
	if (type != NULL && type->type == YAML_SCALAR_NODE &&
	    expand((char *)type->data.scalar.value, value) && strcmp(value, "child") != 0)
		fprintf(stderr, "cascade-node: %s: node_type is %s, this is for a child\n", path,
		    value);
	puts("# cascade-node.conf, of a WeRSS child's config.yaml; see cascade-node.conf(5).\n"
	     "cascade: {");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const yaml_node_t *v = member(doc, map, keys[i].theirs);

		if (v != NULL)
			print_key(i, v);
	}
	puts("};");
	say_unknown(doc, map);
	return EXIT_SUCCESS;
}

int
import_config(const char *path)
{
	FILE *in = fopen(path, "re");
	int status = cs_err_exit(CS_EINPUT);
	yaml_document_t doc;
	yaml_parser_t parser;

	if (in == NULL || !yaml_parser_initialize(&parser)) {
		fprintf(stderr, "cascade-node: %s: %s\n", path, strerror(errno));
		if (in != NULL)
			fclose(in);
		return cs_err_exit(CS_EIO);
	}
	yaml_parser_set_input_file(&parser, in);
	if (yaml_parser_load(&parser, &doc)) {
		status = print_document(&doc, path);
		yaml_document_delete(&doc);
	} else
		fprintf(stderr, "cascade-node: %s:%zu: %s\n", path, parser.problem_mark.line + 1,
		    parser.problem != NULL ? parser.problem : "cannot be read");
	yaml_parser_delete(&parser);
	fclose(in);
	return status;
}
