/* SPDX-License-Identifier: MIT */
/* What of a JSON string stands for itself, for this room's reader and writer. */
#ifndef CS_JSON_PLAIN_H
#define CS_JSON_PLAIN_H

#include "base/base.h"

/* Bytes at the start of S (N bytes) before the first control character, quote or backslash; *ASCII:
 * none of them is more than ASCII. */
size_t json_plain(const char *s, size_t n, bool *ascii);

#endif
