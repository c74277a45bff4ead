/* SPDX-License-Identifier: MIT */
/*
 * POST /heartbeat: a node's sign of life. Most heartbeats come soon after the last and write
 * nothing. Our own children name what they hold: that renews its leases, and what is left out
 * lapses soon.
 */
#include "fcgi/handlers.h"

#include "db/db_alloc.h"

struct heartbeat {
	const char *callback;
	const struct jx *holding;
};

static enum cs_err
read_body(struct ctx *c, struct heartbeat *in)
{
	static const struct jx_field fields[] = {
		{ "callback_url", JX_STR, JX_URL, offsetof(struct heartbeat, callback), 0, 500 },
		{ "holding", JX_ARR, 0, offsetof(struct heartbeat, holding), 0, 100000 },
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

enum cs_err
h_heartbeat(struct ctx *c)
{
	struct heartbeat in = { 0 };
	const char *holding = NULL;

	TRY(read_body(c, &in));
	if (in.holding != NULL) {
		holding = jx_text(in.holding, c->arena);
		if (holding == NULL)
			return cs_detail(&c->fault, CS_ENOMEM, "holding");
	}
	if (c->who.heartbeat_due || in.callback != NULL || holding != NULL)
		TRY(db_heartbeat(c->db, c->conf, c->who.node, in.callback, holding, &c->fault));
	jw_obj(&c->res->w);
	jw_kstr(&c->res->w, "status", "alive");
	jw_obj_end(&c->res->w);
	return res_ok(c, MSG_SUCCESS);
}
