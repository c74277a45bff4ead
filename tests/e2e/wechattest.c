/* SPDX-License-Identifier: MIT */
/*
 * usage: wechattest BASE_URL STATE_DIR [KEY=NUMBER]... <PACKAGE
 * The built-in collector by itself: records on standard output, its log on standard error.
 */
#include "agent/wechat.h"

#include "base/buf.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static bool
set(struct wechat_conf *c, const char *arg)
{
	const struct {
		const char *key;
		int64_t *value;
	} keys[] = {
		{ "pages=", &c->pages },
		{ "pause_ms=", &c->pause_ms },
		{ "jitter_ms=", &c->jitter_ms },
		{ "daily=", &c->daily },
		{ "hold_s=", &c->hold_s },
		{ "hold_max_s=", &c->hold_max_s },
	};

	if (strcmp(arg, "content") == 0)
		return c->content = true;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strncmp(arg, keys[i].key, strlen(keys[i].key)) == 0)
			return parse_int(arg + strlen(keys[i].key), 0, INT32_MAX, keys[i].value);
	}
	if (strncmp(arg, "cookie=", 7) == 0)
		c->cookie = arg + 7;
	return strncmp(arg, "cookie=", 7) == 0;
}

int
main(int argc, char **argv)
{
	struct wechat_conf c = { .account = "test",
		.cookie = "slave_sid=secret",
		.token = "12 34&",
		.user_agent = "",
		.pages = 1,
		.hold_s = 3600,
		.hold_max_s = 86400,
		.connect_ms = 10000,
		.total_ms = 20000,
		.lang = LANG_EN };
	struct buf package = { 0 };
	char part[65536];
	ssize_t n;

	if (argc < 3)
		return EX_USAGE;
	c.base_url = argv[1];
	c.state_dir = argv[2];
	for (int i = 3; i < argc; i++) {
		if (!set(&c, argv[i]))
			return EX_USAGE;
	}
	while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0)
		buf_add(&package, part, (size_t)n);
	if (package.len == 0)
		return EX_NOINPUT;
	n = agent_wechat_main(&c, package.data, package.len, STDOUT_FILENO);
	buf_free(&package);
	return (int)n;
}
