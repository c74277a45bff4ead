/* SPDX-License-Identifier: MIT */
/*
 * GET /openapi.json: the description of the API below each mount, bare, and for that mount. It
 * takes no credential: it is the same for everybody and public with the source, and whoever writes
 * a client, or a tool that makes one, has none yet.
 */
#include "fcgi/handlers.h"

#include "fcgi/openapi.h"

#include <string.h>

/* Has the client what we would send? A quoted tag is found nowhere but in itself. */
static bool
is_known(const char *if_none_match)
{
	return if_none_match != NULL &&
	       (strcmp(if_none_match, "*") == 0 || strstr(if_none_match, openapi_etag) != NULL);
}

static void
write_servers(struct jw *w, const char *key, const struct conf_mount *mount)
{
	jw_key(w, key);
	jw_arr(w);
	jw_obj(w);
	jw_kstr(w, "url", mount->prefix);
	jw_obj_end(w);
	jw_arr_end(w);
}

enum cs_err
h_openapi(struct ctx *c)
{
	struct jw *w = &c->res->w;

	c->res->bare = true;
	c->res->etag = openapi_etag;
	if (is_known(c->req->if_none_match)) {
		c->res->status = 304;
		return CS_OK;
	}
	jw_obj(w);
	for (const struct openapi_member *m = openapi_members; m->key != NULL; m++) {
		if (m->json != NULL)
			jw_kraw(w, m->key, m->json);
		else
			write_servers(w, m->key, c->req->mount);
	}
	jw_obj_end(w);
	return CS_OK;
}
