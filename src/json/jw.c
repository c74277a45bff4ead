/* SPDX-License-Identifier: MIT */
/*
 * The JSON writer. It keeps no stack: the writer's one flag says whether the next value needs a
 * comma, which holds across levels because closing a level is itself a written value. Strings are
 * copied in runs; only a byte that needs an escape interrupts one.
 */
#include "json/jw.h"
#include "base/parse.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What to write for an ASCII byte: nothing special (0), \u00XX ('u') or backslash and this letter.
 */
static const char escapes[128] = {
	[0x00 ... 0x07] = 'u',
	['\b'] = 'b',
	['\t'] = 't',
	['\n'] = 'n',
	[0x0b] = 'u',
	['\f'] = 'f',
	['\r'] = 'r',
	[0x0e ... 0x1f] = 'u',
	['"'] = '"',
	['\\'] = '\\',
};

void
jw_init(struct jw *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

static void
separate(struct jw *w)
{
	if (w->comma)
		buf_putc(w->out, ',');
	w->comma = true;
}

static void
open_level(struct jw *w, char c)
{
	separate(w);
	buf_putc(w->out, c);
	w->comma = false;
}

static void
close_level(struct jw *w, char c)
{
	buf_putc(w->out, c);
	w->comma = true;
}

void
jw_obj(struct jw *w)
{
	open_level(w, '{');
}

void
jw_obj_end(struct jw *w)
{
	close_level(w, '}');
}

void
jw_arr(struct jw *w)
{
	open_level(w, '[');
}

void
jw_arr_end(struct jw *w)
{
	close_level(w, ']');
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Is any of eight ASCII bytes below LIMIT? Only then does the subtraction set a high bit. */
static bool
has_below(uint64_t eight, uint64_t limit)
{
	return ((eight - EACH_BYTE(limit)) & EACH_BYTE(0x80)) != 0;
}

/* Does any of eight bytes end a run of plain ASCII? */
static bool
has_special(uint64_t eight)
{
	return (eight & EACH_BYTE(0x80)) != 0 || has_below(eight, ' ') ||
	       has_below(eight ^ EACH_BYTE('"'), 1) || has_below(eight ^ EACH_BYTE('\\'), 1);
}

/* Bytes of the run of ASCII without escapes that S starts with; eight at a time where possible. */
static size_t
ascii_run(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s + i, sizeof(eight));
		if (has_special(eight))
			break;
	}
	while (i < n && (unsigned char)s[i] < 0x80 && escapes[(unsigned char)s[i]] == 0)
		i++;
	return i;
}

/* Bytes at the start of S that stand for themselves: well-formed UTF-8 without escapes. */
static size_t
plain_run(const char *s, size_t n)
{
	size_t i = 0, len;

	while (i < n) {
		bool ascii = (unsigned char)s[i] < 0x80;

		len = ascii ? ascii_run(s + i, n - i) : utf8_next(s + i, n - i);
		if (len == 0)
			break;
		i += len;
	}
	return i;
}

static void
write_escape(struct buf *out, unsigned char c)
{
	char text[6] = { '\\', 'u', '0', '0' };
	char hex[3];

	if (c >= 0x80) {
		buf_puts(out, REPLACEMENT);
		return;
	}
	if (escapes[c] != 'u') {
		text[1] = escapes[c];
		buf_add(out, text, 2);
		return;
	}
	render_hex(hex, &c, 1);
	memcpy(text + 4, hex, 2);
	buf_add(out, text, sizeof(text));
}

static void
write_string(struct buf *out, const char *s, size_t n)
{
	size_t run;

	buf_putc(out, '"');
	for (;;) {
		run = plain_run(s, n);
		buf_add(out, s, run);
		if (run == n)
			break;
		write_escape(out, (unsigned char)s[run]);
		s += run + 1;
		n -= run + 1;
	}
	buf_putc(out, '"');
}

void
jw_key(struct jw *w, const char *key)
{
	separate(w);
	write_string(w->out, key, strlen(key));
	buf_putc(w->out, ':');
	w->comma = false;
}

void
jw_str(struct jw *w, const char *s)
{
	if (s == NULL)
		jw_null(w);
	else
		jw_strn(w, s, strlen(s));
}

void
jw_strn(struct jw *w, const char *s, size_t n)
{
	separate(w);
	write_string(w->out, s, n);
}

void
jw_int(struct jw *w, int64_t n)
{
	char text[20]; /* as many characters as INT64_MIN has */
	char *p = text + sizeof(text);
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0)
		*--p = '-';
	separate(w);
	buf_add(w->out, p, (size_t)(text + sizeof(text) - p));
}

void
jw_bool(struct jw *w, bool b)
{
	separate(w);
	buf_puts(w->out, b ? "true" : "false");
}

void
jw_null(struct jw *w)
{
	separate(w);
	buf_add(w->out, "null", 4);
}

void
jw_raw(struct jw *w, const char *json)
{
	separate(w);
	buf_puts(w->out, json == NULL || *json == '\0' ? "null" : json);
}

void
jw_kstr(struct jw *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_str(w, s);
}

void
jw_kint(struct jw *w, const char *key, int64_t n)
{
	jw_key(w, key);
	jw_int(w, n);
}

void
jw_kbool(struct jw *w, const char *key, bool b)
{
	jw_key(w, key);
	jw_bool(w, b);
}

void
jw_knull(struct jw *w, const char *key)
{
	jw_key(w, key);
	jw_null(w);
}

void
jw_kraw(struct jw *w, const char *key, const char *json)
{
	jw_key(w, key);
	jw_raw(w, json);
}
