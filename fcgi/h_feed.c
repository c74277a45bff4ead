/* SPDX-License-Identifier: MIT */
/*
 * Feeds and message tasks as children pull them (GET /feeds, GET /message-tasks: whatever is
 * enabled, in one answer), and GET /feed-status: how up to date each feed is.
 */
#include "fcgi/handlers.h"

#include "fcgi/page.h"
#include "fcgi/view.h"

#define ID_CHARS_MAX 255

struct pull {
	struct ctx *c;
	const struct view *view;
};

static void
write_pulled(void *arg, const struct db_rows *row)
{
	const struct pull *p = arg;

	res_row(p->c, p->view, row);
	p->c->res->pulled++;
}

/* All rows, each written as it arrives: there may be tens of thousands. */
static enum cs_err
pull(struct ctx *c, const struct view *view,
    enum cs_err (*query)(struct db *, const struct db_taker *, struct fault *))
{
	struct pull p = { c, view };
	struct db_taker to = { write_pulled, &p };

	jw_arr(&c->res->w);
	TRY(query(c->db, &to, &c->fault));
	jw_arr_end(&c->res->w);
	return res_ok(c, MSG_SUCCESS);
}

enum cs_err
h_feed_list(struct ctx *c)
{
	return pull(c, &view_pulled_feed, db_view_feeds);
}

enum cs_err
h_task_list(struct ctx *c)
{
	return pull(c, &view_pulled_task, db_view_tasks);
}

enum cs_err
h_feed_status(struct ctx *c)
{
	struct view_page page;
	auto_rows rows = { 0 };
	const char *feed_id;
	int64_t total;

	TRY(req_query_text(c, "feed_id", ID_CHARS_MAX, &feed_id));
	TRY(page_read(c, &page_feeds, &page));
	if (feed_id != NULL && page.id != NULL) /* what has one row has no page behind it */
		return cs_bad(&c->fault, "cursor", MSG_R_NOT_WITH, "feed_id");
	TRY(db_view_feed_status_total(c->db, feed_id, DB_TOTAL_MAX + 1, &total, &c->fault));
	TRY(db_view_feed_status(c->db, feed_id, &page, &rows, &c->fault));
	TRY(page_write(c, &page_feeds, &rows, &page, total));
	return res_ok(c, MSG_SUCCESS);
}
