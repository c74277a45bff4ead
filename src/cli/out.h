/* SPDX-License-Identifier: MIT */
/*
 * What a command prints: for people a table or a record with titles in their language, aligned also
 * where characters are two columns wide; for programs one JSON document. A command says each cell
 * once, with its key and its title. Nothing reaches standard output before out_finish(), so that a
 * command that fails prints nothing there.
 *	out_list(o, NULL);
 *	while (...) {
 *		out_row(o);
 *		out_str(o, "name", MSG_T_NAME, name);
 *	}
 *	out_end(o);
 */
#ifndef CS_CLI_OUT_H
#define CS_CLI_OUT_H

#include "base/arena.h"
#include "base/err.h"
#include "db/db_view.h"

struct out;

/* NULL: out of memory. Caller frees. */
struct out *out_new(bool json, enum lang lang, struct arena *arena);
void out_free(struct out *o);

/* Begins a record, or a list whose rows each begin with out_row(). A list within a record has a
 * KEY, else NULL. Ended by out_end(). */
void out_record(struct out *o);
/* A record that people see under its keys: everything that there is about one thing. */
void out_details(struct out *o);
void out_list(struct out *o, const char *key);
void out_row(struct out *o);
void out_end(struct out *o);

/* A cell. MSG_NONE for TITLE: people see it in records only, under its key. */
void out_str(struct out *o, const char *key, enum msg_id title, const char *s); /* NULL: null */
void out_int(struct out *o, const char *key, enum msg_id title, int64_t n);
void out_bool(struct out *o, const char *key, enum msg_id title, bool b);
void out_null(struct out *o, const char *key, enum msg_id title);
/* JSON text that somebody stored; what is no valid JSON is printed as a string. NULL: null. */
void out_json(struct out *o, const char *key, enum msg_id title, const char *text);

/* A column of a view that people see, and its title. */
struct out_title {
	const char *key;
	enum msg_id title;
};
/* The current row of ROWS as cells: all of VIEW for programs; for people those of TITLES, in that
 * order, or (NTITLES 0) all under their keys. */
void out_cells(struct out *o, const struct view *view, const struct out_title *titles,
    size_t ntitles, const struct db_rows *rows);
/* All of ROWS as a list. */
void out_rows(struct out *o, const char *key, const struct view *view,
    const struct out_title *titles, size_t ntitles, struct db_rows *rows);

/* A sentence about ID for people; for programs {KEY: ID, "message": the sentence}. */
void out_done(struct out *o, const char *key, const char *id, enum msg_id msg, ...);
/* The same about a number. */
void out_counted(struct out *o, const char *key, int64_t n, enum msg_id msg);
/* S alone on a line; for programs {KEY: S}. */
void out_plain(struct out *o, const char *key, const char *s);
/* A sentence that only people read. */
void out_note(struct out *o, enum msg_id msg, ...);

/* Writes it all. CS_EIO when standard output cannot take it, CS_ENOMEM. */
enum cs_err out_finish(struct out *o, struct fault *f) cs_mustcheck;

#endif
