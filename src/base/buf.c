/* SPDX-License-Identifier: MIT */
/*
 * The growable buffer behind answers, request bodies and JSON. Sizes are added with overflow
 * checks here and nowhere else. Once an addition has failed all later ones do nothing, so that a
 * half-written answer cannot pass for a whole one.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 256u

void
buf_reset(struct buf *b)
{
	size_t cap = b->cap;

	if (b->size > BUF_KEEP) {
		buf_free(b);
		b->cap = cap;
	}
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* Grows to hold at least SIZE bytes; doubles, so that appending stays linear. */
static bool
grow(struct buf *b, size_t size)
{
	size_t want = b->size > SIZE_MAX / 2 ? size : b->size * 2;
	char *data;

	if (want < size)
		want = size;
	if (want < SIZE_MIN)
		want = SIZE_MIN;
	data = realloc(b->data, want);
	if (data == NULL)
		return false;
	b->data = data;
	b->size = want;
	return true;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t len, size;

	if (b->failed)
		return NULL;
	if (__builtin_add_overflow(b->len, n, &len) || __builtin_add_overflow(len, 1u, &size) ||
	    (b->cap != 0 && len > b->cap) || (size > b->size && !grow(b, size))) {
		b->failed = true;
		return NULL;
	}
	b->data[len] = '\0';
	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
	char *to = buf_reserve(b, 1);

	if (to == NULL)
		return;
	*to = c;
	b->len++;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->failed ? 0 : b->size - b->len; /* it may fit, its NUL included */
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (to == NULL) {
		if (room > 0)
			b->data[b->len] = '\0';
		return;
	}
	if ((size_t)n >= room) {
		va_start(ap, fmt);
		vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

bool
buf_failed(const struct buf *b)
{
	return b->failed;
}
