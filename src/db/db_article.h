/* SPDX-License-Identifier: MIT */
/*
 * Uploads: articles of an allocation, upserted in bulk within one transaction, counted once each.
 * Identity and columns are WeRSS's.
 */
#ifndef CS_DB_DB_ARTICLE_H
#define CS_DB_DB_ARTICLE_H

#include "conf/conf.h"
#include "db/db.h"
#include "db/db_alloc.h"

#define ARTICLE_ID_MAX	  255 /* characters, as stored */
#define ARTICLE_TITLE_MAX 1000
#define ARTICLE_URL_MAX	  2048
#define ARTICLE_TEXT_MAX  16777215 /* bytes of a MEDIUMTEXT */

/* One article as it is to be stored; text borrowed, NULL where absent. */
struct db_article {
	const char *id; /* stored form */
	const char *mp_id;
	const char *title, *pic_url, *url, *description, *content, *content_markdown;
	int64_t status, publish_time;
	size_t place; /* in the request */
};

struct db_upload {
	const struct db_article *articles; /* sorted by id, no id twice */
	size_t n;
	int64_t received;     /* in the request */
	const char *warnings; /* for the sync log; NULL: none */
	const char *node_id;
	int64_t node;
	int64_t started_us; /* of the request (monotonic), for the sync log */
};

struct db_upload_result {
	int64_t new_count;
	int64_t foreign; /* left alone: the row belongs to another account */
};

/*
 * Stores UP for allocation AL. Where NODE holds it, its lease is renewed in the same transaction.
 * CS_ECONFLICT (MSG_ALREADY_CANCELLED) where it was cancelled meanwhile: nothing is stored. A
 * deadlock is CS_EBUSY: the caller starts anew.
 */
enum cs_err db_article_store(struct db *db, const struct conf *conf, const struct db_alloc *al,
    const struct db_upload *up, struct arena *a, struct db_upload_result *out,
    struct fault *f) cs_mustcheck;

#endif
