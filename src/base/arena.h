/* SPDX-License-Identifier: MIT */
/*
 * Bump allocator that lives as long as one request: reset, never freed piecemeal, with a hard cap
 * so that one request cannot take the machine's memory.
 */
#ifndef CS_BASE_ARENA_H
#define CS_BASE_ARENA_H

#include "base/base.h"

struct arena;

/* A new arena that will never hold more than CAP bytes. NULL when out of memory. Caller frees. */
struct arena *arena_new(size_t cap);
void arena_free(struct arena *a);
/* Forgets everything; keeps the first block, gives the rest back to the system. */
void arena_reset(struct arena *a);
/* N bytes, zeroed, aligned for any object; NULL at the cap or when out of memory. */
void *arena_alloc(struct arena *a, size_t n);
/* N * SIZE bytes, zeroed, overflow checked. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* Copies; NULL as above. arena_strdup(a, NULL) is NULL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) cs_printf(2, 3);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);

#endif
