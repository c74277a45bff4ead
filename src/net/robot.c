/* SPDX-License-Identifier: MIT */
/*
 * A row for each robot: how a text is wrapped, where the signature goes, and what in the answer
 * says that it was taken. DingTalk signs "ms\nsecret" with the secret, into the query; Feishu signs
 * nothing with "s\nsecret" as the key, into the body; WeCom has no signature. Ours is the one of
 * wake-up calls, with the secret itself as the key.
 */
#include "net/robot.h"

#include "json/jw.h"
#include "json/jx.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MAC_LEN	   32
#define BASE64_LEN 44 /* of such */

struct message {
	const struct robot *robot;
	const char *text;
	const struct robot_event *events;
	size_t n;
	int64_t now_ms;
	struct robot_request *out;
};

void
robot_request_free(struct robot_request *r)
{
	buf_free(&r->url);
	buf_free(&r->body);
}

static bool
mac_of(unsigned char mac[MAC_LEN], const char *key, const char *text, size_t n)
{
	return HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text, n, mac,
		   NULL) != NULL;
}

/* "TIME\nSECRET", which both of those that sign begin with. */
static void
put_base(char *out, size_t size, int64_t time, const char *secret)
{
	snprintf(out, size, "%lld\n%s", (long long)time, secret);
}

static bool
base64(char out[BASE64_LEN + 1], const char *key, const char *text)
{
	unsigned char mac[MAC_LEN];

	if (!mac_of(mac, key, text, strlen(text)))
		return false;
	EVP_EncodeBlock((unsigned char *)out, mac, MAC_LEN);
	return true;
}

/* {"KIND": "text", "INNER": {"FIELD": TEXT}}, not closed */
static void
put_text(struct jw *w, const char *kind, const char *inner, const char *field, const char *text)
{
	jw_obj(w);
	jw_kstr(w, kind, "text");
	jw_key(w, inner);
	jw_obj(w);
	jw_kstr(w, field, text);
	jw_obj_end(w);
}

static bool
write_dingtalk(struct jw *w, const struct message *m)
{
	struct buf *url = &m->out->url;
	char text[300], sign[BASE64_LEN + 1];

	put_text(w, "msgtype", "text", "content", m->text);
	if (m->robot->secret[0] == '\0')
		return true;
	put_base(text, sizeof(text), m->now_ms, m->robot->secret);
	if (!base64(sign, m->robot->secret, text))
		return false;
	buf_printf(url, "%ctimestamp=%lld&sign=", strchr(m->robot->url, '?') != NULL ? '&' : '?',
	    (long long)m->now_ms);
	for (const char *p = sign; *p != '\0'; p++)
		buf_printf(url, strchr("+/=", *p) != NULL ? "%%%02X" : "%c", (unsigned char)*p);
	return true;
}

static bool
write_feishu(struct jw *w, const struct message *m)
{
	char key[300], sign[BASE64_LEN + 1], at[24];

	put_text(w, "msg_type", "content", "text", m->text);
	if (m->robot->secret[0] == '\0')
		return true;
	put_base(key, sizeof(key), m->now_ms / 1000, m->robot->secret);
	if (!base64(sign, key, ""))
		return false;
	snprintf(at, sizeof(at), "%lld", (long long)(m->now_ms / 1000));
	jw_kstr(w, "timestamp", at);
	jw_kstr(w, "sign", sign);
	return true;
}

static bool
write_wecom(struct jw *w, const struct message *m)
{
	put_text(w, "msgtype", "text", "content", m->text);
	return true;
}

static bool
write_json(struct jw *w, const struct message *m)
{
	jw_obj(w);
	jw_kstr(w, "source", PACKAGE_NAME);
	jw_kstr(w, "text", m->text);
	jw_key(w, "events");
	jw_arr(w);
	for (size_t i = 0; i < m->n; i++) {
		jw_obj(w);
		jw_kstr(w, "event", m->events[i].event);
		jw_kbool(w, "recovered", m->events[i].recovered);
		jw_kstr(w, "subject", m->events[i].subject);
		jw_kstr(w, "text", m->events[i].text);
		jw_kint(w, "time", m->events[i].at);
		jw_obj_end(w);
	}
	jw_arr_end(w);
	return true;
}

/* Over the whole body, so after it. */
static bool
sign_json(const struct message *m)
{
	unsigned char mac[MAC_LEN];
	struct buf text = { 0 };
	char *out = m->out->signature;
	bool signed_it;
	size_t n;

	buf_printf(&text, "%lld.%s", (long long)(m->now_ms / 1000), m->out->body.data);
	signed_it = !buf_failed(&text) && mac_of(mac, m->robot->secret, text.data, text.len);
	buf_free(&text);
	n = (size_t)snprintf(out, sizeof(m->out->signature),
	    "X-Cascade-Signature: t=%lld,v1=", (long long)(m->now_ms / 1000));
	for (size_t i = 0; signed_it && i < MAC_LEN; i++)
		n += (size_t)snprintf(out + n, sizeof(m->out->signature) - n, "%02x", mac[i]);
	return signed_it;
}

/* code and words: members of the answer that say whether it was taken; code NULL: the status does
 */
static const struct {
	const char *format;
	bool (*write)(struct jw *w, const struct message *m);
	const char *code, *words;
	const char *old_code, *old_words; /* what an older version of it answers */
} robots[] = {
	{ "dingtalk", write_dingtalk, "errcode", "errmsg", NULL, NULL },
	{ "feishu", write_feishu, "code", "msg", "StatusCode", "StatusMessage" },
	{ "wecom", write_wecom, "errcode", "errmsg", NULL, NULL },
	{ "json", write_json, NULL, NULL, NULL, NULL },
};

static size_t
row_of(const struct robot *robot)
{
	size_t i = 0;

	while (i < ARRAY_LEN(robots) && strcmp(robots[i].format, robot->format) != 0)
		i++;
	return i;
}

bool
robot_write(struct robot_request *out, const struct robot *robot, const char *text,
    const struct robot_event *events, size_t n, int64_t now_ms)
{
	const struct message m = { robot, text, events, n, now_ms, out };
	size_t row = row_of(robot);
	struct jw w;

	if (row == ARRAY_LEN(robots))
		return false;
	buf_puts(&out->url, robot->url);
	jw_init(&w, &out->body);
	if (!robots[row].write(&w, &m))
		return false;
	jw_obj_end(&w);
	if (buf_failed(&out->url) || buf_failed(&out->body))
		return false;
	return robots[row].write != write_json || robot->secret[0] == '\0' || sign_json(&m);
}

/* One line of TEXT: an answer may hold anything. */
static void
one_line(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	for (char *p = out; *p != '\0'; p++)
		*p = (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p;
}

static bool
says_taken(const struct jx *root, const char *code, const char *words, char *why, size_t size)
{
	const struct jx *v = jx_get(root, code);
	const char *text = jx_str(jx_get(root, words));
	char line[160];

	if (jx_type(v) == JX_INT && jx_int(v) == 0)
		return true;
	one_line(line, sizeof(line), text != NULL ? text : "");
	if (jx_type(v) == JX_INT)
		snprintf(why, size, "%s %lld: %s", code, (long long)jx_int(v), line);
	else
		snprintf(why, size, "an answer without %s", code);
	return false;
}

static bool
taken(size_t row, const struct http_answer *a, char *why, size_t size)
{
	cs_cleanup(jx_cleanup) struct jx_doc *doc = NULL;
	struct fault f = { 0 };
	const struct jx *root;

	if (a->body.data == NULL || jx_parse(a->body.data, a->body.len, &doc, &f) != CS_OK) {
		snprintf(why, size, "HTTP %d, an answer that is no JSON", a->status);
		return false;
	}
	root = jx_root(doc);
	if (robots[row].old_code != NULL && !jx_has(root, robots[row].code))
		return says_taken(root, robots[row].old_code, robots[row].old_words, why, size);
	return says_taken(root, robots[row].code, robots[row].words, why, size);
}

bool
robot_accepted(const struct robot *robot, enum http_result result, const struct http_answer *answer,
    char *why, size_t size)
{
	size_t row = row_of(robot);

	why[0] = '\0';
	if (result != HTTP_ANSWERED) {
		snprintf(
		    why, size, "%s", result == HTTP_TIMEOUT ? "no answer in time" : answer->why);
		return false;
	}
	/* a robot that refuses may do so with another status, but says why all the same */
	if (row < ARRAY_LEN(robots) && robots[row].code != NULL && answer->body.len > 0)
		return taken(row, answer, why, size) && answer->status / 100 == 2;
	if (answer->status / 100 == 2 && row < ARRAY_LEN(robots) && robots[row].code == NULL)
		return true;
	snprintf(why, size, "HTTP %d", answer->status);
	return false;
}
