/* SPDX-License-Identifier: MIT */
/*
 * What handlers ask of their context: parameters of path and query, checked, and the few things
 * that every answer has in common.
 */
#include "fcgi/ctx.h"

#include "base/parse.h"
#include "db/db_view.h"

#include <stdio.h>
#include <string.h>

#define PAGE_LIMIT_MAX	   200
#define PAGE_LIMIT_DEFAULT 50

enum cs_err
res_ok(struct ctx *c, enum msg_id message)
{
	c->res->message = message;
	c->res->text[0] = '\0';
	return CS_OK;
}

enum cs_err
res_ok_text(struct ctx *c, enum msg_id message, ...)
{
	va_list ap;

	c->res->message = message;
	va_start(ap, message);
	msg_vrender(c->res->text, sizeof(c->res->text), c->fault.lang, message, ap);
	va_end(ap);
	return CS_OK;
}

/* The last of N pairs called NAME; NULL: none. */
static const char *
find_pair(const struct pair *p, size_t n, const char *name)
{
	while (n-- > 0) {
		if (strcmp(p[n].name, name) == 0)
			return p[n].value;
	}
	return NULL;
}

const char *
req_param(const struct ctx *c, const char *name)
{
	return find_pair(c->req->param, c->req->nparams, name);
}

const char *
req_query(const struct ctx *c, const char *name)
{
	const char *value = find_pair(c->req->query, c->req->nquery, name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

enum cs_err
req_query_int(struct ctx *c, const char *name, int64_t def, int64_t min, int64_t max, int64_t *out)
{
	const char *value = req_query(c, name);

	if (value == NULL) {
		*out = def;
		return CS_OK;
	}
	if (!parse_int(value, min, max, out))
		return cs_bad(&c->fault, name, MSG_R_RANGE, (long long)min, (long long)max);
	return CS_OK;
}

enum cs_err
req_query_text(struct ctx *c, const char *name, size_t max, const char **out)
{
	const char *value = req_query(c, name);

	if (value != NULL && utf8_chars(value) > max)
		return cs_bad(&c->fault, name, MSG_R_LENGTH, 0LL, (long long)max);
	*out = value;
	return CS_OK;
}

enum cs_err
req_page(struct ctx *c, int64_t *limit, int64_t *offset)
{
	TRY(req_query_int(c, "limit", PAGE_LIMIT_DEFAULT, 1, PAGE_LIMIT_MAX, limit));
	return req_query_int(c, "offset", 0, 0, INT64_MAX, offset);
}

enum cs_err
req_objects(struct ctx *c, const struct jx *arr, const char *name)
{
	char field[64];

	for (size_t i = 0; i < jx_len(arr); i++) {
		if (jx_type(jx_at(arr, i)) == JX_OBJ)
			continue;
		snprintf(field, sizeof(field), "%s[%zu]", name, i);
		return cs_bad(&c->fault, field, MSG_R_TYPE, "object");
	}
	return CS_OK;
}

void
res_total(struct ctx *c, int64_t total)
{
	struct jw *w = &c->res->w;
	bool exact = total <= DB_TOTAL_MAX;

	jw_kint(w, "total", exact ? total : DB_TOTAL_MAX);
	if (!exact)
		jw_kbool(w, "total_exact", false);
}
