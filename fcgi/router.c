/* SPDX-License-Identifier: MIT */
/*
 * Finds the row of the route table for a method and a path. Linear: the table is short, and a row
 * is refused at its first differing segment.
 */
#include "fcgi/router.h"

#include <stdio.h>
#include <string.h>

static const char *const method_name[M__MAX] = {
	[M_GET] = "GET",
	[M_POST] = "POST",
	[M_PUT] = "PUT",
	[M_DELETE] = "DELETE",
};

const char *
router_method(enum method m)
{
	return method_name[m];
}

/* M__MAX: none that any route has. */
static enum method
parse_method(const char *s, bool head)
{
	enum method m = M_GET;

	if (head)
		return M_GET;
	while (m < M__MAX && strcmp(s, method_name[m]) != 0)
		m++;
	return m;
}

/* Does PATH have the shape of PATTERN? A {name} takes one segment that is not empty. */
static bool
matches(const char *pattern, const char *path)
{
	while (*pattern == '/' && *path == '/') {
		size_t want = strcspn(++pattern, "/");
		size_t have = strcspn(++path, "/");

		if (*pattern == '{' ? have == 0 : want != have || memcmp(pattern, path, want) != 0)
			return false;
		pattern += want;
		path += have;
	}
	return *pattern == '\0' && *path == '\0';
}

/* Copies the {name} segments of PATH, which matches, to Q->param. False: out of memory. */
static bool
take_params(const char *pattern, const char *path, struct req *q, struct arena *a)
{
	q->nparams = 0;
	while (*pattern == '/') {
		size_t want = strcspn(++pattern, "/");
		size_t have = strcspn(++path, "/");

		if (*pattern == '{') {
			struct pair *p = &q->param[q->nparams++];

			p->name = arena_strndup(a, pattern + 1, want - 2);
			p->value = arena_strndup(a, path, have);
			if (p->name == NULL || p->value == NULL)
				return false;
		}
		pattern += want;
		path += have;
	}
	return true;
}

/* HEAD is served wherever GET is, but for what says that it is not. */
static bool
serves_head(const struct route *r)
{
	return r->method == M_GET && (r->flags & R_NO_HEAD) == 0;
}

static void
add_allow(char *allow, size_t size, const struct route *r)
{
	size_t len = strlen(allow);

	snprintf(allow + len, size - len, "%s%s%s", len > 0 ? ", " : "", method_name[r->method],
	    serves_head(r) ? ", HEAD" : "");
}

const struct route *
router_find(const char *method, const char *path, bool top, struct req *q, struct arena *a,
    char *allow, size_t allow_size)
{
	const bool head = strcmp(method, "HEAD") == 0;
	const enum method m = parse_method(method, head);

	allow[0] = '\0';
	for (size_t i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];

		if (top != ((r->flags & R_TOP) != 0) || !matches(r->pattern, path))
			continue;
		if (r->method == m && (!head || serves_head(r))) {
			allow[0] = '\0';
			q->method = m;
			return take_params(r->pattern, path, q, a) ? r : NULL;
		}
		add_allow(allow, allow_size, r);
	}
	return NULL;
}

int64_t
route_body_max(const struct route *r, const struct conf *conf)
{
	return r->body == BODY_UPLOAD ? conf->upload_max : conf->body_max;
}
