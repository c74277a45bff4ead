/* SPDX-License-Identifier: MIT */
/*
 * cascadectl: one command of a table, its words and options checked by that table before it runs.
 * Everything here lives until the process ends.
 */
#ifndef CS_CLI_CLI_H
#define CS_CLI_CLI_H

#include "base/arena.h"
#include "base/err.h"
#include "cli/out.h"
#include "conf/conf.h"
#include "core/cron.h"
#include "db/db.h"

#include <stdio.h>

enum cli_kind {
	K_FLAG,	  /* takes no value */
	K_TEXT,	  /* min to max characters */
	K_URL,	  /* "" or an http(s) URL of at most max bytes */
	K_INT,	  /* min to max */
	K_SECS,	  /* a duration of min to max seconds */
	K_CHOICE, /* one of the words of its placeholder, "a|b" */
	K_FILE,	  /* a path, or - for standard input */
};

enum cli_opt {
#define CLI_OPT(id, name, kind, value, min, max, help) OPT_##id,
#include "cli/options.def"
#undef CLI_OPT
	OPT__MAX
};

struct cli_option {
	const char *name;
	enum cli_kind kind;
	const char *value; /* placeholder; NULL for flags */
	int64_t min, max;
	enum msg_id help;
};
extern const struct cli_option cli_options[OPT__MAX];

struct cli;

enum cli_needs {
	NEEDS_NOTHING,
	NEEDS_DB,     /* configuration and database */
	NEEDS_SCHEMA, /* and a schema that this build knows */
};

struct cli_command {
	const char *noun;
	const char *verb;  /* NULL: the noun is the whole command */
	const char *words; /* placeholders of what follows, "" = nothing */
	size_t min, max;   /* number of those */
	uint64_t opts;	   /* options it takes, bits of enum cli_opt */
	enum cli_needs needs;
	enum msg_id help;
	enum cs_err (*run)(struct cli *c);
};
extern const struct cli_command cli_commands[];
extern const size_t cli_ncommands;

/* An option as it was given; num is its value where the kind has a number. */
struct cli_given {
	enum cli_opt opt;
	const char *text;
	int64_t num;
};

struct cli {
	struct arena *arena;
	struct conf *conf; /* NULL for commands that need nothing */
	struct db *db;
	struct out *out;
	const struct cli_command *cmd; /* NULL: none was named */
	const char **word;	       /* what followed the command's name */
	size_t nwords;
	struct cli_given *given;
	size_t ngiven;
	int exit; /* status of a command that went well and has more to say by it */
	struct fault fault;
};

/* args.c: fills cmd, word and given of C. CS_EUSAGE, or CS_EINVALID for a value that its kind
 * refuses. */
enum cs_err cli_parse(struct cli *c, int argc, char **argv) cs_mustcheck;
/* The last one given counts. Without one: false, NULL, DEF. */
bool cli_has(const struct cli *c, enum cli_opt opt);
const char *cli_text(const struct cli *c, enum cli_opt opt);
int64_t cli_num(const struct cli *c, enum cli_opt opt, int64_t def);
/* The options given, as bits of enum cli_opt. */
uint64_t cli_given_opts(const struct cli *c);

/* help.c */
/* One line: what COMMAND is called with. */
void help_usage(FILE *out, enum lang lang, const struct cli_command *cmd);
/* The overview: every command in a line each, and the options that all take. */
void help_overview(FILE *out, enum lang lang);

/* input.c */
#define INPUT_MAX (256u * 1024 * 1024)
/* The whole of file PATH ("-": standard input), at most CAP bytes, in the arena. */
enum cs_err input_read(
    struct cli *c, const char *path, size_t cap, const char **text, size_t *len) cs_mustcheck;
/* The first line of file PATH, without its end. */
enum cs_err input_line(struct cli *c, const char *path, const char **line) cs_mustcheck;

/* cmd_schedule.c */
/* As cron_parse() and zone_open(), FIELD named in place of what they call it. */
enum cs_err cli_cron(
    struct cli *c, const char *field, const char *expr, struct cron *out) cs_mustcheck;
enum cs_err cli_zone(
    struct cli *c, const char *field, const char *name, struct zone **zone) cs_mustcheck;
/* The configuration's time zone. CS_ECONFIG. */
enum cs_err cli_conf_zone(struct cli *c, struct zone **zone) cs_mustcheck;

/* The commands' functions, in a file per noun. */
enum cs_err cmd_help(struct cli *c);
enum cs_err cmd_schema_install(struct cli *c);
enum cs_err cmd_schema_status(struct cli *c);
enum cs_err cmd_schema_check(struct cli *c);
enum cs_err cmd_node_add(struct cli *c);
enum cs_err cmd_node_list(struct cli *c);
enum cs_err cmd_node_show(struct cli *c);
enum cs_err cmd_node_rotate(struct cli *c);
enum cs_err cmd_node_drain(struct cli *c);
enum cs_err cmd_node_resume(struct cli *c);
enum cs_err cmd_node_rm(struct cli *c);
enum cs_err cmd_node_set(struct cli *c);
enum cs_err cmd_node_refresh(struct cli *c);
enum cs_err cmd_token(struct cli *c);
enum cs_err cmd_user_add(struct cli *c);
enum cs_err cmd_user_list(struct cli *c);
enum cs_err cmd_user_passwd(struct cli *c);
enum cs_err cmd_user_set(struct cli *c);
enum cs_err cmd_user_rm(struct cli *c);
enum cs_err cmd_user_enable(struct cli *c);
enum cs_err cmd_user_disable(struct cli *c);
enum cs_err cmd_key_add(struct cli *c);
enum cs_err cmd_key_list(struct cli *c);
enum cs_err cmd_key_rm(struct cli *c);
enum cs_err cmd_feed_import(struct cli *c);
enum cs_err cmd_feed_list(struct cli *c);
enum cs_err cmd_feed_enable(struct cli *c);
enum cs_err cmd_feed_disable(struct cli *c);
enum cs_err cmd_feed_rm(struct cli *c);
enum cs_err cmd_task_add(struct cli *c);
enum cs_err cmd_task_list(struct cli *c);
enum cs_err cmd_task_show(struct cli *c);
enum cs_err cmd_task_enable(struct cli *c);
enum cs_err cmd_task_disable(struct cli *c);
enum cs_err cmd_task_rm(struct cli *c);
enum cs_err cmd_task_set(struct cli *c);
enum cs_err cmd_task_requeue(struct cli *c);
enum cs_err cmd_schedule_next(struct cli *c);
enum cs_err cmd_schedule_check(struct cli *c);
enum cs_err cmd_schedule_start(struct cli *c);
enum cs_err cmd_schedule_stop(struct cli *c);
enum cs_err cmd_schedule_reload(struct cli *c);
enum cs_err cmd_schedule_runs(struct cli *c);
enum cs_err cmd_dispatch(struct cli *c);
enum cs_err cmd_allocations(struct cli *c);
enum cs_err cmd_allocation_show(struct cli *c);
enum cs_err cmd_allocation_cancel(struct cli *c);
enum cs_err cmd_allocation_requeue(struct cli *c);
enum cs_err cmd_allocation_explain(struct cli *c);
enum cs_err cmd_dead_list(struct cli *c);
enum cs_err cmd_dead_requeue(struct cli *c);
enum cs_err cmd_dead_purge(struct cli *c);
enum cs_err cmd_logs(struct cli *c);
enum cs_err cmd_status(struct cli *c);
enum cs_err cmd_check(struct cli *c);

#endif
