/* SPDX-License-Identifier: MIT */
/*
 * cascaded: the scheduler daemon. Command line, signals and the loop; the work is tick.c's. Runs in
 * the foreground under a supervisor; SIGTERM ends it between two steps and hands the lead over,
 * SIGHUP reloads the configuration.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cascaded/schedule.h"
#include "cascaded/tick.h"
#include "proc/notify.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "cascaded"

static volatile sig_atomic_t got_stop, got_reload;

static void
on_signal(int sig)
{
	if (sig == SIGHUP)
		got_reload = 1;
	else
		got_stop = 1;
}

/* Signals are taken only while the loop waits: no step is interrupted half way. */
static void
catch_signals(sigset_t *waiting)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigdelset(waiting, signals[i]);
	signal(SIGPIPE, SIG_IGN);
}

static enum log_level
level_of(const struct conf *conf)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	size_t i = 0;

	while (i < ARRAY_LEN(names) - 1 && strcmp(names[i], conf->log_level) != 0)
		i++;
	return (enum log_level)i;
}

static enum cs_err
open_log(const struct conf *conf, struct fault *f)
{
	return log_open(PROGRAM, conf->log_target, level_of(conf), f);
}

/* A new configuration and what hangs on it. A log that cannot be opened leaves the former one. */
static enum cs_err
load_anew(const char *path, struct conf **conf, struct db **db, struct fault *f)
{
	TRY(conf_load(path, conf, f));
	*db = db_new(*conf);
	if (*db == NULL) {
		conf_free(*conf);
		return cs_detail(f, CS_ENOMEM, "no memory for a connection");
	}
	if (open_log(*conf, f) != CS_OK)
		log_fault(LOG_LVL_ERROR, "log_open", f);
	return CS_OK;
}

/* A bad new configuration keeps the old one in force; its log is opened anew all the same. */
static struct conf *
reload(struct daemon *d, const char *path, struct conf *old)
{
	struct fault f = { 0 };
	struct conf *conf = old;
	struct db *db;

	notify_send("RELOADING=1");
	if (load_anew(path, &conf, &db, &f) != CS_OK) {
		log_fault(LOG_LVL_ERROR, "reload", &f);
		conf = old;
		if (log_reopen(&f) != CS_OK)
			log_fault(LOG_LVL_ERROR, "log_reopen", &f);
	} else {
		db_free(d->db);
		d->db = db;
		d->conf = conf;
		schedule_reload(d->schedule);
		log_info("reload", "configuration reloaded");
		conf_free(old);
	}
	notify_send("READY=1");
	return conf;
}

static int
run(const char *path, struct conf *conf)
{
	struct daemon d = {
		.conf = conf, .db = db_new(conf), .schedule = schedule_new(), .scheduling = true
	};
	sigset_t waiting;

	if (d.db == NULL || d.schedule == NULL || !tick_name(&d)) {
		log_error("start", "out of memory or randomness");
		conf_free(conf);
		return EXIT_FAILURE;
	}
	catch_signals(&waiting);
	log_info("start", "%s", d.holder);
	notify_send("READY=1");
	while (!got_stop) {
		int64_t next = clock_mono_ms() + d.conf->tick_s * 1000;
		struct timespec left = { 0 };

		if (got_reload) {
			got_reload = 0;
			conf = reload(&d, path, conf);
		}
		tick(&d);
		next -= clock_mono_ms();
		if (next > 0 && !d.busy && !d.more_due)
			left = (struct timespec){ next / 1000, next % 1000 * 1000000 };
		ppoll(NULL, 0, &left, &waiting);
	}
	notify_send("STOPPING=1");
	tick_leave(&d);
	log_info("stop", "%s", d.holder);
	schedule_free(d.schedule);
	db_free(d.db);
	conf_free(conf);
	return EXIT_SUCCESS;
}

static void
usage(FILE *out)
{
	fputs("usage: cascaded [--config FILE] [--check-config | --print-config] [--version] "
	      "[--help]\n",
	    out);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	struct fault f = { 0 };
	struct conf *conf;
	int opt, mode = 0;

	while ((opt = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		if (opt == 'c')
			path = optarg;
		else if (opt == '?')
			return usage(stderr), cs_err_exit(CS_EUSAGE);
		else
			mode = opt;
	}
	if (optind < argc)
		return usage(stderr), cs_err_exit(CS_EUSAGE);
	if (mode == 'h')
		return usage(stdout), EXIT_SUCCESS;
	if (mode == 'V')
		return puts(PACKAGE_STRING), EXIT_SUCCESS;
	if (conf_load(path, &conf, &f) != CS_OK)
		return fprintf(stderr, PROGRAM ": %s\n", f.detail), cs_err_exit(f.code);
	if (mode == 'p')
		conf_print(conf, stdout);
	if (mode == 'k')
		puts(PROGRAM ": the configuration is valid");
	if (mode == 'p' || mode == 'k')
		return conf_free(conf), EXIT_SUCCESS;
	if (open_log(conf, &f) != CS_OK)
		return fprintf(stderr, PROGRAM ": %s\n", f.detail), conf_free(conf),
		       cs_err_exit(f.code);
	return run(path, conf);
}
