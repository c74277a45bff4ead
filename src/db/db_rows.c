/* SPDX-License-Identifier: MIT */
/*
 * Rows of a result: copied out of the library into memory of their own as soon as they arrive, so
 * they outlive the statement, its next execution and even the connection. Or, where somebody takes
 * them one by one, each in the place of the last.
 */
#include "db/db_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct cell {
	union {
		size_t at; /* in text; strings are NUL-terminated there */
		int64_t i;
	};
	uint32_t len; /* no value of a server's is longer */
	bool null;
	char type; /* of stmt.def */
};

struct result {
	size_t ncols, nrows;
	size_t kept;	  /* rows that are in memory */
	size_t next;	  /* row that db_next() will step to */
	struct buf cells; /* struct cell[nrows][ncols] */
	struct buf text;
};

#define SHORT_MAX 256
#define TIME_FORM "yyyy-mm-ddThh:mm:ss"
#define TIME_LEN  ((uint32_t)sizeof(TIME_FORM) - 1)

/* Where the library puts the row it fetches. Of text that is longer than its buffer here only the
 * length is learnt, and it is then fetched to its final place. */
struct landing {
	MYSQL_BIND bind[DB_COL_MAX];
	unsigned long len[DB_COL_MAX];
	my_bool null[DB_COL_MAX];
	my_bool cut[DB_COL_MAX];
	int64_t num[DB_COL_MAX];
	MYSQL_TIME time[DB_COL_MAX];
	char text[DB_COL_MAX][SHORT_MAX];
};

static void
landing_init(struct landing *l, const char *cols)
{
	for (size_t i = 0; cols[i] != '\0'; i++) {
		MYSQL_BIND *b = &l->bind[i];

		*b = (MYSQL_BIND){
			.length = &l->len[i],
			.is_null = &l->null[i],
			.error = &l->cut[i],
			.buffer_type = MYSQL_TYPE_STRING,
			.buffer = &l->text[i],
			.buffer_length = SHORT_MAX,
		};
		if (cols[i] == 'i') {
			b->buffer_type = MYSQL_TYPE_LONGLONG;
			b->buffer = &l->num[i];
		} else if (cols[i] == 't') {
			b->buffer_type = MYSQL_TYPE_DATETIME;
			b->buffer = &l->time[i];
		}
	}
}

/* The zero date of servers that allow it says as much as NULL, and is not a time. */
static bool
is_zero_date(const MYSQL_TIME *t)
{
	return t->year == 0 && t->month == 0 && t->day == 0;
}

/* Apart, since to fill in a MYSQL_BIND takes longer than to copy a short text. */
static bool
fetch_long(MYSQL_STMT *st, unsigned col, char *to, size_t len)
{
	MYSQL_BIND b = { .buffer_type = MYSQL_TYPE_STRING, .buffer = to, .buffer_length = len };

	return mysql_stmt_fetch_column(st, &b, col, 0) == 0;
}

static bool
copy_text(struct result *r, MYSQL_STMT *st, const char *text, unsigned col, size_t len)
{
	char *to = buf_reserve(&r->text, len + 1);

	if (to == NULL)
		return len <= SHORT_MAX; /* the buffer remembers; the rest is still to be read */
	if (len <= SHORT_MAX)
		memcpy(to, text, len);
	else if (!fetch_long(st, col, to, len))
		return false;
	to[len] = '\0';
	r->text.len += len + 1;
	return true;
}

static void
put_digits(char *to, unsigned width, unsigned n)
{
	for (; width > 0; n /= 10)
		to[--width] = (char)('0' + n % 10);
}

/* By hand: printf() takes longer than all the rest of a row with two times. */
static void
copy_time(struct result *r, const MYSQL_TIME *t)
{
	char text[] = TIME_FORM;

	put_digits(text, 4, t->year);
	put_digits(text + 5, 2, t->month);
	put_digits(text + 8, 2, t->day);
	put_digits(text + 11, 2, t->hour);
	put_digits(text + 14, 2, t->minute);
	put_digits(text + 17, 2, t->second);
	buf_add(&r->text, text, sizeof(text));
}

static bool
copy_cell(struct result *r, struct cell *c, MYSQL_STMT *st, struct landing *l, unsigned col)
{
	const MYSQL_TIME *t = &l->time[col];

	c->null = l->null[col] || (c->type == 't' && is_zero_date(t));
	if (c->null)
		return true;
	if (c->type == 'i') {
		c->i = l->num[col];
		return true;
	}
	c->at = r->text.len;
	c->len = c->type == 't' ? TIME_LEN : (uint32_t)l->len[col];
	if (c->type != 't')
		return copy_text(r, st, l->text[col], col, c->len);
	copy_time(r, t);
	return true;
}

static bool
copy_row(struct result *r, MYSQL_STMT *st, const char *cols, struct landing *l)
{
	size_t size = r->ncols * sizeof(struct cell);
	struct cell *cells = (void *)buf_reserve(&r->cells, size);

	if (cells == NULL)
		return true; /* the buffer remembers; the rest of the rows is still to be read */
	for (unsigned i = 0; i < r->ncols; i++) {
		cells[i] = (struct cell){ .type = cols[i] };
		if (!copy_cell(r, &cells[i], st, l, i))
			return false;
	}
	r->cells.len += size;
	r->nrows++;
	r->kept++;
	return true;
}

/* Hands the row that has just been copied over, and forgets it. */
static void
give(struct db_rows *rows, const struct db_taker *to)
{
	struct result *r = rows->impl;

	if (!buf_failed(&r->cells) && !buf_failed(&r->text)) {
		r->next = 1;
		to->row(to->arg, rows);
	}
	r->cells.len = r->text.len = 0;
	r->kept = 0;
}

/* The library is not asked to store the rows first: it would be one more copy of all of them. */
static bool
copy_rows(struct db_rows *rows, MYSQL_STMT *st, const char *cols, const struct db_taker *to)
{
	struct result *r = rows->impl;
	struct landing l; /* large: only what has a column is filled in */
	int rc;

	landing_init(&l, cols);
	if (mysql_stmt_bind_result(st, l.bind) != 0)
		return false;
	while ((rc = mysql_stmt_fetch(st)) == 0 || rc == MYSQL_DATA_TRUNCATED) {
		if (!copy_row(r, st, cols, &l))
			return false;
		if (to != NULL)
			give(rows, to);
	}
	return rc == MYSQL_NO_DATA;
}

bool
db_rows_read(
    struct db_rows *rows, MYSQL_STMT *st, const char *cols, const struct db_taker *to, bool *oom)
{
	struct result *r = calloc(1, sizeof(*r));
	bool ok = true;

	rows->impl = r;
	if (r == NULL) {
		*oom = true;
		return false;
	}
	r->ncols = strlen(cols);
	if (st != NULL)
		ok = copy_rows(rows, st, cols, to);
	*oom = buf_failed(&r->cells) || buf_failed(&r->text);
	return ok && !*oom;
}

void
db_rows_close(struct db_rows *rows)
{
	struct result *r = rows->impl;

	if (r == NULL)
		return;
	buf_free(&r->cells);
	buf_free(&r->text);
	free(r);
	rows->impl = NULL;
}

bool
db_next(struct db_rows *rows)
{
	struct result *r = rows->impl;

	if (r == NULL || r->next >= r->kept)
		return false;
	r->next++;
	return true;
}

void
db_rewind(struct db_rows *rows)
{
	struct result *r = rows->impl;

	if (r != NULL)
		r->next = 0;
}

size_t
db_count(const struct db_rows *rows)
{
	const struct result *r = rows->impl;

	return r != NULL ? r->nrows : 0;
}

/* Cell of the current row; NULL where there is none. */
static const struct cell *
cell_at(const struct db_rows *rows, unsigned col)
{
	const struct result *r = rows->impl;

	if (r == NULL || r->next == 0 || col >= r->ncols)
		return NULL;
	return (const struct cell *)(const void *)r->cells.data + (r->next - 1) * r->ncols + col;
}

const char *
db_s(const struct db_rows *rows, unsigned col)
{
	const struct result *r = rows->impl;
	const struct cell *c = cell_at(rows, col);

	return c != NULL && !c->null && c->type != 'i' ? r->text.data + c->at : NULL;
}

size_t
db_len(const struct db_rows *rows, unsigned col)
{
	const struct cell *c = cell_at(rows, col);

	return c != NULL ? c->len : 0;
}

int64_t
db_i(const struct db_rows *rows, unsigned col)
{
	const struct cell *c = cell_at(rows, col);

	return c != NULL && !c->null && c->type == 'i' ? c->i : 0;
}

bool
db_is_null(const struct db_rows *rows, unsigned col)
{
	const struct cell *c = cell_at(rows, col);

	return c == NULL || c->null;
}
