/* SPDX-License-Identifier: MIT */
/* What the files of this room share; nobody else includes it. */
#ifndef CS_DB_DB_PRIV_H
#define CS_DB_DB_PRIV_H

#include "base/base.h"
#include "db/db.h"
#include "db/key_type.h"

#include <mysql.h>

/* Most parameters and columns of one statement; checked when db_stmt.c is compiled. */
#define DB_PARAM_MAX 64
#define DB_COL_MAX   64

/* A row of stmt.def. */
struct stmt_row {
	const char *name;
	const char *params;
	const char *cols;
	const char *sql;
	bool anew; /* prepared for each execution */
};
extern const struct stmt_row db_stmt_rows[STMT__MAX];

struct db {
	const struct conf *conf;
	MYSQL *mysql;		     /* NULL: not connected */
	MYSQL_STMT *stmt[STMT__MAX]; /* prepared on this connection; NULL: not yet */
	unsigned version;
	bool mariadb;
	bool bulk;	   /* the server takes arrays of parameters */
	size_t packet_max; /* the server's max_allowed_packet */
	struct key_type key;
	bool in_tx;
	enum cs_err
	    tx_err;	  /* why the open transaction can only be rolled back; CS_OK: it is sound */
	int64_t retry_ms; /* no attempt to connect before this (monotonic) */
	unsigned io_timeout_s;
	struct db_stats stats;
	void (*on_answer)(void *arg); /* NULL: nobody wants to know */
	void *on_answer_arg;
};

/* Connected and free to run a statement; connects unless a transaction was lost with its
 * connection. */
enum cs_err db_ready(struct db *db, struct fault *f) cs_mustcheck;
/* Books what began at START_US (monotonic) as done, well or not. */
void db_answered(struct db *db, int64_t start_us);
/* Rolls back what may be open. A connection on which even that fails is dropped: the server then
 * does it by itself. */
void db_abandon(struct db *db);
/* Fails with the code that error NUMBER maps to, and does to the connection what it calls for.
 * WORDS may belong to the connection. */
enum cs_err db_failed(
    struct db *db, struct fault *f, const char *what, unsigned number, const char *words);
/* Whether NUMBER means that a prepared handle is of no more use, though its connection is. */
bool db_error_is_stale(unsigned number);

/* Copies the result that is waiting on ST into ROWS, or hands it TO somebody row by row, unless
 * that is NULL. False: ST, or memory (*OOM), failed. */
bool db_rows_read(struct db_rows *rows, MYSQL_STMT *st, const char *cols, const struct db_taker *to,
    bool *oom) cs_mustcheck;

/* db_retain.c */
struct buf;
/*
 * Adds ID to a JSON array of ids, which the caller ends with a bracket. Ids are WeRSS's or ours,
 * but nobody vouches for what they hold.
 */
void db_list_add(struct buf *b, const char *id);
/* Numbers as a whole one. */
void db_list_numbers(struct buf *b, const int64_t *v, size_t n);
/* In the order that rows are locked in. */
void db_sort_numbers(int64_t *v, size_t n);
/* Part of the caller's transaction: drops finished allocations (JSON array of ids) with their
 * attempts and links. *N counts them. */
enum cs_err db_drop_allocations(
    struct db *db, const char *ids, uint64_t *n, struct fault *f) cs_mustcheck;

#endif
