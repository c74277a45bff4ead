/* SPDX-License-Identifier: MIT */
/*
 * Prefork supervisor: keeps N worker processes alive, replaces what died or is stuck, changes
 * generations on SIGHUP without a gap and drains on SIGTERM. It knows nothing of what workers do;
 * they tell it how they are by a line each of a shared scoreboard.
 *
 * A generation is N workers forked with one configuration. On SIGHUP a new one is forked beside the
 * old, and only when each of its workers has called slot_ready() the older ones are told to go
 * (SIGTERM); who is left after drain_ms is killed.
 */
#ifndef CS_PROC_SUPER_H
#define CS_PROC_SUPER_H

#include "base/base.h"

#include <stdatomic.h>
#include <sys/types.h>

#define SLOT_ID_SIZE 64

/* A worker's line of the scoreboard, on cache lines of its own. The worker writes, others read. */
struct super_slot {
	_Alignas(64) _Atomic int64_t progress_ms; /* monotonic time of the last sign of progress */
	_Atomic uint64_t done;			  /* requests served */
	_Atomic(const char *) what;		  /* what it is doing: static text */
	_Atomic pid_t pid;
	_Atomic unsigned generation;
	atomic_bool ready;		    /* serves */
	atomic_bool busy;		    /* progress is expected */
	_Alignas(64) char id[SLOT_ID_SIZE]; /* of the request, cut; may be torn: for the log only */
};

/* It serves from now on. */
void slot_ready(struct super_slot *s);
/* Starts WHAT (static text): from now on progress is expected. */
void slot_begin(struct super_slot *s, const char *what);
/* Names the work under way more exactly. */
void slot_name(struct super_slot *s, const char *what, const char *id);
/* It is getting on. */
void slot_progress(struct super_slot *s);
/* Idle from now on; COUNTED: that was a request served. */
void slot_end(struct super_slot *s, bool counted);

enum super_state {
	SUPER_IDLE,
	SUPER_BUSY,
	SUPER_STARTING,
	SUPER_MISSING,	/* ended, and not started again yet */
	SUPER_DRAINING, /* of an older generation, finishing what they do */
	SUPER_STATE__MAX
};

enum super_end {
	SUPER_RECYCLED,	     /* by its own wish */
	SUPER_DRAINED,	     /* told to go, and went */
	SUPER_DIED,	     /* neither */
	SUPER_STUCK,	     /* killed: no progress */
	SUPER_DRAIN_TIMEOUT, /* killed: told to go, and did not */
	SUPER_END__MAX
};

/* What the manager says of the whole pool, in memory shared with the workers. Only it writes. */
struct super_stats {
	_Atomic uint64_t starts;
	_Atomic uint64_t ends[SUPER_END__MAX];
	_Atomic uint64_t workers[SUPER_STATE__MAX]; /* half a second old at most */
};

/* One generation. */
struct super_conf {
	unsigned workers;
	int64_t stuck_ms;	   /* busy without progress for this long: killed and replaced */
	int64_t drain_ms;	   /* after SIGTERM: killed */
	void *conf;		   /* what the workers are configured by */
	struct super_stats *stats; /* the same for every generation */
};

struct super_ops {
	/* The life of worker INDEX, in its own process, with SIGTERM, SIGINT and SIGHUP blocked.
	 * Returns its exit status: 0 is an end by its own wish, replaced at once. */
	int (*run)(void *arg, const struct super_conf *sc, unsigned index, struct super_slot *slot);
	/* SIGHUP: reads the configuration into NEXT. False: said why, all stays as it is. */
	bool (*reload)(void *arg, struct super_conf *next);
	/* The last worker of SC is gone. */
	void (*retire)(void *arg, const struct super_conf *sc);
	/* The pool is about to end: nobody new shall come. */
	void (*stopping)(void *arg);
};

/* Runs generations, FIRST first, until SIGTERM or SIGINT was obeyed. Returns the exit status. */
int super_run(const struct super_ops *ops, void *arg, const struct super_conf *first);

#endif
