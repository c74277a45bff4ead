/* SPDX-License-Identifier: MIT */
/*
 * cascade-node, the child: command line. `run` is the process (loop.c); the other commands look at
 * it from beside, or help to set it up.
 */
#include "agent/check.h"
#include "agent/import.h"
#include "agent/node.h"
#include "agent/state.h"
#include "agent/status.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct options {
	const char *config, *instance;
	bool json;
	int mode; /* 'k' check, 'p' print the configuration */
	char **args;
	int nargs;
};

static void
usage(FILE *out)
{
	fputs("usage: cascade-node [--config FILE] [--instance NAME] [run]\n"
	      "       cascade-node [--config FILE] [--instance NAME] check\n"
	      "       cascade-node [--config FILE] [--instance NAME] status [--json]\n"
	      "       cascade-node import-config FILE\n"
	      "       cascade-node [--config FILE] [--instance NAME] --check-config | "
	      "--print-config\n"
	      "       cascade-node --version | --help\n",
	    out);
}

static int
complain(const struct fault *f)
{
	fprintf(stderr, "cascade-node: %s\n", f->detail);
	return cs_err_exit(f->code);
}

/* Sets *DIR, the caller's to free. */
static enum cs_err
load(const struct options *o, struct node_conf **conf, char **dir, struct fault *f)
{
	TRY(node_conf_load(o->config, o->instance, conf, f));
	*dir = state_dir((*conf)->state_dir, o->instance);
	if (*dir == NULL)
		return cs_detail(f, CS_ENOMEM, "out of memory");
	return CS_OK;
}

static enum cs_err
prepare(struct node *n, struct fault *f)
{
	TRY(node_conf_check_run(n->conf, f));
	TRY(state_make(n->dir, f));
	TRY(state_lock(n->dir, f));
	return log_open(NODE_PROGRAM, n->conf->log_target, log_level_of(n->conf->log_level), f);
}

static int
cmd_run(const struct options *o, struct node_conf *conf, char *dir)
{
	struct node n = {
		.conf = conf, .conf_path = o->config, .instance = o->instance, .dir = dir
	};
	struct fault f = { 0 };
	int status;

	umask(077);
	if (prepare(&n, &f) != CS_OK)
		status = complain(&f);
	else
		status = node_run(&n);
	node_conf_free(n.conf);
	node_conf_free(n.old_conf);
	free(dir);
	return status;
}

static int
cmd_check(const struct options *o cs_unused, struct node_conf *conf, char *dir)
{
	int status = check_show(conf, dir);

	node_conf_free(conf);
	free(dir);
	return status;
}

static int
cmd_status(const struct options *o, struct node_conf *conf, char *dir)
{
	int status = status_show(dir, o->json);

	node_conf_free(conf);
	free(dir);
	return status;
}

static const struct command {
	const char *name;
	int (*run)(const struct options *o, struct node_conf *conf, char *dir);
} commands[] = {
	{ "run", cmd_run },
	{ "check", cmd_check },
	{ "status", cmd_status },
};

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "instance", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:i:hV", options, NULL)) != -1) {
		if (opt == 'c')
			o->config = optarg;
		else if (opt == 'i')
			o->instance = optarg;
		else if (opt == 'j')
			o->json = true;
		else if (opt == '?')
			return usage(stderr), cs_err_exit(CS_EUSAGE);
		else
			o->mode = opt;
	}
	o->args = argv + optind;
	o->nargs = argc - optind;
	if (o->mode == 'h')
		return usage(stdout), EXIT_SUCCESS;
	if (o->mode == 'V' || (o->nargs == 1 && strcmp(o->args[0], "version") == 0))
		return puts(PACKAGE_STRING), EXIT_SUCCESS;
	if (o->instance == NULL || state_is_name(o->instance))
		return -1;
	fprintf(
	    stderr, "cascade-node: --instance: letters, digits, '-', '_' and '.', at most 64\n");
	return cs_err_exit(CS_EUSAGE);
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	const struct command *command;
	struct node_conf *conf = NULL;
	struct fault f = { 0 };
	char *dir = NULL;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	if (o.nargs == 2 && strcmp(o.args[0], "import-config") == 0)
		return import_config(o.args[1]);
	command = find(o.nargs > 0 ? o.args[0] : "run");
	if (o.nargs > 1 || command == NULL)
		return usage(stderr), cs_err_exit(CS_EUSAGE);
	if (load(&o, &conf, &dir, &f) != CS_OK) {
		node_conf_free(conf);
		return complain(&f);
	}
	if (o.mode == 0)
		return command->run(&o, conf, dir);
	if (o.mode == 'p')
		node_conf_print(conf, stdout);
	node_conf_free(conf);
	free(dir);
	return EXIT_SUCCESS;
}
