/* SPDX-License-Identifier: MIT */
/*
 * The robots of group chats, as they take messages and as they answer: DingTalk, Feishu and WeCom
 * custom robots, and a JSON document of ours for everything else. Writes and reads only; sends
 * nothing.
 */
#ifndef CS_NET_ROBOT_H
#define CS_NET_ROBOT_H

#include "net/http_client.h"

#define ROBOT_TEXT_MAX 2000 /* bytes of a text: WeCom takes 2,048, the others more */

/* What happened; texts are the caller's. */
struct robot_event {
	const char *event, *subject, *text;
	bool recovered;
	int64_t at; /* unix seconds */
};

struct robot {
	const char *format; /* dingtalk, feishu, wecom, json */
	const char *url;
	const char *secret; /* "": messages are not signed */
};

/* A request to a robot; zeroed before use, robot_request_free() it. */
struct robot_request {
	struct buf url, body;
	char signature[128]; /* a header, or "" */
};
void robot_request_free(struct robot_request *r);
#define auto_request cs_cleanup(robot_request_free) struct robot_request

/*
 * A message of TEXT at NOW_MS (unix); only json carries the N events too. False: out of memory, or
 * no such format.
 */
bool robot_write(struct robot_request *out, const struct robot *robot, const char *text,
    const struct robot_event *events, size_t n, int64_t now_ms) cs_mustcheck;
/*
 * Did the robot take it? An HTTP status of 200 alone does not say so. False: WHY (SIZE bytes) has
 * its reason, in one line.
 */
bool robot_accepted(const struct robot *robot, enum http_result result,
    const struct http_answer *answer, char *why, size_t size);

#endif
