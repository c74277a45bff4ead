/* SPDX-License-Identifier: MIT */
/* Compressed request bodies. */
#ifndef CS_AGENT_DEFLATE_H
#define CS_AGENT_DEFLATE_H

#include "base/buf.h"

/* Appends IN as gzip data to OUT. False: no memory, or it is no shorter; OUT is then emptied. */
bool deflate_gzip(const struct buf *in, struct buf *out) cs_mustcheck;

#endif
