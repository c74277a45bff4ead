/* SPDX-License-Identifier: MIT */
/*
 * Structured log lines (logfmt): time, level, program, pid, message and key=value pairs, one line
 * an event, to stderr, syslog or a file (reopened by log_reopen(), for logrotate). Values are
 * quoted and escaped, so no input can forge a line. Secrets must not be passed in: there is no
 * filter.
 */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* The level that is called NAME: error, warn, info or debug. */
enum log_level log_level_of(const char *name);
/* TARGET: "stderr", "syslog" or an absolute path. Before this call lines go to stderr. */
enum cs_err log_open(
    const char *program, const char *target, enum log_level level, struct fault *f);
enum cs_err log_reopen(struct fault *f);
bool log_enabled(enum log_level level);

/* One line under construction; caller's storage. Usage:
 *	struct log_line l;
 *	log_begin(&l, LOG_LVL_INFO, "request");
 *	log_str(&l, "id", id); log_int(&l, "status", 200);
 *	log_end(&l);
 */
struct log_line {
	char text[2048]; /* longer lines are cut, marked by a final "…" (inside its quotes) */
	size_t len;
	enum log_level level;
	bool on;  /* the level is enabled */
	bool cut; /* no room left: later pairs are left out */
};
void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, const char *value); /* NULL: key left out */
void log_int(struct log_line *l, const char *key, int64_t value);
void log_end(struct log_line *l);

/* Shorthands: an event and a printf text as msg="…". */
void log_error(const char *event, const char *fmt, ...) cs_printf(2, 3);
void log_warn(const char *event, const char *fmt, ...) cs_printf(2, 3);
void log_info(const char *event, const char *fmt, ...) cs_printf(2, 3);
void log_debug(const char *event, const char *fmt, ...) cs_printf(2, 3);
/* A failure: event, code's name, detail or message, field. */
void log_fault(enum log_level level, const char *event, const struct fault *f);

#endif
