/* SPDX-License-Identifier: MIT */
/* The pool's counters and the page: what is counted where, and how it is written. */
#include "fcgi/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct db_stats no_db;

static const struct route *
route_of(const char *pattern)
{
	for (size_t i = 0; i < nroutes; i++) {
		if (strcmp(routes[i].pattern, pattern) == 0)
			return &routes[i];
	}
	fail_msg("no route %s", pattern);
	return NULL;
}

static bool
has_line(const struct buf *page, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = page->data; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, line, len) == 0 && p[len] == '\n')
			return true;
		if (*p == '\0')
			break;
	}
	return false;
}

static struct buf
render(const struct metrics *m, const struct metrics_row *rows, size_t n)
{
	struct buf page = { 0 };

	metrics_render(m, rows, n, &page);
	assert_false(buf_failed(&page));
	return page;
}

#define assert_line(page, line)                                                                    \
	do {                                                                                       \
		if (!has_line(page, line))                                                         \
			fail_msg("no line %s in\n%s", line, (page)->data);                         \
	} while (0)
#define DURATION "cascade_http_request_duration_seconds"
#define HEALTHZ	 "method=\"GET\",route=\"/healthz\""

static void
test_requests(void **state)
{
	const struct db_stats db = { .us = 1500000, .round_trips = 3 };
	struct metrics *m = metrics_map();
	struct buf page;

	(void)state;
	assert_non_null(m);
	metrics_request(m, route_of("/nodes/{id}"), 404, 10, &db);
	metrics_request(m, route_of("/nodes/{id}"), 404, 10, &db);
	metrics_request(m, NULL, 405, 10, &no_db);
	metrics_request(m, NULL, 7, 10, &no_db);
	metrics_request(m, NULL, 1000, 10, &no_db);
	page = render(m, NULL, 0);
	assert_line(&page,
	    "cascade_http_requests_total{method=\"GET\",route=\"/nodes/{id}\",code=\"404\"} 2");
	assert_line(&page, "cascade_http_requests_total{method=\"-\",route=\"-\",code=\"405\"} 1");
	assert_line(&page, "cascade_http_requests_total{method=\"-\",route=\"-\",code=\"599\"} 2");
	assert_line(&page, "cascade_http_request_database_seconds_total{method=\"GET\",route="
			   "\"/nodes/{id}\"} 3.000000");
	assert_line(&page, "cascade_http_request_database_round_trips_total{method=\"GET\",route="
			   "\"/nodes/{id}\"} 6");
	assert_null(strstr(page.data, "/healthz"));
	buf_free(&page);
}

static void
test_buckets(void **state)
{
	static const int64_t us[] = { 0, 500, 501, 1000, 30000000, 30000001, INT64_MAX / 4 };
	struct metrics *m = metrics_map();
	struct buf page;

	(void)state;
	assert_non_null(m);
	for (size_t i = 0; i < ARRAY_LEN(us); i++)
		metrics_request(m, route_of("/healthz"), 200, us[i], &no_db);
	metrics_request(m, route_of("/healthz"), 503, 2500001, &no_db);
	page = render(m, NULL, 0);
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"2xx\",le=\"0.0005\"} 2");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"2xx\",le=\"0.001\"} 4");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"2xx\",le=\"10\"} 4");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"2xx\",le=\"30\"} 5");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"2xx\",le=\"+Inf\"} 7");
	assert_line(&page, DURATION "_count{" HEALTHZ ",class=\"2xx\"} 7");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"5xx\",le=\"2.5\"} 0");
	assert_line(&page, DURATION "_bucket{" HEALTHZ ",class=\"5xx\",le=\"5\"} 1");
	assert_line(&page, DURATION "_sum{" HEALTHZ ",class=\"5xx\"} 2.500001");
	assert_null(strstr(page.data, "4xx"));
	buf_free(&page);
}

/* A worker that dies takes nothing along. */
static void
test_shared(void **state)
{
	struct metrics *m = metrics_map();
	const struct route *r = route_of("/claim-task");
	struct buf page;
	int status;

	(void)state;
	assert_non_null(m);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			for (int k = 0; k < 10000; k++)
				metrics_retry(m, r, k % 4 == 0 ? CS_EDBDOWN : CS_EBUSY);
			metrics_articles(m, 3, 2);
			metrics_articles(m, 0, -1);
			metrics_super(m)->ends[SUPER_STUCK]++;
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	page = render(m, NULL, 0);
	assert_line(&page,
	    "cascade_http_request_retries_total{method=\"POST\",route=\"/claim-task\","
	    "reason=\"busy\"} 30000");
	assert_line(&page,
	    "cascade_http_request_retries_total{method=\"POST\",route=\"/claim-task\","
	    "reason=\"database_away\"} 10000");
	assert_line(&page, "cascade_articles_stored_total{kind=\"new\"} 12");
	assert_line(&page, "cascade_articles_stored_total{kind=\"updated\"} 8");
	assert_line(&page, "cascade_worker_ends_total{reason=\"stuck\"} 4");
	assert_line(&page, "cascade_worker_ends_total{reason=\"died\"} 0");
	buf_free(&page);
}

static void
test_rows(void **state)
{
	static const struct metrics_row rows[] = {
		{ "beat_age_seconds", "a\"b\\c\nd", 1234 },
		{ "nodes", "online", 3 },
		{ "leader_present", "", 1 },
		{ "nodes", "offline", -1 },
		{ "no_such_metric", "x", 1 },
		{ "queue_oldest_waiting_seconds", "", 59 },
	};
	struct metrics *m = metrics_map();
	struct buf page;

	(void)state;
	assert_non_null(m);
	page = render(m, rows, ARRAY_LEN(rows));
	assert_line(&page, "cascade_up{component=\"database\"} 1");
	assert_line(&page, "cascade_beat_age_seconds{part=\"a\\\"b\\\\c\\nd\"} 1.234");
	assert_line(&page, "cascade_nodes{state=\"online\"} 3");
	assert_line(&page, "cascade_leader_present 1");
	assert_line(&page, "cascade_queue_oldest_waiting_seconds 0.059");
	assert_null(strstr(page.data, "state=\"offline\""));
	assert_null(strstr(page.data, "no_such_metric"));
	buf_free(&page);
	page = render(m, NULL, 0);
	assert_line(&page, "cascade_up{component=\"database\"} 0");
	assert_line(&page, "cascade_build_info{version=\"" PACKAGE_VERSION "\"} 1");
	buf_free(&page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
