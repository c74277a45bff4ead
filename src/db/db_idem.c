/* SPDX-License-Identifier: MIT */
/*
 * Keys and what stands behind them. Only hashes of keys and requests are stored. Rows whose time is
 * over count for nothing, whether they have been removed (db_retain.c) or not.
 */
#include "db/db_idem.h"

#include "base/buf.h"

#include <string.h>

static enum cs_err
reused(struct fault *f)
{
	return cs_bad(f, "Idempotency-Key", MSG_R_KEY_REUSED);
}

enum cs_err
db_idem_held(struct db *db, const struct db_idem *k, int64_t node, int64_t *seq, size_t max,
    size_t *n, struct fault *f)
{
	auto_rows lock = { 0 };
	auto_rows r = { 0 };

	*n = 0;
	TRY(DB_QUERY(db, f, &lock, STMT_IDEM_LOCK, A_I(node)));
	TRY(DB_QUERY(db, f, &r, STMT_IDEM_HELD, A_S(k->id), A_I(node)));
	while (*n < max && db_next(&r)) {
		if (strcmp(db_s(&r, 0), k->request) != 0)
			return reused(f);
		seq[(*n)++] = db_i(&r, 1);
	}
	return CS_OK;
}

enum cs_err
db_idem_claimed(struct db *db, const struct db_idem *k, const int64_t *seq, size_t n, int64_t ttl_s,
    struct fault *f)
{
	struct buf list = { 0 };
	enum cs_err rc;

	for (size_t i = 0; i < n; i++)
		buf_printf(&list, "%c%lld", i == 0 ? '[' : ',', (long long)seq[i]);
	buf_putc(&list, ']');
	rc = buf_failed(&list) ? cs_detail(f, CS_ENOMEM, "row numbers")
			       : DB_EXEC(db, f, NULL, STMT_IDEM_CLAIMED, A_S(k->id),
				     A_S(k->request), A_I(ttl_s), A_S(list.data));
	buf_free(&list);
	return rc;
}

enum cs_err
db_idem_run(struct db *db, const struct db_idem *k, const char *run_id, int64_t ttl_s,
    struct arena *a, struct db_idem_run *out, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_EXEC(
	    db, f, NULL, STMT_IDEM_TAKE, A_S(k->id), A_S(k->request), A_S(run_id), A_I(ttl_s)));
	TRY(DB_QUERY(db, f, &r, STMT_IDEM_GET, A_S(k->id)));
	if (!db_next(&r))
		return cs_detail(f, CS_EBUSY, "the key is just being removed");
	if (strcmp(db_s(&r, 0), k->request) != 0)
		return reused(f);
	out->run_id = arena_strdup(a, db_s(&r, 1));
	out->answer = arena_strdup(a, db_s(&r, 2));
	if (out->run_id == NULL || (out->answer == NULL && !db_is_null(&r, 2)))
		return cs_detail(f, CS_ENOMEM, "answer");
	return CS_OK;
}

enum cs_err
db_idem_answer(struct db *db, const struct db_idem *k, const char *answer, struct arena *a,
    const char **kept, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_EXEC(db, f, NULL, STMT_IDEM_ANSWER, A_S(answer), A_S(k->id)));
	TRY(DB_QUERY(db, f, &r, STMT_IDEM_GET, A_S(k->id)));
	*kept = arena_strdup(a, db_next(&r) && !db_is_null(&r, 2) ? db_s(&r, 2) : answer);
	return *kept != NULL ? CS_OK : cs_detail(f, CS_ENOMEM, "answer");
}
