/* SPDX-License-Identifier: MIT */
/*
 * Carries out the parts of a template, and cuts white space the way WeRSS does. What an if yields
 * is written straight to the output and cut there. Everything that a template could make us do for
 * ever is counted: bytes written, and bytes of expressions and values looked at.
 */
#include "agent/template_priv.h"

#include "base/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PART_WORK 16 /* what carrying out a part costs, in bytes looked at */

struct render {
	const struct parts *parts;
	struct values values;
	struct buf *out;
	size_t written;	     /* also what was cut away again */
	struct arena *arena; /* for lists and objects as text; NULL: not needed yet */
	struct fault *f;
};

/* ---- White space ---- */

/* Bytes of the white space character (Python's notion) that S begins with; 0: none. */
static size_t
space_len(const char *s, size_t n)
{
	static const char *const spaces[] = { " ", "\t", "\n", "\r", "\v", "\f", "\x1c", "\x1d",
		"\x1e", "\x1f", "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80",
		"\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
		"\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
		"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80" };

	/* Most of it begins with none of these bytes. */
	if (n == 0 || ((unsigned char)*s > ' ' && strchr("\xc2\xe1\xe2\xe3", *s) == NULL))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		size_t len = strlen(spaces[i]);

		if (len <= n && memcmp(s, spaces[i], len) == 0)
			return len;
	}
	return 0;
}

static struct span
skip_space(struct span s)
{
	for (size_t len; (len = space_len(s.p, s.n)) > 0;) {
		s.p += len;
		s.n -= len;
	}
	return s;
}

/* S without the white space at its end. */
static struct span
drop_space(struct span s)
{
	size_t back;

	do {
		for (back = 1; back <= 3 && back <= s.n; back++) {
			if (space_len(s.p + s.n - back, back) == back)
				break;
		}
		if (back > 3 || back > s.n)
			return s;
		s.n -= back;
	} while (s.n > 0);
	return s;
}

/* An empty line is kept unless it follows a line of a list, or another that was kept. */
static bool
keeps_empty(const struct span *last, bool first)
{
	struct span s;

	if (first)
		return true;
	s = skip_space(*last);
	return s.n > 0 && *s.p != '-';
}

/* Cuts white space from MARK on. It only ever gets shorter, so the lines move to the left. */
static void
clean(struct buf *b, size_t mark)
{
	char *start, *to;
	const char *end, *next;
	struct span last = { 0 }, line;

	if (b->len == mark || buf_failed(b))
		return;
	start = to = b->data + mark;
	end = b->data + b->len;
	for (const char *p = start; p <= end; p = next + 1) {
		next = memchr(p, '\n', (size_t)(end - p));
		if (next == NULL)
			next = end;
		line = (struct span){ p, (size_t)(next - p) };
		if (skip_space(line).n == 0 && !keeps_empty(&last, last.p == NULL))
			continue;
		if (last.p != NULL)
			*to++ = '\n';
		memmove(to, line.p, line.n);
		last = (struct span){ to, line.n };
		to += line.n;
	}
	line = drop_space(skip_space((struct span){ start, (size_t)(to - start) }));
	memmove(start, line.p, line.n);
	b->len = mark + line.n;
	b->data[b->len] = '\0';
}

/* ---- Parts ---- */

static enum cs_err
bad(const struct render *r, const struct part *part, enum msg_id what)
{
	return template_bad(r->f, r->parts->text, part->text.p, what);
}

static enum cs_err
write_out(struct render *r, const struct part *part, const char *p, size_t n)
{
	if (n > TEMPLATE_MAX_OUTPUT - r->written)
		return bad(r, part, MSG_TPL_OUTPUT);
	r->written += n;
	buf_add(r->out, p, n);
	return buf_failed(r->out) ? bad(r, part, MSG_TPL_OUTPUT) : CS_OK;
}

static enum cs_err
eval(struct render *r, const struct part *part, struct value *v)
{
	return expr_eval(part->text, &r->values, r->parts->text, v, r->f);
}

static enum cs_err
write_tree(struct render *r, const struct part *part, const struct jx *tree)
{
	const char *text;

	if (r->arena == NULL)
		r->arena = arena_new(TEMPLATE_MAX_OUTPUT);
	if (r->arena == NULL)
		return cs_fail(r->f, CS_ENOMEM, MSG_NONE);
	arena_reset(r->arena);
	text = jx_text(tree, r->arena);
	if (text == NULL)
		return bad(r, part, MSG_TPL_OUTPUT);
	r->values.work += strlen(text);
	return write_out(r, part, text, strlen(text));
}

static enum cs_err
write_value(struct render *r, const struct part *part)
{
	char number[24];
	struct value v;

	TRY(eval(r, part, &v));
	if (v.type == VALUE_TREE)
		return write_tree(r, part, v.tree);
	if (v.type == VALUE_NUMBER) {
		v.str.n = (size_t)snprintf(number, sizeof(number), "%" PRId64, v.number);
		v.str.p = number;
	} else if (v.type == VALUE_BOOL) {
		v.str = v.number != 0 ? (struct span){ "True", 4 } : (struct span){ "False", 5 };
	} else if (v.type == VALUE_NONE) {
		v.str.n = 0;
	}
	return write_out(r, part, v.str.p, v.str.n);
}

static enum cs_err render_range(struct render *r, size_t from, size_t to);

/* The IF at I, up to the END of it. */
static enum cs_err
render_if(struct render *r, size_t i, size_t end)
{
	const struct part *v = r->parts->v;
	size_t otherwise = v[i].next, mark = r->out->len; /* of IF and ELSE; or both the END */
	struct value condition;

	TRY(eval(r, &v[i], &condition));
	if (value_is_true(&condition))
		TRY(render_range(r, i + 1, otherwise));
	else if (otherwise < end)
		TRY(render_range(r, otherwise + 1, end));
	clean(r->out, mark);
	return CS_OK;
}

static enum cs_err
render_for(struct render *r, size_t i, size_t end)
{
	const struct part *part = &r->parts->v[i];
	struct scope scope = { .name = part->name, .outer = r->values.scope };
	struct value list;
	enum cs_err err = CS_OK;

	TRY(eval(r, part, &list));
	if (list.type != VALUE_TREE || jx_type(list.tree) != JX_ARR)
		return CS_OK;
	scope.length = jx_len(list.tree);
	r->values.scope = &scope;
	for (; scope.index < scope.length && err == CS_OK; scope.index++) {
		scope.item = jx_at(list.tree, scope.index);
		if (scope.index > 0)
			err = write_out(r, part, "\n", 1);
		if (err == CS_OK)
			err = render_range(r, i + 1, end);
	}
	r->values.scope = scope.outer;
	return err;
}

/* The END of the block that is opened at I. */
static size_t
end_of(const struct parts *parts, size_t i)
{
	size_t next = parts->v[i].next;

	return parts->v[next].type == PART_ELSE ? parts->v[next].next : next;
}

static enum cs_err
render_range(struct render *r, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct part *part = &r->parts->v[i];
		size_t end;

		r->values.work += PART_WORK;
		if (r->values.work > TEMPLATE_MAX_WORK)
			return bad(r, part, MSG_TPL_STEPS);
		if (part->type == PART_TEXT) {
			TRY(write_out(r, part, part->text.p, part->text.n));
			continue;
		}
		if (part->type == PART_VALUE) {
			TRY(write_value(r, part));
			continue;
		}
		end = end_of(r->parts, i);
		TRY(part->type == PART_IF ? render_if(r, i, end) : render_for(r, i, end));
		i = end;
	}
	return CS_OK;
}

static enum cs_err
check_parts(const struct parts *parts, struct fault *f)
{
	struct values none = { 0 };
	struct value v;

	for (size_t i = 0; i < parts->n; i++) {
		enum part_type t = parts->v[i].type;

		if (t == PART_VALUE || t == PART_IF || t == PART_FOR)
			TRY(expr_eval(parts->v[i].text, &none, parts->text, &v, f));
	}
	return CS_OK;
}

enum cs_err
template_check(const char *text, size_t n, struct fault *f)
{
	struct parts parts;
	enum cs_err err = template_scan(text, n, &parts, f);

	if (err == CS_OK)
		err = check_parts(&parts, f);
	template_fini(&parts);
	return err;
}

enum cs_err
template_render(
    const char *text, size_t n, const struct jx *values, struct buf *out, struct fault *f)
{
	size_t mark = out->len;
	struct parts parts;
	struct render r = { .parts = &parts, .values = { .root = values }, .out = out, .f = f };
	enum cs_err err = template_scan(text, n, &parts, f);

	if (err == CS_OK) /* all of it, also what is not reached this time */
		err = check_parts(&parts, f);
	if (err == CS_OK)
		err = render_range(&r, 0, parts.n);
	arena_free(r.arena);
	template_fini(&parts);
	if (err == CS_OK) {
		clean(out, mark);
	} else if (out->data != NULL) {
		out->len = mark;
		out->data[mark] = '\0';
	}
	return err;
}
