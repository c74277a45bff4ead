/* SPDX-License-Identifier: MIT */
/*
 * What is wrong, and what to do about it: a table of checks, each a statement whose rows are the
 * findings or a function that adds them. A check that cannot be made has failed, and keeps the
 * others from nothing, but for the vital ones, without which the rest makes no sense.
 */
#include "cli/check.h"

#include "base/buf.h"
#include "json/jw.h"

#include <stdio.h>
#include <string.h>

#define ARGS_MAX    2
#define SHOWN_MAX   5 /* findings in a line for people; programs see all */
#define EXIT_WARNED 1
#define EXIT_FAILED 2

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };
static const char *const level_names[] = { "OK", "WARN", "FAIL" };
static const char *const level_keys[] = { "ok", "warn", "fail" };

/* Durations of the configuration that a statement takes, by their place; the first member is none.
 */
#define ARG(member)    offsetof(struct conf, member)
#define SQL(name, ...) .stmt = STMT_CHECK_##name, .arg = { __VA_ARGS__ }
#define TEXTS(id)      MSG_K_##id, MSG_K_##id##_DO

/* name, level of a finding, what it is about and what to do, then how it is looked for */
static const struct check {
	const char *name;
	enum level level;
	enum msg_id title, remedy;
	enum stmt_id stmt;
	size_t arg[ARGS_MAX];
	enum cs_err (*find)(struct cli *c, struct findings *found); /* instead of a statement */
	bool vital;
	bool own; /* only where our own schedule runs */
} checks[] = {
	{ "secret", LEVEL_FAIL, TEXTS(SECRET), .find = check_secret },
	{ "default_secret", LEVEL_WARN, TEXTS(INSECURE), .find = check_insecure },
	{ "database", LEVEL_FAIL, TEXTS(DATABASE), .find = check_database, .vital = true },
	{ "mysql", LEVEL_WARN, TEXTS(MYSQL), .find = check_mysql },
	{ "schema", LEVEL_FAIL, TEXTS(SCHEMA), .find = check_schema, .vital = true },
	{ "clock", LEVEL_WARN, TEXTS(CLOCK), .find = check_clock },
	{ "silent_parts", LEVEL_FAIL, TEXTS(SILENT), SQL(SILENT, ARG(outage_gap_s)) },
	{ "leader", LEVEL_FAIL, TEXTS(LEADER), SQL(LEADER) },
	{ "grace", LEVEL_WARN, TEXTS(GRACE),
	    SQL(GRACE, ARG(offline_after_s), ARG(offline_after_s)) },
	{ "leases", LEVEL_WARN, TEXTS(LEASES), SQL(LEASES) },
	{ "scheduler", LEVEL_WARN, TEXTS(STOPPED), SQL(STOPPED), .own = true },
	{ "cron", LEVEL_FAIL, TEXTS(CRON), .find = check_cron, .own = true },
	{ "late", LEVEL_FAIL, TEXTS(LATE), SQL(LATE), .own = true },
	{ "runs", LEVEL_WARN, TEXTS(RUNS), SQL(RUNS) },
	{ "no_task", LEVEL_WARN, TEXTS(NO_TASK), SQL(NO_TASK) },
	{ "no_feed", LEVEL_WARN, TEXTS(NO_FEED), SQL(NO_FEED) },
	{ "task_feeds_json", LEVEL_FAIL, TEXTS(MPS), SQL(MPS) },
	{ "task_feeds", LEVEL_WARN, TEXTS(FEEDS), SQL(FEEDS) },
	{ "no_node", LEVEL_FAIL, TEXTS(NO_NODE), SQL(NO_NODE) },
	{ "none_online", LEVEL_FAIL, TEXTS(NONE_ONLINE), SQL(NONE_ONLINE, ARG(offline_after_s)) },
	{ "offline", LEVEL_WARN, TEXTS(OFFLINE), SQL(OFFLINE, ARG(offline_after_s)) },
	{ "no_credential", LEVEL_WARN, TEXTS(NO_CREDENTIAL), SQL(NO_CREDENTIAL) },
	{ "never_seen", LEVEL_WARN, TEXTS(NEVER_SEEN), SQL(NEVER_SEEN) },
	{ "draining", LEVEL_FAIL, TEXTS(DRAINING),
	    SQL(DRAINING, ARG(offline_after_s), ARG(offline_after_s)) },
	{ "on_hold", LEVEL_FAIL, TEXTS(ON_HOLD),
	    SQL(ON_HOLD, ARG(offline_after_s), ARG(offline_after_s)) },
	{ "at_capacity", LEVEL_WARN, TEXTS(FULL), SQL(FULL, ARG(offline_after_s)) },
	{ "no_claim", LEVEL_WARN, TEXTS(NO_CLAIM),
	    SQL(NO_CLAIM, ARG(offline_after_s), ARG(prefer_s)) },
	{ "lapsed", LEVEL_WARN, TEXTS(LAPSED), SQL(LAPSED, ARG(offline_after_s)) },
	{ "unreported", LEVEL_WARN, TEXTS(UNREPORTED), SQL(UNREPORTED) },
	{ "quota_sum", LEVEL_WARN, TEXTS(QUOTA_SUM), SQL(QUOTA_SUM) },
	{ "quota_feeds", LEVEL_WARN, TEXTS(QUOTA_FEED), SQL(QUOTA_FEED) },
	{ "sync_config", LEVEL_WARN, TEXTS(SYNC_CONFIG), SQL(CONFIG) },
	{ "addresses", LEVEL_WARN, TEXTS(ADDRESSES), .find = check_addresses },
	{ "foreign", LEVEL_FAIL, TEXTS(FOREIGN), SQL(FOREIGN) },
	{ "waiting", LEVEL_WARN, TEXTS(WAITING), SQL(WAITING) },
	{ "dead_letters", LEVEL_WARN, TEXTS(DEAD), SQL(DEAD) },
	{ "admin", LEVEL_WARN, TEXTS(ADMIN), .find = check_admin },
};

void
check_add(struct cli *c, struct findings *found, const char *text)
{
	const char *copy = found->n < FINDINGS_MAX ? arena_strdup(c->arena, text) : NULL;

	if (copy != NULL)
		found->text[found->n++] = copy;
}

static enum cs_err
query(struct cli *c, const struct check *k, struct findings *found)
{
	struct db_arg args[ARGS_MAX];
	auto_rows rows = { 0 };
	size_t n = 0;

	for (; n < ARGS_MAX && k->arg[n] != 0; n++) {
		int64_t value;

		memcpy(&value, (const char *)c->conf + k->arg[n], sizeof(value));
		args[n] = A_I(value);
	}
	TRY(db_query(c->db, &c->fault, &rows, k->stmt, args, n));
	while (db_next(&rows))
		check_add(c, found, db_is_null(&rows, 0) ? "-" : db_s(&rows, 0));
	return CS_OK;
}

/* How it stands with K. What keeps it from being checked is what is wrong then. */
static enum level
examine(struct cli *c, const struct check *k, struct findings *found)
{
	enum cs_err rc;

	found->n = 0;
	fault_clear(&c->fault);
	if (k->own && strcmp(c->conf->schedule, "own") != 0)
		return LEVEL_OK;
	rc = k->find != NULL ? k->find(c, found) : query(c, k, found);
	if (rc != CS_OK) {
		const char *words = c->fault.detail;

		c->fault.code = rc;
		check_add(c, found, *words != '\0' ? words : fault_message(&c->fault));
		fault_clear(&c->fault);
		return LEVEL_FAIL;
	}
	return found->n > 0 ? k->level : LEVEL_OK;
}

/* "a, b, c ... (7)"; "-" alone says no more than that it is so. NULL: out of memory. */
static const char *
line_of(struct cli *c, const struct findings *found)
{
	struct buf b = { 0 };
	const char *line;

	buf_puts(&b, found->n == 0 ? msg_text(c->fault.lang, MSG_K_NONE) : "");
	for (size_t i = 0; i < found->n && i < SHOWN_MAX; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", found->text[i]);
	if (found->n > SHOWN_MAX)
		buf_printf(&b, " ... (%zu)", found->n);
	if (found->n == 1 && strcmp(found->text[0], "-") == 0) {
		buf_reset(&b);
		buf_puts(&b, msg_text(c->fault.lang, MSG_K_SO));
	}
	line = buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
	buf_free(&b);
	return line;
}

static const char *
json_of(struct cli *c, const struct findings *found)
{
	struct buf b = { 0 };
	const char *json;
	struct jw w;

	jw_init(&w, &b);
	jw_arr(&w);
	for (size_t i = 0; i < found->n; i++)
		jw_str(&w, found->text[i]);
	jw_arr_end(&w);
	json = buf_failed(&b) ? NULL : arena_strdup(c->arena, b.data);
	buf_free(&b);
	return json;
}

static enum cs_err
put(struct cli *c, const struct check *k, enum level level, const struct findings *found)
{
	enum lang lang = c->fault.lang;
	bool json = cli_has(c, OPT_JSON);
	const char *text = json ? json_of(c, found) : line_of(c, found);

	if (text == NULL)
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	if (!json) {
		out_note(c->out, MSG_K_LINE, level_names[level], k->name, msg_text(lang, k->title),
		    text);
		if (level != LEVEL_OK)
			out_note(c->out, MSG_K_REMEDY, msg_text(lang, k->remedy));
		return CS_OK;
	}
	out_row(c->out);
	out_str(c->out, "name", MSG_NONE, k->name);
	out_str(c->out, "verdict", MSG_NONE, level_keys[level]);
	out_str(c->out, "title", MSG_NONE, msg_text(lang, k->title));
	out_json(c->out, "findings", MSG_NONE, text);
	out_str(c->out, "remedy", MSG_NONE, level != LEVEL_OK ? msg_text(lang, k->remedy) : NULL);
	return CS_OK;
}

enum cs_err
cmd_check(struct cli *c)
{
	static const int exits[] = { 0, EXIT_WARNED, EXIT_FAILED };
	bool json = cli_has(c, OPT_JSON), go_on = true;
	int count[LEVEL_FAIL + 1] = { 0 };
	enum level worst = LEVEL_OK;
	struct findings found;

	if (json)
		out_list(c->out, NULL);
	for (size_t i = 0; i < ARRAY_LEN(checks) && go_on; i++) {
		enum level level = examine(c, &checks[i], &found);

		TRY(put(c, &checks[i], level, &found));
		count[level]++;
		worst = level > worst ? level : worst;
		go_on = !checks[i].vital || level != LEVEL_FAIL;
	}
	if (json)
		out_end(c->out);
	if (!go_on)
		out_note(c->out, MSG_K_STOPPED_HERE);
	out_note(c->out, MSG_K_SUM, count[LEVEL_OK], count[LEVEL_WARN], count[LEVEL_FAIL]);
	c->exit = exits[worst];
	return CS_OK;
}
