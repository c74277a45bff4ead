/* SPDX-License-Identifier: MIT */
/*
 * Loading configuration: each kind and check from the file and from the environment, the secret
 * files, what is printed. With an argument it prints the text of the manual or of the example file
 * instead, for conf-docs.t.
 */
#include "base/log.h"
#include "conf/conf_key.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PRINTED_MAX 32768

static char dir[3000], path[3100], secret_path[3100], log_path[3100];

static int
make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/test_conf.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/cascade.conf", dir);
	snprintf(secret_path, sizeof(secret_path), "%s/secret", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(secret_path);
	unlink(log_path);
	return rmdir(dir);
}

/* The environment of whoever runs the tests must not configure anything. */
static void
clear_environment(void)
{
	for (enum conf_id id = 0; id < CONF_ID__MAX; id++) {
		char name[64];

		snprintf(name, sizeof(name), "CASCADE_%s", conf_keys[id].key);
		for (char *p = name; *p != '\0'; p++)
			*p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
		unsetenv(name);
	}
}

static void
write_file(const char *file, const char *text, size_t n, mode_t mode)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, n, out), n);
	fclose(out);
	assert_int_equal(chmod(file, mode), 0);
}

static enum cs_err
load(const char *text, struct conf **conf, struct fault *f)
{
	write_file(path, text, strlen(text), 0600);
	return conf_load(path, conf, f);
}

static struct conf *
loaded(const char *text)
{
	struct fault f = { 0 };
	struct conf *conf = NULL;

	if (load(text, &conf, &f) != CS_OK)
		fail_msg("%s", f.detail);
	return conf;
}

static void
test_key_table(void **state)
{
	(void)state;
	for (enum conf_id i = 0; i < CONF_ID__MAX; i++) {
		const struct conf_key *k = &conf_keys[i];
		const char *dot = strchr(k->key, '.');

		assert_true(dot != NULL && dot > k->key && strchr(dot + 1, '.') == NULL);
		assert_true(k->min <= k->max);
		assert_true(k->kind != CONF_KIND_LIST || k->max <= CONF_LIST_MAX);
		assert_int_equal(k->help[strlen(k->help) - 1], '.');
		for (enum conf_id j = 0; j < i; j++)
			assert_string_not_equal(k->key, conf_keys[j].key);
	}
}

static void
test_defaults(void **state)
{
	struct conf *c = loaded("");

	(void)state;
	assert_string_equal(c->db_host, "localhost");
	assert_true(c->db_port == 3306);
	assert_false(c->db_tls);
	assert_true(c->exec_lease_s == 1800);
	assert_true(c->upload_max == 64 << 20);
	assert_int_equal(c->nmounts, 2);
	assert_string_equal(c->mount[0].prefix, "/api/v1/cascade");
	assert_int_equal(c->mount[0].prefix_len, 15);
	assert_int_equal(c->mount[0].success, 200);
	assert_false(c->mount[0].single);
	assert_string_equal(c->mount[1].prefix, "/api/v1/wx/cascade");
	assert_int_equal(c->mount[1].success, 0);
	assert_true(c->mount[1].single);
	conf_free(c);
	conf_free(NULL);
	assert_non_null(strstr(conf_default_path(), "/cascade/cascade.conf"));
}

static void
test_file(void **state)
{
	struct conf *c = loaded("# every kind\n"
				"database: { host = \"db.example\"; port = 3307; tls = true; };\n"
				"server = { body_max = 2048; upload_max = \"2m\";\n"
				"  mounts = ( \"/a=0+single\", \"/b/c=200\" ); };\n"
				"lease: { claim = 90; executing = \"2h\"; };\n"
				"auth: { admin_roles = \"admin, editor\"; };\n"
				"log: { level = \"debug\"; };\n");

	(void)state;
	assert_string_equal(c->db_host, "db.example");
	assert_true(c->db_port == 3307);
	assert_true(c->db_tls);
	assert_true(c->body_max == 2048);
	assert_true(c->upload_max == 2 << 20);
	assert_true(c->claim_ack_s == 90);
	assert_true(c->exec_lease_s == 7200);
	assert_int_equal(c->admin_roles.n, 2);
	assert_string_equal(c->admin_roles.v[0], "admin");
	assert_string_equal(c->admin_roles.v[1], "editor");
	assert_int_equal(c->nmounts, 2);
	assert_true(c->mount[0].single);
	assert_string_equal(c->mount[1].prefix, "/b/c");
	assert_string_equal(c->log_level, "debug");
	conf_free(c);
}

/* Each is refused; the detail has the file's name, then LINE and the text. */
static void
test_file_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *detail;
	} cases[] = {
		{ "database: {\n host = ;\n};", 2, "syntax error" },
		{ "database: {", 1, "syntax error" },
		{ "\ndatabase: { hots = \"x\"; };", 2, "database.hots: no such key" },
		{ "databse: { host = \"x\"; };", 1, "databse: no such section" },
		{ "databas: { e = \"x\"; };", 1, "databas: no such section" },
		{ "workers = 3;", 1, "workers: no such section" },
		{ "alerts = 3;", 1, "alerts: should be a list of at most 16 groups" },
		{ "alerts: { url = \"http://x/\"; };", 1, "alerts: should be a list of at most" },
		{ "alerts = (\n 3 );", 2, "alerts: should have groups" },
		{ "alerts = (\n { } );", 2, "alerts.url: should be an http(s) URL" },
		{ "alerts = ( { url = \"ftp://x/\"; } );", 1, "alerts.url: should be an http(s)" },
		{ "alerts = ( { url = \"http://x/ y\"; } );", 1, "alerts.url: should have no" },
		{ "alerts = ( {\n uri = \"http://x/\"; } );", 2, "alerts.uri: no such key" },
		{ "alerts = ( {\n url = \"http://x/\";\n format = \"slack\"; } );", 3,
		    "alerts.format: should be one of: json dingtalk feishu wecom" },
		{ "alerts = ( { url = \"http://x/\"; events = [ \"rain\" ]; } );", 1,
		    "alerts.events: rain: no such event" },
		{ "server = 3;", 1, "server: should be a section" },
		{ "database: { host = { x = 1; }; };", 1, "database.host: should be a string" },
		{ "database: {\n\n host = 5; };", 3,
		    "database.host: should be a string of 0 to 255 bytes" },
		{ "database: { user = \"\"; };", 1,
		    "database.user: should be a string of 1 to 80 bytes" },
		{ "database: { port = \"3306\"; };", 1, "database.port: should be an integer" },
		{ "database: { port = 0; };", 1,
		    "database.port: should be an integer of 1 to 65535" },
		{ "database: { port = 65536; };", 1, "database.port: should be an integer" },
		{ "database: { port = 99999999999999999999; };", 1, "database.port: should be" },
		{ "database: { port = 1.5; };", 1, "database.port: should be an integer" },
		{ "database: { tls = 1; };", 1, "database.tls: should be true or false" },
		{ "database: { tls = \"true\"; };", 1, "database.tls: should be true or false" },
		{ "lease: { claim = \"2 h\"; };", 1, "lease.claim: should be a duration" },
		{ "lease: { claim = -1; };", 1, "lease.claim: should be a duration" },
		{ "lease: { claim = \"2d\"; };", 1, "of 1 to 86400 seconds" },
		{ "lease: { claim = true; };", 1, "lease.claim: should be a duration" },
		{ "node: { outage_gap = \"9s\"; };", 1, "of 10 to 3600 seconds" },
		{ "cascaded: { tick = \"6s\"; };", 1, "of 1 to 5 seconds" },
		{ "server: { body_max = \"1x\"; };", 1, "server.body_max: should be a size" },
		{ "server: { body_max = 1023; };", 1, "of 1024 to 16777216 bytes" },
		{ "auth: { admin_roles = []; };", 1, "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = [ \"a\", \"\" ]; };", 1,
		    "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = ( \"a\", 5 ); };", 1,
		    "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = [ 1, 2 ]; };", 1, "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = \"a,,b\"; };", 1, "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = \"a,\"; };", 1, "auth.admin_roles: should be a list" },
		{ "auth: { admin_roles = \"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\"; };", 1,
		    "with 1 to 16 entries" },
		{ "server: { listen = \"/run/x\"; };", 1,
		    "server.listen: should be unix:/PATH or" },
		{ "server: { listen = \"unix:x\"; };", 1, "server.listen: the socket's path" },
		{ "server: { listen = \"localhost\"; };", 1, "server.listen: should be" },
		{ "server: { listen = \"localhost:0\"; };", 1, "server.listen: should be" },
		{ "server: { listen = \":9000\"; };", 1, "server.listen: should be" },
		{ "server: { listen = \"::1:9000\"; };", 1, "server.listen: should be" },
		{ "server: { listen = \"a b:9000\"; };", 1, "server.listen: should be" },
		{ "server: { listen_mode = \"0888\"; };", 1, "server.listen_mode: should be" },
		{ "server: { listen_mode = \"7777\"; };", 1, "server.listen_mode: should be" },
		{ "server: { mounts = [\"x=0\"]; };", 1, "server.mounts: x=0: should be PREFIX=" },
		{ "server: { mounts = [\"/x\"]; };", 1, "server.mounts: /x: should be PREFIX=" },
		{ "server: { mounts = [\"/x/=0\"]; };", 1, "should not end in /" },
		{ "server: { mounts = [\"/=0\"]; };", 1, "should not end in /" },
		{ "server: { mounts = [\"/x y=0\"]; };", 1, "should not contain white space" },
		{ "server: { mounts = [\"/x=\"]; };", 1, "the code should be a number" },
		{ "server: { mounts = [\"/x=1000\"]; };", 1, "the code should be a number" },
		{ "server: { mounts = [\"/x=99999999999\"]; };", 1, "the code should be a number" },
		{ "server: { mounts = [\"/x=-1\"]; };", 1, "the code should be a number" },
		{ "server: { mounts = [\"/x=0+\"]; };", 1, "only +single may follow" },
		{ "server: { mounts = [\"/x=0+single+single\"]; };", 1, "only +single may follow" },
		{ "server: { mounts = [\"/x=0\", \"/x=200\"]; };", 1,
		    "/x: the prefix is there twice" },
		{ "cascaded: { schedule = \"ownx\"; };", 1, "should be one of: own werss" },
		{ "cascaded: { schedule = \"wer\"; };", 1, "should be one of: own werss" },
		{ "outbound: { ca_file = \"/nonexistent.pem\"; };", 1,
		    "outbound.ca_file: /nonexistent.pem: No such file" },
		{ "outbound: { ca_file = \"/\"; };", 1,
		    "outbound.ca_file: /: is not a regular file" },
		{ "log: {\n level = \"loud\"; };", 2, "should be one of: error warn info debug" },
		{ "log: { target = \"log\"; };", 1, "log.target: should be stderr, syslog or" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf *conf = NULL;
		struct fault f = { 0 };
		char where[3200];

		if (load(cases[i].text, &conf, &f) == CS_OK)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(f.code, CS_ECONFIG);
		assert_null(conf);
		snprintf(where, sizeof(where), "%s:%u: ", path, cases[i].line);
		if (strncmp(f.detail, where, strlen(where)) != 0 ||
		    strstr(f.detail, cases[i].detail) == NULL)
			fail_msg("%s: %s", cases[i].text, f.detail);
	}
}

static void
test_file_absent(void **state)
{
	struct conf *conf = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(conf_load("/nonexistent/cascade.conf", &conf, &f), CS_ECONFIG);
	assert_non_null(strstr(f.detail, "/nonexistent/cascade.conf: No such file"));
	assert_int_equal(conf_load(dir, &conf, &f), CS_ECONFIG);
	assert_non_null(strstr(f.detail, "is a directory"));
	assert_null(conf);
}

static void
test_listen(void **state)
{
	static const char *const good[] = { "unix:/run/x.sock", "127.0.0.1:9000", "localhost:1",
		"[::1]:65535", "*:9000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char text[128];
		struct conf *c;

		snprintf(text, sizeof(text), "server: { listen = \"%s\"; };", good[i]);
		c = loaded(text);
		assert_string_equal(c->listen, good[i]);
		conf_free(c);
	}
}

static void
test_environment(void **state)
{
	static const struct {
		const char *name, *value, *detail; /* NULL: accepted */
	} cases[] = {
		{ "CASCADE_DATABASE_HOST", "env.example", NULL },
		{ "CASCADE_LEASE_MAX_RUN", "3h", NULL },
		{ "CASCADE_DATABASE_TLS", "yes", NULL },
		{ "CASCADE_SERVER_MOUNTS", "/a=0 , /b=1", NULL },
		{ "CASCADE_DATABASE_SOCKET", "", NULL },
		{ "CASCADE_DATABASE_PORT", "x", "database.port: should be an integer" },
		{ "CASCADE_DATABASE_PORT", "", "database.port: should be an integer" },
		{ "CASCADE_LEASE_MAX_RUN", "0", "lease.max_run: should be a duration" },
		{ "CASCADE_SERVER_MOUNTS", "/a=0,/a=1", "the prefix is there twice" },
		{ "CASCADE_LOG_LEVEL", "loud", "log.level: should be one of" },
		{ "CASCADE_AUTH_JWT_SECRET_FILE", "/nonexistent", "/nonexistent: No such file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf *conf = NULL;
		struct fault f = { 0 };
		enum cs_err err;

		setenv(cases[i].name, cases[i].value, 1);
		err = load("database: { host = \"file\"; port = 1; };", &conf, &f);
		unsetenv(cases[i].name);
		assert_int_equal(err, cases[i].detail == NULL ? CS_OK : CS_ECONFIG);
		if (err == CS_OK) {
			assert_string_equal(conf->db_host, i == 0 ? "env.example" : "file");
			assert_true(conf->max_run_s == (i == 1 ? 10800 : 7200));
			assert_int_equal(conf->db_tls, i == 2);
			conf_free(conf);
			continue;
		}
		assert_memory_equal(f.detail, cases[i].name, strlen(cases[i].name));
		assert_non_null(strstr(f.detail, cases[i].detail));
	}
}

static void
test_secret_files(void **state)
{
	static char longest[1024 + 1], too_long[1025 + 1];
	const struct {
		const char *text;
		size_t n;
		const char *secret; /* NULL: refused */
	} cases[] = {
		{ "s3cret value\nsecond line\n", 25, "s3cret value" },
		{ "no newline", 10, "no newline" },
		{ " kept \n", 7, " kept " },
		{ longest, 1024, longest },
		{ "", 0, NULL },
		{ "\nsecond", 7, NULL },
		{ "a\0b\n", 4, NULL },
		{ too_long, 1025, NULL },
	};

	(void)state;
	memset(longest, 'l', sizeof(longest) - 1);
	memset(too_long, 'l', sizeof(too_long) - 1);
	setenv("CASCADE_AUTH_JWT_SECRET_FILE", secret_path, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf *conf = NULL;
		struct fault f = { 0 };
		enum cs_err err;

		write_file(secret_path, cases[i].text, cases[i].n, 0600);
		err = load("auth: { jwt_secret = \"overridden\"; };", &conf, &f);
		assert_int_equal(err, cases[i].secret != NULL ? CS_OK : CS_ECONFIG);
		if (err == CS_OK)
			assert_string_equal(conf->jwt_secret, cases[i].secret);
		else
			assert_non_null(strstr(f.detail, secret_path));
		conf_free(conf);
	}
	setenv("CASCADE_AUTH_JWT_SECRET_FILE", dir, 1);
	assert_int_equal(load("", &(struct conf *){ NULL }, &(struct fault){ 0 }), CS_ECONFIG);
	unsetenv("CASCADE_AUTH_JWT_SECRET_FILE");
}

static void
test_ca_file(void **state)
{
	static const char *const texts[] = { "", "of another kind\n",
		"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n" };

	(void)state;
	setenv("CASCADE_OUTBOUND_CA_FILE", secret_path, 1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct conf *conf = NULL;
		struct fault f = { 0 };

		write_file(secret_path, texts[i], strlen(texts[i]), 0644);
		assert_int_equal(load("", &conf, &f), CS_ECONFIG);
		assert_non_null(strstr(f.detail, "CASCADE_OUTBOUND_CA_FILE: outbound.ca_file: "));
		assert_non_null(strstr(f.detail, ": has no certificates in PEM"));
	}
	unsetenv("CASCADE_OUTBOUND_CA_FILE");
}

/* A secret that others may read is used, but warned of; its text is never logged. */
static void
test_secret_mode(void **state)
{
	struct fault f = { 0 };
	struct conf *conf;
	char log[1024] = "";
	FILE *in;

	(void)state;
	assert_int_equal(log_open("test", log_path, LOG_LVL_INFO, &f), CS_OK);
	setenv("CASCADE_DATABASE_PASSWORD_FILE", secret_path, 1);
	write_file(secret_path, "hush-hush\n", 10, 0644);
	conf = loaded("");
	assert_string_equal(conf->db_password, "hush-hush");
	conf_free(conf);
	unsetenv("CASCADE_DATABASE_PASSWORD_FILE");
	in = fopen(log_path, "r");
	assert_non_null(in);
	assert_true(fread(log, 1, sizeof(log) - 1, in) > 0);
	fclose(in);
	assert_non_null(strstr(log, "event=secret_file"));
	assert_null(strstr(log, "hush-hush"));
	assert_int_equal(log_open("test", "stderr", LOG_LVL_INFO, &f), CS_OK);
}

static void
test_check_secret(void **state)
{
	static const struct {
		const char *text, *detail; /* NULL: fine */
	} cases[] = {
		{ "", "is not set" },
		{ "auth: { jwt_secret = \"1234567\"; };", "is shorter than 8 bytes" },
		{ "auth: { jwt_secret = \"12345678\"; };", NULL },
		{ "auth: { jwt_secret = \"csol2025\"; };", "is the default" },
		{ "auth: { jwt_secret = \"csol2025\"; insecure_defaults = true; };", NULL },
		{ "auth: { insecure_defaults = true; };", "is not set" },
		{ "auth: { jwt_secret = \"short\"; insecure_defaults = true; };", "is shorter" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf *c = loaded(cases[i].text);
		struct fault f = { 0 };

		assert_int_equal(
		    conf_check_secret(c, &f), cases[i].detail == NULL ? CS_OK : CS_ECONFIG);
		if (cases[i].detail != NULL)
			assert_non_null(strstr(f.detail, cases[i].detail));
		conf_free(c);
	}
}

/* What conf_print() prints of CONF; for NULL the example file. */
static void
print_into(char buf[PRINTED_MAX], const struct conf *conf)
{
	FILE *out = fmemopen(buf, PRINTED_MAX, "w");

	assert_non_null(out);
	if (conf != NULL)
		conf_print(conf, out);
	else
		conf_print_example(out);
	assert_int_equal(fclose(out), 0);
	assert_true(strlen(buf) < PRINTED_MAX - 1);
}

/* What is printed can be loaded, and prints the same again. */
static void
test_print(void **state)
{
	static const char text[] =
	    "database: { host = \"quo\\\"te\\\\ \\x01 节点\"; tls = true; };\n"
	    "auth: { jwt_secret = \"tell-nobody\"; };\n"
	    "retry: { backoff = \"1h\"; };\n";
	static char once[PRINTED_MAX], twice[PRINTED_MAX];
	struct conf *first = loaded(text), *second;

	(void)state;
	print_into(once, first);
	assert_null(strstr(once, "tell-nobody"));
	assert_non_null(strstr(once, "\tjwt_secret = \"********\";\n"));
	assert_non_null(strstr(once, "\tpassword = \"\";\n"));
	assert_non_null(strstr(once, "\tbackoff = 3600;\n"));
	second = loaded(once);
	assert_string_equal(second->db_host, first->db_host);
	print_into(twice, second);
	assert_string_equal(once, twice);
	conf_free(first);
	conf_free(second);
}

/* A list of groups: what a group does not say is as by default, and each has a name. */
static void
test_alerts(void **state)
{
	static char printed[PRINTED_MAX];
	struct fault f = { 0 };
	struct conf *c = loaded("alerts = ( { url = \"https://a/?token=tell-nobody\"; },\n"
				"{ url = \"http://b/\"; format = \"feishu\"; name = \"ops\";\n"
				"secret = \"nor-this\"; events = [ \"database\" ]; } );");

	(void)state;
	assert_int_equal(c->nalerts, 2);
	assert_string_equal(c->alerts[0].name, "json-1");
	assert_string_equal(c->alerts[0].url, "https://a/?token=tell-nobody");
	assert_string_equal(c->alerts[0].secret, "");
	assert_int_equal(c->alerts[0].events.n, 4);
	assert_string_equal(c->alerts[1].name, "ops");
	assert_string_equal(c->alerts[1].format, "feishu");
	assert_int_equal(c->alerts[1].events.n, 1);
	print_into(printed, c);
	assert_null(strstr(printed, "tell-nobody"));
	assert_null(strstr(printed, "nor-this"));
	assert_non_null(strstr(printed, "\t\tname = \"ops\";\n"));
	conf_free(c);
	assert_int_equal(load("alerts = ( { url = \"http://a/\"; name = \"ops\"; },"
			      " { url = \"http://b/\"; name = \"OPS\"; } );",
			     &c, &f),
	    CS_ECONFIG);
	assert_non_null(strstr(f.detail, "alerts.name: OPS is there twice"));
}

static void
uncomment_keys(char *example)
{
	for (char *p = strstr(example, "\t#"); p != NULL; p = strstr(p + 2, "\t#")) {
		if (p[2] != ' ')
			p[1] = ' ';
	}
}

/* The example file is the defaults, as it is and with every key uncommented. */
static void
test_example(void **state)
{
	static char example[PRINTED_MAX], defaults[PRINTED_MAX], again[PRINTED_MAX];
	struct conf *conf = loaded("");

	(void)state;
	print_into(defaults, conf);
	conf_free(conf);
	print_into(example, NULL);
	for (int round = 0; round < 2; round++) {
		conf = loaded(example);
		print_into(again, conf);
		assert_string_equal(again, defaults);
		conf_free(conf);
		uncomment_keys(example);
	}
	assert_non_null(strstr(example, "\t host = \"localhost\";"));
}

static int
print_docs(const char *what)
{
	if (strcmp(what, "mdoc") == 0)
		conf_print_mdoc(stdout);
	else
		conf_print_example(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_table),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_errors),
		cmocka_unit_test(test_file_absent),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_ca_file),
		cmocka_unit_test(test_secret_mode),
		cmocka_unit_test(test_check_secret),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_example),
	};

	if (argc > 1)
		return print_docs(argv[1]);
	clear_environment();
	return cmocka_run_group_tests_name("conf", tests, make_dir, remove_dir);
}
