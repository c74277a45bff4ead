/* SPDX-License-Identifier: MIT */
/*
 * Output of a command. JSON is written as the cells come; for people cells are kept until the
 * record or list ends, since a column is as wide as its widest cell. Both go to one buffer that is
 * written at the end.
 */
#include "cli/out.h"

#include "cli/width.h"
#include "json/jw.h"
#include "json/jx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_COLUMNS_MAX 48 /* of a table; records show all */
#define GAP		 2

struct cell {
	const char *label;
	const char *text;
	bool number;
};

struct out {
	bool json;
	enum lang lang;
	struct arena *arena;
	struct buf buf;
	struct jw w;
	bool in_record, in_list, in_row;
	bool by_key;	   /* the record's labels are its keys */
	struct cell *cell; /* row by row */
	size_t ncells, size;
	size_t ncols; /* cells of the first row */
	bool first_row;
	bool failed;
};

struct out *
out_new(bool json, enum lang lang, struct arena *arena)
{
	struct out *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->json = json;
	o->lang = lang;
	o->arena = arena;
	jw_init(&o->w, &o->buf);
	return o;
}

void
out_free(struct out *o)
{
	if (o == NULL)
		return;
	buf_free(&o->buf);
	free(o->cell);
	free(o);
}

static void
add_blanks(struct out *o, size_t n)
{
	while (n-- > 0)
		buf_putc(&o->buf, ' ');
}

static void
print_record(struct out *o)
{
	size_t widest = 0;

	for (size_t i = 0; i < o->ncells; i++) {
		size_t width = width_of(o->cell[i].label);

		widest = width > widest ? width : widest;
	}
	for (size_t i = 0; i < o->ncells; i++) {
		size_t width = width_add(&o->buf, o->cell[i].label, 0);

		add_blanks(o, widest - width + GAP);
		width_add(&o->buf, o->cell[i].text, 0);
		buf_putc(&o->buf, '\n');
	}
	o->ncells = 0;
}

static size_t
cell_width(const char *text)
{
	size_t width = width_of(text);

	return width > CELL_COLUMNS_MAX ? CELL_COLUMNS_MAX : width;
}

/* Numbers stand to the right, the last column's text without blanks behind it. */
static void
print_cell(struct out *o, const char *text, bool right, bool last, size_t column)
{
	size_t blanks = column - cell_width(text);

	if (right)
		add_blanks(o, blanks);
	width_add(&o->buf, text, CELL_COLUMNS_MAX);
	if (!last)
		add_blanks(o, (right ? 0 : blanks) + GAP);
}

static void
print_table(struct out *o)
{
	size_t *column = arena_calloc(o->arena, o->ncols, sizeof(*column));

	o->failed = o->failed || column == NULL;
	if (column == NULL)
		return;
	for (size_t k = 0; k < o->ncols; k++)
		column[k] = cell_width(o->cell[k].label);
	for (size_t i = 0; i < o->ncells; i++) {
		size_t width = cell_width(o->cell[i].text);

		if (width > column[i % o->ncols])
			column[i % o->ncols] = width;
	}
	for (size_t k = 0; k < o->ncols; k++)
		print_cell(o, o->cell[k].label, o->cell[k].number, k + 1 == o->ncols, column[k]);
	buf_putc(&o->buf, '\n');
	for (size_t i = 0; i < o->ncells; i++) {
		bool last = (i + 1) % o->ncols == 0;

		print_cell(o, o->cell[i].text, o->cell[i].number, last, column[i % o->ncols]);
		if (last)
			buf_putc(&o->buf, '\n');
	}
	o->ncells = 0;
}

void
out_record(struct out *o)
{
	o->in_record = true;
	if (o->json)
		jw_obj(&o->w);
}

void
out_details(struct out *o)
{
	out_record(o);
	o->by_key = true;
}

void
out_list(struct out *o, const char *key)
{
	if (!o->json && o->in_record) {
		print_record(o);
		buf_putc(&o->buf, '\n');
	}
	if (o->json && key != NULL)
		jw_key(&o->w, key);
	if (o->json)
		jw_arr(&o->w);
	o->in_list = true;
	o->first_row = true;
	o->ncols = 0;
}

static void
end_row(struct out *o)
{
	if (!o->in_row)
		return;
	o->in_row = false;
	o->first_row = false;
	if (o->json)
		jw_obj_end(&o->w);
}

void
out_row(struct out *o)
{
	end_row(o);
	o->in_row = true;
	if (o->json)
		jw_obj(&o->w);
}

static void
end_list(struct out *o)
{
	end_row(o);
	o->in_list = false;
	if (o->json)
		jw_arr_end(&o->w);
	else if (o->ncells == 0)
		out_note(o, MSG_C_NONE);
	else
		print_table(o);
}

void
out_end(struct out *o)
{
	if (o->in_list) {
		end_list(o);
		return;
	}
	o->in_record = o->by_key = false;
	if (o->json)
		jw_obj_end(&o->w);
	else
		print_record(o);
}

/* Keeps a cell for people. TEXT is copied. */
static void
keep(struct out *o, const char *key, enum msg_id title, const char *text, bool number)
{
	struct cell *cell;

	if (title == MSG_NONE && o->in_list)
		return;
	if (o->in_list && o->first_row)
		o->ncols++;
	if (o->ncells == o->size) {
		size_t size = o->size == 0 ? 64 : o->size * 2;

		cell = reallocarray(o->cell, size, sizeof(*cell));
		o->failed = o->failed || cell == NULL;
		if (cell == NULL)
			return;
		o->cell = cell;
		o->size = size;
	}
	cell = &o->cell[o->ncells++];
	cell->label =
	    title == MSG_NONE || (o->by_key && !o->in_list) ? key : msg_text(o->lang, title);
	cell->text = arena_strdup(o->arena, text);
	cell->number = number;
	if (cell->text == NULL) {
		o->failed = true;
		cell->text = "";
	}
}

void
out_str(struct out *o, const char *key, enum msg_id title, const char *s)
{
	if (o->json)
		jw_kstr(&o->w, key, s);
	else
		keep(o, key, title, s != NULL ? s : "-", false);
}

void
out_int(struct out *o, const char *key, enum msg_id title, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	if (o->json)
		jw_kint(&o->w, key, n);
	else
		keep(o, key, title, text, true);
}

void
out_bool(struct out *o, const char *key, enum msg_id title, bool b)
{
	if (o->json)
		jw_kbool(&o->w, key, b);
	else
		keep(o, key, title, msg_text(o->lang, b ? MSG_C_YES : MSG_C_NO), false);
}

void
out_null(struct out *o, const char *key, enum msg_id title)
{
	out_str(o, key, title, NULL);
}

void
out_json(struct out *o, const char *key, enum msg_id title, const char *text)
{
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;

	if (o->json && text != NULL && jx_parse(text, strlen(text), &doc, &ignored) == CS_OK)
		jw_kraw(&o->w, key, jx_text(jx_root(doc), o->arena));
	else
		out_str(o, key, title, text);
}

static void
put_cell(struct out *o, const struct view_col *col, enum msg_id title, const struct db_rows *rows,
    unsigned i)
{
	if (db_is_null(rows, i))
		out_null(o, col->key, title);
	else if (col->kind == VIEW_INT)
		out_int(o, col->key, title, db_i(rows, i));
	else if (col->kind == VIEW_BOOL)
		out_bool(o, col->key, title, db_i(rows, i) != 0);
	else if (col->kind == VIEW_ARRAY)
		out_json(o, col->key, title, db_s(rows, i));
	else
		out_str(o, col->key, title, db_s(rows, i));
}

/* The column of VIEW called KEY; one past the last: none. */
static unsigned
column_called(const struct view *view, const char *key)
{
	unsigned i = 0;

	while (i < view->ncols && strcmp(view->cols[i].key, key) != 0)
		i++;
	return i;
}

void
out_cells(struct out *o, const struct view *view, const struct out_title *titles, size_t ntitles,
    const struct db_rows *rows)
{
	if (o->json || ntitles == 0) {
		for (unsigned i = 0; i < view->ncols; i++)
			put_cell(o, &view->cols[i], MSG_NONE, rows, i);
		return;
	}
	for (size_t k = 0; k < ntitles; k++) {
		unsigned i = column_called(view, titles[k].key);

		if (i < view->ncols)
			put_cell(o, &view->cols[i], titles[k].title, rows, i);
	}
}

void
out_rows(struct out *o, const char *key, const struct view *view, const struct out_title *titles,
    size_t ntitles, struct db_rows *rows)
{
	out_list(o, key);
	while (db_next(rows)) {
		out_row(o);
		out_cells(o, view, titles, ntitles, rows);
	}
	out_end(o);
}

void
out_done(struct out *o, const char *key, const char *id, enum msg_id msg, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, msg);
	msg_vrender(text, sizeof(text), o->lang, msg, ap);
	va_end(ap);
	if (!o->json) {
		out_plain(o, key, text);
		return;
	}
	jw_obj(&o->w);
	jw_kstr(&o->w, key, id);
	jw_kstr(&o->w, "message", text);
	jw_obj_end(&o->w);
}

void
out_counted(struct out *o, const char *key, int64_t n, enum msg_id msg)
{
	char text[512];

	msg_render(text, sizeof(text), o->lang, msg, (int)n);
	if (!o->json) {
		out_plain(o, key, text);
		return;
	}
	jw_obj(&o->w);
	jw_kint(&o->w, key, n);
	jw_kstr(&o->w, "message", text);
	jw_obj_end(&o->w);
}

void
out_plain(struct out *o, const char *key, const char *s)
{
	if (!o->json) {
		width_add(&o->buf, s, 0);
		buf_putc(&o->buf, '\n');
		return;
	}
	jw_obj(&o->w);
	jw_kstr(&o->w, key, s);
	jw_obj_end(&o->w);
}

void
out_note(struct out *o, enum msg_id msg, ...)
{
	char text[512];
	va_list ap;

	if (o->json)
		return;
	va_start(ap, msg);
	msg_vrender(text, sizeof(text), o->lang, msg, ap);
	va_end(ap);
	width_add(&o->buf, text, 0);
	buf_putc(&o->buf, '\n');
}

enum cs_err
out_finish(struct out *o, struct fault *f)
{
	if (o->json && o->buf.len > 0)
		buf_putc(&o->buf, '\n');
	if (o->failed || buf_failed(&o->buf))
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	if (o->buf.len > 0 && fwrite(o->buf.data, o->buf.len, 1, stdout) != 1)
		return cs_fail(f, CS_EIO, MSG_C_CANNOT_WRITE, strerror(errno));
	if (fflush(stdout) != 0)
		return cs_fail(f, CS_EIO, MSG_C_CANNOT_WRITE, strerror(errno));
	buf_reset(&o->buf);
	return CS_OK;
}
