/* SPDX-License-Identifier: MIT */
/*
 * Text to numbers, times and verdicts, strictly: the whole text must be what was asked for. No
 * locale, no skipped blanks, no saturation. Also the UTF-8 helpers that everything which stores,
 * logs or sends text shares.
 */
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "", 1 },
	{ "s", 1 },
	{ "m", 60 },
	{ "h", 60 * 60 },
	{ "d", 24 * 60 * 60 },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "k", 1 << 10 },
	{ "K", 1 << 10 },
	{ "KiB", 1 << 10 },
	{ "m", 1 << 20 },
	{ "M", 1 << 20 },
	{ "MiB", 1 << 20 },
	{ "g", 1 << 30 },
	{ "G", 1 << 30 },
	{ "GiB", 1 << 30 },
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *S, negated: so INT64_MIN fits too. Moves *S behind them; false: none, or overflow. */
static bool
take_negated(const char **s, int64_t *out)
{
	const char *p = *s;
	int64_t n = 0;

	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, *p - '0', &n))
			return false;
	}
	if (p == *s)
		return false;
	*s = p;
	*out = n;
	return true;
}

static bool
within(int64_t n, int64_t min, int64_t max, int64_t *out)
{
	if (n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool
parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = *s == '-';
	int64_t n;

	if (negative)
		s++;
	if (!take_negated(&s, &n) || *s != '\0')
		return false;
	if (!negative && __builtin_sub_overflow(0, n, &n))
		return false;
	return within(n, min, max, out);
}

bool
parse_octal(const char *s, int64_t max, int64_t *out)
{
	int64_t n = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '7' || __builtin_mul_overflow(n, 8, &n))
			return false;
		n += *s - '0';
	}
	return within(n, 0, max, out);
}

bool
parse_bool(const char *s, bool *out)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {
		{ "true", true },
		{ "yes", true },
		{ "on", true },
		{ "1", true },
		{ "false", false },
		{ "no", false },
		{ "off", false },
		{ "0", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(s, words[i].text) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static bool
parse_scaled(
    const char *s, const struct unit *units, size_t nunits, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;

	if (!take_negated(&s, &n))
		return false;
	for (size_t i = 0; i < nunits; i++) {
		if (strcmp(s, units[i].suffix) == 0)
			return !__builtin_mul_overflow(n, -units[i].factor, &n) &&
			       within(n, min, max, out);
	}
	return false;
}

bool
parse_duration_s(const char *s, int64_t min, int64_t max, int64_t *out)
{
	return parse_scaled(s, duration_units, ARRAY_LEN(duration_units), min, max, out);
}

bool
parse_size(const char *s, int64_t min, int64_t max, int64_t *out)
{
	return parse_scaled(s, size_units, ARRAY_LEN(size_units), min, max, out);
}

/* Exactly N digits at *S. */
static bool
take_digits(const char **s, int n, int *out)
{
	int value = 0;

	for (; n > 0; n--, (*s)++) {
		if (!is_digit(**s))
			return false;
		value = value * 10 + (**s - '0');
	}
	*out = value;
	return true;
}

static bool
take_one_of(const char **s, const char *set)
{
	if (**s == '\0' || strchr(set, **s) == NULL)
		return false;
	(*s)++;
	return true;
}

/* "2024-01-01T00:00:00" at *S, its fields not yet checked. */
static bool
take_datetime(const char **s, struct tm *t)
{
	int year, month;

	if (!take_digits(s, 4, &year) || !take_one_of(s, "-") || !take_digits(s, 2, &month) ||
	    !take_one_of(s, "-") || !take_digits(s, 2, &t->tm_mday) || !take_one_of(s, "T ") ||
	    !take_digits(s, 2, &t->tm_hour) || !take_one_of(s, ":") ||
	    !take_digits(s, 2, &t->tm_min) || !take_one_of(s, ":") ||
	    !take_digits(s, 2, &t->tm_sec))
		return false;
	t->tm_year = year - 1900;
	t->tm_mon = month - 1;
	return true;
}

/* Seconds of T; false where timegm() had to normalise it, as with 30 February or 24:00:00. */
static bool
exact_seconds(const struct tm *t, int64_t *out)
{
	struct tm n = *t;
	int64_t seconds = timegm(&n);

	if (n.tm_year != t->tm_year || n.tm_mon != t->tm_mon || n.tm_mday != t->tm_mday ||
	    n.tm_hour != t->tm_hour || n.tm_min != t->tm_min || n.tm_sec != t->tm_sec)
		return false;
	*out = seconds;
	return true;
}

bool
parse_time_utc(const char *s, int64_t *out)
{
	struct tm t = { 0 };

	if (!take_datetime(&s, &t))
		return false;
	if (take_one_of(&s, ".")) {
		size_t digits = strspn(s, "0123456789");

		if (digits == 0)
			return false;
		s += digits;
	}
	take_one_of(&s, "Z");
	return *s == '\0' && exact_seconds(&t, out);
}

const char *
render_time_utc(char *buf, size_t size, int64_t t)
{
	time_t seconds = t;
	struct tm tm = { 0 };

	if (gmtime_r(&seconds, &tm) == NULL || strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		buf[0] = '\0';
	return buf;
}

/* "[::1]:8080", "example.org", … of N bytes: a host, and a port where there is a colon. */
static bool
is_authority(const char *s, size_t n)
{
	const char *end = s + n;
	const char *host_end = *s == '[' ? memchr(s, ']', n) : memchr(s, ':', n);
	char port[6] = "";
	int64_t number;

	if (memchr(s, '@', n) != NULL || memchr(s, '\\', n) != NULL)
		return false;
	if (*s == '[') {
		if (host_end == NULL || host_end == s + 1)
			return false;
		host_end++;
	}
	if (host_end == NULL || host_end == end)
		return n > 0;
	if (host_end == s || *host_end != ':' || (size_t)(end - host_end) > sizeof(port))
		return false;
	memcpy(port, host_end + 1, (size_t)(end - host_end) - 1);
	return parse_int(port, 1, 65535, &number);
}

bool
parse_is_http_url(const char *s, size_t max)
{
	size_t scheme = strncasecmp(s, "http://", 7) == 0    ? 7
			: strncasecmp(s, "https://", 8) == 0 ? 8
							     : 0;

	if (scheme == 0 || strnlen(s, max) != strlen(s))
		return false;
	for (const char *p = s; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	}
	s += scheme;
	return is_authority(s, strcspn(s, "/?#"));
}

size_t
utf8_next(const char *s, size_t n)
{
	/* By first byte: length, and bounds of the second byte (Unicode, table 3-7). */
	static const struct {
		unsigned char first_min, first_max, len, second_min, second_max;
	} forms[] = {
		{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	while (i < ARRAY_LEN(forms) && (p[0] < forms[i].first_min || p[0] > forms[i].first_max))
		i++;
	if (i == ARRAY_LEN(forms) || n < forms[i].len)
		return 0;
	len = forms[i].len;
	if (p[1] < forms[i].second_min || p[1] > forms[i].second_max)
		return 0;
	for (i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Bytes of the ASCII run that S starts with: eight at a time, since uploads are many megabytes. */
static size_t
ascii_run(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s + i, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (i < n && (unsigned char)s[i] < 0x80)
		i++;
	return i;
}

size_t
utf8_run(const char *s, size_t n)
{
	size_t i = ascii_run(s, n);

	while (i < n) {
		size_t len = utf8_next(s + i, n - i);

		if (len == 0)
			break;
		i += len;
		if (len == 1)
			i += ascii_run(s + i, n - i);
	}
	return i;
}

bool
parse_is_utf8(const char *s, size_t n)
{
	return utf8_run(s, n) == n;
}

size_t
utf8_chars(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

size_t
utf8_prefix(const char *s, size_t max)
{
	size_t i = 0;

	for (; s[i] != '\0'; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80 && max-- == 0)
			break;
	}
	return i;
}

size_t
parse_word_len(const char *s, const char *also)
{
	size_t n = 0;

	/* strspn() would make a table of so many first */
	while ((s[n] >= '0' && s[n] <= '9') || ((s[n] | 32) >= 'a' && (s[n] | 32) <= 'z') ||
	       (s[n] != '\0' && strchr(also, s[n]) != NULL))
		n++;
	return n;
}

const char *
render_int(char buf[RENDER_INT_SIZE], int64_t n)
{
	char *p = &buf[RENDER_INT_SIZE - 1];
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	*p = '\0';
	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0)
		*--p = '-';
	return p;
}

void
render_hex(char *out, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 0xf];
	}
	*out = '\0';
}
