/* SPDX-License-Identifier: MIT */
/*
 * Expressions of templates, evaluated while they are read: nothing in them has an effect, so both
 * sides of "and" and "or" are simply evaluated, and checking one is evaluating it with no values.
 */
#include "agent/template_priv.h"

#include "base/parse.h"

#include <string.h>

#define KEY_SIZE    128 /* of a name that values can have */
#define DIGITS_SIZE 24

struct expr {
	const char *p, *end;
	const char *text; /* the whole template */
	struct values *in;
	int depth;
	struct fault *f;
};

static enum cs_err read_or(struct expr *e, struct value *out);

static enum cs_err
bad(const struct expr *e, enum msg_id what)
{
	return template_bad(e->f, e->text, e->p, what);
}

static void
skip_blanks(struct expr *e)
{
	while (e->p < e->end && strchr(BLANKS, *e->p) != NULL)
		e->p++;
}

/* The name that begins here; of length 0: none does. */
static struct span
peek_name(const struct expr *e)
{
	struct span s = { e->p, (size_t)(e->end - e->p) };

	s.n = span_name(s);
	return s;
}

static bool
span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool
take_word(struct expr *e, const char *word)
{
	skip_blanks(e);
	if (!span_is(peek_name(e), word))
		return false;
	e->p += strlen(word);
	return true;
}

static bool
take(struct expr *e, const char *sign)
{
	size_t n = strlen(sign);

	skip_blanks(e);
	if ((size_t)(e->end - e->p) < n || memcmp(e->p, sign, n) != 0)
		return false;
	e->p += n;
	return true;
}

/* ---- Values ---- */

static struct value
of_bool(bool b)
{
	return (struct value){ .type = VALUE_BOOL, .number = b };
}

static struct value
of_number(int64_t n)
{
	return (struct value){ .type = VALUE_NUMBER, .number = n };
}

static struct value
of_tree(const struct jx *v)
{
	static const enum value_type types[] = {
		[JX_NULL] = VALUE_NONE,
		[JX_BOOL] = VALUE_BOOL,
		[JX_INT] = VALUE_NUMBER,
		[JX_DOUBLE] = VALUE_TREE,
		[JX_STR] = VALUE_STR,
		[JX_ARR] = VALUE_TREE,
		[JX_OBJ] = VALUE_TREE,
	};
	enum jx_type t = jx_type(v);

	return (struct value){ .type = types[t],
		.number = t == JX_BOOL ? jx_bool(v) : jx_int(v),
		.str = { jx_str(v), jx_str_len(v) },
		.tree = v };
}

bool
value_is_true(const struct value *v)
{
	switch (v->type) {
	case VALUE_NONE:
		return false;
	case VALUE_BOOL:
	case VALUE_NUMBER:
		return v->number != 0;
	case VALUE_STR:
		return v->str.n > 0;
	case VALUE_TREE:
		return jx_type(v->tree) == JX_DOUBLE || jx_len(v->tree) > 0;
	}
	return false;
}

static bool
is_number(const struct value *v)
{
	return v->type == VALUE_NUMBER || v->type == VALUE_BOOL;
}

/* Orders A and B as memcmp() does into *ORDER. False: they have no order. */
static bool
compare(const struct value *a, const struct value *b, int *order)
{
	size_t n = a->str.n < b->str.n ? a->str.n : b->str.n;

	if (is_number(a) && is_number(b)) {
		*order = (a->number > b->number) - (a->number < b->number);
		return true;
	}
	if (a->type != VALUE_STR || b->type != VALUE_STR)
		return false;
	*order = n > 0 ? memcmp(a->str.p, b->str.p, n) : 0;
	if (*order == 0)
		*order = (a->str.n > b->str.n) - (a->str.n < b->str.n);
	return true;
}

static bool
equal(const struct value *a, const struct value *b)
{
	int order;

	if (compare(a, b, &order))
		return order == 0;
	return a->type == b->type && (a->type == VALUE_NONE || a->tree == b->tree);
}

static const struct jx *
member(const struct jx *obj, struct span name)
{
	char key[KEY_SIZE];

	if (name.n >= sizeof(key))
		return NULL;
	memcpy(key, name.p, name.n);
	key[name.n] = '\0';
	return jx_get(obj, key);
}

static bool
contains(const struct value *in, const struct value *v)
{
	if (in->type == VALUE_STR && v->type == VALUE_STR)
		return v->str.n == 0 ||
		       (in->str.n > 0 && memmem(in->str.p, in->str.n, v->str.p, v->str.n) != NULL);
	if (in->type != VALUE_TREE)
		return false;
	if (jx_type(in->tree) == JX_OBJ)
		return v->type == VALUE_STR && member(in->tree, v->str) != NULL;
	for (size_t i = 0; i < jx_len(in->tree); i++) {
		struct value item = of_tree(jx_at(in->tree, i));

		if (equal(&item, v))
			return true;
	}
	return false;
}

/* ---- Names ---- */

static struct value
loop_member(const struct scope *s, struct span name)
{
	if (span_is(name, "index"))
		return of_number((int64_t)s->index + 1);
	if (span_is(name, "index0"))
		return of_number((int64_t)s->index);
	if (span_is(name, "first"))
		return of_bool(s->index == 0);
	if (span_is(name, "last"))
		return of_bool(s->index + 1 == s->length);
	if (span_is(name, "length"))
		return of_number((int64_t)s->length);
	return (struct value){ 0 };
}

/* The name after a dot. */
static enum cs_err
read_member(struct expr *e, struct span *name)
{
	skip_blanks(e);
	*name = peek_name(e);
	if (name->n == 0)
		return bad(e, MSG_TPL_EXTRA);
	e->p += name->n;
	return CS_OK;
}

/* What follows "loop" in the innermost loop. */
static enum cs_err
read_loop(struct expr *e, const struct scope *s, struct value *out)
{
	struct span name;

	*out = of_bool(s != NULL);
	while (take(e, ".")) {
		TRY(read_member(e, &name));
		if (span_is(name, "parentloop")) {
			s = s != NULL ? s->outer : NULL;
			*out = of_bool(s != NULL);
			continue;
		}
		*out = s != NULL ? loop_member(s, name) : (struct value){ 0 };
		s = NULL;
	}
	return CS_OK;
}

static const struct jx *
lookup(const struct values *in, struct span name)
{
	for (const struct scope *s = in->scope; s != NULL; s = s->outer) {
		if (s->name.n == name.n && memcmp(s->name.p, name.p, name.n) == 0)
			return s->item;
	}
	return member(in->root, name);
}

/* A name, which is not empty, and what its dots lead to. */
static enum cs_err
read_path(struct expr *e, struct value *out)
{
	struct span name = peek_name(e);
	const struct jx *v;

	e->p += name.n;
	if (span_is(name, "loop") && e->in->scope != NULL)
		return read_loop(e, e->in->scope, out);
	v = lookup(e->in, name);
	while (take(e, ".")) {
		TRY(read_member(e, &name));
		v = member(v, name);
	}
	*out = of_tree(v);
	return CS_OK;
}

/* ---- Grammar, from the inside out ---- */

static enum cs_err
read_text(struct expr *e, struct value *out)
{
	const char *start = e->p + 1;
	const char *end = memchr(start, *e->p, (size_t)(e->end - start));

	if (end == NULL)
		return bad(e, MSG_TPL_QUOTE);
	*out = (struct value){ .type = VALUE_STR, .str = { start, (size_t)(end - start) } };
	e->p = end + 1;
	return CS_OK;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static enum cs_err
read_number(struct expr *e, struct value *out)
{
	char digits[DIGITS_SIZE];
	size_t n = 1; /* a sign, or the first digit */

	while (e->p + n < e->end && is_digit(e->p[n]))
		n++;
	if (n >= sizeof(digits))
		return bad(e, MSG_TPL_NUMBER);
	memcpy(digits, e->p, n);
	digits[n] = '\0';
	if (!parse_int(digits, INT64_MIN, INT64_MAX, &out->number))
		return bad(e, n == 1 ? MSG_TPL_MISSING : MSG_TPL_NUMBER);
	out->type = VALUE_NUMBER;
	e->p += n;
	return CS_OK;
}

/* What is in parentheses, the first of which has been taken. */
static enum cs_err
read_group(struct expr *e, struct value *out)
{
	if (++e->depth > TEMPLATE_MAX_DEPTH)
		return bad(e, MSG_TPL_DEPTH);
	TRY(read_or(e, out));
	e->depth--;
	return take(e, ")") ? CS_OK : bad(e, MSG_TPL_PAREN);
}

static size_t
characters(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

static enum cs_err
read_len(struct expr *e, struct value *out)
{
	struct value v = { 0 };

	TRY(read_group(e, &v));
	e->in->work += v.str.n;
	if (v.type == VALUE_STR)
		*out = of_number((int64_t)characters(v.str));
	else if (v.type == VALUE_TREE && jx_type(v.tree) != JX_DOUBLE)
		*out = of_number((int64_t)jx_len(v.tree));
	return CS_OK;
}

static enum cs_err
read_word(struct expr *e, struct span name, struct value *out)
{
	static const struct {
		const char *name;
		struct value value;
	} constants[] = {
		{ "None", { 0 } },
		{ "True", { .type = VALUE_BOOL, .number = 1 } },
		{ "False", { .type = VALUE_BOOL } },
	};
	static const char *const reserved[] = { "and", "or", "not", "in" };

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (span_is(name, reserved[i]))
			return bad(e, MSG_TPL_MISSING);
	}
	for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
		if (!span_is(name, constants[i].name))
			continue;
		*out = constants[i].value;
		e->p += name.n;
		return CS_OK;
	}
	if (!span_is(name, "len"))
		return read_path(e, out);
	e->p += name.n;
	if (take(e, "("))
		return read_len(e, out);
	e->p = name.p; /* a variable of that name */
	return read_path(e, out);
}

static enum cs_err
read_primary(struct expr *e, struct value *out)
{
	struct span name;

	*out = (struct value){ 0 };
	if (take(e, "("))
		return read_group(e, out);
	if (e->p == e->end)
		return bad(e, MSG_TPL_MISSING);
	if (*e->p == '\'' || *e->p == '"')
		return read_text(e, out);
	if (is_digit(*e->p) || *e->p == '-')
		return read_number(e, out);
	name = peek_name(e);
	return name.n > 0 ? read_word(e, name, out) : bad(e, MSG_TPL_MISSING);
}

static bool
is_equal(const struct value *a, const struct value *b)
{
	return equal(a, b);
}
static bool
is_unequal(const struct value *a, const struct value *b)
{
	return !equal(a, b);
}
static bool
is_at_most(const struct value *a, const struct value *b)
{
	int order;

	return compare(a, b, &order) && order <= 0;
}
static bool
is_less(const struct value *a, const struct value *b)
{
	int order;

	return compare(a, b, &order) && order < 0;
}
static bool
is_at_least(const struct value *a, const struct value *b)
{
	return is_at_most(b, a);
}
static bool
is_more(const struct value *a, const struct value *b)
{
	return is_less(b, a);
}

static enum cs_err
read_comparison(struct expr *e, struct value *out)
{
	static const struct {
		const char *sign; /* none begins another that follows it */
		bool (*holds)(const struct value *, const struct value *);
	} signs[] = {
		{ "==", is_equal },
		{ "!=", is_unequal },
		{ "<=", is_at_most },
		{ "<", is_less },
		{ ">=", is_at_least },
		{ ">", is_more },
	};
	struct value right;
	bool not ;

	TRY(read_primary(e, out));
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (!take(e, signs[i].sign))
			continue;
		TRY(read_primary(e, &right));
		e->in->work += right.str.n;
		*out = of_bool(signs[i].holds(out, &right));
		return CS_OK;
	}
	not = take_word(e, "not");
	if (!take_word(e, "in"))
		return not ? bad(e, MSG_TPL_EXTRA) : CS_OK;
	TRY(read_primary(e, &right));
	e->in->work += right.type == VALUE_STR ? right.str.n : jx_len(right.tree) * out->str.n;
	*out = of_bool(contains(&right, out) != not );
	return CS_OK;
}

static enum cs_err
read_not(struct expr *e, struct value *out)
{
	bool negative = false, any = false;

	for (; take_word(e, "not"); any = true)
		negative = !negative;
	TRY(read_comparison(e, out));
	if (any)
		*out = of_bool(value_is_true(out) != negative);
	return CS_OK;
}

static enum cs_err
read_and(struct expr *e, struct value *out)
{
	struct value right;

	TRY(read_not(e, out));
	while (take_word(e, "and")) {
		TRY(read_not(e, &right));
		if (value_is_true(out))
			*out = right;
	}
	return CS_OK;
}

static enum cs_err
read_or(struct expr *e, struct value *out)
{
	struct value right;

	TRY(read_and(e, out));
	while (take_word(e, "or")) {
		TRY(read_and(e, &right));
		if (!value_is_true(out))
			*out = right;
	}
	return CS_OK;
}

enum cs_err
expr_eval(struct span s, struct values *in, const char *text, struct value *out, struct fault *f)
{
	struct expr e = { .p = s.p, .end = s.p + s.n, .text = text, .in = in, .f = f };

	in->work += s.n + 1;
	TRY(read_or(&e, out));
	skip_blanks(&e);
	return e.p == e.end ? CS_OK : bad(&e, MSG_TPL_EXTRA);
}
