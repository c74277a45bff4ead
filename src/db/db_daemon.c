/* SPDX-License-Identifier: MIT */
/*
 * cascaded's refresh: who leads, which nodes are alive, which leases and reservations ran out.
 * Reads a list, then acts on each entry under its guard, so that nothing is locked for long.
 */
#include "db/db_daemon.h"

#include "base/buf.h"
#include "db/db_alloc.h"
#include "db/db_plan.h"
#include "db/db_priv.h"

#include <stdlib.h>

#define DB_UNRESERVE_MAX 500

enum cs_err
db_lead(struct db *db, const char *holder, bool *leads, struct fault *f)
{
	auto_rows r = { 0 };

	*leads = false;
	TRY(DB_EXEC(db, f, NULL, STMT_LEADER_TAKE, A_S(holder), A_I(DB_LEAD_S)));
	TRY(DB_QUERY(db, f, &r, STMT_LEADER_IS, A_S(holder)));
	*leads = db_next(&r) && db_i(&r, 0) != 0;
	return CS_OK;
}

enum cs_err
db_lead_drop(struct db *db, const char *holder, struct fault *f)
{
	return DB_EXEC(db, f, NULL, STMT_LEADER_DROP, A_S(holder));
}

static enum cs_err
set_online(struct db *db, const struct conf *conf, struct fault *f)
{
	struct buf list = { 0 };
	auto_rows r = { 0 };
	enum cs_err rc;

	TRY(DB_QUERY(db, f, &r, STMT_NODES_CAME, A_I(conf->offline_after_s)));
	if (db_count(&r) == 0)
		return CS_OK;
	while (db_next(&r))
		buf_printf(&list, "%c%lld", list.len == 0 ? '[' : ',', (long long)db_i(&r, 0));
	buf_putc(&list, ']');
	rc = buf_failed(&list) ? cs_detail(f, CS_ENOMEM, "nodes that came")
			       : DB_EXEC(db, f, NULL, STMT_NODES_ONLINE, A_S(list.data),
				     A_I(conf->offline_after_s));
	buf_free(&list);
	return rc;
}

enum cs_err
db_refresh_nodes(struct db *db, const struct conf *conf, db_node_note *note, struct fault *f)
{
	auto_rows r = { 0 };
	int64_t released;
	uint64_t went;

	TRY(set_online(db, conf, f));
	TRY(DB_QUERY(db, f, &r, STMT_NODES_SILENT, A_I(conf->heartbeat_memory_s),
	    A_I(conf->offline_after_s)));
	while (db_next(&r)) {
		int64_t node = db_i(&r, 0);
		bool was_online = db_i(&r, 3) != 0;

		TRY(DB_EXEC(db, f, &went, STMT_NODE_WENT, A_I(node), A_I(conf->offline_after_s)));
		/* it has come back this very moment */
		if (was_online && went == 0)
			continue;
		TRY(db_alloc_release_node(
		    db, conf, node, EV_NODE_LOST, db_i(&r, 2) != 0, &released, f));
		if (note != NULL && (was_online || released > 0))
			note(db_s(&r, 1), released);
	}
	return CS_OK;
}

enum cs_err
db_expire_leases(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	const struct db_end end = { 0 };
	auto_rows r = { 0 };

	*n = 0;
	TRY(DB_QUERY(db, f, &r, STMT_LAPSED, A_I(conf->max_run_s)));
	while (db_next(&r))
		TRY(db_alloc_end_row(
		    db, conf, &r, db_i(&r, 9) != 0 ? EV_MAX_RUN : EV_LAPSE, &end, n, f));
	return CS_OK;
}

/* What each row of STMT_UNRESERVE is about is to be nobody's; LAPSED, of which there are *N more:
 * the nodes that let it lapse. */
static enum cs_err
plan_unreserve(struct plan *p, struct db_rows *r, int64_t *lapsed, size_t *n, struct fault *f)
{
	p->items = calloc(db_count(r), sizeof(*p->items));
	if (p->items == NULL)
		return plan_no_memory(f);
	while (db_next(r)) {
		p->items[p->nitems++] = (struct plan_item){
			.seq = db_i(r, 0),
			.ver = db_i(r, 1),
			.node = db_i(r, 2),
		};
		if (db_i(r, 3) != 0)
			lapsed[(*n)++] = db_i(r, 2);
	}
	return CS_OK;
}

static enum cs_err
unreserve(
    struct db *db, struct plan *p, struct db_rows *r, struct buf *list, int64_t *n, struct fault *f)
{
	int64_t lapsed[DB_UNRESERVE_MAX];
	size_t nlapsed = 0;

	TRY(plan_unreserve(p, r, lapsed, &nlapsed, f));
	db_sort_numbers(lapsed, nlapsed);
	db_list_numbers(list, lapsed, nlapsed);
	if (buf_failed(list))
		return plan_no_memory(f);
	if (nlapsed > 0)
		TRY(DB_EXEC(db, f, NULL, STMT_NODES_LAPSED, A_S(list->data)));
	return plan_write(db, p, list, n, f);
}

enum cs_err
db_expire_reservations(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	struct buf list = { 0 };
	auto_plan p = { 0 };
	auto_rows r = { 0 };
	enum cs_err rc = CS_OK;

	*n = 0;
	TRY(DB_QUERY(db, f, &r, STMT_UNRESERVE, A_I(conf->prefer_s), A_I(conf->prefer_s),
	    A_I(DB_UNRESERVE_MAX)));
	if (db_count(&r) > 0)
		rc = unreserve(db, &p, &r, &list, n, f);
	buf_free(&list);
	return rc;
}

enum cs_err
db_fail_orphans(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	const struct db_end end = { 0 };
	auto_rows r = { 0 };

	*n = 0;
	TRY(DB_QUERY(db, f, &r, STMT_ORPHANS));
	while (db_next(&r))
		TRY(db_alloc_end_row(db, conf, &r, EV_GONE, &end, n, f));
	return CS_OK;
}
