/* SPDX-License-Identifier: MIT */
/*
 * Writes rows by the columns of their view. What other programs stored as JSON is shown only if it
 * is what it should be, or one bad row would spoil the whole answer.
 */
#include "fcgi/view.h"

/* TEXT as JSON of TYPE, else INSTEAD. */
static void
write_json(struct ctx *c, const char *key, const char *text, size_t len, enum jx_type type,
    const char *instead)
{
	struct fault ignored = { 0 };
	auto_jx *doc = NULL;
	const char *json = NULL;

	if (text != NULL && jx_parse(text, len, &doc, &ignored) == CS_OK &&
	    jx_type(jx_root(doc)) == type)
		json = jx_text(jx_root(doc), c->arena);
	jw_kraw(&c->res->w, key, json != NULL ? json : instead);
}

static void
write_cell(struct ctx *c, const struct view_col *col, const struct db_rows *rows, unsigned i)
{
	struct jw *w = &c->res->w;

	if (col->kind == VIEW_ARRAY)
		write_json(c, col->key, db_s(rows, i), db_len(rows, i), JX_ARR, "[]");
	else if (col->kind == VIEW_OBJECT)
		write_json(c, col->key, db_s(rows, i), db_len(rows, i), JX_OBJ, "null");
	else if (db_is_null(rows, i))
		jw_knull(w, col->key);
	else if (col->kind == VIEW_INT)
		jw_kint(w, col->key, db_i(rows, i));
	else if (col->kind == VIEW_BOOL)
		jw_kbool(w, col->key, db_i(rows, i) != 0);
	else
		jw_kstrn(w, col->key, db_s(rows, i), db_len(rows, i));
}

void
res_cells(struct ctx *c, const struct view *view, const struct db_rows *rows)
{
	for (unsigned i = 0; i < view->ncols; i++)
		write_cell(c, &view->cols[i], rows, i);
}

void
res_row(struct ctx *c, const struct view *view, const struct db_rows *rows)
{
	jw_obj(&c->res->w);
	res_cells(c, view, rows);
	jw_obj_end(&c->res->w);
}

void
res_rows(struct ctx *c, const struct view *view, struct db_rows *rows, size_t max)
{
	struct jw *w = &c->res->w;

	jw_arr(w);
	while (max-- > 0 && db_next(rows))
		res_row(c, view, rows);
	jw_arr_end(w);
}
