/* SPDX-License-Identifier: MIT */
/* What the programs of the benchmarks share: templates, rising numbers, a clock, how long things
 * took. */
#ifndef CS_BENCH_TEXT_H
#define CS_BENCH_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Where the values of a template's letters come from: $A, $F, $N and so on; NULL: none yet. */
struct text_values {
	const char *of[26];
};

/* Growing text; freed by nobody, a benchmark is over soon. */
struct text {
	char *data;
	size_t len, cap;
};

void text_add(struct text *t, const void *p, size_t n);
/* Appends TEMPLATE with $X replaced. Returns 0 where a value is missing. */
int text_fill(struct text *t, const char *template_text, const struct text_values *v);
/* A file as a string. Ends the program where it cannot be read. */
char *text_read(const char *path);
/* The lines of S, which is cut up, and their number. */
char **text_lines(char *s, size_t *n);

int64_t text_now_ns(void);
/* How long each of many things took. */
struct text_times {
	uint32_t *us;
	size_t n, cap;
};
void text_took(struct text_times *t, int64_t ns);
void text_merge(struct text_times *to, const struct text_times *from);
void text_sort(struct text_times *t);
/* What part P (0 to 1) of them did not exceed, once they are sorted; 0: there are none. */
double text_percentile_ms(const struct text_times *t, double p);

/* User and system time of this process. */
double text_cpu_s(void);

#endif
