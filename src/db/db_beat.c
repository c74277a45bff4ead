/* SPDX-License-Identifier: MIT */
/*
 * Beats in cascade_beat, by the database's clock: one row a part. Whoever beats after too long a
 * gap notes its end in the same statement, so a gap is noticed even if its observer was away as
 * well.
 */
#include "db/db_beat.h"

enum cs_err
db_beat(struct db *db, const char *name, const struct conf *conf, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_BEAT, A_S(name), A_I(conf->outage_gap_s));
}

enum cs_err
db_beat_rescue_allowed(struct db *db, const struct conf *conf, bool *allowed, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(
	    db, f, &r, STMT_BEAT_ALLOWED, A_I(conf->outage_gap_s), A_I(conf->offline_after_s)));
	*allowed = db_next(&r) && db_i(&r, 0) != 0;
	return CS_OK;
}
