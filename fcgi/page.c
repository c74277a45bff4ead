/* SPDX-License-Identifier: MIT */
/*
 * Cursors: base64url of the listing's letter, the last row's place, a line feed, and its id.
 * Clients are to see nothing in them; what comes back is checked like any other input.
 */
#include "fcgi/page.h"

#include "base/base64url.h"
#include "base/parse.h"
#include "fcgi/view.h"

#include <string.h>

#define ID_CHARS_MAX	 255
#define CURSOR_BYTES_MAX 2048

static bool
is_time(const char *at)
{
	int64_t time;

	return at == NULL || parse_time_utc(at, &time);
}

static bool
is_feed_place(const char *at)
{
	struct view_feed_place place;

	return view_feed_place(at, &place);
}

const struct listing page_allocations = { &view_allocation, VIEW_ALLOCATION_TIME, 'a', is_time };
const struct listing page_syncs = { &view_sync, VIEW_SYNC_TIME, 's', is_time };
const struct listing page_feeds = { &view_feed_status, VIEW_FEED_PLACE, 'f', is_feed_place };

/* Takes TEXT, N bytes of a decoded cursor and NUL, apart. */
static bool
split(char *text, size_t n, const struct listing *l, struct view_page *p)
{
	char *id = strchr(text, '\n');

	if (strlen(text) != n || !parse_is_utf8(text, n) || id == NULL || *text != l->tag)
		return false;
	*id++ = '\0';
	p->id = id;
	p->at = text[1] != '\0' ? text + 1 : NULL;
	return *id != '\0' && utf8_chars(id) <= ID_CHARS_MAX && l->at_ok(p->at);
}

static enum cs_err
read_cursor(struct ctx *c, const struct listing *l, const char *cursor, struct view_page *p)
{
	size_t n = strlen(cursor);
	char *text;

	if (n > CURSOR_BYTES_MAX)
		return cs_bad(&c->fault, "cursor", MSG_R_CURSOR);
	text = arena_alloc(c->arena, BASE64URL_BYTES(n) + 1);
	if (text == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	if (!base64url_decode(text, cursor, n) || !split(text, BASE64URL_BYTES(n), l, p))
		return cs_bad(&c->fault, "cursor", MSG_R_CURSOR);
	return CS_OK;
}

enum cs_err
page_read(struct ctx *c, const struct listing *l, struct view_page *p)
{
	const char *cursor = req_query(c, "cursor");

	*p = (struct view_page){ .limit = 0 };
	TRY(req_page(c, &p->limit, &p->offset));
	p->limit++;
	if (cursor == NULL)
		return CS_OK;
	if (req_query(c, "offset") != NULL)
		return cs_bad(&c->fault, "offset", MSG_R_NOT_WITH, "cursor");
	return read_cursor(c, l, cursor, p);
}

/* The cursor of the current row, in the arena; NULL: out of memory. */
static const char *
make_cursor(struct arena *a, const struct listing *l, const struct db_rows *rows)
{
	const char *at = db_is_null(rows, l->at) ? "" : db_s(rows, l->at);
	const char *text = arena_printf(a, "%c%s\n%s", l->tag, at, db_s(rows, 0));
	char *out = text != NULL ? arena_alloc(a, BASE64URL_LEN(strlen(text)) + 1) : NULL;

	if (out != NULL)
		base64url_encode(out, text, strlen(text)); /* the arena's memory is zeroed */
	return out;
}

enum cs_err
page_write(struct ctx *c, const struct listing *l, struct db_rows *rows, const struct view_page *p,
    int64_t total)
{
	struct jw *w = &c->res->w;
	const char *next = NULL;

	jw_obj(w);
	jw_key(w, "list");
	res_rows(c, l->view, rows, (size_t)p->limit - 1);
	if (db_count(rows) == (size_t)p->limit) {
		next = make_cursor(c->arena, l, rows);
		if (next == NULL)
			return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	}
	res_total(c, total);
	jw_key(w, "page");
	jw_obj(w);
	jw_kint(w, "limit", p->limit - 1);
	if (p->id == NULL)
		jw_kint(w, "offset", p->offset);
	jw_kstr(w, "next_cursor", next);
	jw_obj_end(w);
	jw_obj_end(w);
	return CS_OK;
}
