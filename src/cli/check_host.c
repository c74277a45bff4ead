/* SPDX-License-Identifier: MIT */
/* The checks that need more than the database: configuration, clocks, expressions, addresses. */
#include "cli/check.h"

#include "base/buf.h"
#include "base/clock.h"
#include "db/db_schedule.h"
#include "db/migrate.h"
#include "net/http_client.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_MAX_S 5
#define HOST_SIZE   256
#define TEXT_SIZE   512

static bool
is_mysql(struct cli *c, unsigned *version)
{
	bool mariadb = true;

	*version = db_server_version(c->db, &mariadb);
	return *version != 0 && !mariadb;
}

enum cs_err
check_database(struct cli *c, struct findings *found)
{
	(void)found;
	return db_connect(c->db, &c->fault);
}

enum cs_err
check_mysql(struct cli *c, struct findings *found)
{
	char text[TEXT_SIZE];
	unsigned v;

	if (is_mysql(c, &v)) {
		snprintf(text, sizeof(text), "MySQL %u.%u.%u", v / 10000, v / 100 % 100, v % 100);
		check_add(c, found, text);
	}
	return CS_OK;
}

enum cs_err
check_schema(struct cli *c, struct findings *found)
{
	(void)found;
	return migrate_check(c->db, &c->fault);
}

enum cs_err
check_secret(struct cli *c, struct findings *found)
{
	(void)found;
	return conf_check_secret(c->conf, &c->fault);
}

/* The well-known secret passes only where insecure_defaults lets it: refused without, it is that.
 */
enum cs_err
check_insecure(struct cli *c, struct findings *found)
{
	struct conf strict = *c->conf;
	struct fault ignored = { 0 };

	strict.insecure_defaults = false;
	if (conf_check_secret(c->conf, &ignored) == CS_OK &&
	    conf_check_secret(&strict, &ignored) != CS_OK)
		check_add(c, found, "auth.insecure_defaults");
	return CS_OK;
}

enum cs_err
check_clock(struct cli *c, struct findings *found)
{
	char text[TEXT_SIZE];
	int64_t now, ahead;

	TRY(db_now(c->db, &now, &c->fault));
	ahead = now - clock_wall_s();
	if (llabs((long long)ahead) > CLOCK_MAX_S) {
		snprintf(text, sizeof(text), "%+lld s", (long long)ahead);
		check_add(c, found, text);
	}
	return CS_OK;
}

enum cs_err
check_cron(struct cli *c, struct findings *found)
{
	struct db_schedule_task t;
	auto_rows rows = { 0 };
	char text[TEXT_SIZE];
	struct cron cron;

	TRY(db_schedule_tasks(c->db, &rows, &c->fault));
	while (db_schedule_next(&rows, &t)) {
		auto_zone *zone = NULL;

		if (*t.cron_exp == '\0' ||
		    (cli_cron(c, "cron_exp", t.cron_exp, &cron) == CS_OK &&
			(*t.zone == '\0' || cli_zone(c, "timezone", t.zone, &zone) == CS_OK)))
			continue;
		snprintf(text, sizeof(text), "%s \"%s\": %s", t.id, t.cron_exp, c->fault.reason);
		check_add(c, found, text);
		fault_clear(&c->fault);
	}
	return CS_OK;
}

/* Whether any address of HOST may be connected to; a host without an address may not. */
static bool
may_call(const struct conf *conf, const char *host)
{
	const struct outbound o = { conf->outbound_allow.v, conf->outbound_allow.n };
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	bool allowed = false;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	for (const struct addrinfo *a = list; a != NULL && !allowed; a = a->ai_next)
		allowed = outbound_allows(&o, host, a->ai_addr);
	freeaddrinfo(list);
	return allowed;
}

enum cs_err
check_addresses(struct cli *c, struct findings *found)
{
	char host[HOST_SIZE], text[TEXT_SIZE];
	auto_rows rows = { 0 };

	TRY(DB_QUERY(c->db, &c->fault, &rows, STMT_CHECK_ADDRESSES));
	while (db_next(&rows)) {
		for (unsigned col = 1; col <= 2; col++) {
			const char *url = db_s(&rows, col);

			if (url == NULL || *url == '\0' ||
			    (http_host(url, host, sizeof(host)) && may_call(c->conf, host)))
				continue;
			snprintf(text, sizeof(text), "%s: %s", db_s(&rows, 0), url);
			check_add(c, found, text);
		}
	}
	return CS_OK;
}

enum cs_err
check_admin(struct cli *c, struct findings *found)
{
	const struct conf_list *roles = &c->conf->admin_roles;
	struct buf b = { 0 };
	auto_rows rows = { 0 };
	enum cs_err rc;

	for (size_t i = 0; i < roles->n; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ",", roles->v[i]);
	rc = buf_failed(&b) ? cs_fail(&c->fault, CS_ENOMEM, MSG_NONE)
			    : DB_QUERY(c->db, &c->fault, &rows, STMT_CHECK_ADMIN, A_S(b.data));
	buf_free(&b);
	TRY(rc);
	if (db_next(&rows))
		check_add(c, found, "-");
	return CS_OK;
}
