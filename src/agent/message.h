/* SPDX-License-Identifier: MIT */
/*
 * What a task tells the world after collecting: the text of its template, in the form that its
 * robot or webhook takes. Nothing is sent here.
 */
#ifndef CS_AGENT_MESSAGE_H
#define CS_AGENT_MESSAGE_H

#include "base/buf.h"
#include "json/jx.h"

/* By message_type and host of web_hook_url. */
enum message_kind {
	MESSAGE_DINGTALK,
	MESSAGE_FEISHU,
	MESSAGE_WECOM,
	MESSAGE_BARK,
	MESSAGE_CUSTOM,	 /* any other robot: {"title", "content"} */
	MESSAGE_WEBHOOK, /* the rendered text itself */
	MESSAGE__MAX
};
/* "dingtalk", …: stable, for logs. URLs must not be logged: they hold secrets. */
const char *message_kind_name(enum message_kind k);

/* The caller's; message_free() it. */
struct message {
	enum message_kind kind;
	const char *url;
	const char *const *headers; /* "Name: value", ended by NULL */
	struct buf body;
	struct arena *arena; /* holds url and headers */
};

/*
 * Is there anything to be sent: PACKAGE has a web_hook_url, and there are articles (WeRSS is silent
 * otherwise).
 */
bool message_wanted(const struct jx *package, size_t narticles);
/*
 * The POST for PACKAGE, one of its feeds (FEED_ID; NULL: the first) and N ARTICLES of it (as the
 * parent takes them), at NOW_S; times in it are local. Errors, with nothing to free: CS_EINVALID
 * with the field that is wrong (message_type, message_template, web_hook_url, headers, cookies),
 * CS_ENOMEM.
 */
enum cs_err message_build(const struct jx *package, const char *feed_id,
    const struct jx *const *articles, size_t n, int64_t now_s, struct message *m,
    struct fault *f) cs_mustcheck;
void message_free(struct message *m);

enum message_verdict {
	MESSAGE_TAKEN,
	MESSAGE_LATER,	/* too many, or out of order: the same may do later */
	MESSAGE_REFUSED /* the same will be refused again */
};
/*
 * What an answer of HTTP STATUS with BODY (N bytes) means: robots refuse with 200 and a code. WHY
 * gets the reason unless TAKEN, always terminated: it quotes the answer, nothing of the request.
 */
enum message_verdict message_judge(
    enum message_kind k, int status, const char *body, size_t n, char *why, size_t why_size);

#endif
