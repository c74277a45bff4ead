/* SPDX-License-Identifier: MIT */
/*
 * Everything that a run needs, tried one after the other: configuration, state directory, executor,
 * connection, TLS, credential, clock. What fails is said with what to do about it. The request to
 * the parent is a heartbeat that names nothing, which changes nothing but the sign of life.
 */
#include "agent/check.h"
#include "agent/parent.h"
#include "agent/state.h"
#include "base/clock.h"
#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_OFF_MAX_S 60

/* Exit statuses, as in sysexits.h; cascade-node(8) has the list. */
enum {
	OK = 0,
	NO_PARENT = 69,
	NO_PROGRAM = 72,
	NO_STATE = 73,
	BAD_CLOCK = 75,
	BAD_TLS = 76,
	NO_CREDENTIAL = 77,
	BAD_CONFIG = 78
};

struct checks {
	int status; /* of the first that failed */
};

static void
good(const char *what, const char *text)
{
	printf("ok      %-12s %s\n", what, text);
}

static void
bad(struct checks *c, int status, const char *what, const char *text, const char *advice)
{
	printf("FAILED  %-12s %s\n%-21s%s\n", what, text, "", advice);
	if (c->status == OK)
		c->status = status;
}

static void
check_state(struct checks *c, const char *dir)
{
	struct fault f = { 0 };

	if (state_make(dir, &f) != CS_OK)
		bad(c, NO_STATE, "state", f.detail,
		    "make the directory, or set cascade.state_dir to one that this user may write");
	else if (access(dir, R_OK | W_OK | X_OK) != 0)
		bad(c, NO_STATE, "state", strerror(errno),
		    "give the directory to the user of the node");
	else
		good("state", dir);
}

static void
check_executor(struct checks *c, const struct node_conf *conf)
{
	const char *program = conf->command.n > 0 ? conf->command.v[0] : "";

	if (strcmp(conf->executor, "exec") == 0 && access(program, X_OK) != 0)
		bad(c, NO_PROGRAM, "executor", program,
		    "executor.command should be a program that this user may execute");
	else if (strcmp(conf->executor, "exec") == 0)
		good("executor", program);
	else if (conf->wechat_token[0] == '\0')
		bad(c, NO_PROGRAM, "executor", "wechat.token is not set",
		    "take cookie and token of a login to the site");
	else
		good("executor", "wechat");
}

static void
check_clock(struct checks *c, const struct jx *data)
{
	const char *time = jx_str(jx_get(data, "server_time"));
	int64_t theirs;
	char text[80];
	long long off;

	if (time == NULL || !parse_time_utc(time, &theirs))
		return;
	off = (long long)(clock_wall_s() - theirs);
	snprintf(text, sizeof(text), "%lld s %s the parent's", off < 0 ? -off : off,
	    off < 0 ? "behind" : "ahead of");
	if (off > CLOCK_OFF_MAX_S || off < -CLOCK_OFF_MAX_S)
		bad(c, BAD_CLOCK, "clock", text,
		    "set this clock, by NTP best: wake-up calls and times of articles depend on "
		    "it");
	else
		good("clock", text);
}

/* Why there was no answer, as far as the words of it tell. */
static void
no_answer(struct checks *c, const char *why)
{
	static const char *const tls[] = { "certificate", "private key", "SSL", "TLS" };

	for (size_t i = 0; i < ARRAY_LEN(tls); i++) {
		if (strstr(why, tls[i]) == NULL)
			continue;
		bad(c, BAD_TLS, "tls", why,
		    "is cascade.ca_file the authority of the parent's certificate, and the name in "
		    "cascade.parent_api_url the certificate's? are cascade.client_cert and "
		    "cascade.client_key a pair, if they are set?");
		return;
	}
	bad(c, NO_PARENT, "parent", why,
	    "is cascade.parent_api_url right, does the parent run, and is there a way to it "
	    "(cascade.proxy)?");
}

/* Something answered. nginx lets the handshake pass and says in a page what it thinks of a client's
 * certificate; false: there is no more to be learnt from such an answer. */
static bool
check_tls(struct checks *c, const struct node_conf *conf, const struct http_answer *a)
{
	if (strncmp(conf->parent_url, "https://", 8) != 0)
		printf("note    %-12s not encrypted: the secret can be read on the way\n", "tls");
	else if (a->status == 400 && a->body.data != NULL &&
		 strstr(a->body.data, "SSL certificate") != NULL) {
		bad(c, BAD_TLS, "tls",
		    conf->client_cert[0] != '\0'
			? "the parent does not accept this node's certificate"
			: "the parent wants a certificate of this node",
		    "set cascade.client_cert and cascade.client_key to those that the parent's "
		    "administrator has made for this node");
		return false;
	} else
		good(
		    "tls", conf->insecure_tls ? "not verified (cascade.insecure_tls)" : "verified");
	return true;
}

static void
check_answer(struct checks *c, const struct parent_answer *a, const char *url)
{
	char text[600];

	snprintf(text, sizeof(text), "%s: status %d: %s", url, a->status, a->message);
	if (a->status == 0) {
		no_answer(c, a->message);
		return;
	}
	if (a->verdict == PARENT_OK) {
		good("parent", url);
		good("credential", "accepted");
		check_clock(c, a->data);
	} else if (a->status == 401 || a->status == 403)
		bad(c, NO_CREDENTIAL, "credential", text,
		    "make a new one on the parent (cascadectl node credentials) and set "
		    "cascade.api_key and cascade.api_secret_file; is the node active?");
	else
		bad(c, NO_PARENT, "parent", text,
		    "is cascade.parent_api_url the address of the parent, without a path?");
}

static void
check_parent(struct checks *c, struct node_conf *conf)
{
	struct node n = { .conf = conf };
	struct parent_answer answer;
	struct fault f = { 0 };
	auto_answer a = { 0 };
	auto_jx *doc = NULL;
	char *url = NULL;

	if (parent_init(&n, &f) != CS_OK || asprintf(&url, "%s/heartbeat", n.parent.base) < 0) {
		bad(c, NO_PARENT, "parent", "out of memory", "try again");
		parent_fini(&n);
		return;
	}
	const char *headers[] = { n.parent.authorization, NULL };
	const struct http_call call = {
		.url = url,
		.headers = headers,
		.body = "{}",
		.anywhere = true,
		.tls = &n.parent.tls,
		.connect_ms = conf->connect_timeout_s * 1000,
		.total_ms = conf->connect_timeout_s * 2000,
		.max = 1u << 20,
	};
	enum http_result result = http_call(&call, &a);
	parent_read(result, &a, &answer, &doc);
	if (a.status == 0 || check_tls(c, conf, &a))
		check_answer(c, &answer, conf->parent_url);
	free(url);
	parent_fini(&n);
}

int
check_show(struct node_conf *conf, const char *dir)
{
	struct checks c = { OK };
	struct fault f = { 0 };

	if (node_conf_check_run(conf, &f) != CS_OK)
		bad(&c, BAD_CONFIG, "config", f.detail, "see cascade-node.conf(5)");
	else
		good("config", "complete");
	check_state(&c, dir);
	check_executor(&c, conf);
	if (conf->parent_url[0] != '\0')
		check_parent(&c, conf);
	return c.status;
}
