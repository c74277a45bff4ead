/* SPDX-License-Identifier: MIT */
/* Dead letters: what failed for good is looked at, sent back, or dropped. */
#include "cli/cli.h"

#include "db/db_dead.h"

#define LIST_LIMIT 50

static const struct out_title titles[] = {
	{ "id", MSG_T_ID },
	{ "task_name", MSG_T_TASK },
	{ "node_name", MSG_T_NODE },
	{ "status", MSG_T_STATUS },
	{ "attempts", MSG_T_ATTEMPT },
	{ "completed_at", MSG_T_ENDED },
	{ "error_message", MSG_T_ERROR },
};

enum cs_err
cmd_dead_list(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_dead_list(
	    c->db, cli_text(c, OPT_TASK), cli_num(c, OPT_LIMIT, LIST_LIMIT), &rows, &c->fault));
	out_rows(c->out, NULL, &view_dead, titles, ARRAY_LEN(titles), &rows);
	return CS_OK;
}

enum cs_err
cmd_dead_requeue(struct cli *c)
{
	const char *task_id = cli_text(c, OPT_TASK);
	struct db_requeued done;

	TRY(task_id != NULL ? db_task_requeue(c->db, task_id, NULL, &done, &c->fault)
			    : db_dead_requeue(c->db, &done, &c->fault));
	out_record(c->out);
	out_int(c->out, "requeued", MSG_T_REQUEUED, done.requeued);
	out_int(c->out, "skipped", MSG_T_SKIPPED, done.skipped);
	out_end(c->out);
	return CS_OK;
}

/* What is dropped cannot be had again: without --yes it is only counted. */
enum cs_err
cmd_dead_purge(struct cli *c)
{
	const struct dead_filter filter = {
		.task_id = cli_text(c, OPT_TASK),
		.min_age_s = cli_num(c, OPT_OLDER_THAN, 0),
	};
	int64_t n;

	if (!cli_has(c, OPT_YES)) {
		TRY(db_dead_count(c->db, &filter, &n, &c->fault));
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_PURGE_YES, (long long)n);
	}
	TRY(db_dead_purge(c->db, c->conf, &filter, &n, &c->fault));
	out_counted(c->out, "purged", n, MSG_C_PURGED);
	return CS_OK;
}
