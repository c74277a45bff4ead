/* SPDX-License-Identifier: MIT */
/*
 * Widths of characters, by Unicode's East Asian Width and without the locale: what is wide or full
 * width takes two columns, combining marks none, the rest one.
 */
#include "cli/width.h"

#include "base/parse.h"

#include <string.h>

#define ELLIPSIS "…"

static const struct {
	uint32_t first, last;
	unsigned width;
} ranges[] = {
	{ 0x0300, 0x036f, 0 },
	{ 0x1100, 0x115f, 2 },
	{ 0x200b, 0x200f, 0 },
	{ 0x20d0, 0x20ff, 0 },
	{ 0x2e80, 0x303e, 2 },
	{ 0x3041, 0xa4cf, 2 },
	{ 0xa960, 0xa97f, 2 },
	{ 0xac00, 0xd7a3, 2 },
	{ 0xf900, 0xfaff, 2 },
	{ 0xfe00, 0xfe0f, 0 },
	{ 0xfe30, 0xfe6f, 2 },
	{ 0xff01, 0xff60, 2 },
	{ 0xffe0, 0xffe6, 2 },
	{ 0x1f300, 0x1f64f, 2 },
	{ 0x1f680, 0x1f6ff, 2 },
	{ 0x1f900, 0x1f9ff, 2 },
	{ 0x20000, 0x3fffd, 2 },
};

/* The character of N well-formed bytes. */
static uint32_t
decode(const char *s, size_t n)
{
	static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t cp = (unsigned char)s[0] & lead_mask[n];

	for (size_t i = 1; i < n; i++)
		cp = cp << 6 | ((unsigned char)s[i] & 0x3f);
	return cp;
}

static unsigned
width_of_char(uint32_t cp)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

static bool
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

/* One character of S, LEFT bytes long. */
struct glyph {
	size_t bytes;
	const char *text; /* what to print of it */
	size_t len;
	unsigned width;
};

static struct glyph
next_glyph(const char *s, size_t left)
{
	size_t n = utf8_next(s, left);
	uint32_t cp = n == 0 ? 0 : decode(s, n);

	if (n == 0 || is_control(cp))
		return (struct glyph){ n == 0 ? 1 : n, " ", 1, 1 };
	return (struct glyph){ n, s, n, width_of_char(cp) };
}

size_t
width_add(struct buf *out, const char *s, size_t max)
{
	size_t left = strlen(s);
	size_t width = 0;
	bool cut = max != 0 && width_of(s) > max;

	while (left > 0) {
		struct glyph g = next_glyph(s, left);

		if (cut && width + g.width > max - 1) {
			buf_puts(out, ELLIPSIS);
			return width + 1;
		}
		buf_add(out, g.text, g.len);
		width += g.width;
		s += g.bytes;
		left -= g.bytes;
	}
	return width;
}

size_t
width_of(const char *s)
{
	size_t left = strlen(s);
	size_t width = 0;

	while (left > 0) {
		struct glyph g = next_glyph(s, left);

		width += g.width;
		s += g.bytes;
		left -= g.bytes;
	}
	return width;
}
