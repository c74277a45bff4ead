/* SPDX-License-Identifier: MIT */
/*
 * POST /upload-articles. Everything is checked before anything is stored; what is too long for its
 * column is cut with a warning, because children do not repeat a refused upload: refused is lost.
 */
#include "fcgi/handlers.h"

#include "base/parse.h"
#include "db/db_article.h"
#include "fcgi/metrics.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNT_PREFIX "MP_WXS_"

struct upload {
	const char *allocation_id;
	const struct jx *articles;
	int64_t attempt;
	const struct jx *feeds; /* of the allocation */
	struct db_article *list;
	size_t n;
	size_t cut; /* values that were too long */
};

static const struct jx_field article_fields[] = {
	{ "id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct db_article, id), 0, 0 },
	{ "mp_id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct db_article, mp_id), 0, 255 },
	{ "title", JX_STR, 0, offsetof(struct db_article, title), 0, 0 },
	{ "pic_url", JX_STR, 0, offsetof(struct db_article, pic_url), 0, 0 },
	{ "url", JX_STR, 0, offsetof(struct db_article, url), 0, 0 },
	{ "description", JX_STR, 0, offsetof(struct db_article, description), 0, 0 },
	{ "content", JX_STR, 0, offsetof(struct db_article, content), 0, 0 },
	{ "content_markdown", JX_STR, 0, offsetof(struct db_article, content_markdown), 0, 0 },
	{ "status", JX_INT, 0, offsetof(struct db_article, status), INT32_MIN, INT32_MAX },
	{ "publish_time", JX_INT, 0, offsetof(struct db_article, publish_time), INT32_MIN,
	    INT32_MAX },
};

/* Columns with a bound: characters. */
static const struct {
	size_t offset;
	size_t max;
} cut_columns[] = {
	{ offsetof(struct db_article, title), ARTICLE_TITLE_MAX },
	{ offsetof(struct db_article, pic_url), ARTICLE_URL_MAX },
	{ offsetof(struct db_article, url), ARTICLE_URL_MAX },
	{ offsetof(struct db_article, description), ARTICLE_TEXT_MAX / 4 },
};

static bool
is_feed(const struct jx *feeds, const char *mp_id)
{
	for (size_t i = 0; i < jx_len(feeds); i++) {
		const char *id = jx_str(jx_at(feeds, i));

		if (id != NULL && strcmp(id, mp_id) == 0)
			return true;
	}
	return false;
}

/* The id as WeRSS stores it: children upload the bare one, which is unique per account only. */
static const char *
stored_id(struct arena *a, const struct db_article *p)
{
	const char *account = p->mp_id;
	size_t n;

	if (strncmp(account, ACCOUNT_PREFIX, strlen(ACCOUNT_PREFIX)) == 0)
		account += strlen(ACCOUNT_PREFIX);
	n = strlen(account);
	if (strncmp(p->id, account, n) == 0 && p->id[n] == '-')
		return p->id;
	return arena_printf(a, "%s-%s", account, p->id);
}

/* Cuts what is longer than its column. */
static enum cs_err
cut(struct ctx *c, struct upload *up, struct db_article *p)
{
	for (size_t i = 0; i < ARRAY_LEN(cut_columns); i++) {
		const char **text = (const char **)((char *)p + cut_columns[i].offset);
		size_t keep;

		if (*text == NULL || strlen(*text) <= cut_columns[i].max)
			continue;
		keep = utf8_prefix(*text, cut_columns[i].max);
		if ((*text)[keep] == '\0')
			continue;
		*text = arena_strndup(c->arena, *text, keep);
		if (*text == NULL)
			return cs_detail(&c->fault, CS_ENOMEM, "article");
		up->cut++;
	}
	return CS_OK;
}

static enum cs_err
read_article(struct ctx *c, struct upload *up, size_t i, struct db_article *p)
{
	char prefix[48], field[80];

	snprintf(prefix, sizeof(prefix), "articles[%zu].", i);
	p->status = 1;
	p->place = i;
	TRY(jx_read(jx_at(up->articles, i), article_fields, ARRAY_LEN(article_fields), p, NULL,
	    prefix, &c->fault));
	if (!is_feed(up->feeds, p->mp_id)) {
		snprintf(field, sizeof(field), "%smp_id", prefix);
		return cs_bad(&c->fault, field, MSG_R_NOT_IN_ALLOC);
	}
	p->id = stored_id(c->arena, p);
	if (p->id == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "article");
	if (utf8_chars(p->id) > ARTICLE_ID_MAX) {
		snprintf(field, sizeof(field), "%sid", prefix);
		return cs_bad(&c->fault, field, MSG_R_LENGTH, 1LL, (long long)ARTICLE_ID_MAX);
	}
	const char *const texts[] = { p->content, p->content_markdown };
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		if (texts[t] == NULL || strlen(texts[t]) <= ARTICLE_TEXT_MAX)
			continue;
		snprintf(
		    field, sizeof(field), "%s%s", prefix, t == 0 ? "content" : "content_markdown");
		return cs_bad(&c->fault, field, MSG_R_MAX_BYTES, (long long)ARTICLE_TEXT_MAX);
	}
	return cut(c, up, p);
}

static int
by_id(const void *a, const void *b)
{
	const struct db_article *x = a, *y = b;
	int cmp = strcmp(x->id, y->id);

	return cmp != 0 ? cmp : (x->place > y->place) - (x->place < y->place);
}

static bool
is_blank(const char *s)
{
	return s == NULL || s[0] == '\0';
}

/* The same article twice in one upload is one: the later counts, what content it lacks the other
 * gives. */
static void
merge(struct upload *up)
{
	size_t kept = 0;

	for (size_t i = 1; i < up->n; i++) {
		struct db_article *p = &up->list[kept], *q = &up->list[i];

		if (strcmp(p->id, q->id) != 0) {
			up->list[++kept] = *q;
			continue;
		}
		q->content = is_blank(q->content) ? p->content : q->content;
		q->content_markdown =
		    is_blank(q->content_markdown) ? p->content_markdown : q->content_markdown;
		*p = *q;
	}
	up->n = up->n > 0 ? kept + 1 : 0;
}

static enum cs_err
read_articles(struct ctx *c, struct upload *up)
{
	size_t n = jx_len(up->articles);

	up->list = arena_calloc(c->arena, n + 1, sizeof(*up->list));
	if (up->list == NULL)
		return cs_detail(&c->fault, CS_ENOMEM, "upload of %zu articles", n);
	for (up->n = 0; up->n < n; up->n++)
		TRY(read_article(c, up, up->n, &up->list[up->n]));
	qsort(up->list, up->n, sizeof(*up->list), by_id);
	merge(up);
	return CS_OK;
}

/* May this node upload for the allocation? Its holder and former holders may. */
static enum cs_err
check_holder(struct ctx *c, const struct db_alloc *al, int64_t attempt)
{
	bool holds = alloc_state_is_held(al->state) && al->node == c->who.node;

	if (!al->found)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_NO_ALLOCATION);
	if (!holds && al->mine == 0)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_NEVER_HELD);
	if (al->state == ALLOC_CANCELLED)
		return cs_fail(&c->fault, CS_ECONFLICT, MSG_ALREADY_CANCELLED);
	if (attempt > al->attempt)
		return cs_fail(&c->fault, CS_ECONFLICT, MSG_WRONG_ATTEMPT, (int)al->attempt);
	return CS_OK;
}

static enum cs_err
store(struct ctx *c, struct upload *up, struct db_alloc *al)
{
	struct db_upload_result res;
	char warning[128];
	struct db_upload in = {
		.articles = up->list,
		.n = up->n,
		.received = (int64_t)jx_len(up->articles),
		.node_id = c->who.node_id,
		.node = c->who.node,
		.started_us = c->started_us,
	};

	/* the articles of an attempt that is over are kept, but renew no lease */
	if (up->attempt != 0 && up->attempt != al->attempt)
		al->node = 0;
	if (up->cut > 0)
		in.warnings = msg_render(warning, sizeof(warning), LANG_ZH, MSG_W_CUT, up->cut);
	TRY(db_article_store(c->db, c->conf, al, &in, c->arena, &res, &c->fault));
	metrics_articles(c->metrics, res.new_count, (int64_t)up->n - res.foreign - res.new_count);
	jw_obj(&c->res->w);
	jw_kint(&c->res->w, "received", in.received);
	jw_kint(&c->res->w, "new_count", res.new_count);
	jw_obj_end(&c->res->w);
	return res_ok(c, MSG_UPLOADED);
}

enum cs_err
h_upload_articles(struct ctx *c)
{
	static const struct jx_field fields[] = {
		{ "allocation_id", JX_STR, JX_REQUIRED | JX_NONEMPTY,
		    offsetof(struct upload, allocation_id), 0, 255 },
		{ "articles", JX_ARR, JX_REQUIRED, offsetof(struct upload, articles), 0, 0 },
		{ "attempt", JX_INT, 0, offsetof(struct upload, attempt), 1, 65535 },
	};
	struct upload up = { 0 };
	auto_jx *doc = NULL;
	struct db_alloc al;

	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), &up, NULL, "", &c->fault));
	TRY(db_alloc_get_reported(
	    c->db, up.allocation_id, c->who.node, up.attempt, c->arena, &al, &c->fault));
	TRY(check_holder(c, &al, up.attempt));
	TRY(jx_parse(al.feed_ids, strlen(al.feed_ids), &doc, &c->fault));
	up.feeds = jx_root(doc);
	TRY(read_articles(c, &up));
	return store(c, &up, &al);
}
