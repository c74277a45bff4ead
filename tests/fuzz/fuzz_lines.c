/* SPDX-License-Identifier: MIT */
/*
 * An executor's output, fed whole and in portions that the first byte sets: the same records and
 * complaints must come of it, whatever they are.
 */
#include "agent/lines.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const feeds[] = { "F1", "F2" };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
on_record(void *arg, const struct record *r)
{
	must(r->type < RECORD__MAX && r->feed_id != NULL && r->error != NULL && r->text != NULL);
	must((r->type == RECORD_ARTICLE) == (r->article != NULL));
	must(r->type != RECORD_ARTICLE || (*r->article_id != '\0' && *r->feed_id != '\0'));
	must(*r->feed_id == '\0' || strcmp(r->feed_id, "F1") == 0 || strcmp(r->feed_id, "F2") == 0);
	must(r->type != RECORD_HOLD || (r->seconds >= 1 && r->seconds <= LINES_HOLD_MAX_S));
	buf_printf(arg, "%d %s %d %lld %s %lld %s\n", r->type, r->feed_id, r->success,
	    (long long)r->article_count, r->error, (long long)r->seconds, r->text);
}

static void
on_broken(void *arg, size_t number, const char *why)
{
	must(*why != '\0');
	buf_printf(arg, "%zu %s\n", number, why);
}

static void
feed(const char *text, size_t n, size_t step, struct buf *seen)
{
	static const struct lines_ops ops = { on_record, on_broken };
	struct lines l;

	lines_init(&l, &ops, seen, feeds, ARRAY_LEN(feeds));
	for (size_t i = 0; i < n; i += step)
		lines_feed(&l, text + i, n - i < step ? n - i : step);
	lines_end(&l);
	lines_fini(&l);
	must(!buf_failed(seen));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole = { 0 }, parts = { 0 };
	const char *text = (const char *)data + 1;

	if (n < 2)
		return 0;
	feed(text, n - 1, n - 1, &whole);
	feed(text, n - 1, (size_t)(data[0] % 16) + 1, &parts);
	must(whole.len == parts.len &&
	     (whole.len == 0 || memcmp(whole.data, parts.data, whole.len) == 0));
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
