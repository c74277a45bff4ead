/* SPDX-License-Identifier: MIT */
/*
 * Uploads. One transaction: articles, which of them are the allocation's, the feeds' times, the
 * sync log, and last lease and counts, so that the node's row is locked only for a moment.
 * Articles come sorted by id, so that two uploads of the same ones wait for each other instead of
 * deadlocking.
 */
#include "db/db_article.h"

#include "base/buf.h"
#include "base/clock.h"
#include "db/db_priv.h"
#include "db/db_sync.h"

#include <string.h>

#define UPSERT_ARGS 10

/* Is the article at POS of the sorted list? */
static int
find(const struct db_upload *up, const char *id)
{
	size_t lo = 0, hi = up->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(up->articles[mid].id, id);

		if (cmp == 0)
			return (int)mid;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

static enum cs_err
no_memory(const struct db_upload *up, struct fault *f)
{
	return cs_detail(f, CS_ENOMEM, "upload of %zu articles", up->n);
}

/* Whose the articles are that are there. */
static enum cs_err
read_owners(struct db *db, const struct db_upload *up, struct db_rows *r, struct fault *f)
{
	struct buf ids = { 0 };
	enum cs_err rc;

	for (size_t i = 0; i < up->n; i++)
		db_list_add(&ids, up->articles[i].id);
	buf_putc(&ids, ']');
	rc = buf_failed(&ids) ? no_memory(up, f)
			      : DB_QUERY(db, f, r, STMT_ARTICLE_OWNERS, A_S(ids.data));
	buf_free(&ids);
	return rc;
}

/* Marks what is another account's: rows that have not been touched. */
static enum cs_err
mark_foreign(struct db *db, const struct db_upload *up, bool *foreign, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(read_owners(db, up, &r, f));
	while (db_next(&r)) {
		int i = find(up, db_s(&r, 0));

		if (i < 0 ||
		    (!db_is_null(&r, 1) && strcmp(db_s(&r, 1), up->articles[i].mp_id) == 0))
			continue;
		foreign[i] = true;
	}
	return CS_OK;
}

static void
bind_article(struct db_arg *arg, const struct db_article *p)
{
	const struct db_arg row[UPSERT_ARGS] = {
		A_S(p->id),
		A_S(p->mp_id),
		A_S(p->title),
		A_S(p->pic_url),
		A_S(p->url),
		A_S(p->description),
		A_S(p->content),
		A_S(p->content_markdown),
		A_I(p->status),
		A_I(p->publish_time),
	};

	memcpy(arg, row, sizeof(row));
}

/* The upsert itself leaves rows of another account alone; the counts tell whether there are any. */
static enum cs_err
upsert(struct db *db, const struct db_upload *up, struct arena *a, struct db_upload_result *out,
    struct fault *f)
{
	struct db_arg *args = arena_calloc(a, up->n * UPSERT_ARGS, sizeof(*args));
	uint64_t inserted, updated;

	if (args == NULL)
		return no_memory(up, f);
	for (size_t i = 0; i < up->n; i++)
		bind_article(&args[i * UPSERT_ARGS], &up->articles[i]);
	TRY(db_upsert_bulk(
	    db, f, &inserted, &updated, STMT_ARTICLE_UPSERT, args, UPSERT_ARGS, up->n));
	out->new_count = (int64_t)inserted;
	out->foreign = (int64_t)up->n - (int64_t)inserted - (int64_t)updated;
	return CS_OK;
}

/* Links what is not foreign to the allocation; *LINKED: what was not linked to it before. */
static enum cs_err
link_articles(struct db *db, const struct db_alloc *al, const struct db_upload *up, struct arena *a,
    int64_t foreign, uint64_t *linked, struct fault *f)
{
	bool *left_alone = arena_calloc(a, up->n, sizeof(*left_alone));
	struct db_arg *links = arena_calloc(a, up->n * 2, sizeof(*links));
	size_t n = 0;

	if (left_alone == NULL || links == NULL)
		return no_memory(up, f);
	if (foreign > 0)
		TRY(mark_foreign(db, up, left_alone, f));
	for (size_t i = 0; i < up->n; i++) {
		if (left_alone[i])
			continue;
		links[n++] = A_S(al->id);
		links[n++] = A_S(up->articles[i].id);
	}
	return db_exec_bulk(db, f, linked, STMT_ARTICLE_LINK, links, 2, n / 2);
}

/* The times of the feeds that the articles are of. Sorted articles have each feed's in a row. */
static enum cs_err
touch_feeds(struct db *db, const struct db_upload *up, struct arena *a, struct fault *f)
{
	struct db_arg *ids = arena_calloc(a, up->n, sizeof(*ids));
	const char *last = "";
	size_t n = 0;

	if (ids == NULL)
		return no_memory(up, f);
	for (size_t i = 0; i < up->n; i++) {
		if (strcmp(up->articles[i].mp_id, last) != 0)
			ids[n++] = A_S(up->articles[i].mp_id);
		last = up->articles[i].mp_id;
	}
	return db_exec_bulk(db, f, NULL, STMT_ARTICLE_FEED, ids, 1, n);
}

/* The holder proves that it works, and its articles count. Where it no longer holds it they do too,
 * unless it was cancelled. This comes last: node, then allocation, is the order of the locks. */
static enum cs_err
count(struct db *db, const struct conf *conf, const struct db_alloc *al, const struct db_upload *up,
    int64_t linked, int64_t new_count, struct arena *a, struct fault *f)
{
	const struct db_progress progress = { .linked = linked, .new_articles = new_count };
	struct db_alloc now;
	bool moved = false;

	if (alloc_state_is_held(al->state) && al->node == up->node)
		TRY(db_alloc_executing(db, conf, al, up->node, &progress, &moved, f));
	if (moved)
		return CS_OK;
	TRY(db_alloc_get(db, al->id, up->node, a, &now, f));
	if (now.found && now.state == ALLOC_CANCELLED)
		return cs_fail(f, CS_ECONFLICT, MSG_ALREADY_CANCELLED);
	if (linked == 0)
		return CS_OK;
	return DB_EXEC(db, f, NULL, STMT_ARTICLE_COUNTS, A_I(linked), A_I(new_count), A_S(al->id));
}

static enum cs_err
write_log(struct db *db, const struct db_alloc *al, const struct db_upload *up,
    const struct db_upload_result *res, struct arena *a, struct fault *f)
{
	struct db_sync row = {
		.op = SYNC_UPLOAD,
		.node_id = up->node_id,
		.count = up->received,
		.error = up->warnings,
		.took_us = clock_mono_us() - up->started_us,
	};

	row.extra = arena_printf(a,
	    "{\"allocation_id\":\"%s\",\"received\":%lld,\"new_count\":%lld,\"left_alone\":%lld}",
	    al->id, (long long)up->received, (long long)res->new_count, (long long)res->foreign);

	if (row.extra == NULL)
		return cs_detail(f, CS_ENOMEM, "sync log");
	return db_sync_log(db, &row, f);
}

enum cs_err
db_article_store(struct db *db, const struct conf *conf, const struct db_alloc *al,
    const struct db_upload *up, struct arena *a, struct db_upload_result *out, struct fault *f)
{
	uint64_t linked = 0;
	auto_tx tx = { 0 };

	*out = (struct db_upload_result){ 0 };
	TRY(db_begin(db, &tx, f));
	if (up->n > 0) {
		TRY(upsert(db, up, a, out, f));
		TRY(link_articles(db, al, up, a, out->foreign, &linked, f));
		TRY(touch_feeds(db, up, a, f));
	}
	TRY(write_log(db, al, up, out, a, f));
	TRY(count(db, conf, al, up, (int64_t)linked, out->new_count, a, f));
	return db_commit(&tx, f);
}
