/* SPDX-License-Identifier: MIT */
/* The spool: what it was told it still knows after a close, in order, and forgets as a whole. */
#include "agent/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "test_spool.XXXXXX", path[64];

static struct spool *
opened(void)
{
	struct spool *s = NULL;
	struct fault f = { 0 };

	assert_int_equal(spool_open(path, false, &s, &f), CS_OK);
	return s;
}

static struct spool *
reopened(struct spool *s)
{
	spool_close(s);
	return opened();
}

/* An attempt at FEEDS under a claim's key. */
static int64_t
claimed(struct spool *s, const char *allocation, const char *feeds)
{
	struct spool_attempt a = {
		.allocation = allocation, .task = "t", .package = "{}", .feeds = feeds, .number = 1
	};

	assert_true(spool_claim_begin(s, "key", 3));
	assert_true(spool_claim_end(s, &a, 1));
	return a.seq;
}

static void
keep_last(void *arg, const struct spool_attempt *a)
{
	struct spool_attempt *last = arg;

	*last = *a;
	last->allocation = last->task = last->package = last->feeds = last->revoked = NULL;
}

static struct spool_attempt
only(struct spool *s)
{
	struct spool_attempt last = { 0 };

	assert_true(spool_each(s, keep_last, &last));
	return last;
}

static void
test_claim(void **state)
{
	struct spool *s = opened();
	char key[SPOOL_KEY_SIZE];
	int64_t limit, first;

	(void)state;
	assert_false(spool_claim_get(s, key, &limit));
	assert_true(spool_claim_begin(s, "k1", 7));
	s = reopened(s);
	assert_true(spool_claim_get(s, key, &limit));
	assert_string_equal(key, "k1");
	assert_int_equal(limit, 7);
	first = claimed(s, "a", "[\"f\"]");
	assert_false(spool_claim_get(s, key, &limit));
	assert_true(claimed(s, "b", "[\"f\"]") > first);
	assert_true(spool_remove(s, first, "test"));
	assert_true(spool_remove(s, only(s).seq, "test"));
	assert_int_equal(only(s).seq, 0);
	spool_close(s);
}

struct seen {
	size_t n, max;
	int64_t last;
	char text[256];
};

static bool
see(void *arg, const struct spool_article *a)
{
	struct seen *seen = arg;

	strcat(seen->text, a->json);
	seen->last = a->seq;
	return ++seen->n < seen->max;
}

static void
add_result(void *arg, const struct spool_result *r)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s %d %lld %s %s;", r->feed, r->success,
	    (long long)r->articles, r->error != NULL ? r->error : "-",
	    r->message != NULL ? r->message : "-");
}

static void
test_attempt(void **state)
{
	struct spool *s = opened();
	int64_t seq = claimed(s, "a", "[\"f\",\"g\"]"), next;
	struct seen two = { .max = 2 }, rest = { .max = 9 };
	struct spool_message m;
	char text[256] = "";

	(void)state;
	assert_true(spool_started(s, seq));
	assert_true(spool_begin(s));
	assert_true(spool_article(s, seq, "f", "1"));
	spool_rollback(s);
	assert_int_equal(only(s).articles, 0);
	assert_true(spool_begin(s));
	assert_true(spool_article(s, seq, "f", "1"));
	assert_true(spool_article(s, seq, "f", "2"));
	assert_true(spool_article(s, seq, "g", "3"));
	assert_true(spool_result(s, seq, "f", true, -1, ""));
	assert_true(spool_result(s, seq, "f", false, 9, "the first counts"));
	assert_true(spool_result(s, seq, "g", false, 1, "why"));
	assert_true(spool_end(s, seq, "done", "", "log", true));
	assert_true(spool_commit(s));
	s = reopened(s);
	assert_int_equal(only(s).state, ATTEMPT_ENDED);
	assert_int_equal(only(s).unsent, 3);
	assert_int_equal(only(s).messages, 1); /* of what succeeded */
	assert_true(spool_unsent(s, seq, see, &two));
	assert_string_equal(two.text, "12");
	assert_true(spool_sent(s, seq, two.last, NULL));
	assert_true(spool_unsent(s, seq, see, &rest));
	assert_string_equal(rest.text, "3");
	assert_true(spool_message_due(s, seq, 1000, &m, &next));
	assert_string_equal(m.feed, "f");
	assert_true(spool_message_trying(s, m.id));
	assert_true(spool_message_tried(s, m.id, "refused", 2000));
	assert_false(spool_message_due(s, seq, 1000, &m, &next));
	assert_int_equal(next, 2000);
	assert_true(spool_message_due(s, seq, 2000, &m, &next));
	assert_int_equal(m.tries, 1);
	assert_true(spool_message_tried(s, m.id, "refused", 0));
	assert_true(spool_results(s, seq, add_result, text));
	assert_string_equal(text, "f 1 2 - refused;g 0 1 why -;");
	assert_true(spool_remove(s, seq, "test"));
	struct spool_figures f;
	assert_true(spool_figures(s, &f));
	assert_int_equal(f.attempts + f.articles + f.messages, 0);
	spool_close(s);
}

static void
test_hold(void **state)
{
	struct spool *s = opened();

	(void)state;
	assert_int_equal(spool_held_until(s, "f", 100), 0);
	assert_true(spool_hold(s, "f", 200, "banned"));
	assert_int_equal(spool_held_until(s, "f", 100), 200);
	assert_int_equal(spool_held_until(s, "f", 200), 0);
	spool_close(s);
}

static void
count_line(void *arg, const struct spool_line *l)
{
	(void)l;
	++*(int *)arg;
}

static void
test_lines(void **state)
{
	struct spool *s = opened();
	int n = 0;

	(void)state;
	for (int i = 0; i < 80; i++)
		spool_note_error(s, "what", "text");
	assert_true(spool_lines(s, false, 1000, count_line, &n));
	assert_int_equal(n, 50);
	spool_close(s);
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/spool.db", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
