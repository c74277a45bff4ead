/* SPDX-License-Identifier: MIT */
/*
 * Idempotency-Key: the same principal, route and key get the same answer. Of claims the row numbers
 * are kept, in the transaction that hands the work out, and the packages made anew from them while
 * the lease lives. Of a dispatch the run that it makes is kept before it is made, and its answer
 * once it has one.
 */
#ifndef CS_DB_DB_IDEM_H
#define CS_DB_DB_IDEM_H

#include "base/arena.h"
#include "db/db.h"

/* A key, as hashes. */
struct db_idem {
	const char *id;	     /* of principal, route and key; NULL: none was given */
	const char *request; /* of what was asked for under it */
};

/*
 * Part of the caller's transaction, and its beginning: locks NODE, so that the same key waits for
 * itself. *N row numbers in SEQ (at most MAX) were handed out under K and are held by NODE still;
 * 0: the key is free. CS_EINVALID where it was another request.
 */
enum cs_err db_idem_held(struct db *db, const struct db_idem *k, int64_t node, int64_t *seq,
    size_t max, size_t *n, struct fault *f) cs_mustcheck;
/* Part of the same transaction: N rows of SEQ are the answer to K, for TTL_S at most. */
enum cs_err db_idem_claimed(struct db *db, const struct db_idem *k, const int64_t *seq, size_t n,
    int64_t ttl_s, struct fault *f) cs_mustcheck;

struct db_idem_run { /* text in the arena */
	const char *run_id;
	const char *answer; /* JSON; NULL: none is kept yet */
};
/* The run that K stands for: RUN_ID where it stood for none, for TTL_S from now on. CS_EINVALID
 * where it was another request. */
enum cs_err db_idem_run(struct db *db, const struct db_idem *k, const char *run_id, int64_t ttl_s,
    struct arena *a, struct db_idem_run *out, struct fault *f) cs_mustcheck;
/* Keeps ANSWER to K where none is kept. *KEPT, in the arena, is the one that is. */
enum cs_err db_idem_answer(struct db *db, const struct db_idem *k, const char *answer,
    struct arena *a, const char **kept, struct fault *f) cs_mustcheck;

#endif
