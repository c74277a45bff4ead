/* SPDX-License-Identifier: MIT */
/*
 * The built-in collector: article lists of public accounts as mp.weixin.qq.com's own editor gets
 * them, and the articles' pages. An executor like any other (cascade-executor(7)), run in a process
 * of its own: it waits and sleeps.
 */
#ifndef CS_AGENT_WECHAT_H
#define CS_AGENT_WECHAT_H

#include "base/err.h"

struct http_tls;

/* Strings are borrowed. */
struct wechat_conf {
	const char *base_url;	/* "https://mp.weixin.qq.com"; no final slash needed */
	const char *account;	/* a name for the login; "" is fine */
	const char *cookie;	/* secret */
	const char *token;	/* secret */
	const char *user_agent; /* "": a browser's */
	const char *state_dir;	/* account.h's file; exists, shared by all attempts of the node */
	int64_t pages;		/* of a list, at most; it ends sooner where articles are known */
	bool content;		/* fetch the articles' pages too */
	int64_t pause_ms, jitter_ms, daily, hold_s, hold_max_s; /* as in account.h */
	long connect_ms, total_ms;				/* of one request */
	const struct http_tls *tls;				/* NULL: defaults */
	enum lang lang;						/* of errors and reasons */
};

/*
 * Collects the feeds of PACKAGE (JSON, LEN bytes) and writes records to OUT_FD, progress to
 * standard error. Returns the exit status: 0; 75 where something could not be reached; 69 where the
 * account is limited, expired or spent, with a hold record for each feed that is left.
 *
 * PACKAGE may have `known`, an object of arrays of article ids by feed id: these articles are left
 * out, and a page of the list that has one is the last.
 */
int agent_wechat_main(const struct wechat_conf *conf, const char *package, size_t len, int out_fd);

#endif
