/* SPDX-License-Identifier: MIT */
/* What the built-in collector, and the account that it uses, take of the configuration. */
#include "agent/node.h"

void
node_wechat(struct node *n)
{
	const struct node_conf *c = n->conf;

	n->wechat_tls = (struct http_tls){
		.ca_file = c->wechat_ca_file,
		.proxy = c->wechat_proxy,
	};
	n->wechat = (struct wechat_conf){
		.base_url = c->wechat_url,
		.account = c->wechat_account,
		.cookie = c->wechat_cookie,
		.token = c->wechat_token,
		.user_agent = c->wechat_agent,
		.state_dir = n->dir,
		.pages = c->wechat_pages,
		.content = c->wechat_content,
		.pause_ms = c->wechat_pause_ms,
		.jitter_ms = c->wechat_jitter_ms,
		.daily = c->wechat_daily,
		.hold_s = c->wechat_hold_s,
		.hold_max_s = c->wechat_hold_max_s,
		.connect_ms = c->wechat_timeout_s * 1000,
		.total_ms = c->wechat_timeout_s * 1000,
		.tls = &n->wechat_tls,
	};
	n->account = (struct account){
		.dir = n->dir,
		.name = c->wechat_account,
		.credential = c->wechat_cookie,
		.pause_ms = c->wechat_pause_ms,
		.jitter_ms = c->wechat_jitter_ms,
		.daily = c->wechat_daily,
		.hold_s = c->wechat_hold_s,
		.hold_max_s = c->wechat_hold_max_s,
	};
}
