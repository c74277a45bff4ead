/* SPDX-License-Identifier: MIT */
/*
 * From argv to a command, its words and its options, all by the tables. Options may stand anywhere,
 * as --name VALUE or --name=VALUE; "--" ends them. An option has the same kind in every command, so
 * that a line can be read before its command is known.
 */
#include "cli/cli.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

#define FIELD_SIZE 64

#define O(opt) (UINT64_C(1) << OPT_##opt)
/* Options that stand beside any command, or instead of one. */
#define COMMON (O(CONFIG) | O(JSON) | O(LANG) | O(HELP))
#define ALONE  (COMMON | O(CHECK_CONFIG) | O(PRINT_CONFIG) | O(VERSION))

bool
cli_has(const struct cli *c, enum cli_opt opt)
{
	return cli_text(c, opt) != NULL;
}

static const struct cli_given *
find_given(const struct cli *c, enum cli_opt opt)
{
	for (size_t i = c->ngiven; i > 0; i--)
		if (c->given[i - 1].opt == opt)
			return &c->given[i - 1];
	return NULL;
}

const char *
cli_text(const struct cli *c, enum cli_opt opt)
{
	const struct cli_given *g = find_given(c, opt);

	return g != NULL ? g->text : NULL;
}

int64_t
cli_num(const struct cli *c, enum cli_opt opt, int64_t def)
{
	const struct cli_given *g = find_given(c, opt);

	return g != NULL ? g->num : def;
}

uint64_t
cli_given_opts(const struct cli *c)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < c->ngiven; i++)
		bits |= UINT64_C(1) << c->given[i].opt;
	return bits;
}

/* The option called NAME (LEN bytes); OPT__MAX: none. */
static enum cli_opt
find_option(const char *name, size_t len)
{
	for (unsigned i = 0; i < OPT__MAX; i++)
		if (strlen(cli_options[i].name) == len &&
		    strncmp(cli_options[i].name, name, len) == 0)
			return (enum cli_opt)i;
	return OPT__MAX;
}

static bool
is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = choices; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (strcspn(p, "|") == len && strncmp(p, value, len) == 0)
			return true;
	}
	return false;
}

static enum cs_err
check_text(struct cli *c, const struct cli_option *o, const char *field, const char *text)
{
	int64_t chars;

	if (!parse_is_utf8(text, strlen(text)))
		return cs_bad(&c->fault, field, MSG_R_UTF8);
	chars = (int64_t)utf8_chars(text);
	if (chars < o->min || chars > o->max)
		return cs_bad(&c->fault, field, MSG_R_LENGTH, (long long)o->min, (long long)o->max);
	if (o->kind == K_URL && *text != '\0' && !parse_is_http_url(text, (size_t)o->max))
		return cs_bad(&c->fault, field, MSG_R_URL);
	return CS_OK;
}

static enum cs_err
check_value(struct cli *c, const struct cli_option *o, const char *field, struct cli_given *g)
{
	long long min = o->min, max = o->max;

	switch (o->kind) {
	case K_FLAG:
		return CS_OK;
	case K_CHOICE:
		if (is_choice(o->value, g->text))
			return CS_OK;
		return cs_bad(&c->fault, field, MSG_R_CHOICE, o->value);
	case K_INT:
		if (parse_int(g->text, o->min, o->max, &g->num))
			return CS_OK;
		return cs_bad(&c->fault, field, MSG_R_RANGE, min, max);
	case K_SECS:
		if (parse_duration_s(g->text, o->min, o->max, &g->num))
			return CS_OK;
		return cs_bad(&c->fault, field, MSG_R_RANGE, min, max);
	default:
		return check_text(c, o, field, g->text);
	}
}

/* Reads the option ARG, whose value may be NEXT. *TOOK: it was. */
static enum cs_err
read_option(struct cli *c, const char *arg, const char *next, bool *took)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	struct cli_given *g = &c->given[c->ngiven];
	const struct cli_option *o;
	char field[FIELD_SIZE];

	g->opt = find_option(name, len);
	if (g->opt == OPT__MAX)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_UNKNOWN_OPTION, arg);
	o = &cli_options[g->opt];
	snprintf(field, sizeof(field), "--%s", o->name);
	g->text = name[len] == '=' ? name + len + 1 : NULL;
	if (o->kind == K_FLAG && g->text != NULL)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_TAKES_NO_VALUE, field);
	*took = o->kind != K_FLAG && g->text == NULL;
	if (*took)
		g->text = next;
	else if (o->kind == K_FLAG)
		g->text = "";
	if (g->text == NULL)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NEEDS_VALUE, field);
	TRY(check_value(c, o, field, g));
	c->ngiven++;
	if (g->opt == OPT_LANG)
		c->fault.lang = strcmp(g->text, "zh") == 0 ? LANG_ZH : LANG_EN;
	return CS_OK;
}

/* The long option of a short one; other words as they are. */
static const char *
long_form(const char *arg)
{
	static const struct {
		const char *brief, *full;
	} forms[] = { { "-c", "--config" }, { "-h", "--help" }, { "-n", "--count" } };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(forms[i].brief, arg) == 0)
			return forms[i].full;
	return arg;
}

/* Parts options from words. */
static enum cs_err
read_line(struct cli *c, int argc, char **argv)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		const char *arg = options ? long_form(argv[i]) : argv[i];
		bool took = false;

		if (options && strcmp(arg, "--") == 0) {
			options = false;
		} else if (options && strncmp(arg, "--", 2) == 0) {
			TRY(read_option(c, arg, argv[i + 1], &took));
			i += took;
		} else if (options && arg[0] == '-' && arg[1] != '\0') {
			return cs_fail(&c->fault, CS_EUSAGE, MSG_C_UNKNOWN_OPTION, arg);
		} else {
			c->word[c->nwords++] = arg;
		}
	}
	return CS_OK;
}

/* Takes the command's name off the words. */
static enum cs_err
find_command(struct cli *c)
{
	char name[FIELD_SIZE];

	if (c->nwords == 0)
		return CS_OK;
	for (size_t i = 0; i < cli_ncommands; i++) {
		const struct cli_command *cmd = &cli_commands[i];
		size_t n = cmd->verb == NULL ? 1 : 2;

		if (strcmp(cmd->noun, c->word[0]) != 0 || c->nwords < n)
			continue;
		if (n == 2 && strcmp(cmd->verb, c->word[1]) != 0)
			continue;
		c->cmd = cmd;
		c->word += n;
		c->nwords -= n;
		return CS_OK;
	}
	snprintf(name, sizeof(name), "%s%s%s", c->word[0], c->nwords > 1 ? " " : "",
	    c->nwords > 1 ? c->word[1] : "");
	return cs_fail(&c->fault, CS_EUSAGE, MSG_C_UNKNOWN_COMMAND, name);
}

/* Do the words and options suit the command? */
static enum cs_err
check_line(struct cli *c)
{
	uint64_t takes = c->cmd == NULL ? ALONE : COMMON | c->cmd->opts;
	char field[FIELD_SIZE];

	for (size_t i = 0; i < c->ngiven; i++) {
		if ((takes >> c->given[i].opt & 1) != 0)
			continue;
		snprintf(field, sizeof(field), "--%s", cli_options[c->given[i].opt].name);
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOT_HERE, field);
	}
	if (c->cmd == NULL || cli_has(c, OPT_HELP))
		return CS_OK;
	if (c->nwords < c->cmd->min)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_TOO_FEW, c->cmd->words);
	if (c->nwords > c->cmd->max)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_TOO_MANY, c->word[c->cmd->max]);
	for (size_t i = 0; i < c->nwords; i++)
		if (!parse_is_utf8(c->word[i], strlen(c->word[i])))
			return cs_bad(&c->fault, c->cmd->words, MSG_R_UTF8);
	return CS_OK;
}

enum cs_err
cli_parse(struct cli *c, int argc, char **argv)
{
	c->word = arena_calloc(c->arena, (size_t)argc + 1, sizeof(*c->word));
	c->given = arena_calloc(c->arena, (size_t)argc + 1, sizeof(*c->given));
	if (c->word == NULL || c->given == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	TRY(read_line(c, argc, argv));
	TRY(find_command(c));
	return check_line(c);
}
