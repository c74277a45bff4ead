/* SPDX-License-Identifier: MIT */
/*
 * src/db/db.h against a real server, with statements and tables of its own (database cs_dbtest,
 * dropped at the end). dbtest SOCKET [RESTART]: RESTART is a shell command that restarts the server
 * and returns when it answers again; without it those cases are left out.
 */
#include "db/db.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "tap.h"

#define BIG (3u << 20)

static struct fault f;

static bool
raw(struct db *db, const char *sql)
{
	enum cs_err err = db_raw(db, sql, strlen(sql), &f);

	if (err != CS_OK)
		printf("# %s: %s\n", sql, f.detail);
	return err == CS_OK;
}

static void
is_text(const struct db_rows *r, unsigned col, const char *want, const char *name)
{
	const char *got = db_s(r, col);

	if (!ok(got != NULL && strcmp(got, want) == 0, "%s", name))
		printf("# got %s, want %s\n", got != NULL ? got : "NULL", want);
}

static const char *const setup[] = {
	"CREATE DATABASE cs_dbtest CHARACTER SET utf8mb4",
	"USE cs_dbtest",
	"CREATE TABLE t (id INT PRIMARY KEY, s LONGTEXT, n BIGINT, b LONGBLOB, at DATETIME(3),"
	" KEY (n)) ENGINE = InnoDB",
	"CREATE PROCEDURE p_rows(IN how INT) BEGIN"
	" SELECT 7 AS a, 'seven' AS b UNION ALL SELECT 8, NULL;"
	" IF how = 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'late'; END IF;"
	" IF how = 2 THEN SELECT 1, 2, 3; INSERT INTO t (id) VALUES (900); END IF;"
	" IF how = 3 THEN INSERT INTO t (id) VALUES (901), (901); END IF; END",
	"CREATE PROCEDURE p_tx() BEGIN START TRANSACTION; INSERT INTO t (id) VALUES (930);"
	" SELECT SLEEP(5); COMMIT; END",
	"CREATE PROCEDURE p_none() BEGIN DO 0; END",
	"CREATE PROCEDURE p_write(IN v INT) BEGIN SELECT 'ignored';"
	" INSERT INTO t (id) VALUES (v), (v + 1); END",
};

static int64_t
one_int(struct db *db, enum stmt_id id)
{
	auto_rows r = { 0 };

	if (db_query(db, &f, &r, id, NULL, 0) != CS_OK || !db_next(&r))
		return -1;
	return db_i(&r, 0);
}

static void
kill_connection(struct db *other, int64_t id)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "KILL %lld", (long long)id);
	raw(other, sql);
}

static void
test_session(struct db *db)
{
	auto_rows r = { 0 };
	bool mariadb;

	is_err(DB_QUERY(db, &f, &r, STMT_T_SESSION), CS_OK, &f, "session settings");
	ok(db_next(&r) && db_count(&r) == 1, "one row of them");
	is_text(&r, 0, "+00:00", "time zone");
	is_text(&r, 1, "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
	    "sql mode");
	is_text(&r, 2, "utf8mb4", "character set");
	ok(db_i(&r, 3) == 1 && db_i(&r, 4) == 5, "autocommit, lock wait timeout");
	is_text(&r, 5, "READ-COMMITTED", "isolation");
	ok(!db_next(&r), "no second row");
	ok(db_server_version(db, &mariadb) >= 100600 && mariadb, "server version");
}

static void
test_values(struct db *db)
{
	char *big = malloc(BIG + 1);
	uint64_t n = 9;

	memset(big, 'x', BIG);
	big[BIG] = '\0';
	big[BIG - 1] = '!';
	is_err(DB_EXEC(db, &f, &n, STMT_T_INSERT, A_I(1), A_S("你好 'x'"), A_I(-5), A_B("a\0b", 3)),
	    CS_OK, &f, "insert");
	ok(n == 1, "one row affected");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(2), A_S(NULL), A_NULL, A_NULL), CS_OK, &f,
	    "insert NULLs");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(3), A_S(""), A_I(INT64_MIN), A_B(big, BIG)),
	    CS_OK, &f, "insert long bytes");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(4), A_S(big), A_I(INT64_MAX), A_B("", 0)),
	    CS_OK, &f, "insert long text");
	is_err(DB_EXEC(db, &f, &n, STMT_T_INSERT, A_I(1), A_NULL, A_NULL, A_NULL), CS_ECONFLICT, &f,
	    "duplicate key");
	is_err(
	    DB_EXEC(db, &f, &n, STMT_T_SET, A_I(-5), A_I(1)), CS_OK, &f, "update without change");
	ok(n == 0, "counts changed rows, not found ones");

	auto_rows r = { 0 }, s = { 0 };
	is_err(DB_QUERY(db, &f, &r, STMT_T_GET, A_I(1)), CS_OK, &f, "select");
	is_err(DB_QUERY(db, &f, &s, STMT_T_GET, A_I(2)), CS_OK, &f, "the same again, first open");
	ok(db_s(&r, 0) == NULL && db_is_null(&r, 0), "nothing before db_next()");
	ok(db_next(&r) && db_i(&r, 2) == -5, "integer");
	is_text(&r, 1, "你好 'x'", "text");
	ok(db_len(&r, 3) == 3 && memcmp(db_s(&r, 3), "a\0b", 3) == 0, "bytes with NUL");
	ok(db_next(&s) && db_i(&s, 0) == 2, "second result");
	for (unsigned i = 1; i < 5; i++)
		ok(db_is_null(&s, i) && db_s(&s, i) == NULL && db_i(&s, i) == 0, "NULL %u", i);
	is_err(DB_QUERY(db, &f, &r, STMT_T_GET, A_I(3)), CS_OK, &f, "rows reused");
	ok(db_next(&r) && db_s(&r, 1) != NULL && db_len(&r, 1) == 0, "empty text is not NULL");
	ok(db_len(&r, 3) == BIG && memcmp(db_s(&r, 3), big, BIG) == 0, "long bytes");
	ok(db_i(&r, 2) == INT64_MIN, "smallest integer");
	is_err(DB_QUERY(db, &f, &r, STMT_T_GET, A_I(4)), CS_OK, &f, "select long text");
	ok(db_next(&r) && db_len(&r, 1) == BIG, "its length");
	ok(db_s(&r, 1) != NULL && strcmp(db_s(&r, 1), big) == 0, "long text");
	ok(db_i(&r, 2) == INT64_MAX && !db_is_null(&r, 3) && db_len(&r, 3) == 0, "empty bytes");
	is_err(DB_QUERY(db, &f, &r, STMT_T_GET, A_I(99)), CS_OK, &f, "select nothing");
	ok(db_count(&r) == 0 && !db_next(&r), "no rows");
	free(big);
}

static void
test_times(struct db *db)
{
	auto_rows r = { 0 };

	is_err(DB_QUERY(db, &f, &r, STMT_T_TIMES), CS_OK, &f, "times");
	ok(db_next(&r) && db_is_null(&r, 1), "NULL time");
	is_text(&r, 0, "2024-01-02T03:04:05", "no fraction");
	is_text(&r, 2, "2024-02-29T00:00:00", "a date");
	is_text(&r, 3, "2024-01-02 03:04:05", "as text: the server's form");
}

/* What is refused and what is sent differ by less than 1 KiB, and what is sent the server takes. */
static void
test_packet(struct db *db)
{
	const size_t packet = 16u << 20; /* the server's default max_allowed_packet */
	char *big = calloc(1, packet);
	auto_rows r = { 0 };

	is_err(DB_QUERY(db, &f, &r, STMT_T_LENGTH, A_B(big, packet - 1024)), CS_OK, &f,
	    "almost a packet");
	ok(db_next(&r) && db_i(&r, 0) == (int64_t)packet - 1024, "arrives whole");
	is_err(DB_QUERY(db, &f, &r, STMT_T_LENGTH, A_B(big, packet - 500)), CS_ETOOLARGE, &f,
	    "more than a packet");
	ok(db_is_connected(db), "costs no connection");
	free(big);
}

static void
test_mistakes(struct db *db)
{
	auto_rows r = { 0 };

	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1)), CS_EINTERNAL, &f, "too few arguments");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1), A_S("1")), CS_EINTERNAL, &f, "wrong type");
	is_err(
	    DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1), A_NULL), CS_EINTERNAL, &f, "unwanted NULL");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_CONNECTION), CS_EINTERNAL, &f, "exec of a query");
	is_err(DB_QUERY(db, &f, &r, STMT_T_DELETE), CS_EINTERNAL, &f, "query of an exec");
	is_err(DB_QUERY(db, &f, &r, STMT_T_BAD_COLS), CS_ESCHEMA, &f, "wrong columns");
	is_err(DB_QUERY(db, &f, &r, STMT_T_NO_TABLE), CS_ESCHEMA, &f, "no such table");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_NO_PROC), CS_ESCHEMA, &f, "no such procedure");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SIGNAL), CS_EINTERNAL, &f, "a signal");
	ok(strstr(f.detail, "T_SIGNAL: 1644 raised") != NULL, "detail: %s", f.detail);
	is_err(db_prepare_all(db, &f), CS_ESCHEMA, &f, "prepare_all finds the bad rows");
}

static void
test_call(struct db *db)
{
	auto_rows r = { 0 };
	uint64_t n;

	for (int i = 0; i < 3; i++) {
		is_err(DB_QUERY(db, &f, &r, STMT_T_CALL, A_I(0)), CS_OK, &f, "call");
		ok(db_count(&r) == 2 && db_next(&r) && db_i(&r, 0) == 7, "its rows");
		is_text(&r, 1, "seven", "first row");
		ok(db_next(&r) && db_i(&r, 0) == 8 && db_is_null(&r, 1), "second row");
		is_err(DB_QUERY(db, &f, &r, STMT_T_CALL, A_I(1)), CS_EINTERNAL, &f, "late error");
		ok(strstr(f.detail, "late") != NULL && db_count(&r) == 0, "detail: %s", f.detail);
		is_err(DB_QUERY(db, &f, &r, STMT_T_CALL, A_I(3)), CS_ECONFLICT, &f,
		    "late duplicate key");
	}
	is_err(DB_QUERY(db, &f, &r, STMT_T_CALL, A_I(2)), CS_OK, &f, "more results");
	ok(db_count(&r) == 2, "the first is the result");
	is_err(DB_QUERY(db, &f, &r, STMT_T_CALL_NONE), CS_OK, &f, "no result");
	ok(db_count(&r) == 0, "no rows");
	is_err(DB_EXEC(db, &f, &n, STMT_T_CALL_WRITE, A_I(910)), CS_OK, &f, "exec of a call");
	ok(one_int(db, STMT_T_COUNT) == 7, "all that was written is there");
	is_err(DB_EXEC(db, &f, &n, STMT_T_CALL_WRITE, A_I(910)), CS_ECONFLICT, &f, "its error");
	ok(db_is_connected(db), "still connected");
}

static void
test_tx(struct db *db)
{
	struct db_tx two;
	uint64_t n;

	is_err(DB_EXEC(db, &f, &n, STMT_T_DELETE), CS_OK, &f, "empty the table");
	{
		auto_tx tx = { 0 };
		is_err(db_begin(db, &tx, &f), CS_OK, &f, "begin");
		is_err(db_begin(db, &two, &f), CS_EINTERNAL, &f, "no nesting");
		is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(1), A_NULL, A_NULL, A_NULL), CS_OK,
		    &f, "insert");
		is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(1), A_NULL, A_NULL, A_NULL),
		    CS_ECONFLICT, &f, "duplicate");
		is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(2), A_NULL, A_NULL, A_NULL), CS_OK,
		    &f, "which does not end the transaction");
	}
	ok(one_int(db, STMT_T_COUNT) == 0, "rolled back at the end of its scope");
	{
		auto_tx tx = { 0 };
		is_err(db_begin(db, &tx, &f), CS_OK, &f, "begin");
		is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(1), A_NULL, A_NULL, A_NULL), CS_OK,
		    &f, "insert");
		is_err(db_commit(&tx, &f), CS_OK, &f, "commit");
	}
	ok(one_int(db, STMT_T_COUNT) == 1, "committed");
}

static void
test_killed(struct db *db, struct db *other)
{
	auto_tx tx = { 0 };
	int64_t id = one_int(db, STMT_T_CONNECTION);

	kill_connection(other, id);
	is_err(
	    DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1), A_I(1)), CS_EDBDOWN, &f, "killed while idle");
	ok(!db_is_connected(db), "no longer connected: %s", f.detail);
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1), A_I(1)), CS_OK, &f, "reconnects");
	id = one_int(db, STMT_T_CONNECTION);

	is_err(db_begin(db, &tx, &f), CS_OK, &f, "begin");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(77), A_I(1)), CS_OK, &f, "update");
	kill_connection(other, id);
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(78), A_I(1)), CS_EDBDOWN, &f, "killed within");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(79), A_I(1)), CS_EDBDOWN, &f,
	    "nothing runs outside the lost transaction");
	is_err(db_commit(&tx, &f), CS_EDBDOWN, &f, "nor is it committed");
	ok(!db_is_connected(db), "no silent reconnection");
	db_rollback(&tx);

	auto_rows r = { 0 };
	is_err(DB_QUERY(db, &f, &r, STMT_T_GET, A_I(1)), CS_OK, &f, "goes on after rollback");
	ok(db_next(&r) && db_i(&r, 2) == 1, "nothing of it was stored");
	db_disconnect(db);
	ok(db_i(&r, 2) == 1, "rows outlive the connection");
}

/* A child that kills connection (or, with QUERY, only its statement) ID in a moment. */
static pid_t
kill_soon(const struct conf *conf, const char *query, int64_t id)
{
	pid_t pid = fork();
	struct db *db;
	char sql[64];

	if (pid != 0)
		return pid;
	db = db_new(conf);
	snprintf(sql, sizeof(sql), "KILL %s %lld", query, (long long)id);
	clock_sleep_ms(300);
	_exit(!raw(db, sql));
}

static void
test_killed_running(struct db *db, const struct conf *conf)
{
	auto_rows r = { 0 };
	pid_t pid = kill_soon(conf, "QUERY", one_int(db, STMT_T_CONNECTION));

	is_err(DB_QUERY(db, &f, &r, STMT_T_SLEEP, A_I(5)), CS_EBUSY, &f, "statement killed");
	ok(db_is_connected(db), "still connected: %s", f.detail);
	waitpid(pid, NULL, 0);
	pid = kill_soon(conf, "QUERY", one_int(db, STMT_T_CONNECTION));
	is_err(DB_QUERY(db, &f, &r, STMT_T_CALL_TX), CS_EBUSY, &f, "killed within a procedure");
	ok(db_is_connected(db) && one_int(db, STMT_T_IN_TX) == 0, "its transaction is over");
	waitpid(pid, NULL, 0);
	pid = kill_soon(conf, "", one_int(db, STMT_T_CONNECTION));
	is_err(DB_QUERY(db, &f, &r, STMT_T_SLEEP, A_I(5)), CS_EDBDOWN, &f, "connection killed");
	ok(!db_is_connected(db), "not connected: %s", f.detail);
	waitpid(pid, NULL, 0);
	is_err(DB_QUERY(db, &f, &r, STMT_T_SLEEP, A_I(0)), CS_OK, &f, "reconnects");
}

/* The child of a deadlock: locks row 2, says so, then wants row 1. Exits with its error code. */
static void
deadlock_child(const struct conf *conf, int fd)
{
	struct db *db = db_new(conf);
	struct db_tx tx = { 0 };
	enum cs_err err = db_begin(db, &tx, &f);

	if (err == CS_OK)
		err = DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(100), A_I(2));
	if (write(fd, "x", 1) == 1 && err == CS_OK)
		err = DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(100), A_I(1));
	if (err == CS_OK)
		err = db_commit(&tx, &f);
	_exit((int)err);
}

static void
test_deadlock(struct db *db, const struct conf *conf)
{
	auto_tx tx = { 0 };
	enum cs_err mine;
	int fd[2], status;
	char c;

	is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(2), A_NULL, A_NULL, A_NULL), CS_OK, &f,
	    "a second row");
	is_err(db_begin(db, &tx, &f), CS_OK, &f, "begin");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(200), A_I(1)), CS_OK, &f, "lock row 1");
	if (pipe(fd) != 0)
		abort();
	pid_t pid = fork();
	if (pid == 0)
		deadlock_child(conf, fd[1]);
	ok(read(fd[0], &c, 1) == 1, "the other has locked row 2");
	mine = DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(200), A_I(2));
	ok(mine == CS_OK || mine == CS_EBUSY, "mine: %s %s", cs_err_name(mine), f.detail);
	if (mine == CS_EBUSY) {
		is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(300), A_I(1)), CS_EBUSY, &f,
		    "the victim's further statements are refused");
		is_err(db_commit(&tx, &f), CS_EBUSY, &f, "and its commit");
	} else {
		is_err(db_commit(&tx, &f), CS_OK, &f, "commit");
	}
	db_rollback(&tx);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && (WEXITSTATUS(status) == CS_EBUSY) == (mine == CS_OK),
	    "one is the victim, one goes through");
	close(fd[0]);
	close(fd[1]);
}

/* Rows of about 40 KiB each, so that a thousand exceed any one packet; every third value is NULL.
 */
static void
test_bulk(struct db *db, size_t nrows)
{
	struct db_arg *args = calloc(nrows * 4, sizeof(*args));
	size_t len = 40u << 10, nulls = 0;
	char *bytes = malloc(len);
	uint64_t n = 0;

	memset(bytes, '?', len);
	for (size_t i = 0; i < nrows; i++) {
		args[4 * i] = A_I((int64_t)i);
		args[4 * i + 1] = i % 3 == 0 ? A_NULL : i % 3 == 1 ? A_S("") : A_S("text");
		args[4 * i + 2] = i % 2 == 0 ? A_I(-(int64_t)i) : A_NULL;
		args[4 * i + 3] = A_B(bytes, len - i);
		nulls += i % 3 == 0;
	}
	is_err(DB_EXEC(db, &f, NULL, STMT_T_DELETE), CS_OK, &f, "empty the table");
	db_stats_reset(db);
	is_err(db_exec_bulk(db, &f, &n, STMT_T_INSERT, args, 4, nrows), CS_OK, &f, "bulk insert");
	ok(n == nrows, "%zu rows affected", nrows);
	ok(db_stats(db).round_trips < 20, "in %u round trips", db_stats(db).round_trips);

	auto_rows r = { 0 };
	is_err(DB_QUERY(db, &f, &r, STMT_T_COUNT), CS_OK, &f, "count");
	ok(db_next(&r) && db_i(&r, 0) == (int64_t)nrows &&
		db_i(&r, 1) == (int64_t)(nrows - nulls) &&
		db_i(&r, 2) == (int64_t)(nrows * len - nrows * (nrows - 1) / 2),
	    "all rows, NULLs and bytes");
	is_err(DB_QUERY(db, &f, &r, STMT_T_RANGE, A_I(0), A_I(INT32_MAX)), CS_OK, &f, "read them");
	for (size_t i = 0; i < nrows && db_next(&r); i++) {
		const char *want = i % 3 == 0 ? NULL : i % 3 == 1 ? "" : "text";
		const char *got = db_s(&r, 1);

		if (db_i(&r, 0) != (int64_t)i || (got == NULL) != (want == NULL) ||
		    (got != NULL && strcmp(got, want) != 0))
			ok(false, "row %zu", i);
	}
	is_err(
	    db_exec_bulk(db, &f, &n, STMT_T_INSERT, args, 4, 1), CS_ECONFLICT, &f, "bulk of one");
	is_err(db_exec_bulk(db, &f, &n, STMT_T_INSERT, args, 4, 3), CS_ECONFLICT, &f, "duplicates");
	is_err(DB_EXEC(db, &f, &n, STMT_T_INSERT, A_I(-1), A_NULL, A_I(1), A_NULL), CS_OK, &f,
	    "single again");
	ok(n == 1, "one row");
	args[4 * 2].type = 's';
	is_err(db_exec_bulk(db, &f, &n, STMT_T_INSERT, args, 4, nrows), CS_EINTERNAL, &f,
	    "a wrong type in row 3");
	free(bytes);
	free(args);
}

/* Each row of a bulk update counts, and only where it changes something. */
static void
test_bulk_update(struct db *db)
{
	struct db_arg args[] = { A_I(5000), A_I(1), A_I(5001), A_I(2), A_I(5002), A_I(-99) };
	struct db_arg news[] = { A_I(1), A_I(5000), A_I(2), A_I(7), A_I(8000), A_NULL };
	uint64_t n = 0;

	is_err(db_exec_bulk(db, &f, &n, STMT_T_SET, args, 2, 3), CS_OK, &f, "bulk update");
	ok(n == 2, "two rows changed, %llu", (unsigned long long)n);
	is_err(db_exec_bulk(db, &f, &n, STMT_T_SET, args, 2, 3), CS_OK, &f, "the same again");
	ok(n == 0, "none changed, %llu", (unsigned long long)n);
	is_err(db_exec_bulk(db, &f, &n, STMT_T_SET, args, 2, 0), CS_OK, &f, "bulk of none");
	is_err(db_exec_bulk(db, &f, &n, STMT_T_UPSERT, news, 2, 3), CS_OK, &f, "bulk upsert");
	ok(n == 3, "one the same (0), one changed (2), one new (1): %llu", (unsigned long long)n);
	is_err(db_exec_bulk(db, &f, &n, STMT_T_IGNORE, news, 2, 3), CS_OK, &f, "bulk ignore");
	ok(n == 0, "none new, %llu", (unsigned long long)n);
}

struct seen {
	int64_t rows, sum, chars;
};

static void
see(void *arg, const struct db_rows *row)
{
	struct seen *s = arg;

	s->rows++;
	s->sum += db_i(row, 0);
	s->chars += db_s(row, 1) != NULL && strlen(db_s(row, 1)) == db_len(row, 1)
			? (int64_t)db_len(row, 1)
			: 0;
}

/* Rows that are handed over one by one: all of them, long ones whole, and the handle is free after.
 */
static void
test_each(struct db *db)
{
	struct seen s = { 0 };
	struct db_taker to = { see, &s };
	char *big = malloc(BIG + 1);

	memset(big, 'x', BIG);
	big[BIG] = '\0';
	is_err(DB_EXEC(db, &f, NULL, STMT_T_DELETE), CS_OK, &f, "empty the table");
	for (int64_t i = 1; i <= 5; i++) {
		is_err(DB_EXEC(db, &f, NULL, STMT_T_INSERT, A_I(i), i == 3 ? A_S(big) : A_S("text"),
			   A_NULL, A_NULL),
		    CS_OK, &f, "a row");
	}
	for (int i = 1; i <= 2; i++) {
		is_err(DB_EACH(db, &f, &to, STMT_T_RANGE, A_I(0), A_I(100)), CS_OK, &f, "each");
		ok(s.rows == 5 * i && s.sum == 15 * i && s.chars == (BIG + 16) * i,
		    "%lld rows, sum %lld, %lld characters", (long long)s.rows, (long long)s.sum,
		    (long long)s.chars);
	}
	is_err(DB_EACH(db, &f, &to, STMT_T_RANGE, A_I(200), A_I(300)), CS_OK, &f, "none");
	ok(s.rows == 10, "nothing was handed over");
	free(big);
}

/* What an upsert did is told apart, however many rows it had. */
static void
test_upsert(struct db *db)
{
	struct db_arg rows[] = { A_I(1), A_I(5000), A_I(2), A_I(9), A_I(8001), A_I(1), A_I(8002),
		A_I(1), A_I(3), A_I(9) };
	uint64_t inserted, updated;

	is_err(db_upsert_bulk(db, &f, &inserted, &updated, STMT_T_UPSERT, rows, 2, 5), CS_OK, &f,
	    "bulk upsert");
	ok(inserted == 2 && updated == 2, "2 new, 2 changed, 1 the same: %llu, %llu",
	    (unsigned long long)inserted, (unsigned long long)updated);
	rows[3] = A_I(10);
	for (size_t i = 0; i < 3; i++) {
		is_err(
		    db_upsert_bulk(db, &f, &inserted, &updated, STMT_T_UPSERT, &rows[2 * i], 2, 1),
		    CS_OK, &f, "upsert of one");
		ok(inserted == 0 && updated == (i == 1), "row %zu: %llu, %llu", i,
		    (unsigned long long)inserted, (unsigned long long)updated);
	}
	rows[0] = A_I(8003);
	is_err(db_upsert_bulk(db, &f, &inserted, &updated, STMT_T_UPSERT, rows, 2, 1), CS_OK, &f,
	    "upsert of a new one");
	ok(inserted == 1 && updated == 0, "new");
}

static void
test_timeout(const struct conf *conf)
{
	const char *slow = "SELECT COUNT(*) FROM t a, t b, t c";
	struct conf impatient = *conf;
	struct db *db;
	int64_t start = clock_mono_ms();

	impatient.db_io_timeout_s = 1;
	db = db_new(&impatient);
	auto_rows r = { 0 };
	is_err(DB_QUERY(db, &f, &r, STMT_T_SLEEP, A_I(5)), CS_EDBDOWN, &f, "answer timeout");
	ok(clock_mono_ms() - start < 4000 && !db_is_connected(db), "in time: %s", f.detail);
	is_err(DB_QUERY(db, &f, &r, STMT_T_CONNECTION), CS_OK, &f, "reconnects");
	raw(db, "SET max_statement_time = 0.2");
	is_err(DB_QUERY(db, &f, &r, STMT_T_NO_TABLE), CS_ESCHEMA, &f, "prepare error");
	is_err(db_raw(db, slow, strlen(slow), &f), CS_EBUSY, &f, "statement timeout");
	ok(db_is_connected(db), "still connected");
	db_free(db);
}

static void
test_away(const struct conf *conf)
{
	struct conf away = *conf;
	struct db *db;

	away.db_socket = "/nonexistent/socket";
	db = db_new(&away);
	is_err(db_connect(db, &f), CS_EDBDOWN, &f, "no server");
	ok(strstr(f.detail, "/nonexistent/socket") != NULL, "detail: %s", f.detail);
	is_err(db_connect(db, &f), CS_EDBDOWN, &f, "again at once");
	ok(strstr(f.detail, "just failed") != NULL, "is not tried: %s", f.detail);
	clock_sleep_ms(120);
	is_err(db_connect(db, &f), CS_EDBDOWN, &f, "after a moment");
	ok(strstr(f.detail, "/nonexistent/socket") != NULL, "is tried");
	db_free(db);

	away = *conf;
	away.db_user = "nobody_of_that_name";
	away.db_password = "x";
	db = db_new(&away);
	is_err(db_connect(db, &f), CS_EINTERNAL, &f, "refused account");
	ok(strstr(f.detail, "nobody_of_that_name") != NULL, "detail: %s", f.detail);
	db_free(db);
	away = *conf;
	away.db_name = "cs_no_such_database";
	db = db_new(&away);
	is_err(db_connect(db, &f), CS_ESCHEMA, &f, "no such database");
	db_free(db);
}

static void
test_restart(struct db *db, const char *command)
{
	int64_t before;

	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(1), A_I(1)), CS_OK, &f, "before the restart");
	before = one_int(db, STMT_T_COUNT);
	if (!ok(system(command) == 0, "restart"))
		return;
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(2), A_I(1)), CS_EDBDOWN, &f, "first after it");
	is_err(DB_EXEC(db, &f, NULL, STMT_T_SET, A_I(2), A_I(1)), CS_OK, &f, "second");
	ok(one_int(db, STMT_T_COUNT) == before, "all there");
}

/* The server hangs up on an idle connection: each kind of call must notice. */
static void
test_idle(struct db *db)
{
	struct db_tx tx = { 0 };
	uint64_t n;

	raw(db, "SET SESSION wait_timeout = 1");
	clock_sleep_ms(2500);
	is_err(db_raw(db, "DO 0", 4, &f), CS_EDBDOWN, &f, "raw text after idling");
	raw(db, "SET SESSION wait_timeout = 1");
	clock_sleep_ms(2500);
	is_err(db_begin(db, &tx, &f), CS_EDBDOWN, &f, "begin after idling");
	ok(tx.db == NULL, "no transaction");
	raw(db, "SET SESSION wait_timeout = 1");
	is_err(DB_EXEC(db, &f, &n, STMT_T_SET, A_I(5), A_I(-77)), CS_OK, &f, "prepared");
	clock_sleep_ms(2500);
	is_err(DB_EXEC(db, &f, &n, STMT_T_SET, A_I(5), A_I(-77)), CS_EDBDOWN, &f,
	    "statement after idling");
	is_err(DB_EXEC(db, &f, &n, STMT_T_SET, A_I(5), A_I(-77)), CS_OK, &f, "reconnects");
}

static void
test_stats(struct db *db)
{
	db_disconnect(db);
	ok(one_int(db, STMT_T_COUNT) >= 0, "connect and prepare");
	db_stats_reset(db);
	ok(one_int(db, STMT_T_COUNT) >= 0, "run");
	ok(db_stats(db).round_trips == 1 && db_stats(db).rows == 1 && db_stats(db).us > 0,
	    "one round trip, one row, %lld us", (long long)db_stats(db).us);
}

int
main(int argc, char **argv)
{
	struct conf conf = {
		.db_socket = argc > 1 ? argv[1] : "",
		.db_host = "localhost",
		.db_port = 3306,
		.db_user = "root",
		.db_password = "",
		.db_name = "mysql",
		.db_tls_ca = "",
		.db_connect_timeout_s = 5,
		.db_io_timeout_s = 30,
	};
	struct db *other = db_new(&conf);
	struct db *db = db_new(&conf);
	bool good = raw(other, "DROP DATABASE IF EXISTS cs_dbtest");

	for (size_t i = 0; i < ARRAY_LEN(setup); i++)
		good = good && raw(other, setup[i]);
	if (!ok(good, "set up"))
		return 1;
	conf.db_name = "cs_dbtest";
	test_session(db);
	test_values(db);
	test_times(db);
	test_packet(db);
	test_mistakes(db);
	test_call(db);
	test_tx(db);
	test_killed(db, other);
	test_killed_running(db, &conf);
	test_deadlock(db, &conf);
	test_each(db);
	test_bulk(db, 1000);
	test_bulk_update(db);
	test_upsert(db);
	test_timeout(&conf);
	test_away(&conf);
	test_idle(db);
	test_stats(db);
	if (argc > 2)
		test_restart(db, argv[2]);
	db_disconnect(other);
	raw(other, "DROP DATABASE cs_dbtest");
	db_free(other);
	db_free(db);
	return done_testing();
}
