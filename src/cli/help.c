/* SPDX-License-Identifier: MIT */
/* Help: the tables of commands and options, rendered. */
#include "cli/cli.h"
#include "cli/width.h"

#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS   28
#define OPTION_COLUMNS 34

/* TEXT, blanks up to COLUMNS, then HELP. */
static void
print_line(FILE *out, const char *text, size_t columns, const char *help)
{
	size_t width = width_of(text);

	fprintf(out, "  %s%*s  %s\n", text, width < columns ? (int)(columns - width) : 0, "", help);
}

static void
print_option(FILE *out, enum lang lang, const struct cli_option *o)
{
	char text[160];

	snprintf(text, sizeof(text), "--%s%s%s", o->name, o->value != NULL ? " " : "",
	    o->value != NULL ? o->value : "");
	print_line(out, text, OPTION_COLUMNS, msg_text(lang, o->help));
}

static const char *
name_of(const struct cli_command *cmd, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s%s", cmd->noun, cmd->verb != NULL ? " " : "",
	    cmd->verb != NULL ? cmd->verb : "", *cmd->words != '\0' ? " " : "", cmd->words);
	return buf;
}

void
help_usage(FILE *out, enum lang lang, const struct cli_command *cmd)
{
	char name[64];

	fprintf(out, "%s: cascadectl %s", msg_text(lang, MSG_C_USAGE),
	    name_of(cmd, name, sizeof(name)));
	for (size_t i = 0; i < OPT__MAX; i++) {
		const struct cli_option *o = &cli_options[i];

		if ((cmd->opts >> i & 1) != 0)
			fprintf(out, " [--%s%s%s]%s", o->name, o->value != NULL ? " " : "",
			    o->value != NULL ? o->value : "", i == OPT_QUOTA ? "..." : "");
	}
	fputc('\n', out);
}

/* One command with all its options. */
static void
print_command(FILE *out, enum lang lang, const struct cli_command *cmd)
{
	help_usage(out, lang, cmd);
	fprintf(out, "  %s\n", msg_text(lang, cmd->help));
	for (size_t i = 0; i < OPT__MAX; i++)
		if ((cmd->opts >> i & 1) != 0)
			print_option(out, lang, &cli_options[i]);
}

void
help_overview(FILE *out, enum lang lang)
{
	char name[64];

	fprintf(out,
	    "%s: cascadectl [--config FILE] [--json] [--lang zh|en] COMMAND ...\n"
	    "      cascadectl [--config FILE] --check-config | --print-config\n"
	    "      cascadectl --version | --help\n\n%s:\n",
	    msg_text(lang, MSG_C_USAGE), msg_text(lang, MSG_C_COMMANDS));
	for (size_t i = 0; i < cli_ncommands; i++)
		print_line(out, name_of(&cli_commands[i], name, sizeof(name)), NAME_COLUMNS,
		    msg_text(lang, cli_commands[i].help));
	fprintf(out, "\n%s:\n", msg_text(lang, MSG_C_OPTIONS_ALL));
	for (size_t i = 0; i <= OPT_HELP; i++)
		print_option(out, lang, &cli_options[i]);
}

/* help NOUN [VERB]: every command that begins so. */
enum cs_err
cmd_help(struct cli *c)
{
	enum lang lang = c->fault.lang;
	size_t found = 0;

	if (c->nwords == 0) {
		help_overview(stdout, lang);
		return CS_OK;
	}
	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command *cmd = &cli_commands[i];
		const char *verb = cmd->verb != NULL ? cmd->verb : "";

		if (strcmp(cmd->noun, c->word[0]) != 0)
			continue;
		if (c->nwords > 1 && strcmp(verb, c->word[1]) != 0)
			continue;
		if (found++ > 0)
			fputc('\n', stdout);
		print_command(stdout, lang, cmd);
	}
	if (found == 0)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_UNKNOWN_COMMAND, c->word[0]);
	return CS_OK;
}
