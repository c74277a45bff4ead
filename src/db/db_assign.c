/* SPDX-License-Identifier: MIT */
/*
 * Assignment: one batch of waiting work and the nodes with room for it are read without locks, the
 * choice is core/select.h's, and it is carried out in short transactions that hold the node's row
 * and check its room again. What changed meanwhile is left for the next batch.
 */
#include "db/db_daemon.h"

#include "db/db_plan.h"
#include "db/db_wake.h"

#include <stdlib.h>

static enum cs_err
choose(struct plan *p, struct fault *f)
{
	struct selector *s = select_new(p->nodes, p->nnodes, p->quotas, p->nquotas);

	if (s == NULL)
		return plan_no_memory(f);
	for (size_t i = 0; i < p->nitems; i++) {
		struct plan_item *it = &p->items[i];

		select_bar(s, it->failed, it->nback);
		it->to = select_node(s, plan_feeds(p, it), it->nfeeds, it->failed, it->nfailed);
	}
	select_free(s);
	return CS_OK;
}

static enum cs_err
assign(struct db *db, const struct conf *conf, struct plan *p, struct buf *list, int64_t *n,
    struct fault *f)
{
	auto_rows r = { 0 };
	int64_t room;
	bool waits;

	/* mostly nothing does, and there may be many nodes */
	TRY(db_wake_waiting(db, &waits, f));
	if (!waits)
		return CS_OK;
	TRY(plan_read_nodes(db, conf, p, &room, f));
	if (room <= 0)
		return CS_OK;
	TRY(DB_QUERY(db, f, &r, STMT_ASSIGN_POOL, A_I(room < conf->batch ? room : conf->batch)));
	TRY(plan_read_items(p, &r, f));
	if (p->nitems == 0)
		return CS_OK;
	TRY(plan_read_quotas(db, p, list, f));
	TRY(choose(p, f));
	return plan_write(db, p, list, n, f);
}

enum cs_err
db_assign(struct db *db, const struct conf *conf, int64_t *n, struct fault *f)
{
	auto_plan p = { 0 };
	struct buf list = { 0 };
	enum cs_err rc;

	*n = 0;
	rc = assign(db, conf, &p, &list, n, f);
	buf_free(&list);
	return rc;
}
