/* SPDX-License-Identifier: MIT */
/* What the files of the template share: text cut into parts, and expressions. */
#ifndef CS_AGENT_TEMPLATE_PRIV_H
#define CS_AGENT_TEMPLATE_PRIV_H

#include "agent/template.h"

#define BLANKS " \t"

/* Some of the template's text, or of a value. */
struct span {
	const char *p;
	size_t n;
};

enum part_type { PART_TEXT, PART_VALUE, PART_IF, PART_FOR, PART_ELSE, PART_END };

struct part {
	enum part_type type;
	struct span text; /* of TEXT: itself; of VALUE and IF: the expression; of FOR: the list */
	struct span name; /* of FOR: the variable */
	size_t next;	  /* of IF and FOR: their ELSE or END; of ELSE: its END */
};

/* A template taken apart; fini() it even after an error. */
struct parts {
	struct part *v;
	size_t n;
	const char *text; /* the whole of it */
};

/* Cuts N bytes at TEXT into parts and pairs the blocks. */
enum cs_err template_scan(
    const char *text, size_t n, struct parts *parts, struct fault *f) cs_mustcheck;
void template_fini(struct parts *parts);
/* Fails with CS_EINVALID: WHAT (MSG_TPL_*) is wrong at AT, which lies in TEXT. */
enum cs_err template_bad(struct fault *f, const char *text, const char *at, enum msg_id what);

enum value_type { VALUE_NONE, VALUE_BOOL, VALUE_NUMBER, VALUE_STR, VALUE_TREE };

struct value {
	enum value_type type;
	int64_t number;	       /* BOOL, NUMBER */
	struct span str;       /* STR */
	const struct jx *tree; /* TREE: a list, an object, a number with a fraction */
};

/* The variables of a loop, and of those around it. */
struct scope {
	struct span name;
	const struct jx *item;
	size_t index, length;
	const struct scope *outer;
};

struct values {
	const struct jx *root;
	const struct scope *scope; /* NULL: in no loop */
	size_t work;		   /* bytes that were looked at so far */
};

/* The value of expression E; its strings are the template's or the tree's. */
enum cs_err expr_eval(struct span e, struct values *in, const char *text, struct value *out,
    struct fault *f) cs_mustcheck;
bool value_is_true(const struct value *v);
/* Bytes of the name that S begins with; 0: with none. */
size_t span_name(struct span s);

#endif
