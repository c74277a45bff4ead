/* SPDX-License-Identifier: MIT */
/*
 * What JSON text may consist of, checked before json-c sees it. json-c alone is too lenient for
 * input from outside: it takes NaN, odd numbers and raw control characters, cuts keys at \u0000,
 * and counts depth differently for empty and filled containers. The order of tokens is not checked
 * here: json-c does that well.
 */
#include "json/jx_scan.h"
#include "base/parse.h"
#include "json/jx.h"
#include "json/plain.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR_LEN 12 /* "\ud83d\ude00" */

struct scan {
	const char *start, *p, *end;
	int depth;
	bool lost_pairs; /* rewrite() is needed */
	struct fault *f;
};

enum cs_err
jx_bad_json(struct fault *f, const char *what, size_t at)
{
	char why[128];

	snprintf(why, sizeof(why), "%s, byte %zu", what, at + 1);
	return cs_bad_as(f, CS_EINPUT, "body", MSG_R_JSON, why);
}

static enum cs_err
bad_scan(const struct scan *s, const char *what)
{
	return jx_bad_json(s->f, what, (size_t)(s->p - s->start));
}

/* Four hexadecimal digits at P. */
static bool
take_hex4(const char *p, const char *end, uint32_t *out)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t value = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		const char *at = memchr(digits, tolower((unsigned char)p[i]), 16);

		if (at == NULL)
			return false;
		value = value << 4 | (uint32_t)(at - digits);
	}
	*out = value;
	return true;
}

/*
 * The character that an escaped surrogate pair at P stands for, if it is one that json-c (up to
 * 0.16 at least) takes for half a pair, because its low 16 bits look like one, and replaces by
 * U+FFFD: U+1D800 and so on, and rare but real Chinese characters from U+2D800 on. Else 0.
 */
static uint32_t
lost_pair(const char *p, const char *end)
{
	uint32_t high, low, c;

	if (end - p < PAIR_LEN || memcmp(p, "\\u", 2) != 0 || memcmp(p + 6, "\\u", 2) != 0)
		return 0;
	if (!take_hex4(p + 2, end, &high) || !take_hex4(p + 8, end, &low))
		return 0;
	if ((high & 0xfc00) != 0xd800 || (low & 0xfc00) != 0xdc00)
		return 0;
	c = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
	return (c & 0xf800) == 0xd800 ? c : 0;
}

/* From the backslash to the last byte of the escape that matters here. */
static enum cs_err
scan_escape(struct scan *s)
{
	if (s->end - s->p >= 6 && memcmp(s->p, "\\u0000", 6) == 0)
		return cs_bad_as(s->f, CS_EINPUT, "body", MSG_R_NUL);
	if (lost_pair(s->p, s->end) != 0)
		s->lost_pairs = true;
	s->p++;
	return CS_OK;
}

/* From the opening quote to behind the closing one. */
static enum cs_err
scan_string(struct scan *s)
{
	for (s->p++; s->p < s->end; s->p++) {
		unsigned char c;
		bool ascii;

		s->p += json_plain(s->p, (size_t)(s->end - s->p), &ascii);
		if (s->p == s->end)
			break;
		c = (unsigned char)*s->p;
		if (c == '"') {
			s->p++;
			return CS_OK;
		}
		if (c < ' ')
			return bad_scan(s, "control character in a string");
		if (c == '\\')
			TRY(scan_escape(s));
	}
	return jx_bad_json(s->f, "string without an end", (size_t)(s->end - s->start));
}

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool
is_number(const char *p, const char *end)
{
	const char *digits = p + (p < end && *p == '-');

	p = skip_digits(digits, end);
	if (p == digits || (*digits == '0' && p > digits + 1))
		return false;
	if (p < end && *p == '.') {
		digits = p + 1;
		p = skip_digits(digits, end);
		if (p == digits)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		digits = p + 1;
		digits += digits < end && (*digits == '+' || *digits == '-');
		p = skip_digits(digits, end);
		if (p == digits)
			return false;
	}
	return p == end;
}

static bool
is_word(const char *p, size_t n)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (n == strlen(words[i]) && memcmp(p, words[i], n) == 0)
			return true;
	}
	return false;
}

/* A number, true, false or null. */
static enum cs_err
scan_atom(struct scan *s)
{
	const char *start = s->p, *p = s->p;

	while (p < s->end && (isalnum((unsigned char)*p) || (*p != '\0' && strchr("+-.", *p))))
		p++;
	if (!is_number(start, p) && !is_word(start, (size_t)(p - start)))
		return bad_scan(s, "unexpected text");
	s->p = p;
	return CS_OK;
}

/* Punctuation and blanks: what one of them does to the depth. */
static enum cs_err
scan_mark(struct scan *s)
{
	char c = *s->p++;

	if (c == '{' || c == '[')
		s->depth++;
	if (c == '}' || c == ']')
		s->depth--;
	if (s->depth > JX_MAX_DEPTH)
		return cs_bad_as(s->f, CS_EINPUT, "body", MSG_R_DEPTH, JX_MAX_DEPTH);
	return CS_OK;
}

static enum cs_err
scan_tokens(struct scan *s)
{
	while (s->p < s->end) {
		if (*s->p == '"')
			TRY(scan_string(s));
		else if (strchr("{}[],: \t\r\n", *s->p) != NULL)
			TRY(scan_mark(s));
		else
			TRY(scan_atom(s));
	}
	return CS_OK;
}

/* Four bytes of UTF-8: every lost pair is beyond U+FFFF. */
static void
put_char(char *to, uint32_t c)
{
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
}

/* A copy of scanned text in which each lost pair is the character itself; sets *N to its length. */
static char *
rewrite(const char *text, size_t *n)
{
	const char *p = text, *end = text + *n;
	char *copy = malloc(*n);
	size_t len = 0;

	if (copy == NULL)
		return NULL;
	while (p < end) {
		uint32_t c = lost_pair(p, end);
		size_t bytes = *p == '\\' ? 2 : 1; /* so that an escaped backslash starts nothing */

		if (c != 0) {
			put_char(copy + len, c);
			len += 4;
			p += PAIR_LEN;
			continue;
		}
		memcpy(copy + len, p, bytes);
		len += bytes;
		p += bytes;
	}
	*n = len;
	return copy;
}

enum cs_err
jx_scan(const char *text, size_t *n, char **rewritten, struct fault *f)
{
	struct scan s = { .start = text, .p = text, .end = text + *n, .f = f };

	if (*n > 0 && memchr(text, '\0', *n) != NULL)
		return cs_bad_as(f, CS_EINPUT, "body", MSG_R_NUL);
	if (!parse_is_utf8(text, *n))
		return cs_bad_as(f, CS_EINPUT, "body", MSG_R_UTF8);
	TRY(scan_tokens(&s));
	if (!s.lost_pairs)
		return CS_OK;
	*rewritten = rewrite(text, n);
	return *rewritten != NULL ? CS_OK : cs_fail(f, CS_ENOMEM, MSG_NONE);
}
