/* SPDX-License-Identifier: MIT */
/*
 * The node: what its parts share. One thread, one loop (loop.c), which lets each part take its step
 * and then waits. An attempt is in the list from its claim until the parent has its report; what is
 * true of it is in the spool first.
 */
#ifndef CS_AGENT_NODE_H
#define CS_AGENT_NODE_H

#include "agent/account.h"
#include "agent/node_conf.h"
#include "agent/runner.h"
#include "agent/spool.h"
#include "agent/wechat.h"
#include "net/http_multi.h"

#define NODE_PROGRAM "cascade-node" /* in the log */

struct node;
struct listener_state;

/* Something an executor said, until it is on disk. */
struct said {
	struct said *next;
	enum { SAID_ARTICLE, SAID_RESULT, SAID_HOLD, SAID_END } what;
	bool success;
	int64_t count;	      /* result: articles, -1 not said; hold: seconds */
	enum outcome outcome; /* of an end */
	char *feed, *text;    /* article: JSON; else why */
};

struct attempt {
	struct attempt *next;
	struct node *node;
	int64_t seq;
	char *allocation, *task;
	int64_t number, told; /* told: in the last request of it */
	char **feeds;	      /* nfeeds of them, in one allocation with their texts */
	size_t nfeeds;
	enum attempt_state state;
	bool acked;	    /* the parent knows that it is executed */
	bool recovered;	    /* by an earlier process: it begins only when it is acked */
	bool revoked;	    /* the parent takes no report any more */
	bool has_result;    /* its executor has said how a feed went */
	bool stopping;	    /* its executor was told to end */
	bool wants_message; /* its feeds owe one each, when they succeed */
	bool owes_message;  /* at least one is not sent, nor given up */
	bool calling;	    /* a request of it is under way */
	bool sending;	    /* a message is */
	int64_t unsent, articles;
	int64_t ack_due_ms;	/* next report of executing; monotonic */
	int64_t due_ms;		/* no request of it before; monotonic */
	unsigned later;		/* how often the parent failed at one of it */
	int64_t message_due_ms; /* monotonic */
	int64_t last_article;	/* of the piece under way */
	size_t piece;		/* articles in it */
	size_t piece_max; /* fewer than before, where the parent refused a piece; 0: no bound */
	struct runner *runner;
	struct said *said, **said_end;
	int64_t message_id, message_tries; /* being sent */
	int message_kind;
	int64_t began_ms; /* monotonic */
};

/* What we know of the parent. */
struct parent {
	char *base;	     /* "https://…/api/v1/cascade" */
	char *authorization; /* header */
	struct http_tls tls;
	unsigned running, fails;
	int64_t failed_ms, until_ms; /* monotonic: the last failure; nothing is asked before */
	int64_t since_s, answered_s; /* unix: of the outage, 0 none; of the last answer */
	bool no_gzip;		     /* it does not know it */
	char error[256];
	struct asked *asked; /* requests under way */
};

struct node {
	struct node_conf *conf, *old_conf; /* the old one is still used by requests */
	const char *conf_path, *instance;
	char *dir; /* of the instance */
	struct spool *spool;
	struct http_multi *http;
	struct parent parent;
	struct attempt *attempts;
	struct wechat_conf wechat;
	struct http_tls wechat_tls;
	struct account account;
	struct listener_state *listener; /* NULL: polls only */
	int64_t wake_ms;		 /* when the loop shall go on at the latest; monotonic */

	/* heartbeats */
	bool beating, beat_again, drain;
	bool beat_held, held; /* the one under way asks for no work; the last one answered did */
	int64_t beat_due_ms, beat_every_s, clock_off_s;
	int beats; /* answered */

	/* claims */
	bool claiming, claim_again;
	bool claim_unused; /* the key's last answer was that there is nothing */
	int64_t claim_due_ms, claim_limit;
	unsigned claims_in_vain;
	char claim_key[SPOOL_KEY_SIZE];
	const char *pressure; /* why nothing is claimed; NULL: something may be */

	/* the end */
	bool stop, reload;
	int64_t stop_by_ms, leave_by_ms;
	int64_t status_due_ms, watchdog_due_ms;
	int64_t trim_due_ms; /* when there has been nothing to do for a while; 0: it was done */
	int64_t started_s;
};

/* The loop shall go on at AT_MS (monotonic) or before. */
void node_wake_at(struct node *n, int64_t at_ms);
/* MS, more or less by a fifth. */
int64_t node_jitter(int64_t ms);
/* Says TEXT of attempt A (may be NULL) in the log and keeps it for status. */
void node_error(struct node *n, const struct attempt *a, const char *what, const char *fmt, ...)
    cs_printf(4, 5);

/* --- attempt.c --- */
/* Puts what is spooled, or was claimed now, into the list. NULL: no memory. */
struct attempt *attempt_add(struct node *n, const struct spool_attempt *from);
/* Takes it off the list, when the spool has forgotten it. */
void attempt_remove(struct node *n, struct attempt *a);
/* Is there an older one of the same feed that has not come as far? Order per feed. */
enum attempt_stage { STAGE_ENDED, STAGE_MESSAGE_SENT, STAGE_GONE };
bool attempt_waits(const struct node *n, const struct attempt *a, enum attempt_stage until);
size_t attempt_count(const struct node *n, enum attempt_state below);
void attempt_log(
    enum log_level level, const struct attempt *a, const char *event, const char *text);

/* --- hold.c: what may not be touched for now --- */
#define HOLD_MAX_S 86400 /* as much of it as the parent is told at a time */
/* Seconds for which nothing is to be begun; 0: something may be. */
int64_t hold_node_s(struct node *n);
/* The same of A: nothing at all, or one of its feeds. */
int64_t hold_attempt_s(const struct attempt *a);

/* --- work.c: executors --- */
void work_step(struct node *n);
/* What executors said goes to disk. */
void work_flush(struct node *n);
size_t work_fds(struct node *n, struct pollfd *fds);
void work_poll(struct node *n);
void work_stop(struct attempt *a, const char *why);
/* A runs no more: the process that ran it died. */
void work_lost(struct attempt *a);

/* --- beat.c, claim.c, report.c, send.c, listener.c, status.c: each their step of the loop --- */
void beat_step(struct node *n);
void claim_step(struct node *n);
/* There may be something to claim, or room for it. */
void claim_soon(struct node *n);
void report_step(struct node *n);
void send_step(struct node *n);
enum cs_err listener_start(struct node *n, struct fault *f) cs_mustcheck;
void listener_stop(struct node *n);
size_t listener_fds(struct node *n, struct pollfd *fds); /* at most LISTENER_FDS */
void listener_step(struct node *n, const struct pollfd *fds, size_t nfds);
#define LISTENER_FDS 9
void status_step(struct node *n);

/* --- wechat_conf.c: the configuration of the built-in collector --- */
void node_wechat(struct node *n);

/* --- loop.c --- */
int node_run(struct node *n);

#endif
