/* SPDX-License-Identifier: MIT */
/*
 * Errors and user-facing texts. A function that can fail returns enum cs_err and describes the
 * failure once, in the struct fault it was given; only the outermost room renders or logs it.
 */
#ifndef CS_BASE_ERR_H
#define CS_BASE_ERR_H

#include "base/base.h"

#include <stdarg.h>

enum cs_err {
	CS_OK = 0,
#define CS_ERR(code, name, http, exit, retry, msg) code,
#include "base/err.def"
#undef CS_ERR
	CS_ERR__MAX
};

enum msg_id {
	MSG_NONE = 0,
#define CS_MSG(id, zh, en) id,
#include "base/msg.def"
#undef CS_MSG
	MSG__MAX
};

enum lang { LANG_ZH, LANG_EN };

/* One failure. Caller's storage; zeroed (fault_clear) before use. */
struct fault {
	enum cs_err code;
	enum lang lang;	   /* of message and reason; kept by fault_clear() */
	char message[256]; /* for the client; "" = the default text of code */
	char field[128];   /* offending input field, "" = none */
	char reason[256];  /* why the field was refused */
	char detail[512];  /* English, for the log only: may quote the database's words */
	int retry_after_s; /* 0 = none; sent as Retry-After with 429 and 503 */
	bool uncertain;	   /* a commit got no answer: what was asked for may have been done */
};

/* Empties F but keeps its language. */
void fault_clear(struct fault *f);
/* Fails with CODE and the text of MSG (printf arguments follow; MSG_NONE: code's own). Returns
 * CODE. */
enum cs_err cs_fail(struct fault *f, enum cs_err code, enum msg_id msg, ...);
/* Fails with CS_EINVALID (422): FIELD was refused because of REASON (MSG_R_*, arguments follow). */
enum cs_err cs_bad(struct fault *f, const char *field, enum msg_id reason, ...);
/* As cs_bad() with another code, for instance CS_EINPUT or CS_ETOOLARGE. */
enum cs_err cs_bad_as(
    struct fault *f, enum cs_err code, const char *field, enum msg_id reason, ...);
/* Fails with CODE; the printf text goes to the log (F->detail) and never to a client. */
enum cs_err cs_detail(struct fault *f, enum cs_err code, const char *fmt, ...) cs_printf(3, 4);

/* The format string of MSG in LANG; static storage. */
const char *msg_text(enum lang lang, enum msg_id msg);
/* Renders MSG into BUF (always terminated, cut at a character's boundary). Returns BUF. */
const char *msg_render(char *buf, size_t size, enum lang lang, enum msg_id msg, ...);
const char *msg_vrender(char *buf, size_t size, enum lang lang, enum msg_id msg, va_list ap);

/* Columns of err.def; valid for CS_OK too (200, 0, "ok", not retryable). */
const char *cs_err_name(enum cs_err code);
int cs_err_http(enum cs_err code);
int cs_err_exit(enum cs_err code);
bool cs_err_retry(enum cs_err code);
/* What to tell a person: F->message or the default of F->code in F->lang. */
const char *fault_message(const struct fault *f);

#endif
