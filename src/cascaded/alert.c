/* SPDX-License-Identifier: MIT */
/*
 * What is told, and in which words. A row for each event; every text says what, since when and what
 * to do, and begins with the same word, which robots that filter by keyword can be given.
 */
#include "cascaded/alert.h"

#include "base/log.h"
#include "base/parse.h"
#include "cascaded/alert_text.h"
#include "core/zone.h"
#include "db/db_alert.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *event;
	enum msg_id raised;		       /* name, subject, count, since, detail */
	enum msg_id over;		       /* name, subject, since */
	size_t threshold, silence_s, recovery; /* in struct conf; 0: has none */
} kinds[] = {
	{ "node_offline", MSG_A_NODE_OFFLINE, MSG_A_NODE_ONLINE,
	    offsetof(struct conf, alert_offline_threshold),
	    offsetof(struct conf, alert_offline_silence_s),
	    offsetof(struct conf, alert_offline_recovery) },
	{ "dead_letter", MSG_A_DEAD_LETTER, MSG_NONE, offsetof(struct conf, alert_dead_threshold),
	    offsetof(struct conf, alert_dead_silence_s), 0 },
	{ "no_success", MSG_A_NO_SUCCESS, MSG_A_SUCCESS,
	    offsetof(struct conf, alert_failing_threshold),
	    offsetof(struct conf, alert_failing_silence_s),
	    offsetof(struct conf, alert_failing_recovery) },
};

enum lang
alert_lang(const struct conf *conf)
{
	return strcmp(conf->alert_language, "en") == 0 ? LANG_EN : LANG_ZH;
}

const char *
alert_time(char *buf, size_t size, const struct conf *conf, int64_t at)
{
	auto_zone *zone = NULL;
	struct fault f = { 0 };

	/* a zone that is not there: UTC */
	if (zone_open(conf->timezone, &zone, &f) != CS_OK)
		zone = NULL;
	render_time_utc(buf, size, zone_local(zone, at));
	buf[strlen("2024-01-01")] = ' ';
	return buf;
}

bool
alert_wanted(const struct conf_alert *target, const char *event)
{
	for (size_t i = 0; i < target->events.n; i++) {
		if (strcmp(target->events.v[i], event) == 0)
			return true;
	}
	return false;
}

/* A text for each receiver that wants to know; how many. */
static size_t
address(const struct conf *conf, const struct db_alert *alert, bool recovered, const char *text,
    struct db_alert_out out[CONF_ALERTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < conf->nalerts; i++) {
		if (!alert_wanted(&conf->alerts[i], alert->event))
			continue;
		out[n++] = (struct db_alert_out){
			.target = conf->alerts[i].name,
			.event = alert->event,
			.subject = alert->subject,
			.text = text,
			.recovered = recovered,
			.at = alert->since,
		};
	}
	return n;
}

static void
note(const struct db_alert *alert, bool recovered, int64_t dropped)
{
	struct log_line l;

	log_begin(&l, recovered ? LOG_LVL_INFO : LOG_LVL_WARN, recovered ? "alert_over" : "alert");
	log_str(&l, "about", alert->event);
	log_str(&l, "subject", alert->subject);
	log_str(&l, "name", alert->name);
	if (!recovered)
		log_int(&l, "count", alert->count);
	if (dropped > 0)
		log_int(&l, "dropped", dropped);
	log_end(&l);
}

static enum cs_err
raise_due(struct db *db, const struct conf *conf, size_t kind, struct fault *f)
{
	const char *base = (const char *)conf;
	struct db_alert_rule rule = {
		.event = kinds[kind].event,
		.threshold = *(const int64_t *)(base + kinds[kind].threshold),
		.silence_s = *(const int64_t *)(base + kinds[kind].silence_s),
		.recovery =
		    kinds[kind].recovery != 0 && *(const bool *)(base + kinds[kind].recovery),
	};
	struct db_alert_out out[CONF_ALERTS_MAX];
	char text[ALERT_TEXT_MAX], since[32];
	struct db_alert alert;
	auto_rows rows = { 0 };
	int64_t dropped;
	bool taken;

	TRY(db_alert_due(db, &rule, &rows, f));
	while (db_alert_next(&rows, rule.event, &alert)) {
		msg_render(text, sizeof(text), alert_lang(conf), kinds[kind].raised, alert.name,
		    alert.subject, (long long)alert.count,
		    alert_time(since, sizeof(since), conf, alert.since), alert.detail);
		TRY(db_alert_raise(db, &rule, alert.subject, out,
		    address(conf, &alert, false, text, out), &taken, &dropped, f));
		if (taken)
			note(&alert, false, dropped);
	}
	return CS_OK;
}

/* The words for the end of ALERT. */
static const char *
end_text(char *text, size_t size, const struct conf *conf, const struct db_alert *alert)
{
	char since[32];
	size_t i = 0;

	while (strcmp(kinds[i].event, alert->event) != 0)
		i++;
	return msg_render(text, size, alert_lang(conf), kinds[i].over, alert->name, alert->subject,
	    alert_time(since, sizeof(since), conf, alert->since));
}

static enum cs_err
tell_over(struct db *db, const struct conf *conf, struct fault *f)
{
	struct db_alert_out out[CONF_ALERTS_MAX];
	char text[ALERT_TEXT_MAX];
	struct db_alert alert;
	auto_rows rows = { 0 };
	int64_t dropped;
	bool taken;

	TRY(db_alert_over(db, &rows, f));
	while (db_alert_next_over(&rows, &alert)) {
		size_t n = 0;

		if (alert.wanted)
			n = address(
			    conf, &alert, true, end_text(text, sizeof(text), conf, &alert), out);
		TRY(db_alert_close(db, alert.event, alert.subject, out, n, &taken, &dropped, f));
		if (taken)
			note(&alert, true, dropped);
	}
	return CS_OK;
}

enum cs_err
alert_look(struct db *db, const struct conf *conf, struct fault *f)
{
	if (conf->nalerts == 0)
		return CS_OK;
	TRY(db_alert_nodes(db, conf, f));
	TRY(db_alert_ended(db, conf, f));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		TRY(raise_due(db, conf, i, f));
	return tell_over(db, conf, f);
}
