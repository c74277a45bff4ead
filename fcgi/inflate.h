/* SPDX-License-Identifier: MIT */
/* Compressed request bodies. */
#ifndef CS_FCGI_INFLATE_H
#define CS_FCGI_INFLATE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends what N bytes of gzip data hold to OUT. CS_ETOOLARGE above MAX bytes, CS_EINPUT for what
 * is no gzip data or ends early; both name "body".
 */
enum cs_err inflate_gzip(
    const char *in, size_t n, size_t max, struct buf *out, struct fault *f) cs_mustcheck;

#endif
