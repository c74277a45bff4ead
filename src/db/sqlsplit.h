/* SPDX-License-Identifier: MIT */
/*
 * Splits an SQL script into statements as the mariadb client does: ';' or what a DELIMITER line
 * says, never inside quotes or comments. Pure: no server, no memory of its own.
 */
#ifndef CS_DB_SQLSPLIT_H
#define CS_DB_SQLSPLIT_H

#include "base/base.h"

#define SQLSPLIT_DELIM_MAX 16

struct sqlsplit {
	const char *p, *end;
	int line; /* of p, from 1 */
	char delim[SQLSPLIT_DELIM_MAX];
	const char *error; /* why sqlsplit_next() stopped early; NULL: it did not */
};

/* One statement, without its delimiter and the comments before it; points into the script. */
struct sqlsplit_stmt {
	const char *text;
	size_t len;
	int line; /* where it begins */
};

void sqlsplit_init(struct sqlsplit *s, const char *script, size_t len);
/* The next statement; false at the end of the script and on an error, see S->error and S->line. */
bool sqlsplit_next(struct sqlsplit *s, struct sqlsplit_stmt *out);

#endif
