/* SPDX-License-Identifier: MIT */
/*
 * The connection: made on first use and again after it broke, its session settings, transactions,
 * and what each of the server's errors means to us. Statements are db_stmt.c, rows db_rows.c.
 * Nothing is repeated here: whether a statement may run twice is known only to the caller. A
 * transaction that lost its connection or was rolled back by the server refuses every further
 * statement until db_rollback(), so that none of them runs, and commits, by itself.
 */
#include "db/db_priv.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "conf/conf.h"

/* A server that is away is not asked more often than this, however many requests come in. */
#define RETRY_MS 100

enum { GONE = 1, STALE = 2 };

/* Errors that are not CS_EINTERNAL, or after which the connection (GONE) or the prepared handle
 * (STALE) is of no more use. Numbers without a name are those of other servers than MariaDB. */
static const struct rule {
	unsigned number;
	enum cs_err code;
	unsigned flags;
} rules[] = {
	{ 0, CS_EDBDOWN, GONE }, /* the library failed without saying why */
	{ ER_CON_COUNT_ERROR, CS_EDBDOWN, GONE },
	{ ER_TOO_MANY_USER_CONNECTIONS, CS_EDBDOWN, GONE },
	{ ER_USER_LIMIT_REACHED, CS_EDBDOWN, GONE },
	{ ER_SERVER_SHUTDOWN, CS_EDBDOWN, GONE },
	{ ER_NORMAL_SHUTDOWN, CS_EDBDOWN, GONE },
	{ ER_FORCING_CLOSE, CS_EDBDOWN, GONE },
	{ ER_ABORTING_CONNECTION, CS_EDBDOWN, GONE },
	{ ER_NEW_ABORTING_CONNECTION, CS_EDBDOWN, GONE },
	{ ER_NET_READ_ERROR, CS_EDBDOWN, GONE },
	{ ER_NET_READ_INTERRUPTED, CS_EDBDOWN, GONE },
	{ ER_NET_ERROR_ON_WRITE, CS_EDBDOWN, GONE },
	{ ER_NET_WRITE_INTERRUPTED, CS_EDBDOWN, GONE },
	{ ER_CONNECTION_KILLED, CS_EDBDOWN, GONE },
	{ 3169, CS_EDBDOWN, GONE }, /* session killed */
	{ 4031, CS_EDBDOWN, GONE }, /* idle for too long */
	/* read-only after a failover: the next connection may reach the new primary */
	{ ER_OPTION_PREVENTS_STATEMENT, CS_EDBDOWN, GONE },
	{ ER_READ_ONLY_MODE, CS_EDBDOWN, GONE },

	{ ER_LOCK_DEADLOCK, CS_EBUSY, 0 },
	{ ER_LOCK_WAIT_TIMEOUT, CS_EBUSY, 0 },
	{ ER_CHECKREAD, CS_EBUSY, 0 },
	{ ER_LOCK_TABLE_FULL, CS_EBUSY, 0 },
	{ ER_LOCK_ABORTED, CS_EBUSY, 0 },
	{ ER_TOO_MANY_CONCURRENT_TRXS, CS_EBUSY, 0 },
	{ ER_QUERY_INTERRUPTED, CS_EBUSY, 0 },
	{ ER_STATEMENT_TIMEOUT, CS_EBUSY, 0 },
	{ 3024, CS_EBUSY, 0 },		       /* statement timeout */
	{ 3572, CS_EBUSY, 0 },		       /* NOWAIT did not get its lock */
	{ ER_UNKNOWN_COM_ERROR, CS_EBUSY, 0 }, /* Galera: the node is not ready */
	{ ER_MAX_PREPARED_STMT_COUNT_REACHED, CS_EBUSY, 0 },
	{ ER_NEED_REPREPARE, CS_EBUSY, STALE },
	{ ER_UNKNOWN_STMT_HANDLER, CS_EBUSY, STALE },
	{ CR_NEW_STMT_METADATA, CS_EBUSY, GONE }, /* leaves a result unread */

	{ ER_DUP_ENTRY, CS_ECONFLICT, 0 },
	{ ER_DUP_ENTRY_WITH_KEY_NAME, CS_ECONFLICT, 0 },

	{ ER_NET_PACKET_TOO_LARGE, CS_ETOOLARGE, GONE },
	{ CR_NET_PACKET_TOO_LARGE, CS_ETOOLARGE, GONE },
	{ CR_OUT_OF_MEMORY, CS_ENOMEM, GONE },

	{ ER_BAD_DB_ERROR, CS_ESCHEMA, 0 },
	{ ER_NO_SUCH_TABLE, CS_ESCHEMA, 0 },
	{ ER_BAD_TABLE_ERROR, CS_ESCHEMA, 0 },
	{ ER_BAD_FIELD_ERROR, CS_ESCHEMA, 0 },
	{ ER_SP_DOES_NOT_EXIST, CS_ESCHEMA, 0 },
	{ ER_SP_WRONG_NO_OF_ARGS, CS_ESCHEMA, 0 },
};
/* Whatever else the library itself reports: the state of the connection is anybody's guess. */
static const struct rule rule_client = { CR_MIN_ERROR, CS_EDBDOWN, GONE };
static const struct rule rule_other = { 0, CS_EINTERNAL, 0 };

static const struct rule *
rule_of(unsigned number)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].number == number)
			return &rules[i];
	if ((number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) || IS_MARIADB_ERROR(number))
		return &rule_client;
	return &rule_other;
}

bool
db_error_is_stale(unsigned number)
{
	return (rule_of(number)->flags & STALE) != 0;
}

enum cs_err
db_failed(struct db *db, struct fault *f, const char *what, unsigned number, const char *words)
{
	const struct rule *r = rule_of(number);

	(void)cs_detail(f, r->code, "%s: %u %s", what, number, words);
	if (r->flags & GONE)
		db_disconnect(db);
	if (db->in_tx && db->tx_err == CS_OK && (r->code == CS_EBUSY || r->code == CS_EDBDOWN))
		db->tx_err = r->code;
	return r->code;
}

struct db *
db_new(const struct conf *conf)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db != NULL) {
		db->conf = conf;
		db_set_io_timeout(db, 0);
	}
	return db;
}

void
db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_disconnect(db);
	free(db);
}

/* The connection first: its handles are then local memory, and closing them asks nothing of a
 * server that may no longer answer. */
void
db_disconnect(struct db *db)
{
	if (db->mysql != NULL)
		mysql_close(db->mysql);
	db->mysql = NULL;
	for (size_t i = 0; i < STMT__MAX; i++) {
		if (db->stmt[i] != NULL)
			mysql_stmt_close(db->stmt[i]);
		db->stmt[i] = NULL;
	}
	if (db->in_tx)
		db->tx_err = CS_EDBDOWN;
}

bool
db_is_connected(const struct db *db)
{
	return db->mysql != NULL;
}

unsigned
db_server_version(const struct db *db, bool *mariadb)
{
	*mariadb = db->mysql != NULL && db->mariadb;
	return db->mysql != NULL ? db->version : 0;
}

void
db_set_io_timeout(struct db *db, unsigned seconds)
{
	db->io_timeout_s = seconds != 0 ? seconds : (unsigned)db->conf->db_io_timeout_s;
}

/* Throws away whatever results a text has; the last of several may still be an error. */
static bool
discard_results(MYSQL *m)
{
	int rc;

	do {
		mysql_free_result(mysql_store_result(m));
		if (mysql_errno(m) != 0)
			return false;
		rc = mysql_next_result(m);
	} while (rc == 0);
	return rc < 0 && mysql_errno(m) == 0; /* a lost connection is -1 too */
}

static enum cs_err
run(struct db *db, const char *what, const char *sql, size_t len, struct fault *f)
{
	db->stats.round_trips++;
	if (mysql_real_query(db->mysql, sql, len) == 0 && discard_results(db->mysql))
		return CS_OK;
	return db_failed(db, f, what, mysql_errno(db->mysql), mysql_error(db->mysql));
}

static void
set_options(struct db *db, MYSQL *m)
{
	const struct conf *conf = db->conf;
	unsigned connect_s = (unsigned)conf->db_connect_timeout_s;
	unsigned protocol = conf->db_socket[0] != '\0' ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	unsigned off = 0;
	my_bool tls = conf->db_tls;

	mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(m, MYSQL_OPT_READ_TIMEOUT, &db->io_timeout_s);
	mysql_options(m, MYSQL_OPT_WRITE_TIMEOUT, &db->io_timeout_s);
	mysql_options(m, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &tls);
	mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &tls);
	if (tls && conf->db_tls_ca[0] != '\0')
		mysql_options(m, MYSQL_OPT_SSL_CA, conf->db_tls_ca);
}

/* Reads max_allowed_packet: beyond it the server hangs up instead of answering. */
static enum cs_err
learn_packet_max(struct db *db, struct fault *f)
{
	const char *sql = "SELECT @@max_allowed_packet";
	MYSQL_RES *res = NULL;
	MYSQL_ROW row = NULL;
	int64_t max = 0;

	db->stats.round_trips++;
	if (mysql_real_query(db->mysql, sql, strlen(sql)) == 0)
		res = mysql_store_result(db->mysql);
	if (res != NULL)
		row = mysql_fetch_row(res);
	if (row != NULL && row[0] != NULL && parse_int(row[0], 1024, INT64_MAX, &max))
		db->packet_max = (size_t)max;
	mysql_free_result(res);
	if (max > 0)
		return CS_OK;
	return db_failed(db, f, "session", mysql_errno(db->mysql), mysql_error(db->mysql));
}

/* The keys' type, by which statements declare what they compare with keys. */
static enum cs_err
learn_key_type(struct db *db, struct fault *f)
{
	static const char sql[] =
	    "SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS"
	    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'we_cascade_nodes'"
	    " AND COLUMN_NAME = 'id'";
	MYSQL_RES *res = NULL;
	MYSQL_ROW row;

	db->stats.round_trips++;
	if (mysql_real_query(db->mysql, sql, sizeof(sql) - 1) == 0)
		res = mysql_store_result(db->mysql);
	if (res == NULL)
		return db_failed(db, f, "session", mysql_errno(db->mysql), mysql_error(db->mysql));
	row = mysql_fetch_row(res);
	key_type_set(&db->key, row != NULL ? row[0] : NULL, row != NULL ? row[1] : NULL);
	mysql_free_result(res);
	return CS_OK;
}

/* What the session needs to be, said in SQL that MariaDB and MySQL share. */
static const char *const session[] = {
	"SET NAMES utf8mb4",
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 5",
	"SET sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
};

static enum cs_err
init_session(struct db *db, struct fault *f)
{
	unsigned long caps = 0;

	for (size_t i = 0; i < ARRAY_LEN(session); i++)
		TRY(run(db, "session", session[i], strlen(session[i]), f));
	TRY(learn_packet_max(db, f));
	TRY(learn_key_type(db, f));
	db->version = (unsigned)mysql_get_server_version(db->mysql);
	db->mariadb = mariadb_connection(db->mysql);
	mariadb_get_infov(db->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &caps);
	db->bulk = db->mariadb && (caps & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
	return CS_OK;
}

static enum cs_err
connect_now(struct db *db, struct fault *f)
{
	const struct conf *conf = db->conf;
	bool local = conf->db_socket[0] != '\0';
	char what[512];

	db->mysql = mysql_init(NULL);
	if (db->mysql == NULL)
		return cs_detail(f, CS_ENOMEM, "no memory for a connection");
	set_options(db, db->mysql);
	db->stats.round_trips++;
	if (mysql_real_connect(db->mysql, local ? NULL : conf->db_host, conf->db_user,
		conf->db_password, conf->db_name, local ? 0 : (unsigned)conf->db_port,
		local ? conf->db_socket : NULL, CLIENT_MULTI_RESULTS) != NULL)
		return init_session(db, f);
	snprintf(what, sizeof(what), "connect to %s as %s", local ? conf->db_socket : conf->db_host,
	    conf->db_user);
	return db_failed(db, f, what, mysql_errno(db->mysql), mysql_error(db->mysql));
}

static enum cs_err
ensure(struct db *db, struct fault *f)
{
	enum cs_err err;

	if (db->mysql != NULL)
		return CS_OK;
	if (clock_mono_ms() < db->retry_ms)
		return cs_detail(f, CS_EDBDOWN, "not connected; the last attempt has just failed");
	err = connect_now(db, f);
	if (err != CS_OK) {
		db_disconnect(db);
		db->retry_ms = clock_mono_ms() + RETRY_MS;
	}
	return err;
}

void
db_answered(struct db *db, int64_t start_us)
{
	db->stats.us += clock_mono_us() - start_us;
	if (db->on_answer != NULL)
		db->on_answer(db->on_answer_arg);
}

void
db_on_answer(struct db *db, void (*fn)(void *arg), void *arg)
{
	db->on_answer = fn;
	db->on_answer_arg = arg;
}

enum cs_err
db_connect(struct db *db, struct fault *f)
{
	int64_t start_us = clock_mono_us();
	enum cs_err err = ensure(db, f);

	db_answered(db, start_us);
	return err;
}

enum cs_err
db_ready(struct db *db, struct fault *f)
{
	if (db->tx_err != CS_OK)
		return cs_detail(
		    f, db->tx_err, "the transaction has failed and must be rolled back");
	return ensure(db, f);
}

enum cs_err
db_raw(struct db *db, const char *sql, size_t len, struct fault *f)
{
	int64_t start_us = clock_mono_us();
	enum cs_err err = db_ready(db, f);

	if (err == CS_OK)
		err = run(db, "SQL", sql, len, f);
	db_answered(db, start_us);
	return err;
}

void
db_abandon(struct db *db)
{
	struct fault f = { 0 };

	if (db->mysql != NULL && run(db, "ROLLBACK", "ROLLBACK", strlen("ROLLBACK"), &f) != CS_OK)
		db_disconnect(db);
}

enum cs_err
db_begin(struct db *db, struct db_tx *tx, struct fault *f)
{
	if (db->in_tx)
		return cs_detail(f, CS_EINTERNAL, "a transaction is open already");
	TRY(db_raw(db, "START TRANSACTION", strlen("START TRANSACTION"), f));
	db->in_tx = true;
	tx->db = db;
	return CS_OK;
}

enum cs_err
db_commit(struct db_tx *tx, struct fault *f)
{
	struct db *db = tx->db;
	enum cs_err rc = db_raw(db, "COMMIT", strlen("COMMIT"), f);

	f->uncertain = rc == CS_EDBDOWN;
	if (rc != CS_OK)
		return rc;
	db->in_tx = false;
	tx->db = NULL;
	return CS_OK;
}

void
db_rollback(struct db_tx *tx)
{
	struct db *db = tx->db;
	int64_t start_us = clock_mono_us();

	if (db == NULL)
		return;
	tx->db = NULL;
	db->in_tx = false;
	db->tx_err = CS_OK;
	db_abandon(db);
	db_answered(db, start_us);
}

void
db_stats_reset(struct db *db)
{
	db->stats = (struct db_stats){ 0 };
}

struct db_stats
db_stats(const struct db *db)
{
	return db->stats;
}
