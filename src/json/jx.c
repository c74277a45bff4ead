/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON with json-c: jx_scan.c first looks at what the text consists of, then json-c checks
 * the grammar and builds the tree. A struct jx is json-c's object, borrowed from its document.
 * Below that, the typed accessors and jx_read(), which runs a field table over an object.
 */
#include "json/jx.h"
#include "base/parse.h"
#include "json/jx_scan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json.h>

struct jx_doc {
	struct json_object *root;
};

/* json-c's readers take non-const objects because they may cache text in them. */
static struct json_object *
jo(const struct jx *v)
{
	return (struct json_object *)(uintptr_t)v;
}

static const struct jx *
of_json(const struct json_object *o)
{
	return (const struct jx *)o;
}

/* Runs json-c over the whole text; *ROOT may be NULL, for null. */
static enum cs_err
build_tree(struct json_tokener *tok, const char *text, size_t n, struct json_object **root,
    struct fault *f)
{
	enum json_tokener_error err;
	size_t end;

	*root = json_tokener_parse_ex(tok, text, (int)n);
	err = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	if (err == json_tokener_continue) {
		/* A number at the top level ends only with the text. */
		*root = json_tokener_parse_ex(tok, "", 1);
		err = json_tokener_get_error(tok);
		end = n;
	}
	if (err != json_tokener_success)
		return jx_bad_json(f, json_tokener_error_desc(err), end);
	while (end < n && strchr(" \t\r\n", text[end]) != NULL)
		end++;
	if (end == n)
		return CS_OK;
	json_object_put(*root);
	return jx_bad_json(f, "text after the value", end);
}

/* Parses text that has passed the scan. */
static enum cs_err
parse_scanned(const char *text, size_t n, struct json_object **root, struct fault *f)
{
	/* Deeper than the scan lets through, so that the scan alone decides. */
	struct json_tokener *tok = json_tokener_new_ex(JX_MAX_DEPTH + 2);
	enum cs_err err;

	if (tok == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	/* that it is UTF-8 the scan has seen */
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	err = build_tree(tok, text, n, root, f);
	json_tokener_free(tok);
	return err;
}

enum cs_err
jx_parse(const char *text, size_t n, struct jx_doc **doc, struct fault *f)
{
	struct json_object *root = NULL;
	char *rewritten = NULL;
	enum cs_err err;

	if (n > INT_MAX)
		return cs_bad_as(f, CS_ETOOLARGE, "body", MSG_R_MAX_BYTES, (long long)INT_MAX);
	TRY(jx_scan(text, &n, &rewritten, f));
	err = parse_scanned(rewritten != NULL ? rewritten : text, n, &root, f);
	free(rewritten);
	TRY(err);

	*doc = calloc(1, sizeof(**doc));
	if (*doc == NULL) {
		json_object_put(root);
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	}
	(*doc)->root = root;
	return CS_OK;
}

void
jx_free(struct jx_doc *doc)
{
	if (doc == NULL)
		return;
	json_object_put(doc->root);
	free(doc);
}

const struct jx *
jx_root(const struct jx_doc *doc)
{
	return of_json(doc->root);
}

enum jx_type
jx_type(const struct jx *v)
{
	static const enum jx_type types[] = {
		[json_type_null] = JX_NULL,
		[json_type_boolean] = JX_BOOL,
		[json_type_double] = JX_DOUBLE,
		[json_type_int] = JX_INT,
		[json_type_object] = JX_OBJ,
		[json_type_array] = JX_ARR,
		[json_type_string] = JX_STR,
	};

	return types[json_object_get_type(jo(v))];
}

const char *
jx_str(const struct jx *v)
{
	return jx_type(v) == JX_STR ? json_object_get_string(jo(v)) : NULL;
}

size_t
jx_str_len(const struct jx *v)
{
	return jx_type(v) == JX_STR ? (size_t)json_object_get_string_len(jo(v)) : 0;
}

int64_t
jx_int(const struct jx *v)
{
	return jx_type(v) == JX_INT ? json_object_get_int64(jo(v)) : 0;
}

bool
jx_bool(const struct jx *v)
{
	return jx_type(v) == JX_BOOL && json_object_get_boolean(jo(v));
}

size_t
jx_len(const struct jx *v)
{
	if (jx_type(v) == JX_ARR)
		return json_object_array_length(jo(v));
	return jx_type(v) == JX_OBJ ? (size_t)json_object_object_length(jo(v)) : 0;
}

const struct jx *
jx_at(const struct jx *arr, size_t i)
{
	return jx_type(arr) == JX_ARR ? of_json(json_object_array_get_idx(jo(arr), i)) : NULL;
}

const struct jx *
jx_get(const struct jx *obj, const char *key)
{
	struct json_object *v = NULL;

	if (jx_type(obj) == JX_OBJ)
		json_object_object_get_ex(jo(obj), key, &v);
	return of_json(v);
}

bool
jx_has(const struct jx *obj, const char *key)
{
	return jx_type(obj) == JX_OBJ && json_object_object_get_ex(jo(obj), key, NULL);
}

enum cs_err
jx_each(const struct jx *obj, enum cs_err (*fn)(void *arg, const char *key, const struct jx *v),
    void *arg)
{
	if (jx_type(obj) != JX_OBJ)
		return CS_OK;
	json_object_object_foreach(jo(obj), key, v) TRY(fn(arg, key, of_json(v)));
	return CS_OK;
}

const char *
jx_text(const struct jx *v, struct arena *a)
{
	const char *text = json_object_to_json_string_ext(
	    jo(v), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return arena_strdup(a, text);
}

static bool
has_length(const char *s, int64_t min, int64_t max)
{
	int64_t chars = (int64_t)utf8_chars(s);

	return chars >= min && chars <= max;
}

static enum cs_err
read_str(const struct jx *v, const struct jx_field *fd, void *member, struct fault *f)
{
	const char *s = json_object_get_string(jo(v));

	if (*s == '\0' && (fd->flags & JX_NONEMPTY))
		return cs_bad(f, fd->name, MSG_R_EMPTY);
	if ((fd->min != 0 || fd->max != 0) && !has_length(s, fd->min, fd->max))
		return cs_bad(f, fd->name, MSG_R_LENGTH, (long long)fd->min, (long long)fd->max);
	if ((fd->flags & JX_URL) && *s != '\0' && !parse_is_http_url(s, jx_str_len(v)))
		return cs_bad(f, fd->name, MSG_R_URL);
	*(const char **)member = s;
	return CS_OK;
}

/*
 * json-c saturates what int64 cannot hold: above it, visibly as an unsigned value; below it, as
 * INT64_MIN, which is therefore refused as well.
 */
static enum cs_err
read_int(const struct jx *v, const struct jx_field *fd, void *member, struct fault *f)
{
	bool bounded = fd->min != 0 || fd->max != 0;
	int64_t min = bounded ? fd->min : -INT64_MAX;
	int64_t max = bounded ? fd->max : INT64_MAX;
	int64_t n = jx_int(v);

	if (n < min || n > max || n == INT64_MIN || json_object_get_uint64(jo(v)) > INT64_MAX)
		return cs_bad(f, fd->name, MSG_R_RANGE, (long long)min, (long long)max);
	*(int64_t *)member = n;
	return CS_OK;
}

static enum cs_err
read_bool(const struct jx *v, const struct jx_field *fd cs_unused, void *member,
    struct fault *f cs_unused)
{
	*(bool *)member = jx_bool(v);
	return CS_OK;
}

static enum cs_err
read_arr(const struct jx *v, const struct jx_field *fd, void *member, struct fault *f)
{
	int64_t n = (int64_t)jx_len(v);

	if (n == 0 && (fd->flags & JX_NONEMPTY))
		return cs_bad(f, fd->name, MSG_R_EMPTY);
	if ((fd->min != 0 || fd->max != 0) && (n < fd->min || n > fd->max))
		return cs_bad(f, fd->name, MSG_R_ENTRIES, (long long)fd->min, (long long)fd->max);
	*(const struct jx **)member = v;
	return CS_OK;
}

static enum cs_err
read_obj(const struct jx *v, const struct jx_field *fd cs_unused, void *member,
    struct fault *f cs_unused)
{
	*(const struct jx **)member = v;
	return CS_OK;
}

static enum cs_err
read_field(const struct jx *v, const struct jx_field *fd, void *out, struct fault *f)
{
	static const struct {
		const char *name;
		enum cs_err (*read)(
		    const struct jx *, const struct jx_field *, void *, struct fault *);
	} types[] = {
		[JX_BOOL] = { "boolean", read_bool },
		[JX_INT] = { "integer", read_int },
		[JX_STR] = { "string", read_str },
		[JX_ARR] = { "array", read_arr },
		[JX_OBJ] = { "object", read_obj },
	};

	if (jx_type(v) == JX_NULL)
		return fd->flags & JX_REQUIRED ? cs_bad(f, fd->name, MSG_R_REQUIRED) : CS_OK;
	if (jx_type(v) != fd->type)
		return cs_bad(f, fd->name, MSG_R_TYPE, types[fd->type].name);
	return types[fd->type].read(v, fd, (char *)out + fd->offset, f);
}

static void
prefix_field(struct fault *f, const char *prefix)
{
	char name[sizeof(f->field)];

	memcpy(name, f->field, sizeof(name));
	snprintf(f->field, sizeof(f->field), "%s%.*s", prefix, (int)sizeof(name), name);
}

/* What PREFIX is of, the body itself where it is empty, should be an object. */
static enum cs_err
bad_object(struct fault *f, const char *prefix)
{
	char name[sizeof(f->field)] = "body";
	size_t len = strlen(prefix);

	if (len > 0 && len < sizeof(name)) {
		memcpy(name, prefix, len);
		name[len - 1] = '\0'; /* the dot */
	}
	return cs_bad(f, name, MSG_R_OBJECT);
}

enum cs_err
jx_read(const struct jx *obj, const struct jx_field *fields, size_t nfields, void *out,
    uint32_t *seen, const char *prefix, struct fault *f)
{
	uint32_t present = 0;
	enum cs_err err;

	if (jx_type(obj) != JX_OBJ)
		return bad_object(f, prefix);
	for (size_t i = 0; i < nfields; i++) {
		struct json_object *v = NULL;

		if (json_object_object_get_ex(jo(obj), fields[i].name, &v))
			present |= UINT32_C(1) << i;
		err = read_field(of_json(v), &fields[i], out, f);
		if (err != CS_OK) {
			prefix_field(f, prefix);
			return err;
		}
	}
	if (seen != NULL)
		*seen = present;
	return CS_OK;
}
