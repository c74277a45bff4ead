/* SPDX-License-Identifier: MIT */
/* What core/explain.h needs to know of one allocation and of every child node. */
#ifndef CS_DB_DB_EXPLAIN_H
#define CS_DB_DB_EXPLAIN_H

#include "base/arena.h"
#include "conf/conf.h"
#include "core/explain.h"
#include "db/db.h"

struct db_explain_name {
	const char *id, *name;
};

/* Text in the caller's arena. */
struct db_explain {
	const char *id, *task_id, *status;
	struct explain_work work;
	struct explain_node *nodes;    /* explained */
	struct db_explain_name *names; /* of each of them */
	size_t n;
	enum explain_verdict verdict;
	const struct db_explain_name *subject; /* holder, reserved for, or chosen; NULL: nobody */
	const char
	    *silent; /* our own parts that give no sign of life: "cascaded,pool"; NULL: none */
	const char *grace_until; /* after an outage of ours nothing is rescued until then; NULL */
};

/* Three queries, however many nodes there are. CS_ENOTFOUND MSG_NO_ALLOCATION. */
enum cs_err db_explain(struct db *db, const struct conf *conf, const char *id, struct arena *a,
    struct db_explain *out, struct fault *f) cs_mustcheck;

#endif
