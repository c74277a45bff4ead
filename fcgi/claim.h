/* SPDX-License-Identifier: MIT */
/*
 * Claiming: which allocation a node is handed, by the preferences of docs/design.md ("Choosing a
 * node"). Each worker keeps a short list of candidates of its own residue class of row numbers, so
 * that workers seldom meet; the list may be lost, stale or wrong: the compare-and-set decides.
 */
#ifndef CS_FCGI_CLAIM_H
#define CS_FCGI_CLAIM_H

#include "db/db_alloc.h"
#include "fcgi/ctx.h"

/* The list of worker INDEX of COUNT. NULL: out of memory. */
struct candidates *candidates_new(unsigned index, unsigned count);
void candidates_free(struct candidates *l);
/* Between requests: reads the caller's list anew where it was used and is nearly old or used up, so
 * that no claim has to wait for that. */
void candidates_tend(struct ctx *caller);

/* What one request was handed: the first PACKAGES of each ROWS, as of db_alloc_package(). */
struct claimed {
	size_t n;
	int64_t seq[DB_OFFER_MAX];
	size_t nrows;
	struct db_rows rows[DB_OFFER_MAX];
	size_t packages[DB_OFFER_MAX];
};
void claimed_close(struct claimed *got);
#define auto_claimed cs_cleanup(claimed_close) struct claimed

/*
 * Claims at least one more allocation for the calling node, until it has MAX at most. Where there
 * is none, *WHY says why (MSG_NO_WORK…; MSG_NO_WORK_FULL takes *LOAD's two numbers).
 */
enum cs_err claim_more(struct ctx *c, size_t max, struct claimed *got, enum msg_id *why,
    struct db_load *load) cs_mustcheck;

#endif
