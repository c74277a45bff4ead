/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON text straight into a buf. Failure is the buffer's, sticky: ask buf_failed() at the
 * end. Commas are placed by the writer. Strings must be UTF-8; control characters, quotes and
 * backslashes are escaped, an invalid byte becomes U+FFFD.
 */
#ifndef CS_JSON_JW_H
#define CS_JSON_JW_H

#include "base/buf.h"

struct jw {
	struct buf *out;
	bool comma; /* a value was written at this level: the next one needs a comma */
};

void jw_init(struct jw *w, struct buf *out);
void jw_obj(struct jw *w);
void jw_obj_end(struct jw *w);
void jw_arr(struct jw *w);
void jw_arr_end(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_str(struct jw *w, const char *s); /* NULL: null */
void jw_strn(struct jw *w, const char *s, size_t n);
void jw_int(struct jw *w, int64_t n);
void jw_bool(struct jw *w, bool b);
void jw_null(struct jw *w);
/* JSON text as it is; NULL or "" writes null. The caller vouches that it is valid JSON. */
void jw_raw(struct jw *w, const char *json);

/* Key and value in one. */
void jw_kstr(struct jw *w, const char *key, const char *s);
void jw_kstrn(struct jw *w, const char *key, const char *s, size_t n);
void jw_kint(struct jw *w, const char *key, int64_t n);
void jw_kbool(struct jw *w, const char *key, bool b);
void jw_knull(struct jw *w, const char *key);
void jw_kraw(struct jw *w, const char *key, const char *json);

#endif
