/* SPDX-License-Identifier: MIT */
/*
 * The statements of stmt.def: prepared on first use, bound by the types of their rows, run singly
 * or in bulk. What does not fit its row is our own mistake and never reaches the server; what does
 * not fit a packet is refused before it costs the connection. Results are read to their end at
 * once, so that a procedure's late error is not missed and the handle is free again.
 */
#include "db/db_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Most bytes of one bulk packet, and what a packet has besides the values. */
#define BULK_MAX   (16u * 1024 * 1024)
#define PACKET_FIX 512u
/* Length prefix, indicator and type of one value; an integer's 8 bytes. */
#define VALUE_FIX 12u
#define INT_SIZE  8u

const struct stmt_row db_stmt_rows[STMT__MAX] = {
#define STMT(id, params, cols, sql)	 [STMT_##id] = { #id, params, cols, sql, false },
#define STMT_ANEW(id, params, cols, sql) [STMT_##id] = { #id, params, cols, sql, true },
#include "db/stmt.def"
#undef STMT
};

#define STMT(id, params, cols, sql)                                                                \
	_Static_assert(sizeof(params) <= DB_PARAM_MAX + 1 && sizeof(cols) <= DB_COL_MAX + 1, #id);
#include "db/stmt.def"
#undef STMT

/* The library takes pointers to what it only reads as pointers to non-const. */
static void *
unconst(const void *p)
{
	return (void *)(uintptr_t)p;
}

static bool
is_null(const struct db_arg *arg)
{
	return arg->type == 'n' || (arg->type != 'i' && arg->s == NULL);
}

/* Bytes of one row of arguments in a packet, about and never too few. */
static size_t
row_size(const struct db_arg *args, size_t nargs)
{
	size_t size = 0;

	for (size_t i = 0; i < nargs; i++) {
		size += VALUE_FIX;
		if (!is_null(&args[i]))
			size += args[i].type == 'i' ? INT_SIZE : args[i].len;
	}
	return size;
}

static enum cs_err
check_row(const struct db *db, const struct stmt_row *row, const struct db_arg *args, size_t nargs,
    struct fault *f)
{
	if (nargs != strlen(row->params))
		return cs_detail(f, CS_EINTERNAL, "%s takes %zu arguments, got %zu", row->name,
		    strlen(row->params), nargs);
	for (size_t i = 0; i < nargs; i++) {
		char want = (char)tolower((unsigned char)row->params[i]);
		bool nullable = row->params[i] != want;

		if (args[i].type != want && args[i].type != 'n')
			return cs_detail(f, CS_EINTERNAL, "%s: argument %zu is of type %c, not %c",
			    row->name, i + 1, args[i].type, want);
		if (is_null(&args[i]) && !nullable)
			return cs_detail(
			    f, CS_EINTERNAL, "%s: argument %zu is NULL", row->name, i + 1);
	}
	if (row_size(args, nargs) + PACKET_FIX > db->packet_max)
		return cs_detail(f, CS_ETOOLARGE, "%s: %zu bytes are more than max_allowed_packet",
		    row->name, row_size(args, nargs));
	return CS_OK;
}

static bool
is_call(enum stmt_id id)
{
	return strncmp(db_stmt_rows[id].sql, "CALL ", 5) == 0;
}

static void
forget(struct db *db, enum stmt_id id)
{
	if (db->stmt[id] != NULL)
		mysql_stmt_close(db->stmt[id]);
	db->stmt[id] = NULL;
}

/* Some failures are noted in the statement, some in its connection only. A procedure that was
 * killed had no chance to end its own transaction: what runs next must not become part of it. */
static enum cs_err
stmt_failed(struct db *db, enum stmt_id id, struct fault *f)
{
	MYSQL_STMT *st = db->stmt[id];
	unsigned number = mysql_stmt_errno(st);
	const char *words = mysql_stmt_error(st);
	enum cs_err err;

	if (number == 0) {
		number = mysql_errno(db->mysql);
		words = mysql_error(db->mysql);
	}
	err = db_failed(db, f, db_stmt_rows[id].name, number, words);
	if (db_error_is_stale(number))
		forget(db, id);
	if (is_call(id) && !db->in_tx)
		db_abandon(db);
	return err;
}

static enum cs_err
send_prepare(struct db *db, enum stmt_id id, struct fault *f)
{
	const struct stmt_row *row = &db_stmt_rows[id];
	struct buf sql = { 0 };
	enum cs_err err = CS_OK;

	key_type_fill(&sql, row->sql, strlen(row->sql), &db->key);
	db->stats.round_trips++;
	if (buf_failed(&sql))
		err = cs_detail(f, CS_ENOMEM, "no memory for a statement");
	else if (mysql_stmt_prepare(db->stmt[id], sql.data, sql.len) != 0)
		err = stmt_failed(db, id, f);
	else if (mysql_stmt_param_count(db->stmt[id]) != strlen(row->params))
		err = cs_detail(
		    f, CS_EINTERNAL, "%s: the row has the wrong number of parameters", row->name);
	buf_free(&sql);
	return err;
}

/* A handle that could not be prepared is not kept. */
static enum cs_err
prepare(struct db *db, enum stmt_id id, struct fault *f)
{
	enum cs_err err;

	if (db->stmt[id] != NULL)
		return CS_OK;
	db->stmt[id] = mysql_stmt_init(db->mysql);
	if (db->stmt[id] == NULL)
		return cs_detail(f, CS_ENOMEM, "no memory for a statement");
	err = send_prepare(db, id, f);
	if (err != CS_OK)
		forget(db, id);
	return err;
}

/* What a CALL returns shows only when it runs. */
enum cs_err
db_prepare_all(struct db *db, struct fault *f)
{
	TRY(db_ready(db, f));
	for (unsigned id = 0; id < STMT__MAX; id++) {
		const struct stmt_row *row = &db_stmt_rows[id];
		unsigned ncols;

		TRY(prepare(db, (enum stmt_id)id, f));
		ncols = mysql_stmt_field_count(db->stmt[id]);
		if (!is_call((enum stmt_id)id) && ncols != strlen(row->cols))
			return cs_detail(f, CS_ESCHEMA, "%s: %u columns instead of %zu", row->name,
			    ncols, strlen(row->cols));
	}
	return CS_OK;
}

static enum enum_field_types
type_of(char param)
{
	switch (tolower((unsigned char)param)) {
	case 'i':
		return MYSQL_TYPE_LONGLONG;
	case 'b':
		return MYSQL_TYPE_BLOB;
	default:
		return MYSQL_TYPE_STRING;
	}
}

/* Sends one row of checked arguments; what comes back is still to be read. */
static enum cs_err
execute(struct db *db, enum stmt_id id, const struct db_arg *args, size_t nargs, struct fault *f)
{
	const struct stmt_row *row = &db_stmt_rows[id];
	MYSQL_BIND bind[DB_PARAM_MAX]; /* large: only what has an argument is filled in */
	unsigned long len[DB_PARAM_MAX];
	my_bool null[DB_PARAM_MAX];

	for (size_t i = 0; i < nargs; i++) {
		null[i] = is_null(&args[i]);
		bind[i] =
		    (MYSQL_BIND){ .buffer_type = type_of(row->params[i]), .is_null = &null[i] };
		if (args[i].type == 'i') {
			bind[i].buffer = unconst(&args[i].i);
		} else if (!null[i]) {
			len[i] = args[i].len;
			bind[i].buffer = unconst(args[i].s);
			bind[i].length = &len[i];
		}
	}
	db->stats.round_trips++;
	if ((nargs > 0 && mysql_stmt_bind_param(db->stmt[id], bind) != 0) ||
	    mysql_stmt_execute(db->stmt[id]) != 0)
		return stmt_failed(db, id, f);
	return CS_OK;
}

/* Reads all further results away. The last may be an error; a CALL ends with a plain OK. */
static enum cs_err
drain(struct db *db, enum stmt_id id, struct fault *f)
{
	MYSQL_STMT *st = db->stmt[id];
	int rc;

	do
		rc = mysql_stmt_next_result(st);
	while (rc == 0);
	if (rc > 0)
		return stmt_failed(db, id, f);
	mysql_stmt_free_result(st);
	return CS_OK;
}

/* Checks everything that can be known before the server is asked to run ID. */
static enum cs_err
ready(struct db *db, enum stmt_id id, const struct db_arg *args, size_t nargs, struct fault *f)
{
	TRY(db_ready(db, f));
	TRY(check_row(db, &db_stmt_rows[id], args, nargs, f));
	return prepare(db, id, f);
}

static enum cs_err
exec_once(struct db *db, struct fault *f, enum stmt_id id, const struct db_arg *args, size_t nargs)
{
	TRY(ready(db, id, args, nargs, f));
	TRY(execute(db, id, args, nargs, f));
	return drain(db, id, f);
}

enum cs_err
db_exec(struct db *db, struct fault *f, uint64_t *affected, enum stmt_id id,
    const struct db_arg *args, size_t nargs)
{
	int64_t start_us = clock_mono_us();
	enum cs_err err;

	if (db_stmt_rows[id].cols[0] != '\0')
		return cs_detail(f, CS_EINTERNAL, "%s returns rows", db_stmt_rows[id].name);
	err = exec_once(db, f, id, args, nargs);
	if (affected != NULL)
		*affected = err == CS_OK ? mysql_stmt_affected_rows(db->stmt[id]) : 0;
	db_answered(db, start_us);
	return err;
}

/* The result set that is waiting, if it is the one that the row of ID announces. A procedure may
 * end without one: no rows. */
static enum cs_err
read_result(struct db *db, struct fault *f, struct db_rows *rows, const struct db_taker *to,
    enum stmt_id id)
{
	const struct stmt_row *row = &db_stmt_rows[id];
	unsigned ncols = mysql_stmt_field_count(db->stmt[id]);
	bool oom = false;

	if (ncols != 0 && ncols != strlen(row->cols)) {
		TRY(drain(db, id, f));
		return cs_detail(f, CS_ESCHEMA, "%s: %u columns instead of %zu", row->name, ncols,
		    strlen(row->cols));
	}
	if (db_rows_read(rows, ncols != 0 ? db->stmt[id] : NULL, row->cols, to, &oom))
		return drain(db, id, f);
	if (!oom)
		return stmt_failed(db, id, f);
	TRY(drain(db, id, f));
	return cs_detail(f, CS_ENOMEM, "%s: no memory for its rows", row->name);
}

static enum cs_err
query_once(struct db *db, struct fault *f, struct db_rows *rows, const struct db_taker *to,
    enum stmt_id id, const struct db_arg *args, size_t nargs)
{
	TRY(ready(db, id, args, nargs, f));
	TRY(execute(db, id, args, nargs, f));
	return read_result(db, f, rows, to, id);
}

static enum cs_err
query(struct db *db, struct fault *f, struct db_rows *rows, const struct db_taker *to,
    enum stmt_id id, const struct db_arg *args, size_t nargs)
{
	int64_t start_us = clock_mono_us();
	enum cs_err err;

	db_rows_close(rows);
	rows->db = db;
	if (db_stmt_rows[id].cols[0] == '\0')
		return cs_detail(f, CS_EINTERNAL, "%s returns no rows", db_stmt_rows[id].name);
	err = query_once(db, f, rows, to, id, args, nargs);
	if (db_stmt_rows[id].anew)
		forget(db, id);
	if (err != CS_OK)
		db_rows_close(rows);
	db->stats.rows += (uint32_t)db_count(rows);
	db_answered(db, start_us);
	return err;
}

enum cs_err
db_query(struct db *db, struct fault *f, struct db_rows *rows, enum stmt_id id,
    const struct db_arg *args, size_t nargs)
{
	return query(db, f, rows, NULL, id, args, nargs);
}

enum cs_err
db_each(struct db *db, struct fault *f, const struct db_taker *to, enum stmt_id id,
    const struct db_arg *args, size_t nargs)
{
	auto_rows rows = { 0 };

	return query(db, f, &rows, to, id, args, nargs);
}

union value {
	int64_t i;
	const char *s;
};

/* The arguments of a bulk statement turned by 90 degrees: arrays of [param * nrows + row]. */
struct bulk {
	size_t nargs, nrows;
	union value *value;
	unsigned long *len;
	char *null; /* STMT_INDICATOR_* */
};

static void
bulk_free(struct bulk *b)
{
	free(b->value);
	free(b->len);
	free(b->null);
}

static bool
bulk_fill(struct bulk *b, const struct db_arg *args)
{
	size_t n = b->nargs * b->nrows;

	b->value = calloc(n, sizeof(*b->value));
	b->len = calloc(n, sizeof(*b->len));
	b->null = calloc(n, sizeof(*b->null));
	if (b->value == NULL || b->len == NULL || b->null == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct db_arg *arg = &args[i];
		size_t to = i % b->nargs * b->nrows + i / b->nargs;

		if (is_null(arg)) {
			b->null[to] = STMT_INDICATOR_NULL;
		} else if (arg->type == 'i') {
			b->value[to].i = arg->i;
		} else {
			b->value[to].s = arg->s;
			b->len[to] = arg->len;
		}
	}
	return true;
}

/* What rows of a bulk statement did, by the server's count. */
struct tally {
	uint64_t affected;
	uint64_t updated; /* of an upsert, which counts these twice in affected */
};

/* The second number of "Records: 5  Duplicates: 2  Warnings: 0", which is in the server's language.
 * A statement of one row says nothing of the kind. */
static void
tally_add(struct tally *t, MYSQL_STMT *st, MYSQL *m, size_t n)
{
	const char *info = mysql_info(m);
	uint64_t affected = mysql_stmt_affected_rows(st);
	uint64_t updated = affected == 2 && n == 1;

	if (n > 1 && info != NULL)
		(void)sscanf(info, "%*[^0-9]%*u%*[^0-9]%" SCNu64, &updated);
	t->affected += affected;
	t->updated += updated;
}

/* Sends N rows from FIRST on in one packet. The handle is left as execute() expects it. */
static enum cs_err
bulk_send(struct db *db, struct fault *f, struct tally *t, enum stmt_id id, const struct bulk *b,
    size_t first, size_t n)
{
	const char *params = db_stmt_rows[id].params;
	MYSQL_STMT *st = db->stmt[id];
	MYSQL_BIND bind[DB_PARAM_MAX] = { 0 };
	unsigned count = (unsigned)n, single = 0;
	bool failed;

	for (size_t i = 0; i < b->nargs; i++) {
		bind[i].buffer_type = type_of(params[i]);
		bind[i].buffer = &b->value[i * b->nrows + first];
		bind[i].length = &b->len[i * b->nrows + first];
		bind[i].u.indicator = &b->null[i * b->nrows + first];
	}
	db->stats.round_trips++;
	mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &count);
	failed = mysql_stmt_bind_param(st, bind) != 0 || mysql_stmt_execute(st) != 0;
	mysql_stmt_attr_set(st, STMT_ATTR_ARRAY_SIZE, &single);
	if (failed)
		return stmt_failed(db, id, f);
	TRY(drain(db, id, f));
	tally_add(t, st, db->mysql, n);
	return CS_OK;
}

/* Number of rows from FIRST on that fit one packet; one at least. */
static size_t
rows_that_fit(const struct db *db, const struct db_arg *args, size_t nargs, size_t left)
{
	size_t max = db->packet_max < BULK_MAX ? db->packet_max : BULK_MAX;
	size_t size = PACKET_FIX;
	size_t n = 0;

	while (n < left && (size += row_size(args + n * nargs, nargs)) <= max)
		n++;
	return n > 0 ? n : 1;
}

static enum cs_err
bulk_run(struct db *db, struct fault *f, struct tally *t, enum stmt_id id,
    const struct db_arg *args, struct bulk *b)
{
	if (!bulk_fill(b, args))
		return cs_detail(f, CS_ENOMEM, "no memory for %zu rows", b->nrows);
	for (size_t first = 0, n; first < b->nrows; first += n) {
		n = rows_that_fit(db, args + first * b->nargs, b->nargs, b->nrows - first);
		TRY(bulk_send(db, f, t, id, b, first, n));
	}
	return CS_OK;
}

static enum cs_err
run_bulk(struct db *db, struct fault *f, struct tally *t, enum stmt_id id,
    const struct db_arg *args, size_t nargs, size_t nrows)
{
	struct bulk b = { .nargs = nargs, .nrows = nrows };
	enum cs_err err;

	if (nrows == 0)
		return CS_OK;
	TRY(ready(db, id, args, nargs, f));
	for (size_t i = 1; i < nrows; i++)
		TRY(check_row(db, &db_stmt_rows[id], args + i * nargs, nargs, f));
	if (!db->bulk || nargs == 0 || nrows == 1) {
		for (size_t i = 0; i < nrows; i++) {
			TRY(exec_once(db, f, id, args + i * nargs, nargs));
			tally_add(t, db->stmt[id], db->mysql, 1);
		}
		return CS_OK;
	}
	err = bulk_run(db, f, t, id, args, &b);
	bulk_free(&b);
	return err;
}

static enum cs_err
exec_bulk(struct db *db, struct fault *f, struct tally *t, enum stmt_id id,
    const struct db_arg *args, size_t nargs, size_t nrows)
{
	int64_t start_us = clock_mono_us();
	enum cs_err err;

	if (db_stmt_rows[id].cols[0] != '\0')
		return cs_detail(f, CS_EINTERNAL, "%s returns rows", db_stmt_rows[id].name);
	err = run_bulk(db, f, t, id, args, nargs, nrows);
	db_answered(db, start_us);
	return err;
}

enum cs_err
db_exec_bulk(struct db *db, struct fault *f, uint64_t *affected, enum stmt_id id,
    const struct db_arg *args, size_t nargs, size_t nrows)
{
	struct tally t = { 0 };
	enum cs_err err = exec_bulk(db, f, &t, id, args, nargs, nrows);

	if (affected != NULL)
		*affected = t.affected;
	return err;
}

enum cs_err
db_upsert_bulk(struct db *db, struct fault *f, uint64_t *inserted, uint64_t *updated,
    enum stmt_id id, const struct db_arg *args, size_t nargs, size_t nrows)
{
	struct tally t = { 0 };
	enum cs_err err = exec_bulk(db, f, &t, id, args, nargs, nrows);

	*inserted = t.affected - 2 * t.updated;
	*updated = t.updated;
	return err;
}
