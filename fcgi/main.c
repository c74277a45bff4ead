/* SPDX-License-Identifier: MIT */
/*
 * cascade-fcgi: reads options and configuration, gets the listening socket, and hands over to the
 * supervisor of a pool; or, started on a socket by somebody who supervises (mod_fcgid, spawn-fcgi),
 * serves as the one worker of this process. The manager touches neither database nor requests.
 */
#include "base/log.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "db/db_auth.h"
#include "fcgi/metrics.h"
#include "fcgi/worker.h"
#include "proc/listen.h"
#include "proc/super.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#define PROGRAM	    "cascade-fcgi"
#define WORKERS_MAX 1024
#define MS_PER_S    1000
#define MODE_MAX    0777

enum mode { MODE_RUN, MODE_CHECK, MODE_PRINT, MODE_VERSION, MODE_HELP };

struct app {
	enum mode mode;
	const char *config;
	const char *listen;
	int64_t workers; /* 0: as configured */
	struct metrics *metrics;
	struct listener listener;
};

static const char usage[] =
    "usage: " PROGRAM " [--config FILE] [--listen unix:PATH|HOST:PORT] [--workers N]\n"
    "       " PROGRAM " [--config FILE] --check-config | --print-config\n"
    "       " PROGRAM " --version | --help\n";

static bool
parse_args(struct app *app, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "workers", required_argument, NULL, 'w' },
		{ "check-config", no_argument, NULL, 'C' },
		{ "print-config", no_argument, NULL, 'P' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:l:w:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			app->config = optarg;
			break;
		case 'l':
			app->listen = optarg;
			break;
		case 'C':
			app->mode = MODE_CHECK;
			break;
		case 'P':
			app->mode = MODE_PRINT;
			break;
		case 'V':
			app->mode = MODE_VERSION;
			break;
		case 'h':
			app->mode = MODE_HELP;
			break;
		case 'w':
			if (parse_int(optarg, 1, WORKERS_MAX, &app->workers))
				break;
			fprintf(stderr, PROGRAM ": --workers: 1 to %d\n", WORKERS_MAX);
			return false;
		default:
			return false;
		}
	}
	return optind == argc;
}

static int
complain(const struct fault *f)
{
	fprintf(stderr, PROGRAM ": %s\n", f->detail[0] != '\0' ? f->detail : fault_message(f));
	return cs_err_exit(f->code);
}

/* Printing must also show a configuration whose secret is not there yet. */
static enum cs_err
load(const struct app *app, struct conf **conf, struct fault *f)
{
	struct conf *c;
	enum cs_err err;

	TRY(conf_load(app->config, &c, f));
	err = app->mode == MODE_PRINT ? CS_OK : conf_check_secret(c, f);
	if (err != CS_OK)
		conf_free(c);
	else
		*conf = c;
	return err;
}

static enum cs_err
open_log(const struct conf *conf, struct fault *f)
{
	return log_open(PROGRAM, conf->log_target, log_level_of(conf->log_level), f);
}

static void
generation_of(const struct app *app, struct conf *conf, struct super_conf *sc)
{
	*sc = (struct super_conf){
		.workers = (unsigned)(app->workers > 0 ? app->workers : conf->workers),
		.stuck_ms = conf->request_timeout_s * MS_PER_S,
		.drain_ms = conf->drain_timeout_s * MS_PER_S,
		.conf = conf,
		.stats = metrics_super(app->metrics),
	};
}

static int
pool_worker(void *arg, const struct super_conf *sc, unsigned index, struct super_slot *slot)
{
	const struct app *app = arg;
	const struct worker_conf wc = {
		.conf = sc->conf,
		.metrics = app->metrics,
		.fd = app->listener.fd,
		.index = index,
		.count = sc->workers,
	};

	return worker_run(&wc, slot);
}

static bool
pool_reload(void *arg, struct super_conf *next)
{
	const struct app *app = arg;
	struct conf *conf = NULL;
	struct fault f = { .lang = LANG_EN }, g = { .lang = LANG_EN };

	if (log_reopen(&g) != CS_OK)
		log_fault(LOG_LVL_ERROR, "log_reopen", &g);
	if (load(app, &conf, &f) != CS_OK) {
		log_fault(LOG_LVL_ERROR, "reload", &f);
		return false;
	}
	if (open_log(conf, &f) != CS_OK)
		log_fault(LOG_LVL_ERROR, "log_open", &f);
	generation_of(app, conf, next);
	return true;
}

static void
pool_retire(void *arg cs_unused, const struct super_conf *sc)
{
	conf_free(sc->conf);
}

static void
pool_stopping(void *arg)
{
	struct app *app = arg;

	listen_withdraw(&app->listener);
}

static int
run_pool(struct app *app, struct conf *conf)
{
	static const struct super_ops ops = {
		.run = pool_worker,
		.reload = pool_reload,
		.retire = pool_retire,
		.stopping = pool_stopping,
	};
	struct super_conf first;

	generation_of(app, conf, &first);
	return super_run(&ops, app, &first);
}

static int
run_alone(const struct app *app, struct conf *conf)
{
	static struct super_slot slot;
	const struct worker_conf wc = {
		.conf = conf,
		.metrics = app->metrics,
		.fd = app->listener.fd,
		.count = 1,
		.alone = true,
	};
	struct super_stats *stats = metrics_super(app->metrics);
	int rc;

	stats->starts = 1;
	stats->workers[SUPER_BUSY] = 1; /* whenever somebody asks */
	rc = worker_run(&wc, &slot);
	conf_free(conf);
	return rc;
}

static enum cs_err
open_listener(struct app *app, const struct conf *conf, struct fault *f)
{
	int64_t mode;

	if (app->listen == NULL && listen_inherited(&app->listener))
		return CS_OK;
	if (!parse_octal(conf->listen_mode, MODE_MAX, &mode))
		return cs_detail(f, CS_ECONFIG, "server.listen_mode: not octal permission bits: %s",
		    conf->listen_mode);
	return listen_open(
	    app->listen != NULL ? app->listen : conf->listen, (mode_t)mode, &app->listener, f);
}

/* Takes over CONF. */
static int
run(struct app *app, struct conf *conf)
{
	struct fault f = { .lang = LANG_EN };

	signal(SIGPIPE, SIG_IGN); /* a log pipe whose reader died shall not end the pool */
	app->metrics = metrics_map();
	if (app->metrics == NULL || !db_auth_share())
		(void)cs_detail(&f, CS_ENOMEM, "no memory that workers share");
	if (f.code != CS_OK || open_listener(app, conf, &f) != CS_OK ||
	    open_log(conf, &f) != CS_OK) {
		conf_free(conf);
		return complain(&f);
	}
	if (app->listener.source == LISTEN_STDIN && app->workers == 0)
		return run_alone(app, conf);
	return run_pool(app, conf);
}

int
main(int argc, char **argv)
{
	struct app app = { .mode = MODE_RUN };
	struct fault f = { .lang = LANG_EN };
	struct conf *conf = NULL;
	bool ok = parse_args(&app, argc, argv);

	if (!ok || app.mode == MODE_HELP) {
		fputs(usage, ok ? stdout : stderr);
		return ok ? EX_OK : EX_USAGE;
	}
	if (app.mode == MODE_VERSION) {
		puts(PROGRAM " " PACKAGE_VERSION);
		return EX_OK;
	}
	if (load(&app, &conf, &f) != CS_OK)
		return complain(&f);
	if (app.mode == MODE_RUN)
		return run(&app, conf);
	if (app.mode == MODE_PRINT)
		conf_print(conf, stdout);
	else
		puts("the configuration is valid");
	conf_free(conf);
	return EX_OK;
}
