/* SPDX-License-Identifier: MIT */
/*
 * What every room may use: attributes, array length, the must-check error idiom.
 * Knows nothing of SQL, HTTP or configuration.
 */
#ifndef CS_BASE_BASE_H
#define CS_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define cs_mustcheck	    __attribute__((warn_unused_result))
#define cs_printf(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define cs_cleanup(fn)	    __attribute__((cleanup(fn)))
#define cs_unused	    __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Returns from the calling function when EXPR is an error: the only macro that returns. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		enum cs_err try_err_ = (expr);                                                     \
		if (try_err_ != CS_OK)                                                             \
			return try_err_;                                                           \
	} while (0)

#endif
