/* SPDX-License-Identifier: MIT */
/*
 * One login to the site, shared by all attempts of a node: how fast it may be used, how often in a
 * day, and whether it may be used at all for now. Its state is a small file under a lock, replaced
 * atomically, so that it holds across processes and restarts.
 */
#ifndef CS_AGENT_ACCOUNT_H
#define CS_AGENT_ACCOUNT_H

#include "base/err.h"

/* Strings are borrowed. */
struct account {
	const char *dir;	/* where the file is; exists */
	const char *name;	/* of the login; any text */
	const char *credential; /* a change of it ends a hold by account_expire() */
	int64_t pause_ms;	/* between two requests, at least … */
	int64_t jitter_ms;	/* … and at random up to this much more */
	int64_t daily;		/* requests a day of local time that count; 0: no bound */
	int64_t hold_s;		/* the first hold; doubled by each further one in a row … */
	int64_t hold_max_s;	/* … up to this */
};

/* Why there is no turn now. */
enum account_state {
	ACCOUNT_FREE,
	ACCOUNT_LIMITED, /* the site said: too often */
	ACCOUNT_EXPIRED, /* the site said: not logged in */
	ACCOUNT_SPENT,	 /* the day's budget is used up */
	ACCOUNT__MAX
};
/* "free", "limited", …: stable. */
const char *account_state_name(enum account_state s);

struct account_turn {
	enum account_state state;
	int64_t wait_ms; /* FREE: to be waited before the request, which is already counted */
	int64_t hold_s;	 /* else: until the next turn */
};

/* Reserves the next turn; COUNTED: it is one of the day's budget. CS_EIO: no file, no turn. */
enum cs_err account_take(
    const struct account *a, bool counted, struct account_turn *t, struct fault *f) cs_mustcheck;
/* As it stands, taking nothing: for a node that would rather not claim what it cannot do. */
enum cs_err account_look(
    const struct account *a, struct account_turn *t, struct fault *f) cs_mustcheck;
/* The site limits it, or says that it is not logged in: nobody gets a turn for *HOLD_S. */
enum cs_err account_limit(const struct account *a, int64_t *hold_s, struct fault *f) cs_mustcheck;
enum cs_err account_expire(const struct account *a, int64_t *hold_s, struct fault *f) cs_mustcheck;
/* The site answered as it should: the next hold is a first one again. */
enum cs_err account_succeed(const struct account *a, struct fault *f) cs_mustcheck;

#endif
