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

/*
 * Claims one allocation for the calling node. *SEQ is its row number and PACKAGE what to hand out
 * (db_alloc_claim()), or 0 and *WHY says why there is nothing (MSG_NO_WORK…; MSG_NO_WORK_FULL takes
 * *LOAD's two numbers).
 */
enum cs_err claim_next(struct ctx *c, int64_t *seq, struct db_rows *package, enum msg_id *why,
    struct db_load *load) cs_mustcheck;

#endif
