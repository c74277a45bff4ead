/* SPDX-License-Identifier: MIT */
/*
 * For load balancers and monitors: is the process alive, and can it serve? The first asks nothing
 * of the database, so that an outage there does not get healthy processes restarted.
 */
#include "fcgi/handlers.h"

#include "db/migrate.h"

static enum cs_err
answer(struct ctx *c, const char *status)
{
	jw_obj(&c->res->w);
	jw_kstr(&c->res->w, "status", status);
	jw_obj_end(&c->res->w);
	c->res->no_store = true;
	return res_ok(c, MSG_SUCCESS);
}

enum cs_err
h_healthz(struct ctx *c)
{
	return answer(c, "alive");
}

enum cs_err
h_readyz(struct ctx *c)
{
	TRY(db_connect(c->db, &c->fault));
	TRY(migrate_check(c->db, &c->fault));
	return answer(c, "ready");
}
