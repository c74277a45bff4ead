/* SPDX-License-Identifier: MIT */
/*
 * cascadectl: reads the command line, gets the command what it needs, runs it and says what failed.
 * Exit statuses are a column of err.def.
 */
#include "cli/cli.h"

#include "db/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM	     "cascadectl"
#define MEMORY_MAX   ((size_t)2 * 1024 * 1024 * 1024)
#define MESSAGE_SIZE 1024

/* As a locale would be chosen, the first of these that says anything; Chinese but for those who ask
 * for English. */
static enum lang
lang_of_environment(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && *value != '\0')
			return strncmp(value, "en", 2) == 0 ? LANG_EN : LANG_ZH;
	}
	return LANG_ZH;
}

/* An administrator reads this, so the database's own words are said too. */
static void
complain(const struct fault *f)
{
	char text[MESSAGE_SIZE];

	if (f->field[0] != '\0')
		snprintf(text, sizeof(text), "%s: %s", f->field, f->reason);
	else if (f->code == CS_ECONFIG && f->message[0] == '\0')
		msg_render(text, sizeof(text), f->lang, MSG_C_CONFIG, f->detail);
	else if (f->code == CS_EIO && f->message[0] == '\0')
		snprintf(text, sizeof(text), "%s", f->detail);
	else if (f->detail[0] != '\0')
		snprintf(text, sizeof(text), "%s (%s)", fault_message(f), f->detail);
	else
		snprintf(text, sizeof(text), "%s", fault_message(f));
	fprintf(stderr, PROGRAM ": %s\n", text);
}

/* After what was said about a wrong command line: what is right of its command, or of its noun. */
static void
hint(const struct cli *c)
{
	bool known = false;

	if (c->cmd != NULL) {
		help_usage(stderr, c->fault.lang, c->cmd);
		return;
	}
	for (size_t i = 0; i < cli_ncommands && c->nwords > 0; i++) {
		if (strcmp(cli_commands[i].noun, c->word[0]) != 0)
			continue;
		help_usage(stderr, c->fault.lang, &cli_commands[i]);
		known = true;
	}
	if (!known)
		fprintf(stderr, "%s\n", msg_text(c->fault.lang, MSG_C_TRY_HELP));
}

static enum cs_err
load_conf(struct cli *c)
{
	return conf_load(cli_text(c, OPT_CONFIG), &c->conf, &c->fault);
}

static enum cs_err
check_conf(struct cli *c)
{
	auto_zone *zone = NULL;

	TRY(load_conf(c));
	TRY(conf_check_secret(c->conf, &c->fault));
	TRY(cli_conf_zone(c, &zone));
	out_note(c->out, MSG_C_CONFIG_OK);
	return CS_OK;
}

static enum cs_err
print_conf(struct cli *c)
{
	TRY(load_conf(c));
	conf_print(c->conf, stdout);
	return CS_OK;
}

/* What stands instead of a command. */
static enum cs_err
run_alone(struct cli *c)
{
	if (cli_has(c, OPT_VERSION)) {
		puts(PROGRAM " " PACKAGE_VERSION);
		return CS_OK;
	}
	if (cli_has(c, OPT_HELP)) {
		help_overview(stdout, c->fault.lang);
		return CS_OK;
	}
	if (cli_has(c, OPT_CHECK_CONFIG))
		return check_conf(c);
	if (cli_has(c, OPT_PRINT_CONFIG))
		return print_conf(c);
	return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NO_COMMAND);
}

static enum cs_err
run_command(struct cli *c)
{
	if (cli_has(c, OPT_HELP)) {
		help_usage(stdout, c->fault.lang, c->cmd);
		return CS_OK;
	}
	if (c->cmd->needs == NEEDS_NOTHING)
		return c->cmd->run(c);
	TRY(load_conf(c));
	c->db = db_new(c->conf);
	if (c->db == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	if (c->cmd->needs == NEEDS_SCHEMA)
		TRY(migrate_check(c->db, &c->fault));
	return c->cmd->run(c);
}

static enum cs_err
run(struct cli *c, int argc, char **argv)
{
	TRY(cli_parse(c, argc, argv));
	c->out = out_new(cli_has(c, OPT_JSON), c->fault.lang, c->arena);
	if (c->out == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	TRY(c->cmd == NULL ? run_alone(c) : run_command(c));
	return out_finish(c->out, &c->fault);
}

int
main(int argc, char **argv)
{
	struct cli c = { .fault.lang = lang_of_environment() };
	enum cs_err err = CS_ENOMEM;

	c.arena = arena_new(MEMORY_MAX);
	if (c.arena != NULL)
		err = run(&c, argc, argv);
	c.fault.code = err;
	if (err != CS_OK)
		complain(&c.fault);
	if (err == CS_EUSAGE)
		hint(&c);
	out_free(c.out);
	db_free(c.db);
	conf_free(c.conf);
	arena_free(c.arena);
	return err == CS_OK ? c.exit : cs_err_exit(err);
}
