/* SPDX-License-Identifier: MIT */
/*
 * The only text-to-number conversions of the project. Trailing bytes, overflow and emptiness are
 * errors; nothing is skipped or guessed. All functions return false and leave *OUT alone on error.
 */
#ifndef CS_BASE_PARSE_H
#define CS_BASE_PARSE_H

#include "base/base.h"

#include <time.h>

/* Decimal integer within [MIN, MAX]. */
bool parse_int(const char *s, int64_t min, int64_t max, int64_t *out);
/* Octal digits, at most MAX: permission bits such as "0660". */
bool parse_octal(const char *s, int64_t max, int64_t *out);
/* "true", "false", "yes", "no", "on", "off", "1", "0". */
bool parse_bool(const char *s, bool *out);
/* Duration in seconds: "90", "90s", "15m", "2h", "7d". */
bool parse_duration_s(const char *s, int64_t min, int64_t max, int64_t *out);
/* Size in bytes: "4096", "64k", "64m", "1g" (also K, M, G, KiB, MiB, GiB). */
bool parse_size(const char *s, int64_t min, int64_t max, int64_t *out);
/* ISO 8601 "2024-01-01T00:00:00" or with a blank for T, optional fraction and "Z": UTC seconds. */
bool parse_time_utc(const char *s, int64_t *out);
/* "2024-01-01T00:00:00" of UTC seconds. BUF holds at least 20 bytes. Returns BUF. */
const char *render_time_utc(char *buf, size_t size, int64_t t);
/* http:// or https:// with a host, no blanks, control characters or user:password, at most MAX
 * bytes. */
bool parse_is_http_url(const char *s, size_t max);
/* Well-formed UTF-8 of N bytes (no surrogates, no overlong forms, no value above U+10FFFF). */
bool parse_is_utf8(const char *s, size_t n);
/* Bytes of the well-formed UTF-8 that S (N bytes) starts with. */
size_t utf8_run(const char *s, size_t n);
/* Bytes of the well-formed character at the start of S (N bytes); 0 where there is none. */
size_t utf8_next(const char *s, size_t n);
/* Number of characters (code points) of well-formed UTF-8. */
size_t utf8_chars(const char *s);
/* Bytes of the longest prefix of S that has at most MAX characters. */
size_t utf8_prefix(const char *s, size_t max);
/* Bytes at the start of S that are ASCII letters, digits, or among those of ALSO. */
size_t parse_word_len(const char *s, const char *also);
/* N in decimal, ended by NUL: where it begins in BUF. */
#define RENDER_INT_SIZE 21
const char *render_int(char buf[RENDER_INT_SIZE], int64_t n);
/* Lowercase hex of N bytes into OUT (2 * N + 1 bytes). */
void render_hex(char *out, const unsigned char *p, size_t n);

#endif
