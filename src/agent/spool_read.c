/* SPDX-License-Identifier: MIT */
/* What is read from the spool. */
#include "agent/spool_priv.h"

#include <stdlib.h>
#include <string.h>

bool
spool_each(struct spool *s, spool_attempt_fn *fn, void *arg)
{
	auto_query *q = spool_query(s,
	    "SELECT seq, allocation, task, package, feeds, number, state, revoked, claimed_at,"
	    " changed_at, (SELECT count(*) FROM article WHERE attempt = t.seq),"
	    " (SELECT count(*) FROM article WHERE attempt = t.seq AND sent = 0),"
	    " (SELECT count(*) FROM message WHERE attempt = t.seq AND open)"
	    " FROM attempt t ORDER BY seq",
	    "");
	bool ok;

	while (spool_next(s, q, &ok)) {
		const struct spool_attempt a = {
			.seq = sqlite3_column_int64(q, 0),
			.allocation = spool_text(q, 1),
			.task = spool_text(q, 2),
			.package = spool_text(q, 3),
			.feeds = spool_text(q, 4),
			.number = sqlite3_column_int64(q, 5),
			.state = (enum attempt_state)sqlite3_column_int(q, 6),
			.revoked = spool_text(q, 7),
			.claimed_at = sqlite3_column_int64(q, 8),
			.changed_at = sqlite3_column_int64(q, 9),
			.articles = sqlite3_column_int64(q, 10),
			.unsent = sqlite3_column_int64(q, 11),
			.messages = sqlite3_column_int64(q, 12),
		};

		fn(arg, &a);
	}
	return ok;
}

/* The only text of a query; the caller's. */
static char *
only_text(struct spool *s, sqlite3_stmt *q)
{
	bool ok;

	if (!spool_next(s, q, &ok) || spool_text(q, 0) == NULL)
		return NULL;
	return strdup(spool_text(q, 0));
}

char *
spool_package(struct spool *s, int64_t seq)
{
	auto_query *q = spool_query(s, "SELECT package FROM attempt WHERE seq = ?", "i", seq);

	return only_text(s, q);
}

char *
spool_ending(struct spool *s, int64_t seq)
{
	auto_query *q =
	    spool_query(s, "SELECT outcome || ': ' || why FROM attempt WHERE seq = ?", "i", seq);

	return only_text(s, q);
}

char *
spool_log(struct spool *s, int64_t seq, size_t max)
{
	auto_query *q =
	    spool_query(s, "SELECT substr(log, -?) FROM attempt WHERE seq = ? AND log <> ''", "ii",
		(int64_t)max, seq);

	return only_text(s, q);
}

static bool
each_article(
    struct spool *s, sqlite3_stmt *q, bool (*fn)(void *, const struct spool_article *), void *arg)
{
	bool ok;

	while (spool_next(s, q, &ok)) {
		const struct spool_article a = { sqlite3_column_int64(q, 0), spool_text(q, 1) };

		if (!fn(arg, &a))
			return true;
	}
	return ok;
}

bool
spool_unsent(
    struct spool *s, int64_t seq, bool (*fn)(void *arg, const struct spool_article *a), void *arg)
{
	auto_query *q = spool_query(s,
	    "SELECT seq, json FROM article WHERE attempt = ? AND sent = 0 ORDER BY seq", "i", seq);

	return each_article(s, q, fn, arg);
}

bool
spool_articles(struct spool *s, int64_t seq, const char *feed,
    bool (*fn)(void *arg, const struct spool_article *a), void *arg)
{
	auto_query *q = spool_query(s,
	    "SELECT seq, json FROM article WHERE attempt = ? AND feed = ? ORDER BY seq", "is", seq,
	    feed);

	return each_article(s, q, fn, arg);
}

bool
spool_results(
    struct spool *s, int64_t seq, void (*fn)(void *arg, const struct spool_result *r), void *arg)
{
	auto_query *q = spool_query(s,
	    "SELECT r.feed, r.success, coalesce(r.count,"
	    " (SELECT count(*) FROM article a WHERE a.attempt = r.attempt AND a.feed = r.feed)),"
	    " r.error, m.id IS NOT NULL, m.error FROM result r"
	    " LEFT JOIN message m ON m.attempt = r.attempt AND m.feed = r.feed"
	    " WHERE r.attempt = ? ORDER BY r.rowid",
	    "i", seq);
	bool ok;

	while (spool_next(s, q, &ok)) {
		const char *error = spool_text(q, 5);
		const struct spool_result r = {
			.feed = spool_text(q, 0),
			.success = sqlite3_column_int(q, 1) != 0,
			.articles = sqlite3_column_int64(q, 2),
			.error = spool_text(q, 3),
			.message = sqlite3_column_int(q, 4) ? error != NULL ? error : "" : NULL,
		};

		fn(arg, &r);
	}
	return ok;
}

bool
spool_message_due(
    struct spool *s, int64_t seq, int64_t now_ms, struct spool_message *m, int64_t *next_ms)
{
	auto_query *q = spool_query(s,
	    "SELECT id, tries, feed, due_ms FROM message WHERE attempt = ? AND open"
	    " ORDER BY due_ms, id LIMIT 1",
	    "i", seq);
	bool ok;

	*next_ms = 0;
	if (!spool_next(s, q, &ok))
		return false;
	*next_ms = sqlite3_column_int64(q, 3);
	if (*next_ms > now_ms)
		return false;
	m->id = sqlite3_column_int64(q, 0);
	m->tries = sqlite3_column_int64(q, 1);
	sqlite3_snprintf(sizeof(m->feed), m->feed, "%s", spool_text(q, 2));
	return true;
}

int64_t
spool_held_until(struct spool *s, const char *feed, int64_t now)
{
	return spool_int(
	    s, 0, "SELECT until FROM hold WHERE feed = ? AND until > ?", "si", feed, now);
}

int64_t
spool_bytes(struct spool *s)
{
	return (spool_int(s, 0, "PRAGMA page_count", "") -
		   spool_int(s, 0, "PRAGMA freelist_count", "")) *
	       spool_int(s, 0, "PRAGMA page_size", "");
}

bool
spool_figures(struct spool *s, struct spool_figures *f)
{
	f->bytes = spool_bytes(s);
	f->attempts = spool_int(s, -1, "SELECT count(*) FROM attempt", "");
	f->articles = spool_int(s, 0, "SELECT count(*) FROM article", "");
	f->unsent = spool_int(s, 0, "SELECT count(*) FROM article WHERE sent = 0", "");
	f->refused = spool_int(s, 0, "SELECT count(*) FROM article WHERE sent = 2", "");
	f->messages = spool_int(s, 0, "SELECT count(*) FROM message WHERE open", "");
	f->errors = spool_int(s, 0, "SELECT count(*) FROM line WHERE NOT history", "");
	return f->attempts >= 0;
}

bool
spool_lines(struct spool *s, bool history, int64_t limit,
    void (*fn)(void *arg, const struct spool_line *l), void *arg)
{
	auto_query *q = spool_query(s,
	    "SELECT at, what, text FROM line WHERE history = ? ORDER BY id DESC LIMIT ?", "ii",
	    (int64_t)history, limit);
	bool ok;

	while (spool_next(s, q, &ok)) {
		const struct spool_line l = { sqlite3_column_int64(q, 0), spool_text(q, 1),
			spool_text(q, 2) };

		fn(arg, &l);
	}
	return ok;
}
