/* SPDX-License-Identifier: MIT */
/*
 * A key table as text: the configuration in force, an example file, and the table of its manual.
 * All three walk the keys in the table's order, grouped by section, so that what users read cannot
 * differ from what the loader takes.
 */
#include "conf/table.h"

#include <string.h>

#define TEXT_WIDTH 78
#define MASK	   "********"

static size_t
section_len(const char *key)
{
	return strcspn(key, ".");
}

static const char *
name_of(const struct conf_key *k)
{
	return k->key + section_len(k->key) + 1;
}

static bool
same_section(const struct conf_key *a, const struct conf_key *b)
{
	return strncmp(a->key, b->key, section_len(a->key) + 1) == 0;
}

/* Is key ID the first or the last of its section? */
static bool
is_first(const struct conf_table *table, size_t id)
{
	return id == 0 || !same_section(&table->keys[id], &table->keys[id - 1]);
}

static bool
is_last(const struct conf_table *table, size_t id)
{
	return id + 1 == table->n || !same_section(&table->keys[id], &table->keys[id + 1]);
}

void
conf_print_quoted(FILE *out, const char *s, size_t n)
{
	fputc('"', out);
	for (; n > 0; n--, s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			fprintf(out, "\\x%02x", (unsigned)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

static void
print_str(FILE *out, const struct conf_key *k, const void *member)
{
	const char *s = *(const char *const *)member;

	if ((k->flags & C_SECRET) && *s != '\0')
		s = MASK;
	conf_print_quoted(out, s, strlen(s));
}

static void
print_int(FILE *out, const struct conf_key *k cs_unused, const void *member)
{
	fprintf(out, "%lld", (long long)*(const int64_t *)member);
}

static void
print_bool(FILE *out, const struct conf_key *k cs_unused, const void *member)
{
	fputs(*(const bool *)member ? "true" : "false", out);
}

static void
print_list(FILE *out, const struct conf_key *k cs_unused, const void *member)
{
	const struct conf_list *list = member;

	fputs("[ ", out);
	for (size_t i = 0; i < list->n; i++) {
		fputs(i > 0 ? ", " : "", out);
		conf_print_quoted(out, list->v[i], strlen(list->v[i]));
	}
	fputs(" ]", out);
}

static void
print_default_quoted(FILE *out, const char *def)
{
	conf_print_quoted(out, def, strlen(def));
}

static void
print_default_bare(FILE *out, const char *def)
{
	fputs(def, out);
}

static void
print_default_list(FILE *out, const char *def)
{
	fputs("[ ", out);
	for (;;) {
		size_t n = strcspn(def, ",");

		conf_print_quoted(out, def, n);
		if (def[n] == '\0')
			break;
		fputs(", ", out);
		def += n + 1;
	}
	fputs(" ]", out);
}

static const struct {
	void (*print)(FILE *, const struct conf_key *, const void *member);
	void (*print_default)(FILE *, const char *def);
	const char *name, *unit; /* in the manual */
} kinds[] = {
	[CONF_KIND_STR] = { print_str, print_default_quoted, "String", " bytes" },
	[CONF_KIND_INT] = { print_int, print_default_bare, "Integer", "" },
	[CONF_KIND_BOOL] = { print_bool, print_default_bare, "Boolean", "" },
	[CONF_KIND_DURATION] = { print_int, print_default_quoted, "Duration", " seconds" },
	[CONF_KIND_SIZE] = { print_int, print_default_quoted, "Size", " bytes" },
	[CONF_KIND_LIST] = { print_list, print_default_list, "List", " strings" },
};

static void
print_key(FILE *out, const struct conf_key *k, const void *conf, const char *indent)
{
	fprintf(out, "%s%s = ", indent, name_of(k));
	kinds[k->kind].print(out, k, (const char *)conf + k->offset);
	fputs(";\n", out);
}

static void
print_groups(FILE *out, const struct conf_groups *groups, const void *conf)
{
	const char *first = (const char *)conf + groups->offset;
	size_t n = *(const size_t *)((const char *)conf + groups->count);

	fprintf(out, "%s = (", groups->name);
	for (size_t i = 0; i < n; i++) {
		fputs(i == 0 ? "\n\t{\n" : ",\n\t{\n", out);
		for (size_t id = 0; id < groups->table->n; id++)
			print_key(
			    out, &groups->table->keys[id], first + i * groups->table->size, "\t\t");
		fputs("\t}", out);
	}
	fputs(n == 0 ? " );\n" : "\n);\n", out);
}

void
conf_table_print(const struct conf_table *table, const void *conf, FILE *out)
{
	for (size_t id = 0; id < table->n; id++) {
		const struct conf_key *k = &table->keys[id];

		if (is_first(table, id))
			fprintf(out, "%.*s: {\n", (int)section_len(k->key), k->key);
		print_key(out, k, conf, "\t");
		if (is_last(table, id))
			fputs("};\n", out);
	}
	if (table->groups != NULL)
		print_groups(out, table->groups, conf);
}

/* The end of a line of TEXT that has room for WIDTH bytes: the last blank before, or the word's
 * end. */
static size_t
line_len(const char *text, size_t width)
{
	size_t n = strlen(text);

	if (n <= width)
		return n;
	for (n = width; n > 0 && text[n] != ' '; n--)
		;
	return n > 0 ? n : strcspn(text, " ");
}

/* N bytes of TEXT in lines that each begin with PREFIX. */
static void
print_wrapped(FILE *out, const char *prefix, const char *text, size_t n)
{
	const char *end = text + n;

	while (text < end) {
		size_t len = line_len(text, TEXT_WIDTH - strlen(prefix));

		if (len > (size_t)(end - text))
			len = (size_t)(end - text);
		fprintf(out, "%s%.*s\n", prefix, (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

static void
print_example_key(FILE *out, const struct conf_key *k, const char *indent, const char *mark)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%s# ", indent);
	print_wrapped(out, prefix, k->help, strlen(k->help));
	fprintf(out, "%s%s%s = ", indent, mark, name_of(k));
	kinds[k->kind].print_default(out, k->def);
	fputs(";\n", out);
}

/* One group, all of it a comment: there is none by default. */
static void
print_example_groups(FILE *out, const struct conf_groups *groups)
{
	fprintf(out, "\n# A list of groups, none by default; in each of them:\n#%s = ( {\n",
	    groups->name);
	for (size_t id = 0; id < groups->table->n; id++)
		print_example_key(out, &groups->table->keys[id], "#   ", "");
	fputs("# } );\n", out);
}

void
conf_table_print_example(const struct conf_table *table, FILE *out)
{
	fprintf(out, "%s# Remove the # before a key to change it.\n", table->title);
	for (size_t id = 0; id < table->n; id++) {
		const struct conf_key *k = &table->keys[id];

		if (is_first(table, id))
			fprintf(out, "\n%.*s: {\n", (int)section_len(k->key), k->key);
		else
			fputc('\n', out);
		print_example_key(out, k, "\t", "#");
		if (is_last(table, id))
			fputs("};\n", out);
	}
	if (table->groups != NULL)
		print_example_groups(out, table->groups);
}

/* One sentence a line, as mdoc wants it. */
static void
print_sentences(FILE *out, const char *text)
{
	while (*text != '\0') {
		const char *stop = strstr(text, ". ");
		size_t n = stop != NULL ? (size_t)(stop - text) + 1 : strlen(text);

		print_wrapped(out, "", text, n);
		text += n;
		text += strspn(text, " ");
	}
}

/* Kind, bounds, default and whether a restart is needed. */
static void
print_facts(FILE *out, const struct conf_key *k)
{
	fputs(kinds[k->kind].name, out);
	if (k->kind != CONF_KIND_BOOL)
		fprintf(out, " of %lld to %lld%s", (long long)k->min, (long long)k->max,
		    kinds[k->kind].unit);
	if (*k->def == '\0')
		fputs(", empty by default.\n", out);
	else
		fprintf(out, ", by default\n.Ql %s .\n", k->def);
	if (k->flags & C_RESTART)
		fputs("A change needs a restart.\n", out);
}

static void
print_mdoc_keys(FILE *out, const struct conf_table *table, const char *what)
{
	for (size_t id = 0; id < table->n; id++) {
		const struct conf_key *k = &table->keys[id];

		if (is_first(table, id))
			fprintf(out, ".Ss %s %.*s\n.Bl -tag -width Ds\n", what,
			    (int)section_len(k->key), k->key);
		fprintf(out, ".It Ic %s\n", k->key);
		print_sentences(out, k->help);
		print_facts(out, k);
		if (is_last(table, id))
			fputs(".El\n", out);
	}
}

void
conf_table_print_mdoc(const struct conf_table *table, FILE *out)
{
	print_mdoc_keys(out, table, "Section");
	if (table->groups != NULL)
		print_mdoc_keys(out, table->groups->table, "List of groups");
}
