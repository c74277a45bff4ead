/* SPDX-License-Identifier: MIT */
/*
 * CSV. Strict: a quote within an unquoted field, or text after a closing quote, is an error rather
 * than a guess, since a guess would shift every field behind it.
 */
#include "cli/csv.h"

#include <string.h>

#define BOM "\xef\xbb\xbf"

void
csv_init(struct csv *csv, const char *text, size_t len)
{
	size_t bom = len >= 3 && memcmp(text, BOM, 3) == 0 ? 3 : 0;

	*csv = (struct csv){ .p = text + bom, .end = text + len, .line = 0, .next_line = 1 };
}

/* Bytes of a line end at P; 0: there is none. */
static size_t
line_end(const struct csv *csv)
{
	if (csv->p < csv->end && *csv->p == '\n')
		return 1;
	return csv->end - csv->p >= 2 && csv->p[0] == '\r' && csv->p[1] == '\n' ? 2 : 0;
}

static bool
at_separator(const struct csv *csv)
{
	return csv->p == csv->end || *csv->p == ',' || line_end(csv) > 0;
}

/* A field in quotes, the first of which has been read, into OUT. */
static enum msg_id
read_quoted(struct csv *csv, char *out)
{
	for (; csv->p < csv->end; csv->p++) {
		if (*csv->p == '"' && (csv->p + 1 == csv->end || csv->p[1] != '"')) {
			csv->p++;
			*out = '\0';
			return at_separator(csv) ? MSG_NONE : MSG_C_CSV_QUOTE;
		}
		csv->p += *csv->p == '"';
		csv->next_line += *csv->p == '\n';
		*out++ = *csv->p;
	}
	return MSG_C_CSV_UNCLOSED;
}

static enum msg_id
read_plain(struct csv *csv, char *out)
{
	while (!at_separator(csv)) {
		if (*csv->p == '"')
			return MSG_C_CSV_QUOTE;
		*out++ = *csv->p++;
	}
	*out = '\0';
	return MSG_NONE;
}

/* Bytes that the field at P cannot exceed: as far as its record may go. */
static size_t
field_bound(const struct csv *csv)
{
	size_t left = (size_t)(csv->end - csv->p);
	const char *stop;

	if (left > 0 && *csv->p != '"') {
		stop = memchr(csv->p, ',', left);
		left = stop != NULL ? (size_t)(stop - csv->p) : left;
		stop = memchr(csv->p, '\n', left);
		return stop != NULL ? (size_t)(stop - csv->p) : left;
	}
	/* up to the first quote that is not doubled */
	for (stop = csv->p + (left > 0); stop < csv->end; stop++) {
		if (*stop == '"' && (stop + 1 == csv->end || stop[1] != '"'))
			break;
		stop += *stop == '"';
	}
	return (size_t)(stop - csv->p);
}

static enum msg_id
read_field(struct csv *csv, struct arena *a, const char **field)
{
	size_t bound = field_bound(csv);
	char *out = arena_alloc(a, bound + 1);
	enum msg_id wrong;

	if (out == NULL)
		return MSG_BUSY;
	if (memchr(csv->p, '\0', bound) != NULL)
		return MSG_R_NUL;
	*field = out;
	if (csv->p < csv->end && *csv->p == '"') {
		csv->p++;
		wrong = read_quoted(csv, out);
	} else {
		wrong = read_plain(csv, out);
	}
	return wrong;
}

/* Steps over empty lines. */
static void
skip_empty(struct csv *csv)
{
	for (size_t n; (n = line_end(csv)) > 0; csv->p += n)
		csv->next_line++;
}

bool
csv_next(struct csv *csv, struct arena *a, const char **fields, size_t max, size_t *n,
    enum msg_id *wrong)
{
	*n = 0;
	*wrong = MSG_NONE;
	skip_empty(csv);
	csv->line = csv->next_line;
	if (csv->p == csv->end)
		return false;
	for (;;) {
		const char *field;

		*wrong = read_field(csv, a, &field);
		if (*wrong != MSG_NONE)
			return false;
		if (*n < max)
			fields[*n] = field;
		(*n)++;
		if (csv->p == csv->end || *csv->p != ',')
			break;
		csv->p++;
	}
	csv->p += line_end(csv);
	csv->next_line++;
	return true;
}
