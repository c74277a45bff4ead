/* SPDX-License-Identifier: MIT */
/*
 * Blocks in a list; small requests are bumped off the current one, a large one gets a block of its
 * own so that it does not waste the current block's rest. The first small block is made when first
 * needed and survives resets, so that an ordinary request costs no malloc at all.
 * Invariant: the sizes of all blocks add up to held, which never exceeds cap.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN	    16u
#define BLOCK_SIZE  (64u * 1024)
#define LARGE_LIMIT (BLOCK_SIZE / 4)

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(ALIGN) char data[];
};

struct arena {
	size_t cap;
	size_t held;
	size_t used;
	struct block *blocks;
	struct block *first;   /* kept by arena_reset() */
	struct block *current; /* where small requests come from */
};

struct arena *
arena_new(size_t cap)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->cap = cap;
	return a;
}

static void
free_blocks_but(struct arena *a, const struct block *keep)
{
	struct block *next;

	for (struct block *b = a->blocks; b != NULL; b = next) {
		next = b->next;
		if (b != keep)
			free(b);
	}
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	free_blocks_but(a, NULL);
	free(a);
}

void
arena_reset(struct arena *a)
{
	free_blocks_but(a, a->first);
	a->blocks = a->current = a->first;
	a->held = a->used = 0;
	if (a->first == NULL)
		return;
	a->first->next = NULL;
	a->first->used = 0;
	a->held = a->first->size;
}

static struct block *
add_block(struct arena *a, size_t size)
{
	struct block *b;
	size_t bytes;

	if (size > a->cap - a->held || __builtin_add_overflow(sizeof(*b), size, &bytes))
		return NULL;
	b = malloc(bytes);
	if (b == NULL)
		return NULL;
	b->next = a->blocks;
	b->size = size;
	b->used = 0;
	a->blocks = b;
	a->held += size;
	return b;
}

/* The block that has N bytes left, made if there is none; NULL at the cap or out of memory. */
static struct block *
block_for(struct arena *a, size_t n)
{
	size_t left = a->cap - a->held;

	if (a->current != NULL && a->current->size - a->current->used >= n)
		return a->current;
	if (n > LARGE_LIMIT)
		return add_block(a, n);
	if (left < n)
		return NULL;
	a->current = add_block(a, left < BLOCK_SIZE ? left : BLOCK_SIZE);
	if (a->first == NULL)
		a->first = a->current;
	return a->current;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct block *b;
	void *p;

	if (n == 0)
		n = 1;
	if (__builtin_add_overflow(n, ALIGN - 1, &n))
		return NULL;
	n &= ~(size_t)(ALIGN - 1);
	b = block_for(a, n);
	if (b == NULL)
		return NULL;
	p = b->data + b->used;
	b->used += n;
	a->used += n;
	return memset(p, 0, n);
}

void *
arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_strndup(a, s, strlen(s));
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);

	return p == NULL ? NULL : memcpy(p, s, len);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
