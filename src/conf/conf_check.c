/* SPDX-License-Identifier: MIT */
/*
 * What a kind and two bounds cannot say about the parent's values: choices, addresses, modes, mount
 * points, the secret files, and whether the token secret is one that may be used. One row a key.
 */
#include "conf/conf_key.h"
#include "base/cidr.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define UNIX_PREFIX	 "unix:"
#define SECRET_MIN	 8
#define WERSS_DEFAULT	 "csol2025"
#define MODE_MAX	 0777
#define SUCCESS_CODE_MAX 999

static enum cs_err
check_mode(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	int64_t mode;

	if (parse_octal(conf_str(l, id), MODE_MAX, &mode))
		return CS_OK;
	return conf_refuse(l, id, "should be permission bits in octal, such as 0660");
}

static enum cs_err
check_listen(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const char *s = conf_str(l, id), *path = s + strlen(UNIX_PREFIX);
	struct sockaddr_un sun;

	if (strncmp(s, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0) {
		if (conf_is_host_port(s))
			return CS_OK;
		return conf_refuse(l, id, "should be unix:/PATH or HOST:PORT");
	}
	if (path[0] != '/')
		return conf_refuse(l, id, "the socket's path should be absolute");
	if (strlen(path) >= sizeof(sun.sun_path))
		return conf_refuse(
		    l, id, "the socket's path is longer than %zu bytes", sizeof(sun.sun_path) - 1);
	return CS_OK;
}

/* Letters, digits, '-', '_', '.' and '*', and not what was meant to be an address. */
static bool
is_host_pattern(const char *s)
{
	static const char address[] = "0123456789.";
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_*";
	size_t n = 0;

	while (s[n] != '\0' && (strchr(address, s[n]) != NULL || strchr(chars, s[n]) != NULL))
		n++;
	return s[n] == '\0' && strspn(s, address) < n;
}

static enum cs_err
check_outbound(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const struct conf_list *list = conf_member(l, id);
	struct cidr block;

	for (size_t i = 0; i < list->n; i++) {
		if (!cidr_parse(list->v[i], &block) && !is_host_pattern(list->v[i]))
			return conf_refuse(l, id,
			    "%s: should be an address, ADDRESS/BITS or a host pattern", list->v[i]);
	}
	return CS_OK;
}

/* PREFIX=CODE[+single] into *M; NULL if it is one, else what is wrong. */
static const char *
parse_mount(const char *entry, struct arena *arena, struct conf_mount *m)
{
	static const char single[] = "+single";
	char code[8];
	size_t len = strcspn(entry, "="), digits;
	int64_t success;

	if (entry[0] != '/' || entry[len] == '\0')
		return "should be PREFIX=CODE or PREFIX=CODE+single, PREFIX starting with /";
	if (entry[len - 1] == '/')
		return "the prefix should not end in /";
	if (strcspn(entry, " \t\r\n\v\f?#") < len)
		return "the prefix should not contain white space, ? or #";
	digits = strcspn(entry + len + 1, "+");
	m->single = strcmp(entry + len + 1 + digits, single) == 0;
	if (entry[len + 1 + digits] != '\0' && !m->single)
		return "only +single may follow the code";
	snprintf(code, sizeof(code), "%.*s", (int)digits, entry + len + 1);
	if (digits >= sizeof(code) || !parse_int(code, 0, SUCCESS_CODE_MAX, &success))
		return "the code should be a number of 0 to 999";
	m->success = (int)success;
	m->prefix = arena_strndup(arena, entry, len);
	m->prefix_len = len;
	return NULL;
}

static bool
is_mounted(const struct conf *conf, const char *prefix)
{
	for (size_t i = 0; i < conf->nmounts; i++) {
		if (strcmp(conf->mount[i].prefix, prefix) == 0)
			return true;
	}
	return false;
}

static enum cs_err
check_mounts(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	struct conf *conf = l->conf;

	for (size_t i = 0; i < conf->mounts.n; i++) {
		struct conf_mount m;
		const char *wrong = parse_mount(conf->mounts.v[i], l->arena, &m);

		if (wrong != NULL)
			return conf_refuse(l, id, "%s: %s", conf->mounts.v[i], wrong);
		if (m.prefix == NULL)
			return cs_detail(l->f, CS_ENOMEM, "no memory for the configuration");
		if (is_mounted(conf, m.prefix))
			return conf_refuse(l, id, "%s: the prefix is there twice", m.prefix);
		conf->mount[conf->nmounts++] = m;
	}
	return CS_OK;
}

static const struct {
	size_t id;
	enum cs_err (*check)(struct conf_load *l, size_t id, const char *arg);
	const char *arg;
} checks[] = {
	{ CONF_ID_listen, check_listen, NULL },
	{ CONF_ID_listen_mode, check_mode, NULL },
	{ CONF_ID_mounts, check_mounts, NULL },
	{ CONF_ID_schedule, conf_check_choice, "own werss" },
	{ CONF_ID_outbound_allow, check_outbound, NULL },
	{ CONF_ID_outbound_ca_file, conf_check_ca_file, NULL },
	{ CONF_ID_alert_language, conf_check_choice, "zh en" },
	{ CONF_ID_log_target, conf_check_log_target, NULL },
	{ CONF_ID_log_level, conf_check_choice, "error warn info debug" },
};

static const struct {
	enum conf_id file, secret;
} secrets[] = {
	{ CONF_ID_db_password_file, CONF_ID_db_password },
	{ CONF_ID_jwt_secret_file, CONF_ID_jwt_secret },
};

/* Each receiver has a name of its own; the database does not tell cases apart. */
static enum cs_err
name_alerts(struct conf_load *l)
{
	struct conf *conf = l->conf;

	for (size_t i = 0; i < conf->nalerts; i++) {
		struct conf_alert *alert = &conf->alerts[i];

		if (alert->name[0] == '\0')
			alert->name = arena_printf(l->arena, "%s-%zu", alert->format, i + 1);
		if (alert->name == NULL)
			return cs_detail(l->f, CS_ENOMEM, "no memory for the configuration");
		for (size_t k = 0; k < i; k++) {
			if (strcasecmp(conf->alerts[k].name, alert->name) == 0)
				return cs_detail(l->f, CS_ECONFIG, "alerts.name: %s is there twice",
				    alert->name);
		}
	}
	return CS_OK;
}

enum cs_err
conf_check_all(struct conf_load *l)
{
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		TRY(conf_load_secret(l, secrets[i].file, secrets[i].secret));
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		TRY(checks[i].check(l, checks[i].id, checks[i].arg));
	return name_alerts(l);
}

enum cs_err
conf_check_alert(struct conf_load *l)
{
	static const char *const events[] = { "node_offline", "dead_letter", "no_success",
		"database" };
	const struct conf_alert *alert = l->conf;
	const char *url = alert->url;

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return conf_refuse(l, CONF_ALERT_ID_url, "should be an http(s) URL");
	if (strpbrk(url, " \t\r\n#") != NULL)
		return conf_refuse(
		    l, CONF_ALERT_ID_url, "should have no white space and no fragment");
	for (size_t i = 0; i < alert->events.n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(events) && strcmp(events[k], alert->events.v[i]) != 0)
			k++;
		if (k == ARRAY_LEN(events))
			return conf_refuse(
			    l, CONF_ALERT_ID_events, "%s: no such event", alert->events.v[i]);
	}
	return conf_check_choice(l, CONF_ALERT_ID_format, "json dingtalk feishu wecom");
}

enum cs_err
conf_check_secret(const struct conf *conf, struct fault *f)
{
	if (conf->jwt_secret[0] == '\0')
		return cs_detail(f, CS_ECONFIG, "auth.jwt_secret: is not set");
	if (strlen(conf->jwt_secret) < SECRET_MIN)
		return cs_detail(
		    f, CS_ECONFIG, "auth.jwt_secret: is shorter than %d bytes", SECRET_MIN);
	if (strcmp(conf->jwt_secret, WERSS_DEFAULT) == 0 && !conf->insecure_defaults)
		return cs_detail(f, CS_ECONFIG,
		    "auth.jwt_secret: is the default that WeRSS is known for: anybody can mint "
		    "tokens; "
		    "choose another (and set it as WeRSS's SECRET_KEY)");
	return CS_OK;
}
