/* SPDX-License-Identifier: MIT */
/*
 * What an executor writes to its standard output: JSON lines, each a record. Bytes go in as they
 * come, records come out; a broken line is named and left out, and never costs another.
 */
#ifndef CS_AGENT_LINES_H
#define CS_AGENT_LINES_H

#include "base/buf.h"
#include "json/jx.h"

#define LINES_MAX_BYTES (16u << 20) /* of one line */

enum record_type { RECORD_ARTICLE, RECORD_RESULT, RECORD_HOLD, RECORD_LOG, RECORD__MAX };

/* Everything is borrowed from the line: valid during the call only. Members that the type does not
 * have are zero. */
struct record {
	enum record_type type;
	const char *feed_id; /* article: its mp_id; hold: "" where it is meant for all feeds */
	const struct jx
	    *article; /* an object that has strings id and mp_id; jx_text() it to keep it */
	const char *article_id;
	bool success;	       /* result */
	int64_t article_count; /* result; -1: not said */
	const char *error;     /* result; "": none */
	int64_t seconds;       /* hold: 1 to LINES_HOLD_MAX_S */
	const char *text;      /* hold: the reason; log: the message; "": none */
};

#define LINES_HOLD_MAX_S (30 * 86400)

struct lines_ops {
	void (*record)(void *arg, const struct record *r);
	/* Line NUMBER (from 1) is no record: WHY, in English, fit to be logged. */
	void (*broken)(void *arg, size_t number, const char *why);
};

struct lines {
	const struct lines_ops *ops;
	void *arg;
	const char *const *feeds; /* ids that records may name, borrowed; NULL: any */
	size_t nfeeds;
	struct buf line; /* what came of the current one */
	size_t number;	 /* of the current one */
	bool skipping;	 /* the current one is too long */
};

void lines_init(struct lines *l, const struct lines_ops *ops, void *arg, const char *const *feeds,
    size_t nfeeds);
/* Takes N bytes; calls back for every line that they complete. */
void lines_feed(struct lines *l, const char *p, size_t n);
/* There will be no more: a last line without its newline is taken as a line. */
void lines_end(struct lines *l);
void lines_fini(struct lines *l);

#endif
