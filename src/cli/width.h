/* SPDX-License-Identifier: MIT */
/* How many columns of a terminal text takes. */
#ifndef CS_CLI_WIDTH_H
#define CS_CLI_WIDTH_H

#include "base/buf.h"

/* Adds S to OUT, at most MAX columns of it (0: all), a cut marked by "…". What would move a
 * terminal's cursor or is no UTF-8 becomes a blank. Returns the columns taken. */
size_t width_add(struct buf *out, const char *s, size_t max);
/* The columns that S takes. */
size_t width_of(const char *s);

#endif
