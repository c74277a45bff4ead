/* SPDX-License-Identifier: MIT */
/* Statements of the spool: for spool*.c only. */
#ifndef CS_AGENT_SPOOL_PRIV_H
#define CS_AGENT_SPOOL_PRIV_H

#include "agent/spool.h"

#include <sqlite3.h>

struct spool {
	sqlite3 *db;
	bool failing; /* the last write failed: said once */
};

/* A prepared statement with its parameters bound: s text (NULL: null), i int64_t. NULL: failed. */
sqlite3_stmt *spool_query(struct spool *s, const char *sql, const char *types, ...);
/* Steps to the next row. False: the end, or a failure, which *OK says. */
bool spool_next(struct spool *s, sqlite3_stmt *q, bool *ok);
/* A statement without rows. */
bool spool_do(struct spool *s, const char *sql, const char *types, ...) cs_mustcheck;
/* The first column of the first row; OTHER where there is none. */
int64_t spool_int(struct spool *s, int64_t other, const char *sql, const char *types, ...);

static inline const char *
spool_text(sqlite3_stmt *q, int col)
{
	return (const char *)sqlite3_column_text(q, col);
}
#define auto_query cs_cleanup(spool_query_cleanup) sqlite3_stmt
static inline void
spool_query_cleanup(sqlite3_stmt **q)
{
	sqlite3_finalize(*q);
}

#endif
