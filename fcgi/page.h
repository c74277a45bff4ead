/* SPDX-License-Identifier: MIT */
/*
 * The page of a listing that a request asks for: by limit and offset, or by limit and the cursor
 * that the page before gave. A cursor holds the place and the id of the last row, so that pages
 * neither repeat nor miss rows while others come and go, however deep.
 */
#ifndef CS_FCGI_PAGE_H
#define CS_FCGI_PAGE_H

#include "db/db_view.h"
#include "fcgi/ctx.h"

struct listing {
	const struct view *view; /* whose first column is the id */
	unsigned at; /* the column of the place: what rows are sorted by before their id */
	char tag;    /* so that none takes another's cursor */
	bool (*at_ok)(const char *at); /* may it be a place? NULL: one without */
};
extern const struct listing page_allocations, page_syncs, page_feeds;

/*
 * Reads limit (1..200, 50), and offset (0..) or cursor. CS_EINVALID naming what is out of range, a
 * cursor that this listing did not give, or an offset beside it. P->limit is one more than is to be
 * shown: that there is a row more tells that there is a next page.
 */
enum cs_err page_read(struct ctx *c, const struct listing *l, struct view_page *p) cs_mustcheck;
/*
 * {list, total, page: {limit, offset, next_cursor}}: the whole answer, of the ROWS that P got.
 * next_cursor is null at the end; by cursor there is no offset.
 */
enum cs_err page_write(struct ctx *c, const struct listing *l, struct db_rows *rows,
    const struct view_page *p, int64_t total) cs_mustcheck;

#endif
