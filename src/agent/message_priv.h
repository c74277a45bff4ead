/* SPDX-License-Identifier: MIT */
/* What the files of the message share. */
#ifndef CS_AGENT_MESSAGE_PRIV_H
#define CS_AGENT_MESSAGE_PRIV_H

#include "agent/message.h"
#include "json/jw.h"

struct message_input {
	const char *feed_id;
	const struct jx *const *articles;
	size_t n;
	int64_t now_s;
};

/* Who takes messages of TYPE at URL. */
enum message_kind robot_of(int64_t type, const char *url);
/* What K takes of N bytes of TEXT under TITLE, cut to what it takes at most. Failure is BODY's. */
void robot_body(
    enum message_kind k, const char *title, const char *text, size_t n, struct buf *body);
/* Headers of M by PACKAGE's headers and cookies. CS_EINVALID naming the field, CS_ENOMEM. */
enum cs_err message_headers(
    const struct jx *package, struct message *m, struct fault *f) cs_mustcheck;

#endif
