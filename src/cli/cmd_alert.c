/* SPDX-License-Identifier: MIT */
/* Whether alerts would arrive: sends a message to each receiver, as cascaded would. */
#include "cli/cli.h"

#include "base/clock.h"
#include "net/robot.h"

#include <string.h>

#define ANSWER_MAX 16384

static enum cs_err
send_test(struct cli *c, const struct conf_alert *to, bool *taken, char *why, size_t size)
{
	enum lang lang = strcmp(c->conf->alert_language, "en") == 0 ? LANG_EN : LANG_ZH;
	const struct robot robot = { to->format, to->url, to->secret };
	const struct robot_event event = {
		.event = "test",
		.subject = to->name,
		.text = msg_text(lang, MSG_A_TEST),
		.at = clock_wall_s(),
	};
	auto_request request = { 0 };
	auto_answer answer = { 0 };
	const char *headers[2] = { NULL, NULL };
	struct http_call call = {
		.headers = headers,
		.anywhere = true,
		.tls = &(struct http_tls){ .ca_file = c->conf->outbound_ca_file },
		.connect_ms = c->conf->alert_timeout_s * 1000,
		.total_ms = c->conf->alert_timeout_s * 1000,
		.max = ANSWER_MAX,
	};

	if (!robot_write(&request, &robot, event.text, &event, 1, clock_wall_ms()))
		return cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
	if (request.signature[0] != '\0')
		headers[0] = request.signature;
	call.url = request.url.data;
	call.body = request.body.data;
	*taken = robot_accepted(&robot, http_call(&call, &answer), &answer, why, size);
	return CS_OK;
}

static enum cs_err
test_one(struct cli *c, const struct conf_alert *to, int *failed)
{
	char why[256];
	bool taken = false;

	TRY(send_test(c, to, &taken, why, sizeof(why)));
	out_row(c->out);
	out_str(c->out, "name", MSG_T_NAME, to->name);
	out_str(c->out, "format", MSG_T_FORMAT, to->format);
	out_bool(c->out, "delivered", MSG_T_DELIVERED, taken);
	out_str(c->out, "error", MSG_T_ERROR, taken ? NULL : why);
	*failed += !taken;
	return CS_OK;
}

enum cs_err
cmd_alert_test(struct cli *c)
{
	const char *only = c->nwords > 0 ? c->word[0] : NULL;
	int failed = 0, tried = 0;

	out_list(c->out, NULL);
	for (size_t i = 0; i < c->conf->nalerts; i++) {
		if (only != NULL && strcmp(only, c->conf->alerts[i].name) != 0)
			continue;
		TRY(test_one(c, &c->conf->alerts[i], &failed));
		tried++;
	}
	out_end(c->out);
	if (tried == 0)
		return cs_fail(&c->fault, CS_ENOTFOUND, MSG_C_NO_ALERTS);
	if (failed == 0)
		return CS_OK;
	TRY(out_finish(c->out, &c->fault));
	return cs_fail(&c->fault, CS_EINVALID, MSG_C_ALERTS_FAILED, failed);
}
