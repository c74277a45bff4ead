/* SPDX-License-Identifier: MIT */
/* When tasks fall due, as cascaded reckons it, and which of them cannot. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/parse.h"
#include "db/db_admin.h"
#include "db/db_sync.h"
#include "db/db_view.h"
#include "db/migrate.h"

#include <stdio.h>
#include <string.h>

#define TIME_SIZE  32
#define LIST_LIMIT 50

/* The columns of db_task_schedules(). */
enum { COL_ID, COL_NAME, COL_CRON, COL_ZONE };

/* What is asked about. */
struct asked {
	const char *expr, *field; /* and what to call it */
	const char *zone, *zone_field;
	const char *salt;
};

/* ERR, which named another field. */
static enum cs_err
rename_field(struct cli *c, const char *field, enum cs_err err)
{
	if (err != CS_OK)
		snprintf(c->fault.field, sizeof(c->fault.field), "%s", field);
	return err;
}

enum cs_err
cli_cron(struct cli *c, const char *field, const char *expr, struct cron *out)
{
	return rename_field(c, field, cron_parse(expr, out, &c->fault));
}

enum cs_err
cli_zone(struct cli *c, const char *field, const char *name, struct zone **zone)
{
	return rename_field(c, field, zone_open(name, zone, &c->fault));
}

enum cs_err
cli_conf_zone(struct cli *c, struct zone **zone)
{
	enum cs_err err = cli_zone(c, "schedule.timezone", c->conf->timezone, zone);

	return err != CS_OK ? CS_ECONFIG : CS_OK;
}

/* NAME "": the configuration's. */
static enum cs_err
open_zone(struct cli *c, const char *field, const char *name, struct zone **zone)
{
	return *name == '\0' ? cli_conf_zone(c, zone) : cli_zone(c, field, name, zone);
}

/* The expression and zone of the options, or of the task that they name. ROWS hold the latter. */
static enum cs_err
read_asked(struct cli *c, struct db_rows *rows, struct asked *a)
{
	const char *task = cli_text(c, OPT_TASK);

	*a = (struct asked){ cli_text(c, OPT_EXPRESSION), "--expression", "", "timezone", "" };
	if (task != NULL && a->expr != NULL)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOT_BOTH, "--task", "--expression");
	if (task == NULL && a->expr == NULL)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_TOO_FEW, "--task | --expression");
	if (task != NULL) {
		TRY(migrate_check(c->db, &c->fault));
		TRY(db_task_schedule(c->db, task, rows, &c->fault));
		a->expr = db_s(rows, COL_CRON);
		a->field = "cron_exp";
		a->zone = db_s(rows, COL_ZONE);
		a->salt = db_s(rows, COL_ID);
	}
	if (cli_has(c, OPT_ZONE)) {
		a->zone = cli_text(c, OPT_ZONE);
		a->zone_field = "--zone";
	}
	return CS_OK;
}

/* A time of the zone, unless it says that it is UTC. */
static enum cs_err
read_from(struct cli *c, const struct zone *zone, int64_t *utc)
{
	const char *text = cli_text(c, OPT_FROM);

	if (text == NULL) {
		*utc = clock_wall_s();
		return CS_OK;
	}
	if (!parse_time_utc(text, utc))
		return cs_bad(&c->fault, "--from", MSG_R_TIME);
	if (!cli_has(c, OPT_UTC) && text[strlen(text) - 1] != 'Z')
		*utc = zone_utc(zone, *utc);
	return CS_OK;
}

static void
put_time(struct cli *c, const struct zone *zone, int64_t utc)
{
	char at[TIME_SIZE], at_utc[TIME_SIZE];

	render_time_utc(at_utc, sizeof(at_utc), utc);
	render_time_utc(at, sizeof(at), cli_has(c, OPT_UTC) ? utc : zone_local(zone, utc));
	if (!cli_has(c, OPT_JSON)) {
		out_plain(c->out, "at", at);
		return;
	}
	out_row(c->out);
	out_str(c->out, "at", MSG_NONE, at);
	out_str(c->out, "utc", MSG_NONE, at_utc);
}

/* Lists for programs only: people get a line for each entry, and none where there is none. */
static void
begin_list(struct cli *c)
{
	if (cli_has(c, OPT_JSON))
		out_list(c->out, NULL);
}

static void
end_list(struct cli *c)
{
	if (cli_has(c, OPT_JSON))
		out_end(c->out);
}

enum cs_err
cmd_schedule_next(struct cli *c)
{
	int64_t at, left = cli_num(c, OPT_COUNT, 1);
	auto_zone *zone = NULL;
	auto_rows rows = { 0 };
	struct asked a;
	struct cron cron;

	TRY(read_asked(c, &rows, &a));
	TRY(open_zone(c, a.zone_field, a.zone, &zone));
	TRY(read_from(c, zone, &at));
	if (*a.expr == '\0')
		left = 0; /* a task without a schedule */
	else
		TRY(cli_cron(c, a.field, a.expr, &cron));
	begin_list(c);
	for (; left > 0 && cron_next(&cron, zone, at, a.salt, &at); left--)
		put_time(c, zone, at);
	end_list(c);
	return CS_OK;
}

/* Why the task of the current row cannot be scheduled stands in the fault. */
static enum cs_err
check_row(struct cli *c, const struct db_rows *rows)
{
	auto_zone *zone = NULL;
	struct cron cron;

	TRY(cli_cron(c, "cron_exp", db_s(rows, COL_CRON), &cron));
	return open_zone(c, "timezone", db_s(rows, COL_ZONE), &zone);
}

static void
put_bad(struct cli *c, const struct db_rows *rows)
{
	char reason[sizeof(c->fault.field) + sizeof(c->fault.reason) + 2];

	snprintf(reason, sizeof(reason), "%s: %s", c->fault.field, c->fault.reason);
	if (!cli_has(c, OPT_JSON)) {
		out_note(c->out, MSG_C_SCHEDULE_BAD, db_s(rows, COL_ID), db_s(rows, COL_NAME),
		    db_s(rows, COL_CRON), reason);
		return;
	}
	out_row(c->out);
	out_str(c->out, "id", MSG_NONE, db_s(rows, COL_ID));
	out_str(c->out, "name", MSG_NONE, db_s(rows, COL_NAME));
	out_str(c->out, "cron_exp", MSG_NONE, db_s(rows, COL_CRON));
	out_str(c->out, "timezone", MSG_NONE, db_s(rows, COL_ZONE));
	out_str(c->out, "reason", MSG_NONE, reason);
}

enum cs_err
cmd_schedule_check(struct cli *c)
{
	auto_zone *zone = NULL;
	auto_rows rows = { 0 };
	int bad = 0;

	TRY(cli_conf_zone(c, &zone));
	TRY(db_task_schedules(c->db, &rows, &c->fault));
	begin_list(c);
	while (db_next(&rows)) {
		if (check_row(c, &rows) == CS_OK)
			continue;
		put_bad(c, &rows);
		bad++;
	}
	end_list(c);
	if (bad == 0) {
		out_note(c->out, MSG_C_SCHEDULES_OK);
		return CS_OK;
	}
	TRY(out_finish(c->out, &c->fault));
	return cs_fail(&c->fault, CS_EINVALID, MSG_C_SCHEDULES_BAD, bad);
}

/* The switches of cascaded, as the API has them. */
static enum cs_err
set_scheduler(struct cli *c, bool on, enum msg_id said)
{
	TRY(db_scheduler_set(c->db, on, &c->fault));
	out_done(c->out, "scheduler", on ? c->conf->schedule : "stopped", said);
	return CS_OK;
}

enum cs_err
cmd_schedule_start(struct cli *c)
{
	return set_scheduler(c, true, MSG_C_SCHEDULE_ON);
}

enum cs_err
cmd_schedule_stop(struct cli *c)
{
	return set_scheduler(c, false, MSG_C_SCHEDULE_OFF);
}

enum cs_err
cmd_schedule_reload(struct cli *c)
{
	TRY(db_scheduler_reload(c->db, &c->fault));
	out_done(c->out, "scheduler", c->conf->schedule, MSG_C_SCHEDULE_RELOAD);
	return CS_OK;
}

static const struct out_title run_titles[] = {
	{ "task_id", MSG_T_TASK },
	{ "scheduled_for", MSG_T_DUE },
	{ "created_at", MSG_T_DISPATCHED },
	{ "created", MSG_T_CREATED_ALLOCS },
	{ "skipped_open", MSG_T_SKIPPED_OPEN },
	{ "note", MSG_T_LEFT_OUT },
};

enum cs_err
cmd_schedule_runs(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_view_occurrences(
	    c->db, cli_text(c, OPT_TASK), cli_num(c, OPT_LIMIT, LIST_LIMIT), &rows, &c->fault));
	out_rows(c->out, NULL, &view_occurrence, run_titles, ARRAY_LEN(run_titles), &rows);
	return CS_OK;
}
