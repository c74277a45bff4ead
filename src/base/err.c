/* SPDX-License-Identifier: MIT */
/*
 * The tables of err.def and msg.def, and the faults made from them. A fault is written once, where
 * the failure happens; nothing here logs or prints. Texts are cut to the fault's fields at a
 * character's boundary, so that what is rendered stays valid UTF-8.
 */
#include "base/err.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int http;
	int exit;
	bool retry;
	enum msg_id msg;
} errs[CS_ERR__MAX] = {
	[CS_OK] = { "ok", 200, 0, false, MSG_SUCCESS },
#define CS_ERR(code, name, http, exit, retry, msg) [code] = { name, http, exit, retry, msg },
#include "base/err.def"
#undef CS_ERR
};

static const char *const texts[MSG__MAX][2] = {
	[MSG_NONE] = { "", "" },
#define CS_MSG(id, zh, en) [id] = { [LANG_ZH] = zh, [LANG_EN] = en },
#include "base/msg.def"
#undef CS_MSG
};

/* Takes the character off the end of S that was cut in two, if one was. */
static void
drop_partial_char(char *s)
{
	size_t n = strlen(s);
	size_t start = n;

	while (start > 0 && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0)
		start--;
	if (utf8_next(s + start, n - start) != n - start)
		s[start] = '\0';
}

/* The formats come from msg.def, whose rows a unit test compares, not from literals. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
render(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (n < 0)
		buf[0] = '\0';
	else if ((size_t)n >= size)
		drop_partial_char(buf);
}
#pragma GCC diagnostic pop

void
fault_clear(struct fault *f)
{
	enum lang lang = f->lang;

	memset(f, 0, sizeof(*f));
	f->lang = lang;
}

enum cs_err
cs_fail(struct fault *f, enum cs_err code, enum msg_id msg, ...)
{
	va_list ap;

	fault_clear(f);
	f->code = code;
	va_start(ap, msg);
	render(f->message, sizeof(f->message), msg_text(f->lang, msg), ap);
	va_end(ap);
	return code;
}

static enum cs_err
refuse_field(struct fault *f, enum cs_err code, const char *field, enum msg_id reason, va_list ap)
{
	fault_clear(f);
	f->code = code;
	snprintf(f->field, sizeof(f->field), "%s", field);
	if (strlen(field) >= sizeof(f->field))
		drop_partial_char(f->field);
	render(f->reason, sizeof(f->reason), msg_text(f->lang, reason), ap);
	return code;
}

enum cs_err
cs_bad(struct fault *f, const char *field, enum msg_id reason, ...)
{
	va_list ap;

	va_start(ap, reason);
	refuse_field(f, CS_EINVALID, field, reason, ap);
	va_end(ap);
	return CS_EINVALID;
}

enum cs_err
cs_bad_as(struct fault *f, enum cs_err code, const char *field, enum msg_id reason, ...)
{
	va_list ap;

	va_start(ap, reason);
	refuse_field(f, code, field, reason, ap);
	va_end(ap);
	return code;
}

enum cs_err
cs_detail(struct fault *f, enum cs_err code, const char *fmt, ...)
{
	va_list ap;

	fault_clear(f);
	f->code = code;
	va_start(ap, fmt);
	render(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return code;
}

const char *
msg_text(enum lang lang, enum msg_id msg)
{
	return texts[msg][lang];
}

const char *
msg_render(char *buf, size_t size, enum lang lang, enum msg_id msg, ...)
{
	va_list ap;

	va_start(ap, msg);
	msg_vrender(buf, size, lang, msg, ap);
	va_end(ap);
	return buf;
}

const char *
msg_vrender(char *buf, size_t size, enum lang lang, enum msg_id msg, va_list ap)
{
	render(buf, size, msg_text(lang, msg), ap);
	return buf;
}

const char *
cs_err_name(enum cs_err code)
{
	return errs[code].name;
}

int
cs_err_http(enum cs_err code)
{
	return errs[code].http;
}

int
cs_err_exit(enum cs_err code)
{
	return errs[code].exit;
}

bool
cs_err_retry(enum cs_err code)
{
	return errs[code].retry;
}

const char *
fault_message(const struct fault *f)
{
	return f->message[0] != '\0' ? f->message : msg_text(f->lang, errs[f->code].msg);
}
