/* SPDX-License-Identifier: MIT */
/*
 * Growable byte buffer on the heap. Failure is sticky: a writer adds without checking each call and
 * asks buf_failed() once at the end. Reused between requests: buf_reset() keeps the memory (up to
 * BUF_KEEP bytes).
 */
#ifndef CS_BASE_BUF_H
#define CS_BASE_BUF_H

#include "base/base.h"

#define BUF_KEEP (64u * 1024)

struct buf {
	char *data;  /* always NUL-terminated once anything was added; NULL before */
	size_t len;  /* bytes, without the NUL */
	size_t size; /* allocated */
	size_t cap;  /* len never grows beyond; 0 = no bound; kept by buf_reset() */
	bool failed; /* out of memory or beyond cap: data is incomplete */
};

void buf_reset(struct buf *b);
void buf_free(struct buf *b);
/*
 * Makes room for N more bytes and returns where they go, NULL on failure. The caller then adds to
 * len what it wrote; data stays NUL-terminated where that is all N bytes, else it adds the NUL.
 */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) cs_printf(2, 3);
bool buf_failed(const struct buf *b);

#endif
