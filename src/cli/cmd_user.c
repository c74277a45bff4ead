/* SPDX-License-Identifier: MIT */
/*
 * Users, their tokens and their access keys. Passwords come from a file or are made here and
 * printed once, never from the command line, which everybody on the machine can read. They are
 * stored as WeRSS stores them: bcrypt.
 */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/parse.h"
#include "core/ident.h"
#include "core/token.h"
#include "db/db_admin.h"

#include <crypt.h>
#include <string.h>

#define BCRYPT		  "$2b$"
#define BCRYPT_COST	  12
#define BCRYPT_BYTES_MAX  72 /* what comes after is ignored by bcrypt, so it is refused here */
#define PASSWORD_MIN	  8
#define PASSWORD_MADE_LEN 20
#define USERNAME_MAX	  50
#define TOKEN_TTL_S	  (INT64_C(30) * 24 * 3600)

static const struct out_title user_titles[] = {
	{ "username", MSG_T_USER },
	{ "role", MSG_T_ROLE },
	{ "nickname", MSG_T_NAME },
	{ "is_active", MSG_T_ACTIVE },
	{ "created_at", MSG_T_CREATED },
};

static const struct out_title key_titles[] = {
	{ "key", MSG_T_KEY },
	{ "username", MSG_T_USER },
	{ "name", MSG_T_NAME },
	{ "is_active", MSG_T_ACTIVE },
	{ "last_used_at", MSG_T_LAST_USED },
	{ "expires_at", MSG_T_EXPIRES },
};

static enum cs_err
no_random(struct cli *c)
{
	return cs_detail(&c->fault, CS_EINTERNAL, "no random numbers to be had");
}

/* The password of --password-file; without one, a new random one. */
static enum cs_err
get_password(struct cli *c, const char **password, bool *made)
{
	char random[CREDENTIAL_LEN + 1];
	size_t len;

	*made = !cli_has(c, OPT_PASSWORD_FILE);
	if (*made) {
		if (!ident_credential(random, "PW"))
			return no_random(c);
		*password = arena_strndup(c->arena, random + 2, PASSWORD_MADE_LEN);
		return *password != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	}
	TRY(input_line(c, cli_text(c, OPT_PASSWORD_FILE), password));
	len = strlen(*password);
	if (len < PASSWORD_MIN || len > BCRYPT_BYTES_MAX)
		return cs_bad(&c->fault, "--password-file", MSG_C_PASSWORD_LENGTH, PASSWORD_MIN,
		    BCRYPT_BYTES_MAX);
	return CS_OK;
}

static enum cs_err
hash_password(struct cli *c, const char *password, const char **hash)
{
	struct crypt_data data = { 0 };
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *out;

	if (crypt_gensalt_rn(BCRYPT, BCRYPT_COST, NULL, 0, salt, (int)sizeof(salt)) == NULL)
		return no_random(c);
	out = crypt_rn(password, salt, &data, (int)sizeof(data));
	*hash = arena_strdup(c->arena, out);
	explicit_bzero(&data, sizeof(data));
	if (out == NULL)
		return cs_detail(&c->fault, CS_EINTERNAL, "libcrypt has no bcrypt");
	return *hash != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
}

enum cs_err
cmd_user_add(struct cli *c)
{
	const char *role = cli_text(c, OPT_ROLE);
	char id[UUID_LEN + 1];
	struct db_user user = { .id = id, .username = c->word[0] };
	const char *password, *hash;
	bool made;

	role = role != NULL ? role : "admin";
	if (*user.username == '\0' || utf8_chars(user.username) > USERNAME_MAX)
		return cs_bad(&c->fault, "NAME", MSG_R_LENGTH, 1LL, (long long)USERNAME_MAX);
	if (!ident_uuid7(id, clock_wall_ms()))
		return no_random(c);
	TRY(get_password(c, &password, &made));
	TRY(hash_password(c, password, &hash));
	TRY(db_user_add(c->db, &user, hash, role, cli_text(c, OPT_NICKNAME), &c->fault));
	out_record(c->out);
	out_str(c->out, "user_id", MSG_T_ID, id);
	out_str(c->out, "username", MSG_T_USER, user.username);
	out_str(c->out, "role", MSG_T_ROLE, role);
	if (made)
		out_str(c->out, "password", MSG_T_PASSWORD, password);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_user_list(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_user_list(c->db, &rows, &c->fault));
	out_rows(c->out, NULL, &view_user, user_titles, ARRAY_LEN(user_titles), &rows);
	return CS_OK;
}

enum cs_err
cmd_user_passwd(struct cli *c)
{
	struct db_user user;
	const char *password, *hash;
	bool made;

	TRY(db_user_get(c->db, c->word[0], c->arena, &user, &c->fault));
	TRY(get_password(c, &password, &made));
	TRY(hash_password(c, password, &hash));
	TRY(db_user_set_password(c->db, user.id, hash, &c->fault));
	if (!made) {
		out_done(c->out, "username", user.username, MSG_C_PASSWORD_SET, user.username);
		return CS_OK;
	}
	out_record(c->out);
	out_str(c->out, "username", MSG_T_USER, user.username);
	out_str(c->out, "password", MSG_T_PASSWORD, password);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_user_set(struct cli *c)
{
	struct db_user user;

	if ((c->cmd->opts & cli_given_opts(c)) == 0)
		return cs_fail(&c->fault, CS_EUSAGE, MSG_C_NOTHING_TO_SET);
	TRY(db_user_get(c->db, c->word[0], c->arena, &user, &c->fault));
	TRY(db_user_set(
	    c->db, user.id, cli_text(c, OPT_ROLE), cli_text(c, OPT_NICKNAME), &c->fault));
	out_done(c->out, "username", user.username, MSG_C_USER_CHANGED, user.username);
	return CS_OK;
}

enum cs_err
cmd_user_rm(struct cli *c)
{
	struct db_user user;

	TRY(db_user_get(c->db, c->word[0], c->arena, &user, &c->fault));
	TRY(db_user_rm(c->db, user.id, &c->fault));
	out_done(c->out, "username", user.username, MSG_C_USER_REMOVED, user.username);
	return CS_OK;
}

static enum cs_err
set_active(struct cli *c, bool active, enum msg_id said)
{
	struct db_user user;

	TRY(db_user_get(c->db, c->word[0], c->arena, &user, &c->fault));
	TRY(db_user_set_active(c->db, user.id, active, &c->fault));
	out_done(c->out, "username", user.username, said, user.username);
	return CS_OK;
}

enum cs_err
cmd_user_enable(struct cli *c)
{
	return set_active(c, true, MSG_C_USER_ENABLED);
}

enum cs_err
cmd_user_disable(struct cli *c)
{
	return set_active(c, false, MSG_C_USER_DISABLED);
}

static enum cs_err
get_active_user(struct cli *c, const char *name, struct db_user *user)
{
	TRY(db_user_get(c->db, name, c->arena, user, &c->fault));
	if (!user->active)
		return cs_fail(&c->fault, CS_EFORBIDDEN, MSG_USER_INACTIVE, user->username);
	return CS_OK;
}

enum cs_err
cmd_token(struct cli *c)
{
	const char *name = cli_text(c, OPT_USER);
	int64_t now_s = clock_wall_s();
	char token[TOKEN_MAX + 1];
	struct db_user user;

	TRY(conf_check_secret(c->conf, &c->fault));
	TRY(get_active_user(c, name != NULL ? name : "admin", &user));
	if (!token_mint(token, sizeof(token), user.username, now_s,
		now_s + cli_num(c, OPT_TTL, TOKEN_TTL_S), c->conf->jwt_secret))
		return cs_detail(&c->fault, CS_EINTERNAL, "the token could not be minted");
	out_plain(c->out, "token", token);
	return CS_OK;
}

enum cs_err
cmd_key_add(struct cli *c)
{
	char id[UUID_LEN + 1], key[CREDENTIAL_LEN + 1], secret[CREDENTIAL_LEN + 1];
	char hash[SHA256_HEX_LEN + 1];
	struct db_user user;

	TRY(get_active_user(c, c->word[0], &user));
	if (!ident_uuid7(id, clock_wall_ms()) || !ident_credential(key, "WK") ||
	    !ident_credential(secret, "SK"))
		return no_random(c);
	ident_sha256(hash, secret, CREDENTIAL_LEN);
	if (hash[0] == '\0')
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	TRY(db_key_add(c->db, id, user.id, key, hash, cli_text(c, OPT_NAME), cli_num(c, OPT_TTL, 0),
	    &c->fault));
	out_record(c->out);
	out_str(c->out, "key", MSG_T_KEY, key);
	out_str(c->out, "secret", MSG_T_SECRET, secret);
	out_end(c->out);
	out_note(c->out, MSG_C_CREDENTIAL);
	return CS_OK;
}

enum cs_err
cmd_key_list(struct cli *c)
{
	auto_rows rows = { 0 };

	TRY(db_key_list(c->db, &rows, &c->fault));
	out_rows(c->out, NULL, &view_key, key_titles, ARRAY_LEN(key_titles), &rows);
	return CS_OK;
}

enum cs_err
cmd_key_rm(struct cli *c)
{
	TRY(db_key_rm(c->db, c->word[0], &c->fault));
	out_done(c->out, "key", c->word[0], MSG_C_KEY_REMOVED, c->word[0]);
	return CS_OK;
}
