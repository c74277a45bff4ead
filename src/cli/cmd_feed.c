/* SPDX-License-Identifier: MIT */
/* Feeds: importing, listing, switching them on and off, removing. */
#include "cli/cli.h"

#include "cli/feed_file.h"
#include "db/db_admin.h"

#include <stdlib.h>
#include <string.h>

static const struct out_title feed_titles[] = {
	{ "id", MSG_T_ID },
	{ "mp_name", MSG_T_NAME },
	{ "status", MSG_T_STATUS },
	{ "created_at", MSG_T_CREATED },
};

/* Nothing is stored unless the whole file is good. */
enum cs_err
cmd_feed_import(struct cli *c)
{
	const char *file = c->word[0];
	struct feed_list list = { 0 };
	const char *text;
	enum cs_err err;
	size_t len;

	TRY(input_read(c, file, INPUT_MAX, &text, &len));
	err = feed_file_parse(c, file, cli_text(c, OPT_FORMAT), text, len, &list);
	if (err == CS_OK)
		err = db_feed_put(c->db, list.feed, list.n, &c->fault);
	free(list.feed);
	TRY(err);
	out_counted(c->out, "imported", (int64_t)list.n, MSG_C_FEEDS_IMPORTED);
	return CS_OK;
}

enum cs_err
cmd_feed_list(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_feed_list(c->db, cli_num(c, OPT_LIMIT, INT32_MAX), &rows, &c->fault));
	out_rows(c->out, NULL, &view_feed, feed_titles, ARRAY_LEN(feed_titles), &rows);
	return CS_OK;
}

static enum cs_err
set_status(struct cli *c, int64_t status, enum msg_id said)
{
	TRY(db_feed_set_status(c->db, c->word[0], status, &c->fault));
	out_done(c->out, "id", c->word[0], said, c->word[0]);
	return CS_OK;
}

enum cs_err
cmd_feed_enable(struct cli *c)
{
	return set_status(c, 1, MSG_C_FEED_ENABLED);
}

enum cs_err
cmd_feed_disable(struct cli *c)
{
	return set_status(c, 0, MSG_C_FEED_DISABLED);
}

enum cs_err
cmd_feed_rm(struct cli *c)
{
	TRY(db_feed_rm(c->db, c->word[0], &c->fault));
	out_done(c->out, "id", c->word[0], MSG_C_FEED_REMOVED, c->word[0]);
	return CS_OK;
}
