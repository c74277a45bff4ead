/* SPDX-License-Identifier: MIT */
/*
 * One connection to MariaDB and its prepared statements. The only room with <mysql.h> and SQL text;
 * everything above it sees ids of stmt.def, typed arguments and rows.
 *
 * Session: READ COMMITTED, time zone +00:00, utf8mb4, strict SQL mode, autocommit on. A connection
 * is made on first use and again after it broke; prepared handles live and die with it. Errors are
 * mapped to enum cs_err:
 *   CS_EDBDOWN	no connection, or lost during the statement (outside a transaction it may or may not
 *		have been carried out), or the server is shutting down
 *   CS_EBUSY	deadlock, lock wait timeout, record changed, Galera certification (1213 1205 1020
 *		1047), statement killed: the caller rolls back and may start anew
 *   CS_ECONFLICT  duplicate key (1062)
 *   CS_ESCHEMA	database, table, column or procedure missing (1049, 1146, 1054, 1305 ...)
 *   CS_ETOOLARGE  the arguments are more than max_allowed_packet
 *   CS_EINTERNAL  anything else; the server's words are in fault.detail
 */
#ifndef CS_DB_DB_H
#define CS_DB_DB_H

#include "base/err.h"

#include <string.h>

struct conf;
struct db;

enum stmt_id {
#define STMT(id, params, cols, sql) STMT_##id,
#include "db/stmt.def"
#undef STMT
	STMT__MAX
};

/* One argument. Use the constructors below; NULL text or bytes are SQL NULL. */
struct db_arg {
	char type; /* 's' text, 'i' integer, 'b' bytes, 'n' NULL */
	const char *s;
	size_t len;
	int64_t i;
};
#define A_S(str)    db_text(str)
#define A_I(num)    ((struct db_arg){ .type = 'i', .i = (num) })
#define A_B(ptr, n) ((struct db_arg){ .type = 'b', .s = (ptr), .len = (n) })
#define A_NULL	    ((struct db_arg){ .type = 'n' })

static inline struct db_arg
db_text(const char *s)
{
	return (struct db_arg){ .type = 's', .s = s, .len = s != NULL ? strlen(s) : 0 };
}

/* A disconnected handle; connects on first use. NULL: out of memory. CONF must outlive it. */
struct db *db_new(const struct conf *conf);
void db_free(struct db *db);
/* Connects now if not connected. CS_EDBDOWN when that fails, and for 100 ms after it without trying
 * again; CS_EINTERNAL when the account is refused. */
enum cs_err db_connect(struct db *db, struct fault *f);
bool db_is_connected(const struct db *db);
/* Drops the connection; the next call makes a new one. */
void db_disconnect(struct db *db);
/* How long to wait for one answer from the next connection on; 0: as configured. */
void db_set_io_timeout(struct db *db, unsigned seconds);
/* Calls FN each time that the server has answered something, or failed to; NULL: no more. */
void db_on_answer(struct db *db, void (*fn)(void *arg), void *arg);
/* Version, e.g. 101119 for 10.11.19; 0 when not connected. *MARIADB: false for MySQL. */
unsigned db_server_version(const struct db *db, bool *mariadb);

/*
 * Runs a statement that returns no rows. *AFFECTED (may be NULL) counts the rows really changed
 * (not those found). DB_EXEC(db, f, &n, STMT_X, A_S(a), A_I(b)).
 */
enum cs_err db_exec(struct db *db, struct fault *f, uint64_t *affected, enum stmt_id id,
    const struct db_arg *args, size_t nargs) cs_mustcheck;
#define DB_EXEC(db, f, affected, id, ...)                                                          \
	db_exec(db, f, affected, id, (const struct db_arg[]){ A_NULL, ##__VA_ARGS__ } + 1,         \
	    ARRAY_LEN(((const struct db_arg[]){ A_NULL, ##__VA_ARGS__ })) - 1)

/*
 * The same statement once for each of NROWS rows of NARGS arguments (row major), in one round trip
 * where the server can (bulk binding). The types of a column must be the same in every row (NULL is
 * fine). *AFFECTED is the server's sum. More than a packet (max_allowed_packet, at most 16 MiB)
 * holds goes in several: where all rows or none shall be stored, call it within a transaction.
 */
enum cs_err db_exec_bulk(struct db *db, struct fault *f, uint64_t *affected, enum stmt_id id,
    const struct db_arg *args, size_t nargs, size_t nrows) cs_mustcheck;

/* The same of an INSERT … ON DUPLICATE KEY UPDATE. What is neither *INSERTED nor *UPDATED was there
 * and has been left as it was. */
enum cs_err db_upsert_bulk(struct db *db, struct fault *f, uint64_t *inserted, uint64_t *updated,
    enum stmt_id id, const struct db_arg *args, size_t nargs, size_t nrows) cs_mustcheck;

/*
 * Runs a statement that returns rows, also CALL: its first result set, or no rows where it ends
 * without one; an error that the procedure meets later fails the query all the same. Rows are
 * copied to memory of their own: other statements, the same one too, may run while they are read,
 * and they outlive the connection. Always close (auto_rows does); a failed query leaves no rows.
 *
 *	auto_rows r = { 0 };
 *	TRY(DB_QUERY(db, f, &r, STMT_X, A_S(id)));
 *	while (db_next(&r))
 *		use(db_s(&r, 0), db_i(&r, 1));
 */
struct db_rows {
	struct db *db;
	void *impl;
};
enum cs_err db_query(struct db *db, struct fault *f, struct db_rows *rows, enum stmt_id id,
    const struct db_arg *args, size_t nargs) cs_mustcheck;
#define DB_QUERY(db, f, rows, id, ...)                                                             \
	db_query(db, f, rows, id, (const struct db_arg[]){ A_NULL, ##__VA_ARGS__ } + 1,            \
	    ARRAY_LEN(((const struct db_arg[]){ A_NULL, ##__VA_ARGS__ })) - 1)
/*
 * The same for large results that are read once: each row goes TO somebody as it arrives and is
 * then forgotten. Nothing else may be asked of DB meanwhile. Where it fails some rows may have been
 * handed over already.
 */
struct db_taker {
	void (*row)(void *arg, const struct db_rows *row);
	void *arg;
};
enum cs_err db_each(struct db *db, struct fault *f, const struct db_taker *to, enum stmt_id id,
    const struct db_arg *args, size_t nargs) cs_mustcheck;
#define DB_EACH(db, f, to, id, ...)                                                                \
	db_each(db, f, to, id, (const struct db_arg[]){ A_NULL, ##__VA_ARGS__ } + 1,               \
	    ARRAY_LEN(((const struct db_arg[]){ A_NULL, ##__VA_ARGS__ })) - 1)
/* Steps to the next row; false at the end. */
bool db_next(struct db_rows *rows);
/* Back to before the first row. */
void db_rewind(struct db_rows *rows);
/* Columns of the current row by index; text lives until db_rows_close(). */
const char *db_s(const struct db_rows *rows, unsigned col); /* NULL for SQL NULL and integers */
size_t db_len(const struct db_rows *rows, unsigned col);
int64_t db_i(const struct db_rows *rows, unsigned col); /* 0 for SQL NULL and text */
bool db_is_null(const struct db_rows *rows, unsigned col);
size_t db_count(const struct db_rows *rows); /* rows in the result */
void db_rows_close(struct db_rows *rows);
#define auto_rows cs_cleanup(db_rows_close) struct db_rows

/*
 * A transaction; auto_tx rolls back unless committed. No nesting. After CS_EBUSY or CS_EDBDOWN the
 * transaction is lost: every further statement and the commit fail the same way until it is rolled
 * back.
 */
struct db_tx {
	struct db *db;
};
enum cs_err db_begin(struct db *db, struct db_tx *tx, struct fault *f) cs_mustcheck;
/* CS_EDBDOWN here means: it may or may not have been committed. */
enum cs_err db_commit(struct db_tx *tx, struct fault *f) cs_mustcheck;
void db_rollback(struct db_tx *tx);
#define auto_tx cs_cleanup(db_rollback) struct db_tx

/* Prepares every statement of stmt.def. CS_ESCHEMA, naming the first that fails. */
enum cs_err db_prepare_all(struct db *db, struct fault *f) cs_mustcheck;

/* Time spent in, number of round trips to and rows from the database since db_stats_reset(). */
struct db_stats {
	int64_t us;
	uint32_t round_trips;
	uint32_t rows;
};
void db_stats_reset(struct db *db);
struct db_stats db_stats(const struct db *db);

/* Text of a server answer for SQL that is not in stmt.def: only for migrate.c and checks. */
enum cs_err db_raw(struct db *db, const char *sql, size_t len, struct fault *f) cs_mustcheck;

#endif
