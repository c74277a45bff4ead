/* SPDX-License-Identifier: MIT */
/*
 * The page of a listing that a request asks for: by limit and offset, or by limit and the cursor
 * that the page before gave. A cursor holds the time and the id of the last row, so that pages
 * neither repeat nor miss rows while others come and go, however deep.
 */
#ifndef CS_FCGI_PAGE_H
#define CS_FCGI_PAGE_H

#include "db/db_view.h"
#include "fcgi/ctx.h"

/*
 * Reads limit (1..200, 50), and offset (0..) or cursor. CS_EINVALID naming what is out of range, a
 * cursor that no listing gave, or an offset beside it. P->limit is one more than is to be shown:
 * that there is a row more tells that there is a next page.
 */
enum cs_err page_read(struct ctx *c, struct view_page *p) cs_mustcheck;
/*
 * {list, total, page: {limit, offset, next_cursor}}: the whole answer, of the ROWS that P got,
 * whose first column is the id and whose column AT the time. next_cursor is null at the end; by
 * cursor there is no offset.
 */
enum cs_err page_write(struct ctx *c, const struct view *view, struct db_rows *rows,
    const struct view_page *p, int64_t total, unsigned at) cs_mustcheck;

#endif
