/* SPDX-License-Identifier: MIT */
/*
 * Beside WeRSS: its dispatcher cannot be switched off, and it writes the table that we show. What
 * it inserts is adopted or closed; what it changes in rows of ours is put right. The truth about
 * open work is cascade_open, so nothing here can lose or repeat any.
 */
#include "db/db_daemon.h"

#include "base/clock.h"
#include "core/ident.h"

#define DUPLICATE_WINDOW_S 60
#define REPAIR_WINDOW	   10000 /* open rows a call */

enum cs_err
db_adopt(struct db *db, struct db_adopted *out, struct fault *f)
{
	auto_rows r = { 0 };

	*out = (struct db_adopted){ 0 };
	TRY(DB_EXEC(db, f, NULL, STMT_FOREIGN_ENDED));
	TRY(DB_QUERY(db, f, &r, STMT_FOREIGN_PENDING));
	while (db_next(&r)) {
		int64_t seq = ident_seq(clock_wall_ms(), 1);
		auto_rows done = { 0 };
		enum cs_err rc;

		if (seq == 0)
			return cs_detail(f, CS_EINTERNAL, "no random numbers");
		rc = DB_QUERY(db, f, &done, STMT_FOREIGN_ADOPT, A_S(db_s(&r, 0)), A_I(seq),
		    A_I(DUPLICATE_WINDOW_S), A_S(msg_text(LANG_ZH, MSG_E_DUPLICATE)));
		/* a dispatch of ours took a feed at this moment: the next call closes it */
		if (rc == CS_ECONFLICT) {
			fault_clear(f);
			continue;
		}
		if (rc != CS_OK)
			return rc;
		if (!db_next(&done))
			return cs_detail(f, CS_EINTERNAL, "the procedure answered no row");
		out->adopted += db_i(&done, 0) == 1;
		out->duplicates += db_i(&done, 0) == 2;
	}
	return CS_OK;
}

enum cs_err
db_repair_shown(struct db *db, int64_t *cursor, int64_t *n, struct fault *f)
{
	uint64_t changed = 0, restored = 0;
	auto_rows r = { 0 };
	int64_t last;

	*n = 0;
	TRY(DB_QUERY(db, f, &r, STMT_SHOWN_WINDOW, A_I(*cursor), A_I(REPAIR_WINDOW)));
	if (!db_next(&r) || db_i(&r, 0) == 0) {
		*cursor = 0;
		return CS_OK;
	}
	last = db_i(&r, 1);
	TRY(DB_EXEC(db, f, &changed, STMT_SHOWN_REPAIR, A_I(*cursor), A_I(last)));
	TRY(DB_EXEC(db, f, &restored, STMT_SHOWN_RESTORE, A_I(*cursor), A_I(last)));
	*n = (int64_t)(changed + restored);
	*cursor = db_i(&r, 0) < REPAIR_WINDOW ? 0 : last;
	return CS_OK;
}
