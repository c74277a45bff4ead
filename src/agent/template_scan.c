/* SPDX-License-Identifier: MIT */
/*
 * Cuts a template into parts, and pairs what opens a block with what divides and closes it. What
 * looks like a tag but does not end on its line is text, as in WeRSS: JSON has such braces.
 */
#include "agent/template_priv.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

struct scan {
	const char *p, *end;
	struct parts *parts;
	size_t size;			 /* of the array */
	size_t open[TEMPLATE_MAX_DEPTH]; /* the blocks that we are in, outermost first */
	size_t nopen;
	struct fault *f;
};

enum cs_err
template_bad(struct fault *f, const char *text, const char *at, enum msg_id what)
{
	size_t line = 1, column = 1;

	for (const char *p = text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if ((*p & 0xc0) != 0x80) { /* the first byte of a character */
			column++;
		}
	}
	return cs_bad(f, "message_template", MSG_R_TEMPLATE, line, column, msg_text(f->lang, what));
}

static enum cs_err
bad(struct scan *s, const char *at, enum msg_id what)
{
	return template_bad(s->f, s->parts->text, at, what);
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && strchr(BLANKS, *s.p) != NULL) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && strchr(BLANKS, s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

size_t
span_name(struct span s)
{
	size_t n = 0;

	for (; n < s.n; n++) {
		char c = s.p[n];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (n == 0 || c < '0' || c > '9'))
			break;
	}
	return n;
}

static enum cs_err
add(struct scan *s, const struct part *part)
{
	struct parts *all = s->parts;
	size_t size = s->size == 0 ? 32 : s->size * 2;
	struct part *v;

	if (all->n == s->size) {
		v = reallocarray(all->v, size, sizeof(*v));
		if (v == NULL)
			return cs_fail(s->f, CS_ENOMEM, MSG_NONE);
		all->v = v;
		s->size = size;
	}
	all->v[all->n++] = *part;
	return CS_OK;
}

static enum cs_err
add_text(struct scan *s, const char *end)
{
	struct part part = { .type = PART_TEXT, .text = { s->p, (size_t)(end - s->p) } };

	return part.text.n > 0 ? add(s, &part) : CS_OK;
}

static enum cs_err
open_block(struct scan *s, const struct part *part)
{
	if (s->nopen == ARRAY_LEN(s->open))
		return bad(s, part->text.p, MSG_TPL_DEPTH);
	s->open[s->nopen++] = s->parts->n;
	return add(s, part);
}

static enum cs_err
read_if(struct scan *s, struct span tag, struct span rest)
{
	struct part part = { .type = PART_IF, .text = rest };

	return rest.n > 0 ? open_block(s, &part) : bad(s, tag.p + tag.n, MSG_TPL_MISSING);
}

/* REST: "x in list" */
static enum cs_err
read_for(struct scan *s, struct span tag, struct span rest)
{
	struct part part = { .type = PART_FOR };
	const char *in = rest.n > 0 ? memmem(rest.p, rest.n, " in ", 4) : NULL;

	if (in == NULL)
		return bad(s, tag.p, MSG_TPL_FOR);
	part.name = trim((struct span){ rest.p, (size_t)(in - rest.p) });
	part.text = trim((struct span){ in + 4, rest.n - (size_t)(in + 4 - rest.p) });
	if (part.name.n == 0 || span_name(part.name) < part.name.n || part.text.n == 0)
		return bad(s, tag.p, MSG_TPL_FOR);
	return open_block(s, &part);
}

/* Where the innermost block, of TYPE, is divided or ended: its last part so far points here. */
static struct part *
continue_block(struct scan *s, enum part_type type)
{
	struct part *opening, *last;

	if (s->nopen == 0)
		return NULL;
	opening = &s->parts->v[s->open[s->nopen - 1]];
	if (opening->type != type)
		return NULL;
	last = opening->next != 0 ? &s->parts->v[opening->next] : opening;
	last->next = s->parts->n;
	return last;
}

static enum cs_err
read_else(struct scan *s, struct span tag, struct span rest)
{
	const struct part *last;

	if (rest.n > 0)
		return bad(s, rest.p, MSG_TPL_EXTRA);
	last = continue_block(s, PART_IF);
	if (last == NULL || last->type != PART_IF) /* a second else */
		return bad(s, tag.p, MSG_TPL_CLOSED);
	return add(s, &(struct part){ .type = PART_ELSE, .text = tag });
}

static enum cs_err
close_block(struct scan *s, enum part_type type, struct span tag, struct span rest)
{
	if (rest.n > 0)
		return bad(s, rest.p, MSG_TPL_EXTRA);
	if (continue_block(s, type) == NULL)
		return bad(s, tag.p, MSG_TPL_CLOSED);
	s->nopen--;
	return add(s, &(struct part){ .type = PART_END, .text = tag });
}

static enum cs_err
read_endif(struct scan *s, struct span tag, struct span rest)
{
	return close_block(s, PART_IF, tag, rest);
}

static enum cs_err
read_endfor(struct scan *s, struct span tag, struct span rest)
{
	return close_block(s, PART_FOR, tag, rest);
}

static enum cs_err
read_statement(struct scan *s, struct span tag)
{
	static const struct {
		const char *name;
		enum cs_err (*read)(struct scan *, struct span tag, struct span rest);
	} statements[] = {
		{ "if", read_if },
		{ "for", read_for },
		{ "else", read_else },
		{ "endif", read_endif },
		{ "endfor", read_endfor },
	};
	size_t word = 0;

	while (word < tag.n && strchr(BLANKS, tag.p[word]) == NULL)
		word++;
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		struct span rest = { tag.p + word, tag.n - word };

		if (strlen(statements[i].name) == word &&
		    memcmp(statements[i].name, tag.p, word) == 0)
			return statements[i].read(s, tag, trim(rest));
	}
	return bad(s, tag.p, MSG_TPL_TAG);
}

static enum cs_err
read_value(struct scan *s, struct span tag)
{
	if (tag.n > 0 && *tag.p == '=')
		tag = trim((struct span){ tag.p + 1, tag.n - 1 });
	return add(s, &(struct part){ .type = PART_VALUE, .text = tag });
}

/* The end of the tag that begins at P with an opening brace; NULL: none begins there. Of three
 * braces it is the last two. */
static const char *
tag_end(const char *p, const char *end)
{
	const char *closing, *newline;

	if (end - p < 4 || (p[1] != '{' && p[1] != '%'))
		return NULL;
	if (p[1] == '{' && (p[2] == '{' || p[2] == '%'))
		return NULL;
	newline = memchr(p, '\n', (size_t)(end - p));
	if (newline == NULL)
		newline = end;
	closing = memmem(p + 2, (size_t)(newline - p - 2), p[1] == '{' ? "}}" : "%}", 2);
	return closing != NULL ? closing + 2 : NULL;
}

/* Text up to the next tag, and that tag. */
static enum cs_err
read_next(struct scan *s)
{
	const char *p = s->p, *end = NULL;
	struct span tag;

	while (p < s->end && (*p != '{' || (end = tag_end(p, s->end)) == NULL))
		p++;
	TRY(add_text(s, p));
	s->p = p;
	if (p == s->end)
		return CS_OK;
	if (s->parts->n >= 2 * TEMPLATE_MAX_TAGS)
		return bad(s, p, MSG_TPL_TAGS);
	s->p = end;
	tag = trim((struct span){ p + 2, (size_t)(end - p - 4) });
	return p[1] == '{' ? read_value(s, tag) : read_statement(s, tag);
}

enum cs_err
template_scan(const char *text, size_t n, struct parts *parts, struct fault *f)
{
	struct scan s = { .p = text, .end = text + n, .parts = parts, .f = f };

	*parts = (struct parts){ .text = text };
	if (n > TEMPLATE_MAX_BYTES)
		return cs_bad(
		    f, "message_template", MSG_R_MAX_BYTES, (long long)TEMPLATE_MAX_BYTES);
	if (!parse_is_utf8(text, n))
		return cs_bad(f, "message_template", MSG_R_UTF8);
	while (s.p < s.end)
		TRY(read_next(&s));
	if (s.nopen > 0)
		return bad(&s, parts->v[s.open[s.nopen - 1]].text.p, MSG_TPL_OPEN);
	return CS_OK;
}

void
template_fini(struct parts *parts)
{
	free(parts->v);
}
