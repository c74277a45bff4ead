/* SPDX-License-Identifier: MIT */
/*
 * What the node has and the parent has not acknowledged yet, on disk: attempts, their articles and
 * results, messages to be sent. What a function was told is durable when it returns true; false
 * means that nothing of it happened, and was logged. The only user of SQLite.
 */
#ifndef CS_AGENT_SPOOL_H
#define CS_AGENT_SPOOL_H

#include "base/err.h"

#define SPOOL_KEY_SIZE 64

struct spool;

enum attempt_state {
	ATTEMPT_CLAIMED, /* ours, and not begun */
	ATTEMPT_RUNNING, /* its executor was started */
	ATTEMPT_ENDED,	 /* all its feeds have a result; none has: it is handed back */
	ATTEMPT_STATE__MAX
};
const char *attempt_state_name(enum attempt_state s);

/* One attempt; strings are valid during a call. */
struct spool_attempt {
	int64_t seq; /* order of claims */
	const char *allocation, *task, *package;
	const char *feeds; /* JSON array of ids */
	int64_t number;	   /* of the attempt, as the parent counts */
	enum attempt_state state;
	const char *revoked; /* why the parent no longer takes a report; NULL: it does */
	int64_t articles, unsent, messages; /* all; not uploaded; not sent and not given up */
	int64_t claimed_at, changed_at;	    /* unix seconds */
};

/* READONLY: beside a process that writes; nothing is created. */
enum cs_err spool_open(
    const char *path, bool readonly, struct spool **out, struct fault *f) cs_mustcheck;
void spool_close(struct spool *s); /* NULL is fine */

/* --- claims --- */
/* The claim that is under way: its key and limit. False: none. */
bool spool_claim_get(struct spool *s, char key[SPOOL_KEY_SIZE], int64_t *limit);
bool spool_claim_begin(struct spool *s, const char *key, int64_t limit) cs_mustcheck;
/* Ends it with the N attempts that it brought, whose seq are filled in. */
bool spool_claim_end(struct spool *s, struct spool_attempt *got, size_t n) cs_mustcheck;
/* The same allocation was handed to us again, as attempt NUMBER. */
bool spool_adopt(struct spool *s, int64_t seq, int64_t number) cs_mustcheck;

/* --- attempts --- */
typedef void spool_attempt_fn(void *arg, const struct spool_attempt *a);
/* All, in order of seq. */
bool spool_each(struct spool *s, spool_attempt_fn *fn, void *arg);
bool spool_started(struct spool *s, int64_t seq) cs_mustcheck;
bool spool_revoke(struct spool *s, int64_t seq, const char *why) cs_mustcheck;
/* Forgets it and all that belongs to it; HOW is kept in the history. */
bool spool_remove(struct spool *s, int64_t seq, const char *how) cs_mustcheck;
/* The package, the caller's to free. NULL: failed. */
char *spool_package(struct spool *s, int64_t seq);

/* --- what an executor said: between begin and commit, all or nothing --- */
bool spool_begin(struct spool *s) cs_mustcheck;
bool spool_commit(struct spool *s) cs_mustcheck;
void spool_rollback(struct spool *s);
bool spool_article(struct spool *s, int64_t seq, const char *feed, const char *json) cs_mustcheck;
/* COUNT -1: of the articles stored. The first result of a feed counts. */
bool spool_result(struct spool *s, int64_t seq, const char *feed, bool success, int64_t count,
    const char *error) cs_mustcheck;
bool spool_hold(struct spool *s, const char *feed, int64_t until, const char *reason) cs_mustcheck;
/* OUTCOME with its reason and log; MESSAGES: each feed that succeeded and has articles owes one. */
bool spool_end(struct spool *s, int64_t seq, const char *outcome, const char *why, const char *log,
    bool messages) cs_mustcheck;

/* --- uploads --- */
struct spool_article {
	int64_t seq;
	const char *json;
};
/* Calls FN with articles not yet uploaded, in order, while it returns true. */
bool spool_unsent(struct spool *s, int64_t seq,
    bool (*fn)(void *arg, const struct spool_article *a), void *arg) cs_mustcheck;
/* Articles up to UPTO were taken by the parent, or, with WHY, refused for good. */
bool spool_sent(struct spool *s, int64_t seq, int64_t upto, const char *why) cs_mustcheck;
/* The articles of FEED, sent or not. */
bool spool_articles(struct spool *s, int64_t seq, const char *feed,
    bool (*fn)(void *arg, const struct spool_article *a), void *arg) cs_mustcheck;

/* --- the report --- */
struct spool_result {
	const char *feed, *error,
	    *message; /* of the message: NULL none owed, "" sent, else why not */
	bool success;
	int64_t articles;
};
bool spool_results(struct spool *s, int64_t seq,
    void (*fn)(void *arg, const struct spool_result *r), void *arg) cs_mustcheck;
/* How it ended, "outcome: why"; the caller's to free. NULL: failed. */
char *spool_ending(struct spool *s, int64_t seq);
/* The end of its log, at most MAX bytes; the caller's to free. NULL: none. */
char *spool_log(struct spool *s, int64_t seq, size_t max);

/* --- messages --- */
struct spool_message {
	int64_t id, tries;
	char feed[256];
};
/* The first message of the attempt that is due at NOW_MS (wall). *NEXT_MS: when one will be. */
bool spool_message_due(
    struct spool *s, int64_t seq, int64_t now_ms, struct spool_message *m, int64_t *next_ms);
bool spool_message_trying(struct spool *s, int64_t id) cs_mustcheck;
/* ERROR NULL: sent. Else it is tried again at DUE_MS, or given up where that is 0. */
bool spool_message_tried(
    struct spool *s, int64_t id, const char *error, int64_t due_ms) cs_mustcheck;

/* --- holds, errors, figures --- */
/* Until when FEED ("": everything) is not to be taken, unix seconds; 0: it may be. */
int64_t spool_held_until(struct spool *s, const char *feed, int64_t now);
/* Keeps the last of them for status. */
void spool_note_error(struct spool *s, const char *what, const char *text);
/* Of its file, what is in use. */
int64_t spool_bytes(struct spool *s);
struct spool_figures {
	int64_t bytes; /* in use */
	int64_t attempts, articles, unsent, messages, errors, refused;
};
bool spool_figures(struct spool *s, struct spool_figures *f);
struct spool_line {
	int64_t at;
	const char *what, *text;
};
/* The last LIMIT errors (or, with HISTORY, ends of attempts), newest first. */
bool spool_lines(struct spool *s, bool history, int64_t limit,
    void (*fn)(void *arg, const struct spool_line *l), void *arg);

#endif
