/* SPDX-License-Identifier: MIT */
/*
 * Retention: small transactions by primary key, oldest first, so that claims never wait for long.
 * What is open is never touched, however old.
 */
#include "db/db_daemon.h"

#include "base/buf.h"
#include "db/db_priv.h"

#include <stdlib.h>

void
db_list_add(struct buf *b, const char *id)
{
	buf_puts(b, b->len == 0 ? "[\"" : ",\"");
	for (; *id != '\0'; id++) {
		if (*id == '"' || *id == '\\')
			buf_putc(b, '\\');
		if ((unsigned char)*id < ' ')
			buf_printf(b, "\\u%04x", (unsigned)*id);
		else
			buf_putc(b, *id);
	}
	buf_putc(b, '"');
}

void
db_list_numbers(struct buf *b, const int64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%c%lld", i == 0 ? '[' : ',', (long long)v[i]);
	buf_puts(b, n == 0 ? "[]" : "]");
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void
db_sort_numbers(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_number);
}

enum cs_err
db_drop_allocations(struct db *db, const char *ids, uint64_t *n, struct fault *f)
{
	TRY(DB_EXEC(db, f, NULL, STMT_DROP_LINKS, A_S(ids)));
	TRY(DB_EXEC(db, f, NULL, STMT_DROP_ATTEMPTS, A_S(ids)));
	return DB_EXEC(db, f, n, STMT_DROP_ALLOCATIONS, A_S(ids));
}

static enum cs_err
drop_alone(struct db *db, const char *ids, uint64_t *n, struct fault *f)
{
	auto_tx tx = { 0 };

	TRY(db_begin(db, &tx, f));
	TRY(db_drop_allocations(db, ids, n, f));
	return db_commit(&tx, f);
}

static enum cs_err
retain_allocations(struct db *db, const struct conf *conf, uint64_t *n, struct fault *f)
{
	struct buf ids = { 0 };
	auto_rows r = { 0 };
	enum cs_err rc = CS_OK;

	TRY(DB_QUERY(db, f, &r, STMT_OLD_ALLOCATIONS, A_I(conf->keep_allocations_s),
	    A_I(conf->retention_batch)));
	while (db_next(&r))
		db_list_add(&ids, db_s(&r, 0));
	if (ids.len > 0) {
		buf_putc(&ids, ']');
		rc = buf_failed(&ids) ? cs_detail(f, CS_ENOMEM, "retention")
				      : drop_alone(db, ids.data, n, f);
	}
	buf_free(&ids);
	return rc;
}

enum cs_err
db_retain(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	uint64_t allocations = 0, runs = 0, logs = 0, keys = 0, logins = 0, holds = 0;

	if (conf->keep_allocations_s > 0) {
		TRY(retain_allocations(db, conf, &allocations, f));
		TRY(DB_EXEC(db, f, &runs, STMT_DROP_RUNS, A_I(conf->keep_allocations_s),
		    A_I(conf->retention_batch)));
	}
	if (conf->keep_logs_s > 0)
		TRY(DB_EXEC(db, f, &logs, STMT_DROP_LOGS, A_I(conf->keep_logs_s),
		    A_I(conf->retention_batch)));
	TRY(DB_EXEC(db, f, &keys, STMT_IDEM_PURGE, A_I(conf->retention_batch)));
	TRY(DB_EXEC(db, f, &logins, STMT_LOGIN_PURGE, A_I(conf->login_window_s),
	    A_I(conf->retention_batch)));
	TRY(DB_EXEC(db, f, &holds, STMT_DROP_HOLDS, A_I(conf->retention_batch)));
	*n = (int64_t)(allocations + runs + logs + keys + logins + holds);
	return CS_OK;
}
