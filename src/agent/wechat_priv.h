/* SPDX-License-Identifier: MIT */
/* What the files of the collector share: requests to the site. */
#ifndef CS_AGENT_WECHAT_PRIV_H
#define CS_AGENT_WECHAT_PRIV_H

#include "agent/wechat.h"

#include "base/buf.h"
#include "base/err.h"
#include "json/jx.h"

#define LIST_COUNT 5 /* articles on a page of a list */

enum site_result {
	SITE_OK,
	SITE_FAILED,  /* this feed has failed; the fault says why */
	SITE_LATER,   /* the site could not be reached, or is out of order; as above */
	SITE_LIMITED, /* the account is used too often */
	SITE_EXPIRED  /* the account is not logged in */
};

/* Gets page PAGE (from 0) of the list of FAKER_ID. OK: *DOC is the caller's to free. */
enum site_result site_list(const struct wechat_conf *c, const char *faker_id, int64_t page,
    struct jx_doc **doc, struct fault *f) cs_mustcheck;

enum page_result {
	PAGE_OK,
	PAGE_NONE,	/* it cannot be had, or there is no content in it */
	PAGE_ELSEWHERE, /* LINK leads to another site, which is left alone */
	PAGE_VERIFY	/* the site wants to see a human */
};
/* Adds the content of the article at LINK to OUT. WHY, terminated, says what PAGE_NONE is. */
enum page_result site_page(const struct wechat_conf *c, const char *link, struct buf *out,
    char *why, size_t why_size) cs_mustcheck;
/* The address of LINK at the site of BASE_URL; false: it is of another. OUT is NUL-terminated. */
bool site_resolve(const char *base_url, const char *link, struct buf *out);

#endif
