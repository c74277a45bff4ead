/* SPDX-License-Identifier: MIT */
/* The database schema: installing it, and how it stands. */
#include "cli/cli.h"

#include "db/migrate.h"

/* migrate_install() tells its note nothing but the name. */
static struct out *installing;

static void
applied(const char *name)
{
	struct fault ignored = { 0 };

	out_note(installing, MSG_C_APPLIED, name);
	/* Seen at once, since a large table takes its time; what fails here fails at the end again.
	 */
	if (out_finish(installing, &ignored) != CS_OK)
		return;
}

static const char *
dir_of(const struct cli *c)
{
	const char *dir = cli_text(c, OPT_DIR);

	return dir != NULL ? dir : migrate_default_dir();
}

enum cs_err
cmd_schema_install(struct cli *c)
{
	struct migrate_state st;

	installing = c->out;
	TRY(migrate_install(c->db, dir_of(c), applied, &c->fault));
	TRY(migrate_status(c->db, dir_of(c), &st, &c->fault));
	out_counted(c->out, "version", st.applied, MSG_C_SCHEMA_IS);
	return CS_OK;
}

enum cs_err
cmd_schema_status(struct cli *c)
{
	struct migrate_state st;

	TRY(migrate_status(c->db, dir_of(c), &st, &c->fault));
	out_record(c->out);
	out_int(c->out, "version", MSG_T_SCHEMA, st.applied);
	out_int(c->out, "wanted", MSG_T_WANTED, st.wanted);
	out_str(c->out, "changed_file", MSG_T_CHANGED_FILE, st.changed ? st.changed_name : NULL);
	out_end(c->out);
	return CS_OK;
}

enum cs_err
cmd_schema_check(struct cli *c)
{
	TRY(migrate_check(c->db, &c->fault));
	out_counted(c->out, "version", DB_SCHEMA_VERSION, MSG_C_SCHEMA_OK);
	return CS_OK;
}
