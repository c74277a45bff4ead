/* SPDX-License-Identifier: MIT */
/*
 * Records from JSON lines. A line is put together until its newline comes, read by the field table
 * of its type, and handed on; of one that is too long only its end is looked for. What is refused
 * here would be refused by the parent, together with everything that was sent along with it.
 */
#include "agent/lines.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX	 255
#define WHY_SIZE 512

struct fields {
	const char *type;
	const char *id, *mp_id; /* of an article */
	const struct jx *article;
	const char *feed_id, *error, *reason, *message;
	bool success;
	int64_t article_count, seconds;
};

static const struct jx_field article_ids[] = {
	{ "id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct fields, id), 1, ID_MAX },
	{ "mp_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct fields, mp_id), 1, ID_MAX },
};
static const struct jx_field article_fields[] = {
	{ "article", JX_OBJ, JX_REQUIRED, offsetof(struct fields, article), 0, 0 },
};
static const struct jx_field result_fields[] = {
	{ "feed_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct fields, feed_id), 0, 0 },
	{ "success", JX_BOOL, JX_REQUIRED, offsetof(struct fields, success), 0, 0 },
	{ "article_count", JX_INT, 0, offsetof(struct fields, article_count), 0, INT32_MAX },
	{ "error", JX_STR, 0, offsetof(struct fields, error), 0, 0 },
};
static const struct jx_field hold_fields[] = {
	{ "feed_id", JX_STR, 0, offsetof(struct fields, feed_id), 0, 0 },
	{ "seconds", JX_INT, JX_REQUIRED, offsetof(struct fields, seconds), 1, LINES_HOLD_MAX_S },
	{ "reason", JX_STR, 0, offsetof(struct fields, reason), 0, 0 },
};
static const struct jx_field log_fields[] = {
	{ "message", JX_STR, JX_REQUIRED, offsetof(struct fields, message), 0, 0 },
};
static const struct jx_field type_field[] = {
	{ "type", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct fields, type), 0, 0 },
};

static const struct {
	const char *name;
	const struct jx_field *fields;
	size_t nfields;
} types[RECORD__MAX] = {
	[RECORD_ARTICLE] = { "article", article_fields, ARRAY_LEN(article_fields) },
	[RECORD_RESULT] = { "result", result_fields, ARRAY_LEN(result_fields) },
	[RECORD_HOLD] = { "hold", hold_fields, ARRAY_LEN(hold_fields) },
	[RECORD_LOG] = { "log", log_fields, ARRAY_LEN(log_fields) },
};

void
lines_init(struct lines *l, const struct lines_ops *ops, void *arg, const char *const *feeds,
    size_t nfeeds)
{
	*l = (struct lines){ .ops = ops, .arg = arg, .feeds = feeds, .nfeeds = nfeeds };
	l->line.cap = LINES_MAX_BYTES;
	l->number = 1;
}

static bool
is_feed(const struct lines *l, const char *id)
{
	if (l->feeds == NULL)
		return true;
	for (size_t i = 0; i < l->nfeeds; i++) {
		if (strcmp(l->feeds[i], id) == 0)
			return true;
	}
	return false;
}

static void
broken(struct lines *l, const char *field, const char *why)
{
	char text[WHY_SIZE];

	snprintf(text, sizeof(text), "%s%s%s", field, *field != '\0' ? ": " : "", why);
	l->ops->broken(l->arg, l->number, text);
}

static enum record_type
type_of(const char *name)
{
	enum record_type t = RECORD_ARTICLE;

	while (t < RECORD__MAX && strcmp(types[t].name, name) != 0)
		t++;
	return t;
}

static enum cs_err
read_fields(const struct jx *root, enum record_type *type, struct fields *in, struct fault *f)
{
	TRY(jx_read(root, type_field, ARRAY_LEN(type_field), in, NULL, "", f));
	*type = type_of(in->type);
	if (*type == RECORD__MAX)
		return CS_OK;
	TRY(jx_read(root, types[*type].fields, types[*type].nfields, in, NULL, "", f));
	if (*type == RECORD_ARTICLE)
		TRY(jx_read(
		    in->article, article_ids, ARRAY_LEN(article_ids), in, NULL, "article.", f));
	return CS_OK;
}

static void
hand_on(struct lines *l, enum record_type type, const struct fields *in)
{
	struct record r = {
		.type = type,
		.feed_id = type == RECORD_ARTICLE ? in->mp_id : in->feed_id,
		.article = in->article,
		.article_id = in->id,
		.success = in->success,
		.article_count = in->article_count,
		.error = in->error,
		.seconds = in->seconds,
		.text = type == RECORD_HOLD ? in->reason : in->message,
	};

	if (*r.feed_id != '\0' && !is_feed(l, r.feed_id))
		broken(l, r.feed_id, "no feed of this task package");
	else
		l->ops->record(l->arg, &r);
}

static void
take_line(struct lines *l, const char *text, size_t n)
{
	struct fields in = { .type = "",
		.feed_id = "",
		.error = "",
		.reason = "",
		.message = "",
		.article_count = -1 };
	struct fault f = { .lang = LANG_EN };
	enum record_type type;
	struct jx_doc *doc;

	if (n > 0 && text[n - 1] == '\r')
		n--;
	if (n == 0)
		return;
	if (jx_parse(text, n, &doc, &f) != CS_OK) {
		broken(l, "", f.reason[0] != '\0' ? f.reason : fault_message(&f));
		return;
	}
	if (read_fields(jx_root(doc), &type, &in, &f) != CS_OK)
		broken(l, f.field, f.reason);
	else if (type == RECORD__MAX)
		broken(l, in.type, "unknown type");
	else
		hand_on(l, type, &in);
	jx_free(doc);
}

static void
end_line(struct lines *l)
{
	if (l->skipping || buf_failed(&l->line))
		broken(l, "", "longer than 16 MiB, or no memory for it");
	else if (l->line.len > 0)
		take_line(l, l->line.data, l->line.len);
	l->skipping = false;
	buf_reset(&l->line);
	l->number++;
}

/* Part of a line. What failed is given back at once. */
static void
add(struct lines *l, const char *p, size_t n)
{
	if (l->skipping)
		return;
	buf_add(&l->line, p, n);
	if (!buf_failed(&l->line))
		return;
	l->skipping = true;
	buf_reset(&l->line);
}

void
lines_feed(struct lines *l, const char *p, size_t n)
{
	const char *end = p + n, *newline;

	for (; p < end; p = newline + 1) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL) {
			add(l, p, (size_t)(end - p));
			return;
		}
		add(l, p, (size_t)(newline - p));
		end_line(l);
	}
}

void
lines_end(struct lines *l)
{
	if (l->skipping || l->line.len > 0)
		end_line(l);
}

void
lines_fini(struct lines *l)
{
	buf_free(&l->line);
}
