/* SPDX-License-Identifier: MIT */
/*
 * POST /heartbeat: a node's sign of life. Most heartbeats come soon after the last and write
 * nothing, or are written together with others' (alive.h). Our own children name what they hold:
 * that renews its leases, and what is left out lapses soon.
 */
#include "fcgi/handlers.h"

#include "base/clock.h"
#include "base/parse.h"
#include "db/db_alloc.h"
#include "fcgi/alive.h"

struct heartbeat {
	const char *callback;
	const struct jx *holding;
	int64_t hold_s; /* -1: not given */
};

static enum cs_err
read_body(struct ctx *c, struct heartbeat *in)
{
	static const struct jx_field fields[] = {
		{ "callback_url", JX_STR, JX_URL, offsetof(struct heartbeat, callback), 0, 500 },
		{ "holding", JX_ARR, 0, offsetof(struct heartbeat, holding), 0, 100000 },
		{ "hold_s", JX_INT, 0, offsetof(struct heartbeat, hold_s), 0, HOLD_MAX_S },
	};
	char field[48];

	if (c->req->json == NULL)
		return CS_OK;
	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), in, NULL, "", &c->fault));
	for (size_t i = 0; i < jx_len(in->holding); i++) {
		if (jx_type(jx_at(in->holding, i)) == JX_STR)
			continue;
		snprintf(field, sizeof(field), "holding[%zu]", i);
		return cs_bad(&c->fault, field, MSG_R_TYPE, "string");
	}
	return CS_OK;
}

/* What the node is told: WeRSS's children read none of it, ours do. */
static void
write_wishes(struct ctx *c)
{
	struct jw *w = &c->res->w;
	char now[32];

	jw_obj(w);
	jw_kstr(w, "status", "alive");
	jw_kstr(w, "desired_state", c->who.draining ? "drain" : "run");
	jw_kstr(w, "server_time", render_time_utc(now, sizeof(now), clock_wall_s()));
	jw_kint(w, "heartbeat_interval_s", c->conf->heartbeat_interval_s);
	jw_obj_end(w);
}

enum cs_err
h_heartbeat(struct ctx *c)
{
	struct heartbeat in = { .hold_s = -1 };
	const char *holding = NULL;

	TRY(read_body(c, &in));
	if (in.holding != NULL) {
		holding = jx_text(in.holding, c->arena);
		if (holding == NULL)
			return cs_detail(&c->fault, CS_ENOMEM, "holding");
	}
	if (in.callback != NULL || holding != NULL || in.hold_s >= 0)
		TRY(db_heartbeat(
		    c->db, c->conf, c->who.node, in.callback, holding, in.hold_s, &c->fault));
	else if (c->who.heartbeat_due)
		TRY(alive_note(c));
	write_wishes(c);
	return res_ok(c, MSG_SUCCESS);
}
