/* SPDX-License-Identifier: MIT */
/*
 * POST /auth/login: a token for a name and a password, where there is no WeRSS to give one. A wrong
 * name, a wrong password and a disabled user are answered alike and after the same time. Neither
 * what was given nor what is answered is ever logged or kept.
 */
#include "fcgi/handlers.h"

#include "base/clock.h"
#include "core/token.h"
#include "db/db_login.h"
#include "fcgi/password.h"

#define USERNAME_MAX 50
#define PASSWORD_MAX 256

struct login {
	const char *username, *password;
};

static const struct jx_field fields[] = {
	{ "username", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct login, username), 0,
	    USERNAME_MAX },
	{ "password", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct login, password), 0,
	    PASSWORD_MAX },
};

static enum cs_err
give_token(struct ctx *c, const char *username)
{
	struct jw *w = &c->res->w;
	char token[TOKEN_MAX + 1];
	int64_t now_s = clock_wall_s();

	if (!token_mint(token, sizeof(token), username, now_s, now_s + c->conf->token_ttl_s,
		c->conf->jwt_secret))
		return cs_detail(&c->fault, CS_EINTERNAL, "the token could not be minted");
	jw_obj(w);
	jw_kstr(w, "access_token", token);
	jw_kstr(w, "token_type", "bearer");
	jw_kint(w, "expires_in", c->conf->token_ttl_s);
	jw_obj_end(w);
	return res_ok(c, MSG_LOGGED_IN);
}

enum cs_err
h_login(struct ctx *c)
{
	const char *address = c->req->remote_addr != NULL ? c->req->remote_addr : "";
	struct db_login_user user;
	struct login in = { 0 };

	c->res->no_store = true;
	TRY(jx_read(c->req->json, fields, ARRAY_LEN(fields), &in, NULL, "", &c->fault));
	TRY(db_login_begin(c->db, c->conf, in.username, address, &c->fault));
	TRY(db_login_user(c->db, in.username, c->arena, &user, &c->fault));
	if (!password_is(in.password, user.password_hash, c->conf->login_cost_max) || !user.active)
		return cs_fail(&c->fault, CS_EAUTH, MSG_LOGIN_REFUSED);
	TRY(db_login_done(c->db, in.username, address, &c->fault));
	c->who.name = user.username;
	return give_token(c, user.username);
}
