/* SPDX-License-Identifier: MIT */
/*
 * POST /start-scheduler, /stop-scheduler, /reload-scheduler. They only note what is wanted, in the
 * database; whoever schedules sees it there, now and after every restart.
 */
#include "fcgi/handlers.h"

#include "db/db_sync.h"

enum cs_err
h_scheduler_start(struct ctx *c)
{
	TRY(db_scheduler_set(c->db, true, &c->fault));
	return res_ok(c, MSG_SCHEDULER_STARTED);
}

enum cs_err
h_scheduler_stop(struct ctx *c)
{
	TRY(db_scheduler_set(c->db, false, &c->fault));
	return res_ok(c, MSG_SCHEDULER_STOPPED);
}

enum cs_err
h_scheduler_reload(struct ctx *c)
{
	TRY(db_scheduler_reload(c->db, &c->fault));
	return res_ok(c, MSG_SCHEDULER_RELOADED);
}
