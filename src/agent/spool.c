/* SPDX-License-Identifier: MIT */
/*
 * The spool's file and what changes it. Write-ahead log and synchronous=FULL: a committed
 * transaction survives the loss of power. One process writes (the instance's lock sees to that);
 * status reads beside it. Numbers of attempts and articles only grow, so their order is that of
 * their coming.
 */
#include "agent/spool.h"
#include "agent/spool_priv.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION 1
#define HISTORY_MAX    "500"
#define ERRORS_MAX     "50"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS claim (key TEXT NOT NULL, lim INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS attempt (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " allocation TEXT NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL,"
    " feeds TEXT NOT NULL, package TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " revoked TEXT, outcome TEXT, why TEXT, log TEXT,"
    " claimed_at INTEGER NOT NULL, changed_at INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS article (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " attempt INTEGER NOT NULL REFERENCES attempt ON DELETE CASCADE, feed TEXT NOT NULL,"
    " json TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX IF NOT EXISTS article_of ON article (attempt, sent, seq);"
    "CREATE TABLE IF NOT EXISTS result ("
    " attempt INTEGER NOT NULL REFERENCES attempt ON DELETE CASCADE, feed TEXT NOT NULL,"
    " success INTEGER NOT NULL, count INTEGER, error TEXT, PRIMARY KEY (attempt, feed));"
    "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY,"
    " attempt INTEGER NOT NULL REFERENCES attempt ON DELETE CASCADE, feed TEXT NOT NULL,"
    " open INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0,"
    " due_ms INTEGER NOT NULL DEFAULT 0, error TEXT);"
    "CREATE INDEX IF NOT EXISTS message_of ON message (attempt, open);"
    "CREATE TABLE IF NOT EXISTS hold (feed TEXT PRIMARY KEY, until INTEGER NOT NULL,"
    " reason TEXT);"
    "CREATE TABLE IF NOT EXISTS line (id INTEGER PRIMARY KEY, history INTEGER NOT NULL,"
    " at INTEGER NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS line_of ON line (history, id);"
    "PRAGMA user_version = 1;";

static const char pragmas[] =
    "PRAGMA busy_timeout = 5000; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -512;"
    "PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY;";

const char *
attempt_state_name(enum attempt_state s)
{
	static const char *const names[] = { "claimed", "running", "ended" };

	return names[s];
}

/* Says that something failed, but not with each record that waits for the disk. */
static void
complain(struct spool *s)
{
	int code = sqlite3_extended_errcode(s->db);

	if (!s->failing)
		log_error("spool",
		    "%s (%d): nothing more is taken on until it can be written again",
		    sqlite3_errmsg(s->db), code);
	s->failing = true;
}

static void
bind(sqlite3_stmt *q, const char *types, va_list ap)
{
	for (int i = 0; types[i] != '\0'; i++) {
		if (types[i] == 'i')
			sqlite3_bind_int64(q, i + 1, va_arg(ap, int64_t));
		else
			sqlite3_bind_text(q, i + 1, va_arg(ap, const char *), -1, SQLITE_STATIC);
	}
}

static sqlite3_stmt *
prepare(struct spool *s, const char *sql, const char *types, va_list ap)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) {
		complain(s);
		return NULL;
	}
	bind(q, types, ap);
	return q;
}

sqlite3_stmt *
spool_query(struct spool *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q;
	va_list ap;

	va_start(ap, types);
	q = prepare(s, sql, types, ap);
	va_end(ap);
	return q;
}

bool
spool_next(struct spool *s, sqlite3_stmt *q, bool *ok)
{
	int rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;

	*ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
	if (!*ok && q != NULL)
		complain(s);
	return rc == SQLITE_ROW;
}

bool
spool_do(struct spool *s, const char *sql, const char *types, ...)
{
	auto_query *q = NULL;
	va_list ap;
	bool ok;

	va_start(ap, types);
	q = prepare(s, sql, types, ap);
	va_end(ap);
	while (spool_next(s, q, &ok))
		;
	if (ok && s->failing && sqlite3_get_autocommit(s->db)) {
		log_info("spool", "can be written again");
		s->failing = false;
	}
	return ok;
}

int64_t
spool_int(struct spool *s, int64_t other, const char *sql, const char *types, ...)
{
	auto_query *q = NULL;
	va_list ap;
	bool ok;

	va_start(ap, types);
	q = prepare(s, sql, types, ap);
	va_end(ap);
	return spool_next(s, q, &ok) ? sqlite3_column_int64(q, 0) : other;
}

/* Is the file new, or one of this version? What is none at all shows later. */
static bool
is_known(sqlite3 *db)
{
	sqlite3_stmt *q = NULL;
	int version = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		version = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	return version == 0 || version == SCHEMA_VERSION;
}

enum cs_err
spool_open(const char *path, bool readonly, struct spool **out, struct fault *f)
{
	struct spool *s = calloc(1, sizeof(*s));
	int flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	int rc;

	if (s == NULL)
		return cs_detail(f, CS_ENOMEM, "spool");
	rc = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK && readonly)
		rc = sqlite3_exec(s->db, "PRAGMA busy_timeout = 5000", NULL, NULL, NULL);
	if (rc == SQLITE_OK && !is_known(s->db)) {
		cs_detail(f, CS_EIO, "%s: of another version of this program", path);
		spool_close(s);
		return f->code;
	}
	if (rc == SQLITE_OK && !readonly)
		rc = sqlite3_exec(s->db, pragmas, NULL, NULL, NULL);
	if (rc == SQLITE_OK && !readonly)
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		cs_detail(f, CS_EIO, "%s: %s", path,
		    s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
		spool_close(s);
		return f->code;
	}
	*out = s;
	return CS_OK;
}

void
spool_close(struct spool *s)
{
	if (s == NULL)
		return;
	sqlite3_close(s->db);
	free(s);
}

bool
spool_begin(struct spool *s)
{
	return spool_do(s, "BEGIN IMMEDIATE", "");
}

bool
spool_commit(struct spool *s)
{
	if (spool_do(s, "COMMIT", ""))
		return true;
	spool_rollback(s);
	return false;
}

void
spool_rollback(struct spool *s)
{
	/* A failed statement may have done so itself. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Ends a transaction of which OK says how it went. */
static bool
conclude(struct spool *s, bool ok)
{
	if (ok)
		return spool_commit(s);
	spool_rollback(s);
	return false;
}

bool
spool_claim_get(struct spool *s, char key[SPOOL_KEY_SIZE], int64_t *limit)
{
	auto_query *q = spool_query(s, "SELECT key, lim FROM claim", "");
	bool ok;

	if (!spool_next(s, q, &ok))
		return false;
	sqlite3_snprintf(SPOOL_KEY_SIZE, key, "%s", spool_text(q, 0));
	*limit = sqlite3_column_int64(q, 1);
	return true;
}

bool
spool_claim_begin(struct spool *s, const char *key, int64_t limit)
{
	if (!spool_begin(s))
		return false;
	return conclude(s, spool_do(s, "DELETE FROM claim", "") &&
			       spool_do(s, "INSERT INTO claim VALUES (?, ?)", "si", key, limit));
}

static bool
insert_attempt(struct spool *s, struct spool_attempt *a)
{
	int64_t now = clock_wall_s();

	if (!spool_do(s,
		"INSERT INTO attempt (allocation, task, number, feeds, package, claimed_at,"
		" changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		"ssissii", a->allocation, a->task, a->number, a->feeds, a->package, now, now))
		return false;
	a->seq = sqlite3_last_insert_rowid(s->db);
	return true;
}

bool
spool_claim_end(struct spool *s, struct spool_attempt *got, size_t n)
{
	bool ok;

	if (!spool_begin(s))
		return false;
	ok = spool_do(s, "DELETE FROM claim", "");
	for (size_t i = 0; ok && i < n; i++)
		ok = insert_attempt(s, &got[i]);
	return conclude(s, ok);
}

bool
spool_adopt(struct spool *s, int64_t seq, int64_t number)
{
	return spool_do(
	    s, "UPDATE attempt SET number = ?, revoked = NULL WHERE seq = ?", "ii", number, seq);
}

bool
spool_started(struct spool *s, int64_t seq)
{
	return spool_do(s, "UPDATE attempt SET state = 1, changed_at = ? WHERE seq = ?", "ii",
	    clock_wall_s(), seq);
}

bool
spool_revoke(struct spool *s, int64_t seq, const char *why)
{
	return spool_do(
	    s, "UPDATE attempt SET revoked = ? WHERE seq = ? AND revoked IS NULL", "si", why, seq);
}

static bool
add_line(struct spool *s, int64_t history, const char *what, const char *text)
{
	return spool_do(s, "INSERT INTO line (history, at, what, text) VALUES (?, ?, ?, ?)", "iiss",
		   history, clock_wall_s(), what, text) &&
	       spool_do(s,
		   "DELETE FROM line WHERE history = ?1 AND id <= (SELECT id FROM line WHERE"
		   " history = ?1 ORDER BY id DESC LIMIT 1 OFFSET iif(?1, " HISTORY_MAX
		   ", " ERRORS_MAX "))",
		   "i", history);
}

bool
spool_remove(struct spool *s, int64_t seq, const char *how)
{
	auto_query *q = NULL;
	bool ok;

	if (!spool_begin(s))
		return false;
	q = spool_query(
	    s, "SELECT allocation || ' #' || number FROM attempt WHERE seq = ?", "i", seq);
	ok = spool_next(s, q, &ok) && add_line(s, 1, spool_text(q, 0), how) &&
	     spool_do(s, "DELETE FROM attempt WHERE seq = ?", "i", seq);
	sqlite3_reset(q);
	if (!conclude(s, ok))
		return false;
	/* What a long outage has left is given back bit by bit; if not now, then another time. */
	if (!spool_do(s, "PRAGMA incremental_vacuum(64)", ""))
		log_debug("spool", "nothing could be given back");
	return true;
}

bool
spool_article(struct spool *s, int64_t seq, const char *feed, const char *json)
{
	return spool_do(s, "INSERT INTO article (attempt, feed, json) VALUES (?, ?, ?)", "iss", seq,
	    feed, json);
}

bool
spool_result(
    struct spool *s, int64_t seq, const char *feed, bool success, int64_t count, const char *error)
{
	return spool_do(s,
	    "INSERT INTO result VALUES (?, ?, ?, nullif(?, -1), nullif(?, ''))"
	    " ON CONFLICT DO NOTHING",
	    "isiis", seq, feed, (int64_t)success, count, error);
}

bool
spool_hold(struct spool *s, const char *feed, int64_t until, const char *reason)
{
	return spool_do(
	    s, "INSERT OR REPLACE INTO hold VALUES (?, ?, ?)", "sis", feed, until, reason);
}

bool
spool_end(struct spool *s, int64_t seq, const char *outcome, const char *why, const char *log,
    bool messages)
{
	if (!spool_do(s,
		"UPDATE attempt SET state = 2, outcome = ?, why = ?, log = ?, changed_at = ?"
		" WHERE seq = ?",
		"sssii", outcome, why, log, clock_wall_s(), seq))
		return false;
	if (!messages)
		return true;
	return spool_do(s,
	    "INSERT INTO message (attempt, feed) SELECT r.attempt, r.feed FROM result r"
	    " WHERE r.attempt = ?1 AND r.success AND EXISTS"
	    " (SELECT * FROM article a WHERE a.attempt = ?1 AND a.feed = r.feed)",
	    "i", seq);
}

bool
spool_sent(struct spool *s, int64_t seq, int64_t upto, const char *why)
{
	/* 1: taken; 2: refused */
	return spool_do(s,
	    "UPDATE article SET sent = ? WHERE attempt = ? AND sent = 0 AND seq <= ?", "iii",
	    (int64_t)(why != NULL ? 2 : 1), seq, upto);
}

bool
spool_message_trying(struct spool *s, int64_t id)
{
	return spool_do(s, "UPDATE message SET tries = tries + 1 WHERE id = ?", "i", id);
}

bool
spool_message_tried(struct spool *s, int64_t id, const char *error, int64_t due_ms)
{
	return spool_do(s, "UPDATE message SET open = ?, due_ms = ?, error = ? WHERE id = ?",
	    "iisi", (int64_t)(error != NULL && due_ms != 0), due_ms, error, id);
}

void
spool_note_error(struct spool *s, const char *what, const char *text)
{
	/* Only for people to read. */
	if (!s->failing && !add_line(s, 0, what, text))
		return;
}
