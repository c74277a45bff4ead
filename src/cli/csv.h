/* SPDX-License-Identifier: MIT */
/* Reads CSV as of RFC 4180: quoted fields, doubled quotes, line ends LF or CRLF, a BOM in front. */
#ifndef CS_CLI_CSV_H
#define CS_CLI_CSV_H

#include "base/arena.h"
#include "base/err.h"

struct csv {
	const char *p, *end; /* what is left */
	size_t line;	     /* of the record that was read last, from 1 */
	size_t next_line;
};

void csv_init(struct csv *csv, const char *text, size_t len);
/*
 * Reads the next record that is not an empty line: *N fields, at most MAX of them into FIELDS, in
 * the arena and NUL-terminated (*N may be larger). False: none is left, or there is an error, which
 * *WRONG then names (MSG_NONE: none; a NUL byte is one).
 */
bool csv_next(struct csv *csv, struct arena *a, const char **fields, size_t max, size_t *n,
    enum msg_id *wrong);

#endif
