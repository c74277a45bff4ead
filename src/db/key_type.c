/* SPDX-License-Identifier: MIT */
/*
 * Fills the placeholders of key_type.h into SQL. What looks like one and is none stays as it is:
 * the server then says where.
 */
#include "db/key_type.h"

#include <stdio.h>
#include <string.h>

#define CHARSET	  "utf8mb4"
#define COLLATION "utf8mb4_general_ci"

void
key_type_set(struct key_type *key, const char *charset, const char *collation)
{
	if (charset == NULL || collation == NULL) {
		charset = CHARSET;
		collation = COLLATION;
	}
	snprintf(key->charset, sizeof(key->charset), "%s", charset);
	snprintf(key->collation, sizeof(key->collation), "%s", collation);
	snprintf(key->text, sizeof(key->text), "CHARACTER SET %s COLLATE %s", charset, collation);
}

/* What the placeholder at the head of the N bytes at P stands for; *LEN is its length. NULL: none
 * is there. */
static const char *
placeholder(const char *p, size_t n, const struct key_type *key, size_t *len)
{
	const struct {
		const char *name;
		const char *value;
	} all[] = {
		{ "{{charset}}", key->charset },
		{ "{{collation}}", key->collation },
		{ "{{text}}", key->text },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		*len = strlen(all[i].name);
		if (*len <= n && memcmp(p, all[i].name, *len) == 0)
			return all[i].value;
	}
	return NULL;
}

void
key_type_fill(struct buf *out, const char *sql, size_t len, const struct key_type *key)
{
	const char *end = sql + len;

	buf_puts(out, "");
	while (sql < end) {
		const char *brace = memchr(sql, '{', (size_t)(end - sql));
		const char *stop = brace != NULL ? brace : end;
		const char *value;
		size_t n;

		buf_add(out, sql, (size_t)(stop - sql));
		sql = stop;
		if (brace == NULL)
			break;
		value = placeholder(sql, (size_t)(end - sql), key, &n);
		buf_puts(out, value != NULL ? value : "{");
		sql += value != NULL ? n : 1;
	}
}
