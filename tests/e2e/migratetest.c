/* SPDX-License-Identifier: MIT */
/*
 * src/db/migrate.h against a real server: migratetest SOCKET SQLDIR. Databases cs_migrate and
 * cs_real are made and dropped; files of its own go to a directory in TMPDIR that is removed.
 */
#include "db/migrate.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "tap.h"

static struct fault f;
static char dir[512];
static int noted;

static void
note(const char *name)
{
	printf("# applied %s\n", name);
	noted++;
}

static bool
raw(struct db *db, const char *sql)
{
	enum cs_err err = db_raw(db, sql, strlen(sql), &f);

	if (err != CS_OK)
		printf("# %s: %s\n", sql, f.detail);
	return err == CS_OK;
}

static void
put(const char *name, const char *text)
{
	char path[1024];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0)
		abort();
}

static void
take_away(const char *name)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static const char one[] = "-- a comment; with a semicolon and a 'quote\n"
			  "CREATE TABLE IF NOT EXISTS m1 (a VARCHAR(20) DEFAULT ';', b INT /* ; */)"
			  " CHARACTER SET {{charset}} COLLATE {{collation}};\n"
			  "DELIMITER $$\n"
			  "CREATE OR REPLACE PROCEDURE m_proc() BEGIN DO 1; SELECT ';$'; END $$\n"
			  "DELIMITER ;\n"
			  "CALL m_proc();\n";
/* Every statement may run twice; the sleep is where a run is killed or overlaps another. */
static const char two[] = "CREATE TABLE IF NOT EXISTS m2 (a INT PRIMARY KEY);\n"
			  "DO SLEEP(1);\n"
			  "REPLACE INTO m2 VALUES (1);\n";

static void
test_install(struct db *db)
{
	struct migrate_state st;

	is_err(migrate_status(db, dir, &st, &f), CS_OK, &f, "status of an empty database");
	ok(st.applied == 0 && st.wanted == 1 && !st.changed, "nothing applied");
	is_err(migrate_check(db, &f), CS_ESCHEMA, &f, "check without a table");
	noted = 0;
	is_err(migrate_install(db, dir, note, &f), CS_OK, &f, "install");
	ok(noted == 1, "one file applied");
	is_err(migrate_install(db, dir, note, &f), CS_OK, &f, "again");
	ok(noted == 1, "nothing to do");
	is_err(migrate_status(db, dir, &st, &f), CS_OK, &f, "status");
	ok(st.applied == 1 && st.wanted == 1 && !st.changed, "applied 1");
	is_err(migrate_check(db, &f), CS_ESCHEMA, &f, "check of an old version");
	ok(strstr(f.detail, "version 1") != NULL, "detail: %s", f.detail);
}

static pid_t
install_in_child(const struct conf *conf)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct db *db = db_new(conf);
	enum cs_err err = migrate_install(db, dir, NULL, &f);

	if (err != CS_OK)
		printf("# child: %s %s\n", cs_err_name(err), f.detail);
	fflush(stdout);
	db_free(db);
	_exit((int)err);
}

static void
test_two_at_once(struct db *db, const struct conf *conf)
{
	pid_t pid[2];
	int status;

	put("002-two.sql", two);
	pid[0] = install_in_child(conf);
	pid[1] = install_in_child(conf);
	for (int i = 0; i < 2; i++) {
		waitpid(pid[i], &status, 0);
		ok(WIFEXITED(status) && WEXITSTATUS(status) == CS_OK, "run %d of two", i);
	}
	noted = 0;
	is_err(migrate_install(db, dir, note, &f), CS_OK, &f, "a third");
	ok(noted == 0, "finds nothing to do");
}

static void
test_killed(struct db *db, const struct conf *conf)
{
	struct migrate_state st;
	int64_t start;
	pid_t pid;

	put("003-three.sql", two);
	raw(db, "DROP TABLE m2");
	pid = install_in_child(conf);
	for (start = clock_mono_ms(); clock_mono_ms() - start < 5000; clock_sleep_ms(20))
		if (db_raw(db, "SELECT 1 FROM m2", 16, &f) == CS_OK)
			break;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is_err(migrate_status(db, dir, &st, &f), CS_OK, &f, "status after kill -9");
	ok(st.applied == 2 && st.wanted == 3, "its file is not recorded");
	noted = 0;
	is_err(migrate_install(db, dir, note, &f), CS_OK, &f, "resumed");
	ok(noted == 1, "its file is applied again");
}

static void
test_refused(struct db *db)
{
	struct migrate_state st;

	put("001-one.sql", "SELECT 'changed';");
	is_err(migrate_status(db, dir, &st, &f), CS_OK, &f, "status of a changed file");
	ok(st.changed && strcmp(st.changed_name, "001-one.sql") == 0, "names it");
	is_err(migrate_install(db, dir, note, &f), CS_ESCHEMA, &f, "install refuses it");
	ok(strstr(f.message, "001-one.sql") != NULL, "message: %s", f.message);
	put("001-one.sql", one);
	take_away("003-three.sql");
	f.lang = LANG_EN;
	is_err(migrate_install(db, dir, note, &f), CS_ESCHEMA, &f, "the database is newer");
	ok(strstr(f.message, "version 3") != NULL, "message: %s", f.message);
	put("003-three.sql", two);
	put("004-bad.sql", "-- first\n\nSELECT 1;\n\nSELEKT 2;\n");
	is_err(migrate_install(db, dir, note, &f), CS_EINTERNAL, &f, "bad SQL");
	ok(strncmp(f.detail, "004-bad.sql:5: SQL: 1064 ", 24) == 0, "detail: %s", f.detail);
	put("004-bad.sql", "SELECT 'open;\n");
	is_err(migrate_install(db, dir, note, &f), CS_EINTERNAL, &f, "open quote");
	ok(strstr(f.detail, "004-bad.sql:1: a quote") != NULL, "detail: %s", f.detail);
	put("004-more.sql", "SELECT 1");
	is_err(migrate_install(db, dir, note, &f), CS_EIO, &f, "one number twice");
	take_away("004-more.sql");
	put("004-bad.sql", "");
	is_err(migrate_install(db, dir, note, &f), CS_OK, &f, "an empty file");
	is_err(migrate_check(db, &f), DB_SCHEMA_VERSION <= 4 ? CS_OK : CS_ESCHEMA, &f, "check");
	is_err(migrate_install(db, "/nonexistent", note, &f), CS_EIO, &f, "no directory");
	ok(strstr(f.detail, "/nonexistent") != NULL, "detail: %s", f.detail);
}

/* The real schema, on a database whose WeRSS tables have another collation; and every statement. */
static void
test_real(struct db *db, const char *sqldir)
{
	struct migrate_state st;

	raw(db,
	    "CREATE TABLE we_cascade_nodes (id VARCHAR(255) PRIMARY KEY, node_type INT,"
	    " name VARCHAR(255), description TEXT, api_url VARCHAR(500), callback_url VARCHAR(500),"
	    " api_key VARCHAR(100), api_secret_hash VARCHAR(64), parent_id VARCHAR(255),"
	    " status INT, sync_config TEXT, last_sync_at DATETIME, last_heartbeat_at DATETIME,"
	    " is_active BOOL, created_at DATETIME, updated_at DATETIME)"
	    " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci");
	is_err(migrate_install(db, sqldir, note, &f), CS_OK, &f, "the real schema");
	is_err(migrate_check(db, &f), CS_OK, &f, "check");
	is_err(migrate_status(db, sqldir, &st, &f), CS_OK, &f, "status");
	ok(st.wanted == DB_SCHEMA_VERSION && st.applied == st.wanted, "version %d", st.applied);
	is_err(db_prepare_all(db, &f), CS_OK, &f, "every statement of stmt.def");
	raw(db, "DELETE FROM cascade_schema");
	is_err(migrate_install(db, sqldir, NULL, &f), CS_OK, &f, "every statement may run twice");
	ok(raw(db,
	       "SELECT STRAIGHT_JOIN 1 FROM cascade_open o JOIN we_cascade_nodes n ON n.id = o.id"),
	    "collation taken over: keys compare without a conversion");
}

int
main(int argc, char **argv)
{
	struct conf conf = {
		.db_socket = argc > 1 ? argv[1] : "",
		.db_host = "localhost",
		.db_user = "root",
		.db_password = "",
		.db_name = "mysql",
		.db_tls_ca = "",
		.db_connect_timeout_s = 5,
		.db_io_timeout_s = 20,
	};
	static struct db *admin, *db; /* static: children keep a reference, says valgrind */
	const char *tmp = getenv("TMPDIR");
	struct conf mine = conf, real = conf;

	admin = db_new(&conf);
	mine.db_name = "cs_migrate";
	real.db_name = "cs_real";
	snprintf(dir, sizeof(dir), "%s/migratetest.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || argc < 3 ||
	    !raw(admin, "CREATE OR REPLACE DATABASE cs_migrate") ||
	    !raw(admin, "CREATE OR REPLACE DATABASE cs_real"))
		return 1;
	put("001-one.sql", one);
	put("README", "not ours");
	db = db_new(&mine);
	test_install(db);
	test_two_at_once(db, &mine);
	test_killed(db, &mine);
	test_refused(db);
	db_free(db);
	db = db_new(&real);
	test_real(db, argv[2]);
	db_free(db);
	raw(admin, "DROP DATABASE cs_migrate");
	raw(admin, "DROP DATABASE cs_real");
	db_free(admin);
	for (size_t i = 0; i < 5; i++)
		take_away((const char *[]){
		    "001-one.sql", "002-two.sql", "003-three.sql", "004-bad.sql", "README" }[i]);
	rmdir(dir);
	return done_testing();
}
