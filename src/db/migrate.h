/* SPDX-License-Identifier: MIT */
/*
 * Applies sql/NNN-*.sql in order, forward only. Every statement of a file is idempotent, so a run
 * that was killed is resumed by running it again; two at once are serialised by a lock and harmless
 * without it. Version, name and SHA-256 of each applied file stand in cascade_schema.
 */
#ifndef CS_DB_MIGRATE_H
#define CS_DB_MIGRATE_H

#include "db/db.h"

/* The schema that this build needs: the highest NNN of sql/ (kept equal by a test). */
#define DB_SCHEMA_VERSION 13

struct migrate_state {
	int applied;  /* highest applied version, 0 = none */
	int wanted;   /* highest in DIR */
	bool changed; /* an applied file has another checksum than the one in DIR */
	char changed_name[128];
};

/* Applies what is missing from DIR. NOTE (may be NULL) is told each file as it is applied.
 * CS_ESCHEMA for an applied file whose text changed, for a server older than MariaDB 10.6 (the
 * message says so), for tables of WeRSS whose collations differ, and for a database that is newer
 * than DIR. */
enum cs_err migrate_install(
    struct db *db, const char *dir, void (*note)(const char *name), struct fault *f) cs_mustcheck;
/* Reads what is applied; creates nothing. An empty database is applied 0, not an error. */
enum cs_err migrate_status(
    struct db *db, const char *dir, struct migrate_state *st, struct fault *f) cs_mustcheck;
/* CS_ESCHEMA unless the database is at DB_SCHEMA_VERSION or newer; one cheap query, no files. */
enum cs_err migrate_check(struct db *db, struct fault *f) cs_mustcheck;
/* Where make install puts sql/. */
const char *migrate_default_dir(void);

#endif
