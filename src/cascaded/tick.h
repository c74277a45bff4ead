/* SPDX-License-Identifier: MIT */
/* What cascaded does each tick: beat, lead, refresh, assign. */
#ifndef CS_CASCADED_TICK_H
#define CS_CASCADED_TICK_H

#include "conf/conf.h"
#include "db/db.h"
#include "db/db_node.h"

struct alert;
struct http_multi;
struct schedule;
struct wake;

#define TICK_STEPS_MAX 24

struct daemon {
	const struct conf *conf;
	struct db *db;
	struct schedule *schedule;
	struct http_multi *http; /* every call of ours runs on it */
	struct wake *wake;
	struct alert *alert;
	struct db_node_walk walk; /* of db_node_sync_all() */
	bool scheduling;	  /* as an administrator last wanted it */
	int64_t reloads;	  /* of the schedule, that were asked for so far */
	char holder[128];	  /* our name in cascade_leader */
	bool leads;
	bool away;			  /* the last tick found no database */
	bool grace;			  /* after an outage of ours: nothing is rescued for now */
	bool busy;			  /* there is more to do now: the next tick comes at once */
	bool more_due;			  /* so is more of the schedule */
	int64_t repair_cursor;		  /* where db_repair_shown() stands */
	bool found;			  /* the step that runs had something to do */
	int64_t refreshed_ms;		  /* monotonic; 0 = refresh at the next tick */
	int64_t rests_ms[TICK_STEPS_MAX]; /* monotonic; a step is not run before */
	int64_t count_due_ms;		  /* monotonic; the queue is not counted before */
	int64_t peek_due_ms;		  /* monotonic; tick_peek() does not look before */
	int64_t newest;			  /* row number of the last allocation that it has seen */
};

/* Names the daemon in D->holder: host, pid and random bits, so that no restart inherits a lead. */
bool tick_name(struct daemon *d);
/* One tick. A failure is logged; the next tick tries again. */
void tick(struct daemon *d);
/*
 * Between two ticks: assigns what has come in meanwhile and calls the nodes that get it, or that a
 * dispatch gave it to, so that nobody waits for the next tick. Cheap; does nothing where there is
 * nobody to call.
 */
void tick_peek(struct daemon *d);
#define TICK_PEEK_MS 200 /* how often it looks */
/* Gives the lead up, if it has it. */
void tick_leave(struct daemon *d);

#endif
