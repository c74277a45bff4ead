/* SPDX-License-Identifier: MIT */
/*
 * Migrations. A run takes the lock on a connection of its own (with patience: a change of a large
 * table takes minutes), compares what is recorded as applied with the files, and applies the rest
 * in order. A file is recorded after its last statement; one that was left half-way is run again
 * from its start, which its statements allow for.
 */
#include "db/migrate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "db/key_type.h"
#include "db/sqlsplit.h"

#define FILES_MAX    256
#define FILE_MAX     (16u * 1024 * 1024)
#define CHECKSUM_LEN 64

#define LOCK_WAIT_S    60
#define ANSWER_WAIT_S  86400
#define MARIADB_OLDEST 100600u
#define MYSQL_OLDEST   80000u

static const char create_sql[] = "CREATE TABLE IF NOT EXISTS cascade_schema ("
				 " version INT NOT NULL PRIMARY KEY,"
				 " name VARCHAR(190) NOT NULL,"
				 " checksum CHAR(64) NOT NULL,"
				 " applied_at DATETIME(3) NOT NULL"
				 ") ENGINE = InnoDB DEFAULT CHARACTER SET ascii";
/* Others queue behind a change that waits for its table: rather fail and be run again than for
 * long. */
static const char patience_sql[] =
    "SET SESSION lock_wait_timeout = 30, innodb_lock_wait_timeout = 30";

struct file {
	int version;
	char name[sizeof(((struct migrate_state *)0)->changed_name)];
	char checksum[CHECKSUM_LEN + 1];
	struct buf text;
	bool applied;
};

/* The files of a directory, in order. */
struct dir {
	const char *path;
	size_t n;
	struct file *file;
};

static void
dir_free(struct dir *d)
{
	for (size_t i = 0; i < d->n; i++)
		buf_free(&d->file[i].text);
	free(d->file);
}
#define auto_dir cs_cleanup(dir_free) struct dir

/* NNN-*.sql; anything else in the directory is not ours. */
static bool
parse_name(const char *name, int *version)
{
	size_t len = strlen(name);
	char digits[4] = "";
	int64_t v;

	if (len < strlen("NNN-.sql") || name[3] != '-' || strcmp(name + len - 4, ".sql") != 0)
		return false;
	memcpy(digits, name, 3);
	if (strspn(digits, "0123456789") != 3 || !parse_int(digits, 1, 999, &v))
		return false;
	*version = (int)v;
	return true;
}

static int
by_version(const void *a, const void *b)
{
	return ((const struct file *)a)->version - ((const struct file *)b)->version;
}

static enum cs_err
list_files(struct dir *d, DIR *dp, struct fault *f)
{
	const struct dirent *e;
	int version;

	while ((e = readdir(dp)) != NULL) {
		if (!parse_name(e->d_name, &version))
			continue;
		if (d->n == FILES_MAX || strlen(e->d_name) >= sizeof(d->file->name))
			return cs_detail(f, CS_EIO, "%s/%s: too many files or too long a name",
			    d->path, e->d_name);
		d->file[d->n].version = version;
		strcpy(d->file[d->n].name, e->d_name);
		d->n++;
	}
	qsort(d->file, d->n, sizeof(*d->file), by_version);
	for (size_t i = 1; i < d->n; i++)
		if (d->file[i].version == d->file[i - 1].version)
			return cs_detail(f, CS_EIO, "%s: %s and %s have the same number", d->path,
			    d->file[i - 1].name, d->file[i].name);
	if (d->n == 0)
		return cs_detail(f, CS_EIO, "%s: no NNN-*.sql in it", d->path);
	return CS_OK;
}

static enum cs_err
read_stream(struct file *file, FILE *in, const char *path, struct fault *f)
{
	char chunk[8192];
	size_t n;

	file->text.cap = FILE_MAX;
	buf_puts(&file->text, ""); /* data is there even if nothing follows */
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(&file->text, chunk, n);
	if (ferror(in))
		return cs_detail(f, CS_EIO, "%s: %s", path, strerror(errno));
	if (buf_failed(&file->text))
		return cs_detail(f, CS_EIO, "%s: too large", path);
	return CS_OK;
}

static enum cs_err
read_file(const struct dir *d, struct file *file, struct fault *f)
{
	unsigned char digest[CHECKSUM_LEN / 2];
	char path[4096];
	enum cs_err err;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", d->path, file->name);
	in = fopen(path, "re");
	if (in == NULL)
		return cs_detail(f, CS_EIO, "%s: %s", path, strerror(errno));
	err = read_stream(file, in, path, f);
	fclose(in);
	if (err != CS_OK)
		return err;
	if (EVP_Digest(file->text.data, file->text.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return cs_detail(f, CS_EINTERNAL, "SHA-256 failed");
	render_hex(file->checksum, digest, sizeof(digest));
	return CS_OK;
}

static enum cs_err
read_dir(struct dir *d, const char *path, struct fault *f)
{
	enum cs_err err;
	DIR *dp;

	d->path = path;
	d->file = calloc(FILES_MAX, sizeof(*d->file));
	if (d->file == NULL)
		return cs_detail(f, CS_ENOMEM, "no memory for the list of %s", path);
	dp = opendir(path);
	if (dp == NULL)
		return cs_detail(f, CS_EIO, "%s: %s", path, strerror(errno));
	err = list_files(d, dp, f);
	closedir(dp);
	for (size_t i = 0; i < d->n && err == CS_OK; i++)
		err = read_file(d, &d->file[i], f);
	return err;
}

static struct file *
find_file(const struct dir *d, int64_t version)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->file[i].version == version)
			return &d->file[i];
	return NULL;
}

/* Marks in D what the database has recorded and fills ST. */
static enum cs_err
compare(struct db *db, struct dir *d, struct migrate_state *st, struct fault *f)
{
	auto_rows r = { 0 };

	memset(st, 0, sizeof(*st));
	st->wanted = d->file[d->n - 1].version;
	TRY(DB_QUERY(db, f, &r, STMT_SCHEMA_LIST));
	while (db_next(&r)) {
		struct file *file = find_file(d, db_i(&r, 0));

		st->applied = (int)db_i(&r, 0);
		if (file != NULL)
			file->applied = true;
		if (file == NULL || st->changed || strcmp(file->checksum, db_s(&r, 2)) == 0)
			continue;
		st->changed = true;
		snprintf(st->changed_name, sizeof(st->changed_name), "%s", file->name);
	}
	return CS_OK;
}

enum cs_err
migrate_status(struct db *db, const char *dir, struct migrate_state *st, struct fault *f)
{
	auto_dir d = { 0 };
	auto_rows r = { 0 };

	memset(st, 0, sizeof(*st));
	TRY(read_dir(&d, dir, f));
	st->wanted = d.file[d.n - 1].version;
	TRY(DB_QUERY(db, f, &r, STMT_SCHEMA_EXISTS));
	if (!db_next(&r) || db_i(&r, 0) == 0)
		return CS_OK;
	return compare(db, &d, st, f);
}

enum cs_err
migrate_check(struct db *db, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_SCHEMA_VERSION));
	if (!db_next(&r) || db_i(&r, 0) < DB_SCHEMA_VERSION)
		return cs_detail(f, CS_ESCHEMA,
		    "the schema is at version %lld, this build needs %d", (long long)db_i(&r, 0),
		    DB_SCHEMA_VERSION);
	return CS_OK;
}

const char *
migrate_default_dir(void)
{
	return PKGDATADIR "/sql";
}

static enum cs_err
check_server(struct db *db, struct fault *f)
{
	char words[64];
	bool mariadb;
	unsigned v = db_server_version(db, &mariadb);

	snprintf(words, sizeof(words), "%s %u.%u.%u", mariadb ? "MariaDB" : "MySQL", v / 10000,
	    v / 100 % 100, v % 100);
	if (v < (mariadb ? MARIADB_OLDEST : MYSQL_OLDEST))
		return cs_fail(f, CS_ESCHEMA, MSG_SERVER_TOO_OLD, words);
	if (!mariadb)
		log_warn("schema", "MySQL is untested (%s)", words);
	return CS_OK;
}

/* Galera has no such locks: two runs at once are then merely slower. */
static enum cs_err
take_lock(struct db *db, struct fault *f)
{
	auto_rows r = { 0 };
	enum cs_err err = DB_QUERY(db, f, &r, STMT_SCHEMA_LOCK, A_I(LOCK_WAIT_S));

	if (err == CS_EINTERNAL) {
		log_warn("schema", "going on without a lock: %s", f->detail);
		fault_clear(f);
		return CS_OK;
	}
	TRY(err);
	if (!db_next(&r) || db_i(&r, 0) != 1)
		return cs_detail(f, CS_EBUSY, "another migration is running");
	return CS_OK;
}

/* One for all the tables that are joined, or there is no type that fits all. */
static enum cs_err
read_key_type(struct db *db, struct key_type *key, struct fault *f)
{
	auto_rows r = { 0 };

	TRY(DB_QUERY(db, f, &r, STMT_SCHEMA_COLLATION));
	key_type_set(key, NULL, NULL);
	if (db_next(&r) && !db_is_null(&r, 1))
		key_type_set(key, db_s(&r, 0), db_s(&r, 1));
	if (db_next(&r))
		return cs_fail(f, CS_ESCHEMA, MSG_SCHEMA_COLLATIONS, key->collation, db_s(&r, 1));
	return CS_OK;
}

/* Puts the place in the file before what the server said. */
static enum cs_err
located(struct fault *f, enum cs_err err, const struct file *file, int line)
{
	char words[sizeof(f->detail)];

	snprintf(words, sizeof(words), "%s", f->detail);
	return cs_detail(f, err, "%s:%d: %s", file->name, line, words);
}

static enum cs_err
run_script(struct db *db, const struct file *file, const struct buf *script, struct fault *f)
{
	struct sqlsplit split;
	struct sqlsplit_stmt stmt;

	sqlsplit_init(&split, script->data, script->len);
	while (sqlsplit_next(&split, &stmt)) {
		enum cs_err err = db_raw(db, stmt.text, stmt.len, f);

		if (err != CS_OK)
			return located(f, err, file, stmt.line);
	}
	if (split.error != NULL)
		return cs_detail(f, CS_EINTERNAL, "%s:%d: %s", file->name, stmt.line, split.error);
	return CS_OK;
}

static enum cs_err
apply(struct db *db, const struct file *file, const struct key_type *key, struct fault *f)
{
	struct buf script = { 0 };
	enum cs_err err;

	key_type_fill(&script, file->text.data, file->text.len, key);
	err = buf_failed(&script) ? cs_detail(f, CS_ENOMEM, "%s: no memory", file->name)
				  : run_script(db, file, &script, f);
	buf_free(&script);
	TRY(err);
	return DB_EXEC(
	    db, f, NULL, STMT_SCHEMA_ADD, A_I(file->version), A_S(file->name), A_S(file->checksum));
}

static enum cs_err
install(struct db *db, struct dir *d, void (*note)(const char *name), struct fault *f)
{
	struct migrate_state st;
	struct key_type key;

	TRY(db_connect(db, f));
	TRY(check_server(db, f));
	TRY(take_lock(db, f));
	TRY(db_raw(db, patience_sql, strlen(patience_sql), f));
	TRY(db_raw(db, create_sql, strlen(create_sql), f));
	TRY(compare(db, d, &st, f));
	if (st.changed)
		return cs_fail(f, CS_ESCHEMA, MSG_SCHEMA_CHANGED, st.changed_name);
	if (st.applied > st.wanted)
		return cs_fail(f, CS_ESCHEMA, MSG_SCHEMA_NEWER, st.applied, st.wanted);
	TRY(read_key_type(db, &key, f));
	for (size_t i = 0; i < d->n; i++) {
		if (d->file[i].applied)
			continue;
		TRY(apply(db, &d->file[i], &key, f));
		if (note != NULL)
			note(d->file[i].name);
	}
	return CS_OK;
}

enum cs_err
migrate_install(struct db *db, const char *dir, void (*note)(const char *name), struct fault *f)
{
	auto_dir d = { 0 };
	enum cs_err err;

	TRY(read_dir(&d, dir, f));
	db_disconnect(db);
	db_set_io_timeout(db, ANSWER_WAIT_S);
	err = install(db, &d, note, f);
	db_disconnect(db); /* and with it lock and settings */
	db_set_io_timeout(db, 0);
	return err;
}
