/* SPDX-License-Identifier: MIT */
/*
 * Files of feeds. One table of fields serves both formats: the columns of a CSV file are the keys
 * of a JSON object. What a file leaves out is left alone by the import.
 */
#include "cli/feed_file.h"

#include "base/parse.h"
#include "cli/csv.h"
#include "json/jx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name, type, flags, min, max)                                                         \
	{                                                                                          \
#name, type, flags, offsetof(struct db_feed, name), min, max                       \
	}
static const struct jx_field fields[] = {
	FIELD(id, JX_STR, JX_REQUIRED, 1, 255),
	FIELD(mp_name, JX_STR, 0, 0, 255),
	FIELD(faker_id, JX_STR, 0, 0, 255),
	FIELD(mp_cover, JX_STR, 0, 0, 255),
	FIELD(mp_intro, JX_STR, 0, 0, 255),
	FIELD(status, JX_INT, 0, 0, 1000),
};

/* What else a file made of GET /feeds has. */
static const char *const ignored_columns[] = { "created_at", "updated_at", "sync_time",
	"update_time" };

#define CSV_COLUMNS_MAX 16
#define IGNORED		ARRAY_LEN(fields)

/* The next free place, with everything left alone. NULL: out of memory. */
static struct db_feed *
next_feed(struct feed_list *list)
{
	if (list->n == list->size) {
		size_t size = list->size == 0 ? 256 : list->size * 2;
		struct db_feed *feed = reallocarray(list->feed, size, sizeof(*feed));

		if (feed == NULL)
			return NULL;
		list->feed = feed;
		list->size = size;
	}
	list->feed[list->n] = (struct db_feed){ .status = DB_KEEP };
	return &list->feed[list->n++];
}

static enum cs_err
csv_bad(struct cli *c, const char *file, size_t line, const char *column, enum msg_id reason,
    long long min, long long max)
{
	char field[128];

	snprintf(
	    field, sizeof(field), "%.80s:%zu%s%s", file, line, *column != '\0' ? ": " : "", column);
	return cs_bad(&c->fault, field, reason, min, max);
}

/* The field called NAME; IGNORED for a known column of no use, above that for an unknown one. */
static size_t
field_called(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return i;
	for (size_t i = 0; i < ARRAY_LEN(ignored_columns); i++)
		if (strcmp(ignored_columns[i], name) == 0)
			return IGNORED;
	return IGNORED + 1;
}

/* Which field each column of the header is; id has to be among them. */
static enum cs_err
csv_header(struct cli *c, const char *file, const char **cell, size_t n, size_t *which)
{
	bool seen[ARRAY_LEN(fields)] = { false };

	if (n > CSV_COLUMNS_MAX)
		return csv_bad(c, file, 1, "", MSG_C_CSV_FIELDS, (long long)n, CSV_COLUMNS_MAX);
	for (size_t i = 0; i < n; i++) {
		which[i] = field_called(cell[i]);
		if (which[i] > IGNORED)
			return csv_bad(c, file, 1, cell[i], MSG_C_CSV_COLUMN, 0, 0);
		if (which[i] < IGNORED && seen[which[i]])
			return csv_bad(c, file, 1, cell[i], MSG_C_CSV_TWICE, 0, 0);
		if (which[i] < IGNORED)
			seen[which[i]] = true;
	}
	return seen[0] ? CS_OK : csv_bad(c, file, 1, "id", MSG_R_REQUIRED, 0, 0);
}

/* One cell into its member of FEED; an empty number is one left out. */
static enum cs_err
csv_cell(struct cli *c, const char *file, size_t line, const struct jx_field *field,
    const char *cell, struct db_feed *feed)
{
	char *member = (char *)feed + field->offset;
	long long min = field->min, max = field->max;
	int64_t chars;

	if (field->type == JX_INT) {
		int64_t n = DB_KEEP;

		if (*cell != '\0' && !parse_int(cell, field->min, field->max, &n))
			return csv_bad(c, file, line, field->name, MSG_R_RANGE, min, max);
		memcpy(member, &n, sizeof(n));
		return CS_OK;
	}
	if (!parse_is_utf8(cell, strlen(cell)))
		return csv_bad(c, file, line, field->name, MSG_R_UTF8, 0, 0);
	chars = (int64_t)utf8_chars(cell);
	if (chars < min || chars > max)
		return csv_bad(c, file, line, field->name, MSG_R_LENGTH, min, max);
	memcpy(member, &cell, sizeof(cell));
	return CS_OK;
}

static enum cs_err
csv_record(struct cli *c, const char *file, size_t line, const char **cell, const size_t *which,
    size_t columns, struct feed_list *list)
{
	struct db_feed *feed = next_feed(list);

	if (feed == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	for (size_t i = 0; i < columns; i++)
		if (which[i] < IGNORED)
			TRY(csv_cell(c, file, line, &fields[which[i]], cell[i], feed));
	return CS_OK;
}

static enum cs_err
parse_csv(struct cli *c, const char *file, const char *text, size_t len, struct feed_list *list)
{
	const char *cell[CSV_COLUMNS_MAX];
	size_t which[CSV_COLUMNS_MAX];
	size_t n, columns = 0;
	enum msg_id wrong;
	struct csv csv;

	csv_init(&csv, text, len);
	while (csv_next(&csv, c->arena, cell, CSV_COLUMNS_MAX, &n, &wrong)) {
		if (columns == 0) {
			TRY(csv_header(c, file, cell, n, which));
			columns = n;
			continue;
		}
		if (n != columns)
			return csv_bad(c, file, csv.line, "", MSG_C_CSV_FIELDS, (long long)n,
			    (long long)columns);
		TRY(csv_record(c, file, csv.line, cell, which, columns, list));
	}
	if (wrong == MSG_BUSY)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	if (wrong != MSG_NONE)
		return csv_bad(c, file, csv.line, "", wrong, 0, 0);
	return columns > 0 ? CS_OK : csv_bad(c, file, 1, "", MSG_R_EMPTY, 0, 0);
}

/* Text of a JSON value is its document's: copied to outlive it. */
static enum cs_err
keep_text(struct cli *c, struct db_feed *feed)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char *member = (char *)feed + fields[i].offset;
		const char *text, *copy;

		if (fields[i].type != JX_STR)
			continue;
		memcpy(&text, member, sizeof(text));
		copy = arena_strdup(c->arena, text);
		if (text != NULL && copy == NULL)
			return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
		memcpy(member, &copy, sizeof(copy));
	}
	return CS_OK;
}

static enum cs_err
json_element(struct cli *c, const char *file, const struct jx *v, size_t i, struct feed_list *list)
{
	struct db_feed *feed = next_feed(list);
	char prefix[112];

	if (feed == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	snprintf(prefix, sizeof(prefix), "%.80s[%zu]", file, i);
	if (jx_type(v) != JX_OBJ)
		return cs_bad(&c->fault, prefix, MSG_R_OBJECT);
	snprintf(prefix, sizeof(prefix), "%.80s[%zu].", file, i);
	TRY(jx_read(v, fields, ARRAY_LEN(fields), feed, NULL, prefix, &c->fault));
	return keep_text(c, feed);
}

static enum cs_err
parse_json(struct cli *c, const char *file, const char *text, size_t len, struct feed_list *list)
{
	auto_jx *doc = NULL;
	const struct jx *feeds;
	enum cs_err err = jx_parse(text, len, &doc, &c->fault);

	if (err == CS_EINPUT)
		snprintf(c->fault.field, sizeof(c->fault.field), "%.100s", file);
	TRY(err);
	feeds = jx_root(doc);
	if (jx_type(feeds) == JX_OBJ)
		feeds = jx_get(feeds, "data");
	if (jx_type(feeds) != JX_ARR)
		return cs_bad(&c->fault, file, MSG_C_FEED_ARRAY);
	for (size_t i = 0; i < jx_len(feeds); i++)
		TRY(json_element(c, file, jx_at(feeds, i), i, list));
	return CS_OK;
}

static bool
looks_like_json(const char *text)
{
	text += strspn(text, " \t\r\n");
	return *text == '[' || *text == '{';
}

enum cs_err
feed_file_parse(struct cli *c, const char *file, const char *format, const char *text, size_t len,
    struct feed_list *list)
{
	bool json = format != NULL ? strcmp(format, "json") == 0 : looks_like_json(text);

	if (strcmp(file, "-") == 0)
		file = "stdin";

	return json ? parse_json(c, file, text, len, list) : parse_csv(c, file, text, len, list);
}
