/* SPDX-License-Identifier: MIT */
/* Rows of a view (db_view.h) as JSON, whatever they are of. */
#ifndef CS_FCGI_VIEW_H
#define CS_FCGI_VIEW_H

#include "db/db_view.h"
#include "fcgi/ctx.h"

/* The cells of the current row, as members of the object that is open. */
void res_cells(struct ctx *c, const struct view *view, const struct db_rows *rows);
/* The current row as an object. */
void res_row(struct ctx *c, const struct view *view, const struct db_rows *rows);
/* Up to MAX rows, as an array of objects; the last one written stays the current. */
void res_rows(struct ctx *c, const struct view *view, struct db_rows *rows, size_t max);

#endif
