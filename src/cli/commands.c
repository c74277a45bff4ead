/* SPDX-License-Identifier: MIT */
/*
 * THE table of commands: what each is called with, what it needs and what it is for. args.c checks
 * a command line against it, help.c renders it; no command looks at argv.
 */
#include "cli/cli.h"

#include "db/db_view.h"

#define O(opt)	  (UINT64_C(1) << OPT_##opt)
#define NODE_OPTS (O(CAPACITY) | O(QUOTA) | O(DESCRIPTION) | O(API_URL))
#define TASK_OPTS                                                                                  \
	(O(CRON) | O(FEEDS) | O(ALL_FEEDS) | O(MESSAGE_TYPE) | O(TEMPLATE_FILE) |                  \
	    O(HEADERS_FILE) | O(COOKIES_FILE) | O(WEB_HOOK_URL) | O(FEEDS_PER_ALLOCATION) |        \
	    O(MAX_ATTEMPTS) | O(PRIORITY) | O(ZONE) | O(MISFIRE) | O(OVERLAP))

_Static_assert(OPT__MAX <= 64, "options fit the bits of a command's row");

/* clang-format off */
const struct cli_option cli_options[OPT__MAX] = {
#define CLI_OPT(id, name, kind, value, min, max, help) { name, kind, value, min, max, help },
#include "cli/options.def"
#undef CLI_OPT
};

/*	noun, verb, words, how many of them, options, needs, help, function */
const struct cli_command cli_commands[] = {
	{ "schema", "install", "", 0, 0, O(DIR), NEEDS_DB, MSG_H_SCHEMA_INSTALL, cmd_schema_install },
	{ "schema", "status", "", 0, 0, O(DIR), NEEDS_DB, MSG_H_SCHEMA_STATUS, cmd_schema_status },
	{ "schema", "check", "", 0, 0, 0, NEEDS_DB, MSG_H_SCHEMA_CHECK, cmd_schema_check },

	{ "node", "add", "NAME", 1, 1, O(PARENT) | O(ID) | O(CREDENTIALS) | NODE_OPTS, NEEDS_SCHEMA,
	    MSG_H_NODE_ADD, cmd_node_add },
	{ "node", "list", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_NODE_LIST, cmd_node_list },
	{ "node", "show", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_NODE_SHOW, cmd_node_show },
	{ "node", "set", "ID", 1, 1, O(NAME) | O(ACTIVE) | NODE_OPTS, NEEDS_SCHEMA, MSG_H_NODE_SET, cmd_node_set },
	{ "node", "rotate", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_NODE_ROTATE, cmd_node_rotate },
	{ "node", "drain", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_NODE_DRAIN, cmd_node_drain },
	{ "node", "resume", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_NODE_RESUME, cmd_node_resume },
	{ "node", "rm", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_NODE_RM, cmd_node_rm },
	{ "node", "refresh", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_NODE_REFRESH, cmd_node_refresh },

	{ "user", "add", "NAME", 1, 1, O(ROLE) | O(PASSWORD_FILE) | O(NICKNAME), NEEDS_SCHEMA,
	    MSG_H_USER_ADD, cmd_user_add },
	{ "user", "list", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_USER_LIST, cmd_user_list },
	{ "user", "passwd", "NAME", 1, 1, O(PASSWORD_FILE), NEEDS_SCHEMA, MSG_H_USER_PASSWD, cmd_user_passwd },
	{ "user", "set", "NAME", 1, 1, O(ROLE) | O(NICKNAME), NEEDS_SCHEMA, MSG_H_USER_SET, cmd_user_set },
	{ "user", "enable", "NAME", 1, 1, 0, NEEDS_SCHEMA, MSG_H_USER_ENABLE, cmd_user_enable },
	{ "user", "disable", "NAME", 1, 1, 0, NEEDS_SCHEMA, MSG_H_USER_DISABLE, cmd_user_disable },
	{ "user", "rm", "NAME", 1, 1, 0, NEEDS_SCHEMA, MSG_H_USER_RM, cmd_user_rm },
	{ "token", NULL, "", 0, 0, O(USER) | O(TTL), NEEDS_SCHEMA, MSG_H_TOKEN, cmd_token },
	{ "key", "add", "USER", 1, 1, O(NAME) | O(TTL), NEEDS_SCHEMA, MSG_H_KEY_ADD, cmd_key_add },
	{ "key", "list", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_KEY_LIST, cmd_key_list },
	{ "key", "rm", "KEY", 1, 1, 0, NEEDS_SCHEMA, MSG_H_KEY_RM, cmd_key_rm },

	{ "feed", "import", "FILE", 1, 1, O(FORMAT), NEEDS_SCHEMA, MSG_H_FEED_IMPORT, cmd_feed_import },
	{ "feed", "list", "", 0, 0, O(LIMIT), NEEDS_SCHEMA, MSG_H_FEED_LIST, cmd_feed_list },
	{ "feed", "enable", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_FEED_ENABLE, cmd_feed_enable },
	{ "feed", "disable", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_FEED_DISABLE, cmd_feed_disable },
	{ "feed", "rm", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_FEED_RM, cmd_feed_rm },

	{ "task", "add", "NAME", 1, 1, O(ID) | O(DISABLED) | TASK_OPTS, NEEDS_SCHEMA, MSG_H_TASK_ADD, cmd_task_add },
	{ "task", "list", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_TASK_LIST, cmd_task_list },
	{ "task", "show", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_TASK_SHOW, cmd_task_show },
	{ "task", "set", "ID", 1, 1, O(NAME) | TASK_OPTS, NEEDS_SCHEMA, MSG_H_TASK_SET, cmd_task_set },
	{ "task", "enable", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_TASK_ENABLE, cmd_task_enable },
	{ "task", "disable", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_TASK_DISABLE, cmd_task_disable },
	{ "task", "rm", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_TASK_RM, cmd_task_rm },
	{ "task", "requeue", "ID", 1, 1, O(STATUS), NEEDS_SCHEMA, MSG_H_TASK_REQUEUE, cmd_task_requeue },
	{ "schedule", "next", "", 0, 0, O(TASK) | O(EXPRESSION) | O(ZONE) | O(FROM) | O(COUNT) | O(UTC), NEEDS_DB,
	    MSG_H_SCHEDULE_NEXT, cmd_schedule_next },
	{ "schedule", "check", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_SCHEDULE_CHECK, cmd_schedule_check },
	{ "schedule", "start", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_SCHEDULE_START, cmd_schedule_start },
	{ "schedule", "stop", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_SCHEDULE_STOP, cmd_schedule_stop },
	{ "schedule", "reload", "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_SCHEDULE_RELOAD, cmd_schedule_reload },
	{ "schedule", "runs", "", 0, 0, O(TASK) | O(LIMIT), NEEDS_SCHEMA, MSG_H_SCHEDULE_RUNS, cmd_schedule_runs },
	{ "dispatch", NULL, "", 0, 0, O(TASK) | O(FORCE), NEEDS_SCHEMA, MSG_H_DISPATCH, cmd_dispatch },

	{ "allocations", NULL, "", 0, 0, O(TASK) | O(NODE) | O(STATUS) | O(LIMIT), NEEDS_SCHEMA,
	    MSG_H_ALLOCATIONS, cmd_allocations },
	{ "allocation", "show", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_ALLOCATION_SHOW, cmd_allocation_show },
	{ "allocation", "cancel", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_ALLOCATION_CANCEL, cmd_allocation_cancel },
	{ "allocation", "requeue", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_ALLOCATION_REQUEUE, cmd_allocation_requeue },
	{ "allocation", "explain", "ID", 1, 1, 0, NEEDS_SCHEMA, MSG_H_ALLOCATION_EXPLAIN, cmd_allocation_explain },
	{ "dead-letters", "list", "", 0, 0, O(TASK) | O(LIMIT), NEEDS_SCHEMA, MSG_H_DEAD_LIST, cmd_dead_list },
	{ "dead-letters", "requeue", "", 0, 0, O(TASK), NEEDS_SCHEMA, MSG_H_DEAD_REQUEUE, cmd_dead_requeue },
	{ "dead-letters", "purge", "", 0, 0, O(TASK) | O(OLDER_THAN) | O(YES), NEEDS_SCHEMA,
	    MSG_H_DEAD_PURGE, cmd_dead_purge },
	{ "logs", NULL, "", 0, 0, O(NODE) | O(OPERATION) | O(LIMIT), NEEDS_SCHEMA, MSG_H_LOGS, cmd_logs },
	{ "status", NULL, "", 0, 0, 0, NEEDS_SCHEMA, MSG_H_STATUS, cmd_status },
	{ "check", NULL, "", 0, 0, 0, NEEDS_DB, MSG_H_CHECK, cmd_check },
	{ "help", NULL, "[COMMAND]", 0, 2, 0, NEEDS_NOTHING, MSG_H_HELP, cmd_help },
};
const size_t cli_ncommands = ARRAY_LEN(cli_commands);
