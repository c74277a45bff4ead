/* SPDX-License-Identifier: MIT */
/*
 * The type of the text keys of the tables that we share with WeRSS. SQL names it by placeholders,
 * so that what it declares itself (columns of JSON_TABLE, parameters and variables of procedures,
 * tables of ours) can be compared with those keys without conversion, and with their index.
 */
#ifndef CS_DB_KEY_TYPE_H
#define CS_DB_KEY_TYPE_H

#include "base/buf.h"

struct key_type {
	char charset[64];   /* {{charset}} */
	char collation[64]; /* {{collation}} */
	char text[160];	    /* {{text}}: both of them, as a declaration has them */
};

/* Of NULL: what sql/ gives the tables where WeRSS has not made them. */
void key_type_set(struct key_type *key, const char *charset, const char *collation);
/* Adds the LEN bytes of SQL to OUT, with the placeholders filled in. */
void key_type_fill(struct buf *out, const char *sql, size_t len, const struct key_type *key);

#endif
