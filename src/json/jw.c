/* SPDX-License-Identifier: MIT */
/*
 * The JSON writer. It keeps no stack: the writer's one flag says whether the next value needs a
 * comma, which holds across levels because closing a level is itself a written value. Strings are
 * copied in runs; only a byte that needs an escape interrupts one.
 */
#include "json/jw.h"
#include "base/parse.h"
#include "json/plain.h"

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

/* An ASCII byte that may not stand for itself. */
static void
put_escape(struct buf *out, unsigned char c)
{
	char text[6] = { '\\', 'u', '0', '0' };
	char hex[3];

	if (escapes[c] != 'u') {
		text[1] = escapes[c];
		buf_add(out, text, 2);
		return;
	}
	render_hex(hex, &c, 1);
	memcpy(text + 4, hex, 2);
	buf_add(out, text, sizeof(text));
}

/* Text without escapes, with U+FFFD for each byte that is not of UTF-8. */
static void
put_text(struct buf *out, const char *s, size_t n)
{
	size_t run;

	while ((run = utf8_run(s, n)) < n) {
		buf_add(out, s, run);
		buf_puts(out, REPLACEMENT);
		s += run + 1;
		n -= run + 1;
	}
	buf_add(out, s, n);
}

/* S, all of which stands for itself, with the quotes and what is around them, in one piece. */
static void
put_plain(struct jw *w, const char *s, size_t n, char after)
{
	size_t size = n + 2 + w->comma + (after != '\0');
	char *to = buf_reserve(w->out, size);

	if (to == NULL)
		return;
	if (w->comma)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, s, n);
	to[n] = '"';
	if (after != '\0')
		to[n + 1] = after;
	w->out->len += size;
}

static void
put_escaped(struct jw *w, const char *s, size_t n, char after)
{
	size_t run;
	bool ascii;

	separate(w);
	buf_putc(w->out, '"');
	while ((run = json_plain(s, n, &ascii)) < n) {
		put_text(w->out, s, run);
		put_escape(w->out, (unsigned char)s[run]);
		s += run + 1;
		n -= run + 1;
	}
	put_text(w->out, s, n);
	buf_putc(w->out, '"');
	if (after != '\0')
		buf_putc(w->out, after);
}

/* The comma that is due, S in quotes, and AFTER unless that is NUL. */
static void
write_string(struct jw *w, const char *s, size_t n, char after)
{
	bool ascii;

	if (json_plain(s, n, &ascii) == n && (ascii || utf8_run(s, n) == n))
		put_plain(w, s, n, after);
	else
		put_escaped(w, s, n, after);
}

void
jw_key(struct jw *w, const char *key)
{
	write_string(w, key, strlen(key), ':');
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
	write_string(w, s, n, '\0');
	w->comma = true;
}

void
jw_int(struct jw *w, int64_t n)
{
	char text[RENDER_INT_SIZE];

	separate(w);
	buf_puts(w->out, render_int(text, n));
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
jw_kstrn(struct jw *w, const char *key, const char *s, size_t n)
{
	jw_key(w, key);
	jw_strn(w, s, n);
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
