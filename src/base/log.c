/* SPDX-License-Identifier: MIT */
/*
 * Log lines are built in the caller's storage and leave by one write, so that lines of concurrent
 * processes do not mix. A log that cannot take a line at once loses it: no request waits for a
 * full pipe, and none dies of a closed one. The next line that does get through says how many were
 * lost. Level and target are the only state.
 */
#include "base/log.h"
#include "base/clock.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* Kept free at the end of a line for the mark of a cut, a quote and the newline. */
#define CUT_MARK "…"
#define TAIL	 (sizeof(CUT_MARK) - 1 + 2)

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LVL_ERROR] = { "error", LOG_ERR },
	[LOG_LVL_WARN] = { "warn", LOG_WARNING },
	[LOG_LVL_INFO] = { "info", LOG_INFO },
	[LOG_LVL_DEBUG] = { "debug", LOG_DEBUG },
};

static struct {
	char program[32];
	char path[4096]; /* "" = not a file */
	int fd;
	bool syslog;
	enum log_level level;
	unsigned lost;
} state = { .fd = STDERR_FILENO, .level = LOG_LVL_INFO };

static enum cs_err
open_file(const char *path, int *fd, struct fault *f)
{
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (*fd < 0)
		return cs_detail(f, CS_EIO, "log file %s: %s", path, strerror(errno));
	return CS_OK;
}

static void
use_fd(int fd)
{
	if (state.fd != STDERR_FILENO)
		close(state.fd);
	state.fd = fd;
}

enum log_level
log_level_of(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_LEN(levels) - 1 && strcmp(levels[i].name, name) != 0)
		i++;
	return (enum log_level)i;
}

enum cs_err
log_open(const char *program, const char *target, enum log_level level, struct fault *f)
{
	bool to_syslog = strcmp(target, "syslog") == 0;
	bool to_file = target[0] == '/';
	int fd = STDERR_FILENO;

	if (!to_syslog && !to_file && strcmp(target, "stderr") != 0)
		return cs_detail(f, CS_ECONFIG,
		    "log target %s: should be stderr, syslog or an absolute path", target);
	if (to_file && strlen(target) >= sizeof(state.path))
		return cs_detail(f, CS_ECONFIG, "log target: the path is too long");
	if (to_file)
		TRY(open_file(target, &fd, f));

	use_fd(fd);
	snprintf(state.program, sizeof(state.program), "%s", program);
	snprintf(state.path, sizeof(state.path), "%s", to_file ? target : "");
	state.level = level;
	state.syslog = to_syslog;
	if (to_syslog)
		openlog(state.program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	return CS_OK;
}

enum cs_err
log_reopen(struct fault *f)
{
	int fd;

	if (state.path[0] == '\0')
		return CS_OK;
	TRY(open_file(state.path, &fd, f));
	use_fd(fd);
	return CS_OK;
}

bool
log_enabled(enum log_level level)
{
	return level <= state.level;
}

/* Adds N bytes, all or none. */
static void
put(struct log_line *l, const char *s, size_t n)
{
	if (l->cut || n > sizeof(l->text) - TAIL - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void
put_text(struct log_line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Into the reserved tail. */
static void
put_tail(struct log_line *l, const char *s)
{
	size_t n = strlen(s);

	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static bool
is_bare(const char *s)
{
	return *s != '\0' && s[parse_word_len(s, "._:/+@,-")] == '\0';
}

static bool
is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f && c != '"' && c != '\\';
}

/* One byte that may not stand for itself. */
static void
put_escaped(struct log_line *l, unsigned char c)
{
	static const char special[] = "\"\\\n\t", letters[] = "\"\\nt";
	const char *at = memchr(special, c, sizeof(special) - 1);
	char hex[3], text[5];

	if (at != NULL) {
		put(l, (char[]){ '\\', letters[at - special] }, 2);
		return;
	}
	render_hex(hex, &c, 1);
	snprintf(text, sizeof(text), "\\x%s", hex);
	put_text(l, text);
}

static void
put_quoted(struct log_line *l, const char *s, size_t n)
{
	size_t len;

	put(l, "\"", 1);
	while (n > 0 && !l->cut) {
		len = utf8_next(s, n);
		if (len > 1 || (len == 1 && is_plain(*s))) {
			put(l, s, len);
		} else {
			len = 1;
			put_escaped(l, (unsigned char)*s);
		}
		s += len;
		n -= len;
	}
	if (l->cut)
		put_tail(l, CUT_MARK);
	put_tail(l, "\"");
}

void
log_str(struct log_line *l, const char *key, const char *value)
{
	size_t start = l->len;

	if (!l->on || l->cut || value == NULL)
		return;
	if (l->len > 0)
		put(l, " ", 1);
	put_text(l, key);
	put(l, "=\"", 2); /* a first look at whether the value's quote would fit */
	if (l->cut) {
		l->len = start;
		put_tail(l, CUT_MARK);
		return;
	}
	l->len--;
	if (is_bare(value) && strlen(value) <= sizeof(l->text) - TAIL - l->len) {
		put_text(l, value);
		return;
	}
	put_quoted(l, value, strlen(value));
}

void
log_int(struct log_line *l, const char *key, int64_t value)
{
	char text[RENDER_INT_SIZE];

	log_str(l, key, render_int(text, value));
}

void
log_begin(struct log_line *l, enum log_level level, const char *event)
{
	static char seconds[24];
	static int64_t rendered = -1;
	char time[32];
	int64_t ms;

	l->len = 0;
	l->level = level;
	l->cut = false;
	l->on = log_enabled(level);
	if (!l->on)
		return;
	ms = clock_wall_ms();
	if (rendered != ms / 1000) {
		rendered = ms / 1000;
		render_time_utc(seconds, sizeof(seconds), rendered);
	}
	snprintf(time, sizeof(time), "%s.%03dZ", seconds, (int)(ms % 1000));
	log_str(l, "time", time);
	log_str(l, "level", levels[level].name);
	log_str(
	    l, "prog", state.program[0] != '\0' ? state.program : program_invocation_short_name);
	log_int(l, "pid", getpid());
	log_str(l, "event", event);
}

/* True where a line can be written without waiting; also false for a pipe nobody reads. */
static bool
is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

void
log_end(struct log_line *l)
{
	int saved = errno;

	if (!l->on)
		return;
	if (state.syslog) {
		syslog(levels[l->level].priority, "%.*s", (int)l->len, l->text);
		errno = saved;
		return;
	}
	if (state.lost > 0)
		log_int(l, "lost_lines", state.lost);
	put_tail(l, "\n");
	if (is_writable(state.fd) && write(state.fd, l->text, l->len) == (ssize_t)l->len)
		state.lost = 0;
	else
		state.lost++;
	errno = saved;
}

/* The body of the printf shorthands. */
static void cs_printf(3, 0)
    message(enum log_level level, const char *event, const char *fmt, va_list ap)
{
	struct log_line l;
	char text[sizeof(l.text)];

	log_begin(&l, level, event);
	if (!l.on)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_str(&l, "msg", text);
	log_end(&l);
}

void
log_error(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(LOG_LVL_ERROR, event, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(LOG_LVL_WARN, event, fmt, ap);
	va_end(ap);
}

void
log_info(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(LOG_LVL_INFO, event, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(LOG_LVL_DEBUG, event, fmt, ap);
	va_end(ap);
}

void
log_fault(enum log_level level, const char *event, const struct fault *f)
{
	struct log_line l;

	log_begin(&l, level, event);
	log_str(&l, "error", cs_err_name(f->code));
	log_str(&l, "field", f->field[0] != '\0' ? f->field : NULL);
	log_str(&l, "reason", f->reason[0] != '\0' ? f->reason : NULL);
	log_str(&l, "msg", f->detail[0] != '\0' ? f->detail : fault_message(f));
	log_end(&l);
}
