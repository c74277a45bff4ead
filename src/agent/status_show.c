/* SPDX-License-Identifier: MIT */
/*
 * `cascade-node status`: the status file of a running instance, or what the spool of one that does
 * not run holds, as JSON or for people.
 */
#include "agent/spool.h"
#include "agent/state.h"
#include "agent/status.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/parse.h"
#include "json/jw.h"
#include "json/jx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_RUNNING 3
#define OLD_S	    15 /* it is written every few seconds */

static bool
read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	char *room;

	if (fd < 0)
		return false;
	while ((room = buf_reserve(b, 65536)) != NULL && (n = read(fd, room, 65536)) > 0) {
		b->len += (size_t)n;
		b->data[b->len] = '\0';
	}
	close(fd);
	return n == 0;
}

static const char *
text(const struct jx *v, const char *key)
{
	const char *s = jx_str(jx_get(v, key));

	return s != NULL ? s : "-";
}

static long long
number(const struct jx *v, const char *key)
{
	return (long long)jx_int(jx_get(v, key));
}

static void
print_attempts(const struct jx *list)
{
	for (size_t i = 0; i < jx_len(list); i++) {
		const struct jx *a = jx_at(list, i);
		const struct jx *feeds = jx_get(a, "feeds");
		const char *progress = jx_str(jx_get(a, "progress"));

		printf("  %s #%lld  %s%s  %s for %llds, %lld articles, %lld to upload\n",
		    text(a, "allocation_id"), number(a, "attempt"),
		    jx_len(feeds) > 0 ? jx_str(jx_at(feeds, 0)) : "-",
		    jx_len(feeds) > 1 ? " and more" : "", text(a, "doing"), number(a, "seconds"),
		    number(a, "articles"), number(a, "articles_unsent"));
		if (progress != NULL && progress[0] != '\0')
			printf("      %s\n", progress);
	}
}

static void
print_lines(const char *title, const struct jx *list)
{
	if (jx_len(list) > 0)
		printf("%s\n", title);
	for (size_t i = 0; i < jx_len(list); i++) {
		const struct jx *l = jx_at(list, i);

		printf("  %s  %s: %s\n", text(l, "at"), text(l, "what"), text(l, "text"));
	}
}

/* A running instance that cannot tell what it does now. */
static void
print_age(const char *written)
{
	int64_t at;

	if (written == NULL || !parse_time_utc(written, &at) || clock_wall_s() - at < OLD_S)
		return;
	printf(
	    "this was so at %s UTC: its status cannot be written since then: is its disk full?\n",
	    written);
}

static void
print_people(const struct jx *v, long pid)
{
	const struct jx *parent = jx_get(v, "parent"), *spool = jx_get(v, "spool");
	const char *pressure = jx_str(jx_get(v, "claims_nothing_because"));

	if (pid > 0) {
		printf("runs as process %ld since %s UTC%s\n", pid, text(v, "started"),
		    jx_bool(jx_get(v, "stopping")) ? ", is stopping" : "");
		print_age(jx_str(jx_get(v, "written")));
	} else
		printf("does not run\n");
	if (parent != NULL && jx_bool(jx_get(parent, "answers")))
		printf("parent %s answers%s\n", text(parent, "url"),
		    jx_bool(jx_get(parent, "draining")) ? ", and drains this node" : "");
	else if (parent != NULL)
		printf("parent %s does not answer since %s: %s\n", text(parent, "url"),
		    text(parent, "away_since"), text(parent, "error"));
	if (pressure != NULL)
		printf("claims nothing: %s\n", pressure);
	printf(
	    "spool: %lld attempts, %lld articles, of these %lld to upload, %lld messages to send, "
	    "%lld KiB\n",
	    number(spool, "attempts"), number(spool, "articles"), number(spool, "articles_unsent"),
	    number(spool, "messages_unsent"), number(spool, "bytes") / 1024);
	print_attempts(jx_get(v, "attempts"));
	print_lines("last errors (UTC)", jx_get(v, "errors"));
	print_lines("last ended (UTC)", jx_get(v, "ended"));
}

/* Of an instance that does not run. */
static enum cs_err
ask_spool(const char *dir, struct buf *b, struct fault *f)
{
	struct spool *s = NULL;
	char path[600];
	struct jw w;

	snprintf(path, sizeof(path), "%s/" STATE_SPOOL, dir);
	if (access(path, F_OK) != 0)
		return cs_detail(
		    f, CS_ENOTFOUND, "%s: no instance has run here (%s)", dir, strerror(errno));
	TRY(spool_open(path, true, &s, f));
	jw_init(&w, b);
	jw_obj(&w);
	status_put_spool(&w, s);
	jw_obj_end(&w);
	spool_close(s);
	return CS_OK;
}

int
status_show(const char *dir, bool json)
{
	long pid = (long)state_holder(dir);
	struct buf b = { 0 };
	struct fault f = { 0 };
	auto_jx *doc = NULL;
	char path[600];

	snprintf(path, sizeof(path), "%s/status.json", dir);
	if (pid == 0 && ask_spool(dir, &b, &f) != CS_OK)
		buf_reset(&b);
	if (pid != 0 && !read_file(path, &b))
		(void)cs_detail(&f, CS_EIO, "%s: %s", path, strerror(errno));
	if (f.code == CS_OK && jx_parse(b.data != NULL ? b.data : "", b.len, &doc, &f) != CS_OK)
		(void)cs_detail(&f, CS_EIO, "the status cannot be read");
	if (f.code != CS_OK)
		fprintf(stderr, "cascade-node: %s\n", f.detail);
	else if (json)
		printf("%.*s%s", (int)b.len, b.data, b.data[b.len - 1] == '\n' ? "" : "\n");
	else
		print_people(jx_root(doc), pid);
	buf_free(&b);
	if (f.code != CS_OK)
		return cs_err_exit(f.code);
	return pid > 0 ? EXIT_SUCCESS : NOT_RUNNING;
}
