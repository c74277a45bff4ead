/* SPDX-License-Identifier: MIT */
/* TAP for the programs of this directory: ok(condition, name), done_testing() at the end. */
#ifndef CS_TESTS_E2E_TAP_H
#define CS_TESTS_E2E_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

static int tap_count, tap_failed;

static inline bool cs_printf(2, 3) ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
	return good;
}

/* Compares error codes; the fault's words help when they differ. */
static inline bool
is_err(enum cs_err got, enum cs_err want, const struct fault *f, const char *name)
{
	bool good = ok(got == want, "%s", name);

	if (!good)
		printf("# got %s, want %s: %s %s\n", cs_err_name(got), cs_err_name(want),
		    f->message, f->detail);
	return good;
}

static inline int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
