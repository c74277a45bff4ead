/* SPDX-License-Identifier: MIT */
/* Tasks: what is done with which feeds and when. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/parse.h"
#include "core/ident.h"
#include "db/db_admin.h"
#include "json/jw.h"

#include <stdio.h>
#include <string.h>

#define TASK_NAME_MAX 100
#define TEXT_MAX      (1024u * 1024)
#define ALL_FEEDS     "[]"

static const struct out_title list_titles[] = {
	{ "id", MSG_T_ID },
	{ "name", MSG_T_NAME },
	{ "cron_exp", MSG_T_CRON },
	{ "status", MSG_T_STATUS },
	{ "priority", MSG_T_PRIORITY },
	{ "created_at", MSG_T_CREATED },
};

/* Adds feed ID (LEN bytes) with its name to a task's mps_id. */
static enum cs_err
add_feed(struct cli *c, struct jw *w, const char *id, size_t len)
{
	const char *given = arena_strndup(c->arena, id, len);
	const char *stored, *name;
	char field[128];

	if (given == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	TRY(db_feed_name(c->db, given, c->arena, &stored, &name, &c->fault));
	if (stored == NULL) {
		snprintf(field, sizeof(field), "--feeds: %.100s", given);
		return cs_bad(&c->fault, field, MSG_R_UNKNOWN);
	}
	jw_obj(w);
	jw_kstr(w, "id", stored);
	jw_kstr(w, "mp_name", name);
	jw_obj_end(w);
	return CS_OK;
}

static enum cs_err
add_feeds(struct cli *c, struct jw *w, const char *ids)
{
	size_t len;

	jw_arr(w);
	for (const char *p = ids;; p += len + 1) {
		len = strcspn(p, ",");
		if (len == 0)
			return cs_bad(&c->fault, "--feeds", MSG_R_EMPTY);
		TRY(add_feed(c, w, p, len));
		if (p[len] == '\0')
			break;
	}
	jw_arr_end(w);
	return CS_OK;
}

/* *MPS_ID stays NULL where no option says which feeds. */
static enum cs_err
read_feeds(struct cli *c, const char **mps_id)
{
	const char *ids = cli_text(c, OPT_FEEDS);
	struct buf b = { 0 };
	enum cs_err err;
	struct jw w;

	if (cli_has(c, OPT_ALL_FEEDS)) {
		*mps_id = ALL_FEEDS;
		return ids == NULL ? CS_OK
				   : cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOT_BOTH, "--feeds",
					 "--all-feeds");
	}
	if (ids == NULL)
		return CS_OK;
	jw_init(&w, &b);
	err = add_feeds(c, &w, ids);
	if (err == CS_OK) {
		*mps_id = buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
		err = *mps_id != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	}
	buf_free(&b);
	return err;
}

/* "" is no schedule. */
static enum cs_err
check_cron(struct cli *c, const char *exp)
{
	struct cron cron;

	return exp == NULL || *exp == '\0' ? CS_OK : cli_cron(c, "--cron", exp, &cron);
}

static enum cs_err
check_zone(struct cli *c, const char *name)
{
	auto_zone *zone = NULL;

	return name == NULL || *name == '\0' ? CS_OK : cli_zone(c, "--zone", name, &zone);
}

/* The text of the file that OPT names; *TEXT stays NULL where it names none. */
static enum cs_err
read_text(struct cli *c, enum cli_opt opt, const char **text)
{
	const char *file = cli_text(c, opt);
	size_t len;

	if (file == NULL)
		return CS_OK;
	TRY(input_read(c, file, TEXT_MAX, text, &len));
	if (memchr(*text, '\0', len) != NULL)
		return cs_bad(&c->fault, file, MSG_R_NUL);
	return parse_is_utf8(*text, len) ? CS_OK : cs_bad(&c->fault, file, MSG_R_UTF8);
}

/* The same without the end of its last line, which editors add and no request may have. */
static enum cs_err
read_lines(struct cli *c, enum cli_opt opt, const char **text)
{
	size_t len;

	TRY(read_text(c, opt, text));
	if (*text == NULL)
		return CS_OK;
	len = strlen(*text);
	while (len > 0 && strchr("\r\n", (*text)[len - 1]) != NULL)
		len--;
	*text = arena_strndup(c->arena, *text, len);
	return *text != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
}

/* What the options say; all else is left alone. */
static enum cs_err
read_task(struct cli *c, const char *name, const char *name_field, struct db_task *t)
{
	*t = (struct db_task){
		.name = name,
		.web_hook_url = cli_text(c, OPT_WEB_HOOK_URL),
		.cron_exp = cli_text(c, OPT_CRON),
		.message_type = cli_num(c, OPT_MESSAGE_TYPE, DB_KEEP),
		.status = cli_has(c, OPT_DISABLED) ? 0 : DB_KEEP,
		.feeds_per_allocation = cli_num(c, OPT_FEEDS_PER_ALLOCATION, DB_KEEP),
		.max_attempts = cli_num(c, OPT_MAX_ATTEMPTS, DB_KEEP),
		.priority = cli_num(c, OPT_PRIORITY, DB_KEEP),
		.timezone = cli_text(c, OPT_ZONE),
		.misfire = cli_text(c, OPT_MISFIRE),
		.overlap = cli_text(c, OPT_OVERLAP),
	};
	if (name != NULL && (*name == '\0' || utf8_chars(name) > TASK_NAME_MAX))
		return cs_bad(&c->fault, name_field, MSG_R_LENGTH, 1LL, (long long)TASK_NAME_MAX);
	TRY(check_cron(c, t->cron_exp));
	TRY(check_zone(c, t->timezone));
	TRY(read_text(c, OPT_TEMPLATE_FILE, &t->message_template));
	TRY(read_lines(c, OPT_HEADERS_FILE, &t->headers));
	TRY(read_lines(c, OPT_COOKIES_FILE, &t->cookies));
	return read_feeds(c, &t->mps_id);
}

enum cs_err
cmd_task_add(struct cli *c)
{
	const char *id = cli_text(c, OPT_ID);
	char made[UUID_LEN + 1];
	struct db_task t;

	if (id == NULL && !ident_uuid7(made, clock_wall_ms()))
		return cs_detail(&c->fault, CS_EINTERNAL, "no random numbers to be had");
	id = id != NULL ? id : made;
	TRY(read_task(c, c->word[0], "NAME", &t));
	TRY(db_task_add(c->db, id, &t, &c->fault));
	out_plain(c->out, "id", id);
	return CS_OK;
}

enum cs_err
cmd_task_list(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_task_list(c->db, &rows, &c->fault));
	out_rows(c->out, NULL, &view_task, list_titles, ARRAY_LEN(list_titles), &rows);
	return CS_OK;
}

enum cs_err
cmd_task_show(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_task_get(c->db, c->word[0], &rows, &c->fault));
	out_details(c->out);
	out_cells(c->out, &view_task, NULL, 0, &rows);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_task_set(struct cli *c)
{
	const char *id = c->word[0];
	struct db_task t;

	if ((c->cmd->opts & cli_given_opts(c)) == 0)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOTHING_TO_SET);
	TRY(read_task(c, cli_text(c, OPT_NAME), "--name", &t));
	TRY(db_task_set(c->db, id, &t, &c->fault));
	out_done(c->out, "id", id, MSG_C_TASK_CHANGED, id);
	return CS_OK;
}

static enum cs_err
set_status(struct cli *c, int64_t status, enum msg_id said)
{
	const struct db_task t = {
		.message_type = DB_KEEP,
		.status = status,
		.feeds_per_allocation = DB_KEEP,
		.max_attempts = DB_KEEP,
		.priority = DB_KEEP,
	};

	TRY(db_task_set(c->db, c->word[0], &t, &c->fault));
	out_done(c->out, "id", c->word[0], said, c->word[0]);
	return CS_OK;
}

enum cs_err
cmd_task_enable(struct cli *c)
{
	return set_status(c, 1, MSG_C_TASK_ENABLED);
}

enum cs_err
cmd_task_disable(struct cli *c)
{
	return set_status(c, 0, MSG_C_TASK_DISABLED);
}

enum cs_err
cmd_task_rm(struct cli *c)
{
	TRY(db_task_rm(c->db, c->word[0], &c->fault));
	out_done(c->out, "id", c->word[0], MSG_C_TASK_REMOVED, c->word[0]);
	return CS_OK;
}
