/* SPDX-License-Identifier: MIT */
/*
 * The route table itself (no row repeats or shadows another, every row is reachable and well
 * formed) and the matcher over it.
 */
#include "fcgi/router.h"

#include "fcgi/handlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const method_name[M__MAX] = { "GET", "POST", "PUT", "DELETE" };

/* Is there a path that both patterns match? */
static bool
overlap(const char *a, const char *b)
{
	while (*a == '/' && *b == '/') {
		size_t na = strcspn(++a, "/"), nb = strcspn(++b, "/");

		if (*a != '{' && *b != '{' && (na != nb || memcmp(a, b, na) != 0))
			return false;
		a += na;
		b += nb;
	}
	return *a == '\0' && *b == '\0';
}

static void
test_no_row_shadows_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < nroutes; i++) {
		for (size_t k = i + 1; k < nroutes; k++) {
			const struct route *a = &routes[i], *b = &routes[k];

			if (a->method == b->method && (a->flags & R_TOP) == (b->flags & R_TOP) &&
			    overlap(a->pattern, b->pattern))
				fail_msg(
				    "%s %s and %s", method_name[a->method], a->pattern, b->pattern);
		}
	}
}

static void
test_rows_are_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];
		size_t len = strlen(r->pattern), params = 0;

		assert_true(r->method < M__MAX);
		assert_non_null(r->handler);
		assert_int_equal(r->pattern[0], '/');
		assert_int_not_equal(r->pattern[len - 1], '/');
		for (const char *p = r->pattern; (p = strchr(p, '{')) != NULL; p++) {
			size_t name = strcspn(p, "/");

			assert_int_equal(p[-1], '/');
			assert_true(name > 2 && p[name - 1] == '}');
			params++;
		}
		assert_true(params <= REQ_MAX_PARAMS);
		/* a node's own columns make no sense for others */
		if (r->flags & (R_WAIT_DB | R_TOUCHES))
			assert_true(r->auth == AUTH_NODE || r->auth == AUTH_ANY);
		if (r->op != SYNC_NONE)
			assert_true(r->auth == AUTH_NODE || r->auth == AUTH_ANY);
		if (r->flags & R_LOGS)
			assert_int_not_equal(r->op, SYNC_NONE);
		if (r->method == M_GET)
			assert_int_equal(r->body, BODY_NONE);
		else
			assert_false(r->flags & R_NO_HEAD);
		if (r->flags & R_TOP)
			assert_int_equal(r->auth, AUTH_NONE);
		else if (r->handler != h_login && r->handler != h_openapi)
			assert_int_not_equal(r->auth, AUTH_NONE);
	}
}

static const struct route *
find(struct arena *a, const char *method, const char *path, bool top, struct req *q, char allow[64])
{
	memset(q, 0, sizeof(*q));
	return router_find(method, path, top, q, a, allow, 64);
}

/* Every row is found under its own pattern, its names taken as values. */
static void
test_every_row_is_found(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct req q;
	char allow[64];

	(void)state;
	for (size_t i = 0; i < nroutes; i++) {
		const struct route *r = &routes[i];
		bool top = (r->flags & R_TOP) != 0;

		assert_ptr_equal(find(a, method_name[r->method], r->pattern, top, &q, allow), r);
		assert_int_equal(q.method, r->method);
		assert_string_equal(allow, "");
		assert_null(find(a, method_name[r->method], r->pattern, !top, &q, allow));
		assert_string_equal(allow, "");
	}
	arena_free(a);
}

static void
test_matching(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct req q;
	char allow[64];
	const struct route *r = find(a, "POST", "/nodes/a b%2F/credentials", false, &q, allow);

	(void)state;
	assert_non_null(r);
	assert_string_equal(r->pattern, "/nodes/{id}/credentials");
	assert_int_equal(q.nparams, 1);
	assert_string_equal(q.param[0].name, "id");
	assert_string_equal(q.param[0].value, "a b%2F");

	r = find(a, "HEAD", "/healthz", true, &q, allow);
	assert_non_null(r);
	assert_int_equal(q.method, M_GET);
	arena_free(a);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *method, *path, *allow;
	} rows[] = {
		{ "GET", "/nodes/", "" },
		{ "GET", "/nodes//credentials", "" },
		{ "GET", "nodes", "" },
		{ "GET", "", "" },
		{ "GET", "/", "" },
		{ "GET", "/Nodes", "" },
		{ "GET", "/nodesx", "" },
		{ "GET", "/node", "" },
		{ "POST", "/nodes/x/credentials/y", "" },
		{ "get", "/nodes", "POST, GET, HEAD" },
		{ "PATCH", "/nodes/x", "GET, HEAD, PUT, DELETE" },
		{ "", "/nodes/x", "GET, HEAD, PUT, DELETE" },
		{ "GET", "/heartbeat", "POST" },
		{ "HEAD", "/heartbeat", "POST" },
		{ "HEAD", "/pending-tasks", "GET" },
		{ "POST", "/pending-tasks", "GET" },
	};
	struct arena *a = arena_new(1 << 20);
	struct req q;
	char allow[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(find(a, rows[i].method, rows[i].path, false, &q, allow));
		assert_string_equal(allow, rows[i].allow);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_row_shadows_another),
		cmocka_unit_test(test_rows_are_well_formed),
		cmocka_unit_test(test_every_row_is_found),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
