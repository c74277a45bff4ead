/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON: parse with limits, typed access, and whole objects by a field table, so that a
 * handler says what it expects as data. The only user of json-c. A struct jx belongs to its
 * document and lives as long as it.
 */
#ifndef CS_JSON_JX_H
#define CS_JSON_JX_H

#include "base/arena.h"
#include "base/err.h"

struct jx;     /* one JSON value (borrowed) */
struct jx_doc; /* a parsed document (owned) */

#define JX_MAX_DEPTH 32

/*
 * Parses N bytes, the whole of them: anything after the value but white space is an error. Refuses
 * (CS_EINPUT, field "body", MSG_R_JSON / MSG_R_DEPTH / MSG_R_NUL / MSG_R_UTF8) malformed text,
 * nesting above JX_MAX_DEPTH, invalid UTF-8, NUL bytes and \u0000, also in keys. *DOC is the
 * caller's, jx_free() it.
 */
enum cs_err jx_parse(const char *text, size_t n, struct jx_doc **doc, struct fault *f) cs_mustcheck;
void jx_free(struct jx_doc *doc); /* NULL is fine */
#define auto_jx cs_cleanup(jx_cleanup) struct jx_doc
static inline void
jx_cleanup(struct jx_doc **doc)
{
	jx_free(*doc);
}
/* The document's value; NULL where the text was the literal null. */
const struct jx *jx_root(const struct jx_doc *doc);

enum jx_type { JX_NULL, JX_BOOL, JX_INT, JX_DOUBLE, JX_STR, JX_ARR, JX_OBJ };
enum jx_type jx_type(const struct jx *v); /* JX_NULL for NULL */
const char *jx_str(const struct jx *v);	  /* NULL unless a string */
size_t jx_str_len(const struct jx *v);
int64_t jx_int(const struct jx *v); /* 0 unless an integer; saturated at int64 */
bool jx_bool(const struct jx *v);
size_t jx_len(const struct jx *v); /* elements of an array, members of an object, else 0 */
const struct jx *jx_at(const struct jx *arr, size_t i);
const struct jx *jx_get(const struct jx *obj, const char *key); /* NULL: absent or null */
bool jx_has(const struct jx *obj, const char *key);		/* present, even as null */
/* Calls FN for each member until it returns an error, which is returned. */
enum cs_err jx_each(const struct jx *obj,
    enum cs_err (*fn)(void *arg, const char *key, const struct jx *v), void *arg);
/* The value as compact JSON text (slashes not escaped), in the arena; NULL when out of memory. */
const char *jx_text(const struct jx *v, struct arena *a);

/* One row of a field table. */
enum jx_flags {
	JX_REQUIRED = 1, /* absent or null: 422 MSG_R_REQUIRED */
	JX_NONEMPTY = 2, /* a string or array must not be empty: 422 MSG_R_EMPTY */
	JX_URL = 4,	 /* a string must be "" or an http(s) URL: 422 MSG_R_URL */
};
struct jx_field {
	const char *name;
	enum jx_type type; /* JX_STR -> const char *, JX_INT -> int64_t, JX_BOOL -> bool,
			      JX_ARR and JX_OBJ -> const struct jx * */
	unsigned flags;
	size_t offset; /* into the out struct */
	int64_t min,
	    max; /* JX_INT: value; JX_STR: characters; JX_ARR: elements; both 0 = unbounded */
};
/*
 * Reads FIELDS of OBJ (must be an object: 422 MSG_R_OBJECT on "body", or on PREFIX less its dot)
 * into OUT. A field that is absent or null leaves its member alone, so the caller presets defaults.
 * Unknown keys are ignored. Bit i of *SEEN (may be NULL) is set where field i is present, null
 * included. Strings are borrowed from the document. Errors are CS_EINVALID naming the field
 * (MSG_R_TYPE, MSG_R_RANGE, MSG_R_LENGTH, ...), with PREFIX (may be "") in front, as in
 * "articles[3].".
 */
enum cs_err jx_read(const struct jx *obj, const struct jx_field *fields, size_t nfields, void *out,
    uint32_t *seen, const char *prefix, struct fault *f) cs_mustcheck;

#endif
