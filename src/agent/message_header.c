/* SPDX-License-Identifier: MIT */
/*
 * The headers and cookies that a task adds to its message. Both are text that somebody typed into
 * a form: what could end a header and begin another, or change how long the body is, is refused.
 */
#include "agent/message_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 64
#define QUOTED_MAX  64 /* bytes of a name that a reason quotes */

struct adding {
	const char **v;
	size_t n; /* up to HEADERS_MAX */
	bool typed;
	struct arena *arena;
	struct fault *f;
};

static bool
is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] == '\x7f' || strchr("\"(),/:;<=>?@[\\]{}", s[i]) != NULL)
			return false;
	}
	return n > 0;
}

static bool
is_value(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == '\x7f')
			return false;
	}
	return true;
}

/* Whoever sends it decides these. */
static bool
is_reserved(const char *name)
{
	static const char *const names[] = { "Connection", "Content-Length", "Expect", "Keep-Alive",
		"TE", "Trailer", "Transfer-Encoding", "Upgrade" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static enum cs_err
add(struct adding *to, const char *line)
{
	if (line == NULL)
		return cs_fail(to->f, CS_ENOMEM, MSG_NONE);
	if (to->n == HEADERS_MAX)
		return cs_bad(to->f, "headers", MSG_R_COUNT, HEADERS_MAX);
	to->v[to->n++] = line;
	return CS_OK;
}

static enum cs_err
add_header(void *arg, const char *name, const struct jx *v)
{
	struct adding *to = arg;
	char number[24];
	const char *value = jx_str(v);

	if (jx_type(v) == JX_INT) {
		snprintf(number, sizeof(number), "%lld", (long long)jx_int(v));
		value = number;
	}
	if (!is_token(name, strlen(name)) || is_reserved(name) || value == NULL ||
	    !is_value(value, strlen(value)))
		return cs_bad(to->f, "headers", MSG_R_HEADER, QUOTED_MAX, name);
	if (strcasecmp(name, "Content-Type") == 0)
		to->typed = true;
	if (*value == '\0') /* nothing to be sent */
		return CS_OK;
	return add(to, arena_printf(to->arena, "%s: %s", name, value));
}

/* HEADERS: a JSON object, or JSON text of one, or nothing. */
static enum cs_err
add_headers(struct adding *to, const struct jx *headers)
{
	size_t n = jx_str_len(headers);
	struct jx_doc *doc;
	enum cs_err err;

	if (jx_type(headers) == JX_OBJ)
		return jx_each(headers, add_header, to);
	if (n == 0)
		return CS_OK;
	if (jx_parse(jx_str(headers), n, &doc, to->f) != CS_OK) {
		snprintf(to->f->field, sizeof(to->f->field), "headers");
		return to->f->code = CS_EINVALID;
	}
	err = jx_type(jx_root(doc)) == JX_OBJ || jx_root(doc) == NULL
		  ? jx_each(jx_root(doc), add_header, to)
		  : cs_bad(to->f, "headers", MSG_R_OBJECT);
	jx_free(doc);
	return err;
}

/* One "k=v" of N bytes, added to LINE. */
static enum cs_err
add_cookie(struct adding *to, struct buf *line, const char *p, size_t n)
{
	const char *sign;

	while (n > 0 && *p == ' ') {
		p++;
		n--;
	}
	while (n > 0 && p[n - 1] == ' ')
		n--;
	if (n == 0)
		return CS_OK;
	sign = memchr(p, '=', n);
	if (sign == NULL || !is_token(p, (size_t)(sign - p)) || !is_value(p, n))
		return cs_bad(to->f, "cookies", MSG_R_COOKIES);
	buf_puts(line, line->len == 0 ? "Cookie: " : "; ");
	buf_add(line, p, n);
	return CS_OK;
}

static enum cs_err
join_cookies(struct adding *to, struct buf *line, const char *cookies)
{
	for (size_t n; *cookies != '\0'; cookies += n + (cookies[n] != '\0')) {
		n = strcspn(cookies, ";");
		TRY(add_cookie(to, line, cookies, n));
	}
	return CS_OK;
}

static enum cs_err
add_cookies(struct adding *to, const char *cookies)
{
	struct buf line = { 0 };
	enum cs_err err = cookies != NULL ? join_cookies(to, &line, cookies) : CS_OK;

	if (err == CS_OK && (line.len > 0 || buf_failed(&line)))
		err = add(to, buf_failed(&line) ? NULL : arena_strdup(to->arena, line.data));
	buf_free(&line);
	return err;
}

enum cs_err
message_headers(const struct jx *package, struct message *m, struct fault *f)
{
	struct adding to = { .arena = m->arena, .f = f };

	to.v = arena_calloc(m->arena, HEADERS_MAX + 1, sizeof(*to.v)); /* and NULL */
	if (to.v == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	TRY(add_headers(&to, jx_get(package, "headers")));
	TRY(add_cookies(&to, jx_str(jx_get(package, "cookies"))));
	if (!to.typed)
		TRY(add(&to, "Content-Type: application/json"));
	m->headers = to.v;
	return CS_OK;
}
