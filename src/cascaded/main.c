/* SPDX-License-Identifier: MIT */
/*
 * cascaded: the scheduler daemon. Command line, signals and the loop; the work is tick.c's. Runs in
 * the foreground under a supervisor; SIGTERM ends it between two steps and hands the lead over,
 * SIGHUP reloads the configuration.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cascaded/alert.h"
#include "cascaded/schedule.h"
#include "cascaded/tick.h"
#include "cascaded/wake.h"
#include "net/http_multi.h"
#include "proc/notify.h"
#include "proc/signals.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRAM	  "cascaded"
#define CALLS_MAX (4096 + 16) /* the most that wake.concurrency can be, and alerts */

/* Of run(); what the signals that came ask for. */
struct loop {
	int signals;
	unsigned stop;
	bool reload;
	struct conf *conf;
	struct conf *former; /* calls may still go by it; NULL: none */
};

static enum cs_err
open_log(const struct conf *conf, struct fault *f)
{
	return log_open(PROGRAM, conf->log_target, log_level_of(conf->log_level), f);
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
static void
reload(struct daemon *d, struct loop *l, const char *path)
{
	struct fault f = { 0 };
	struct conf *conf;
	struct db *db;

	notify_send("RELOADING=1");
	if (load_anew(path, &conf, &db, &f) != CS_OK) {
		log_fault(LOG_LVL_ERROR, "reload", &f);
		if (log_reopen(&f) != CS_OK)
			log_fault(LOG_LVL_ERROR, "log_reopen", &f);
	} else {
		db_free(d->db);
		d->db = db;
		d->conf = conf;
		schedule_reload(d->schedule);
		log_info("reload", "configuration reloaded");
		l->former = l->conf;
		l->conf = conf;
	}
	notify_send("READY=1");
}

/* Until UNTIL_MS (monotonic) or a signal: lets calls go on, and peeks. */
static void
wait_until(struct daemon *d, struct loop *l, int64_t until_ms)
{
	struct pollfd fd = { .fd = l->signals, .events = POLLIN };
	int64_t left = until_ms - clock_mono_ms();

	do {
		if (left > TICK_PEEK_MS)
			left = TICK_PEEK_MS;
		http_multi_wait(d->http, &fd, 1, left > 0 ? (int)left : 0);
		signals_read(l->signals, &l->stop, &l->reload);
		if (l->former != NULL && http_multi_running(d->http) == 0) {
			conf_free(l->former);
			l->former = NULL;
		}
		left = until_ms - clock_mono_ms();
		if (left > 0)
			tick_peek(d);
	} while (left > 0 && l->stop == 0 && !(l->reload && l->former == NULL));
}

static void
loop(struct daemon *d, struct loop *l, const char *path)
{
	while (l->stop == 0) {
		int64_t begin = clock_mono_ms(), next;

		if (l->reload && l->former == NULL) {
			l->reload = false;
			reload(d, l, path);
			continue;
		}
		tick(d);
		/* a tick that waited for a database in vain leaves its time to the calls */
		next = (d->away ? clock_mono_ms() : begin) + d->conf->tick_s * 1000;
		wait_until(d, l, d->busy || d->more_due ? 0 : next);
	}
}

static bool
make(struct daemon *d, struct loop *l)
{
	d->conf = l->conf;
	d->db = db_new(l->conf);
	d->schedule = schedule_new();
	d->http = http_multi_new(CALLS_MAX, 0);
	d->wake = d->http != NULL ? wake_new(d->http) : NULL;
	d->alert = d->http != NULL ? alert_new(d->http, d->holder) : NULL;
	return d->db != NULL && d->schedule != NULL && d->wake != NULL && d->alert != NULL &&
	       tick_name(d);
}

static void
unmake(struct daemon *d, struct loop *l)
{
	http_multi_free(d->http);
	wake_free(d->wake);
	alert_free(d->alert);
	schedule_free(d->schedule);
	db_free(d->db);
	conf_free(l->former);
	conf_free(l->conf);
}

static int
run(const char *path, struct conf *conf)
{
	struct daemon d = { .scheduling = true };
	struct loop l = { .conf = conf, .signals = signals_open() };
	bool made = make(&d, &l);

	if (!made || l.signals < 0) {
		log_error("start", "out of memory, descriptors or randomness");
		unmake(&d, &l);
		return EXIT_FAILURE;
	}
	log_info("start", "%s", d.holder);
	notify_send("READY=1");
	loop(&d, &l, path);
	notify_send("STOPPING=1");
	tick_leave(&d);
	log_info("stop", "%s", d.holder);
	unmake(&d, &l);
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
