/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the benchmarks share. They are short-lived and trust their input: whatever
 * goes wrong ends them with a word on stderr, which fails the benchmark.
 */
#include "bench/text.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void
text_add(struct text *t, const void *p, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		t->cap = (t->len + n + 1) * 2;
		t->data = realloc(t->data, t->cap);
		if (t->data == NULL)
			err(1, "realloc");
	}
	memcpy(t->data + t->len, p, n);
	t->len += n;
	t->data[t->len] = '\0';
}

int
text_fill(struct text *t, const char *template_text, const struct text_values *v)
{
	const char *p = template_text, *dollar;

	while ((dollar = strchr(p, '$')) != NULL) {
		const char *value;

		if (dollar[1] < 'A' || dollar[1] > 'Z')
			errx(1, "$ without a capital letter in a template");
		value = v->of[dollar[1] - 'A'];
		if (value == NULL)
			return 0;
		text_add(t, p, (size_t)(dollar - p));
		text_add(t, value, strlen(value));
		p = dollar + 2;
	}
	text_add(t, p, strlen(p));
	return 1;
}

char *
text_read(const char *path)
{
	struct text t = { 0 };
	FILE *f = fopen(path, "r");
	char part[65536];
	size_t n;

	if (f == NULL)
		err(1, "%s", path);
	text_add(&t, "", 0);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		text_add(&t, part, n);
	if (ferror(f))
		err(1, "%s", path);
	fclose(f);
	return t.data;
}

char **
text_lines(char *s, size_t *n)
{
	char **lines = NULL, *save = NULL;

	*n = 0;
	for (char *l = strtok_r(s, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		if (*n % 1024 == 0)
			lines = realloc(lines, (*n + 1024) * sizeof(*lines));
		if (lines == NULL)
			err(1, "realloc");
		lines[(*n)++] = l;
	}
	return lines;
}

int64_t
text_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double
text_cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void
text_took(struct text_times *t, int64_t ns)
{
	if (t->n == t->cap) {
		t->cap = t->cap * 2 + 4096;
		t->us = realloc(t->us, t->cap * sizeof(*t->us));
		if (t->us == NULL)
			err(1, "realloc");
	}
	t->us[t->n++] = (uint32_t)(ns / 1000);
}

void
text_merge(struct text_times *to, const struct text_times *from)
{
	for (size_t i = 0; i < from->n; i++)
		text_took(to, (int64_t)from->us[i] * 1000);
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
text_sort(struct text_times *t)
{
	if (t->n > 0)
		qsort(t->us, t->n, sizeof(*t->us), by_size);
}

double
text_percentile_ms(const struct text_times *t, double p)
{
	return t->n > 0 ? t->us[(size_t)(p * (double)(t->n - 1))] / 1e3 : 0;
}
