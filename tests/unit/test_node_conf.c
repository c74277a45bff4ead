/* SPDX-License-Identifier: MIT */
/*
 * The child's configuration: defaults, checks, the guide's variables, what a run needs. With an
 * argument it prints the text of the manual or of the example file instead, for conf-docs.t.
 */
#include "agent/node_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "test_node_conf.XXXXXX";

/* Loads TEXT. */
static enum cs_err
load(const char *text, struct node_conf **conf, struct fault *f)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return node_conf_load(path, NULL, conf, f);
}

static void
test_defaults(void **state)
{
	struct node_conf *conf;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(load("", &conf, &f), CS_OK);
	assert_int_equal(conf->concurrency, 10);
	assert_int_equal(conf->heartbeat_s, 60);
	assert_string_equal(conf->executor, "wechat");
	assert_int_equal(log_level_of(conf->log_level), LOG_LVL_INFO);
	assert_int_equal(node_conf_check_run(conf, &f), CS_ECONFIG);
	assert_non_null(strstr(f.detail, "cascade.parent_api_url"));
	node_conf_free(conf);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "cascade: { parent_api_url = \"ftp://x\"; };", "cascade.parent_api_url" },
		{ "cascade: { callback_url = \"x\"; };", "cascade.callback_url" },
		{ "cascade: { listen = \"8080\"; };", "cascade.listen" },
		{ "cascade: { api_key = \"a b\"; };", "cascade.api_key" },
		{ "cascade: { state_dir = \"x\"; };", "cascade.state_dir" },
		{ "cascade: { ca_file = \"/nonexistent.pem\"; };",
		    "cascade.ca_file: /nonexistent.pem: No such file" },
		{ "cascade: { ca_file = \"/proc/self/stat\"; };", "has no certificates in PEM" },
		{ "wechat: { ca_file = \"/nonexistent.pem\"; };", "wechat.ca_file: " },
		{ "cascade: { concurrency = 0; };", "1 to 1000" },
		{ "cascade: { nix = 0; };", ":1: cascade.nix: no such key" },
		{ "executor: { command = [ \"x\" ]; };", "absolute path" },
		{ "executor: { kind = \"x\"; };", "wechat exec" },
		{ "log: { level = \"loud\"; };", "log.level" },
	};
	struct node_conf *conf;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { 0 };

		assert_int_equal(load(rows[i].text, &conf, &f), CS_ECONFIG);
		if (strstr(f.detail, rows[i].words) == NULL)
			fail_msg("%s: %s", rows[i].text, f.detail);
	}
}

/* The section cascade is the guide's, and so are its variables. */
static void
test_environment(void **state)
{
	struct node_conf *conf;
	struct fault f = { 0 };

	(void)state;
	setenv("CASCADE_API_KEY", "CNenv", 1);
	setenv("CASCADE_SPOOL_MAX", "2m", 1);
	assert_int_equal(load("cascade: { api_key = \"CNfile\"; };", &conf, &f), CS_OK);
	unsetenv("CASCADE_API_KEY");
	unsetenv("CASCADE_SPOOL_MAX");
	assert_string_equal(conf->api_key, "CNenv");
	assert_int_equal(conf->spool_max, 2 << 20);
	node_conf_free(conf);
}

static void
test_needed(void **state)
{
	static const char whole[] =
	    "cascade: { parent_api_url = \"https://p.example\"; api_key = \"CN\";"
	    " api_secret = \"CS\"; %s }; executor: { %s };";
	static const struct {
		const char *cascade, *executor, *words; /* WORDS NULL: it can run */
	} rows[] = {
		{ "", "kind = \"exec\"; command = [ \"/bin/true\" ];", NULL },
		{ "", "kind = \"exec\";", "executor.command" },
		{ "", "", "wechat.cookie" },
		{ "callback_url = \"http://x.example/\";",
		    "kind = \"exec\"; command = [ \"/bin/true\" ];", "cascade.listen" },
	};
	struct node_conf *conf;
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { 0 };
		enum cs_err err = rows[i].words != NULL ? CS_ECONFIG : CS_OK;

		snprintf(text, sizeof(text), whole, rows[i].cascade, rows[i].executor);
		assert_int_equal(load(text, &conf, &f), CS_OK);
		assert_int_equal(node_conf_check_run(conf, &f), err);
		if (rows[i].words != NULL)
			assert_non_null(strstr(f.detail, rows[i].words));
		node_conf_free(conf);
	}
}

static void
test_print(void **state)
{
	static char text[65536];
	struct node_conf *conf;
	struct fault f = { 0 };
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(out);
	assert_int_equal(load("cascade: { api_secret = \"CSsecret\"; };", &conf, &f), CS_OK);
	node_conf_print(conf, out);
	fclose(out);
	node_conf_free(conf);
	assert_null(strstr(text, "CSsecret"));
	assert_non_null(strstr(text, "api_secret = \"********\""));
	/* What is printed can be read. */
	assert_int_equal(load(text, &conf, &f), CS_OK);
	node_conf_free(conf);
}

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* The environment of whoever runs the tests must not configure anything. */
static void
forget_environment(void)
{
	static const char prefix[] = "CASCADE_";

	for (char **e = environ; *e != NULL;) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		if (strncmp(name, prefix, sizeof(prefix) - 1) == 0 && unsetenv(name) == 0)
			e = environ;
		else
			e++;
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_print),
	};

	if (argc > 1) {
		if (strcmp(argv[1], "mdoc") == 0)
			node_conf_print_mdoc(stdout);
		else
			node_conf_print_example(stdout);
		return 0;
	}
	forget_environment();
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
