/* SPDX-License-Identifier: MIT */
/*
 * Wake-up calls: tells nodes that named a callback_url that there is work for them. A call is a
 * hint: a child that misses one claims at its next poll. What is remembered of a node may be lost.
 */
#ifndef CS_CASCADED_WAKE_H
#define CS_CASCADED_WAKE_H

#include "conf/conf.h"
#include "db/db.h"

struct http_multi;
struct wake;

/* Calls run on M, which outlives it; before wake_free() M has none left. NULL: out of memory. */
struct wake *wake_new(struct http_multi *m);
void wake_free(struct wake *w);
/*
 * Starts the calls that are due. CONF outlives them. A node is called for work of its own, or for
 * work that is nobody's while it has room: as many nodes as there is such work.
 */
enum cs_err wake_look(
    struct wake *w, struct db *db, const struct conf *conf, struct fault *f) cs_mustcheck;
/* When to look again, at the latest (monotonic); INT64_MAX: there is no hurry. */
int64_t wake_due_ms(const struct wake *w);
/* Adds the calls that have ended to cascade_gauge. */
enum cs_err wake_count(struct wake *w, struct db *db, struct fault *f) cs_mustcheck;

#endif
