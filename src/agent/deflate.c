/* SPDX-License-Identifier: MIT */
/* gzip in one go, at the level that costs little: article pages shrink to a fifth anyway. */
#include "agent/deflate.h"

#include <limits.h>

#include <zlib.h>

#define LEVEL	    3
#define GZIP_WINDOW (15 + 16) /* 16: with gzip's header instead of zlib's */
#define MEM_LEVEL   8

bool
deflate_gzip(const struct buf *in, struct buf *out)
{
	z_stream z = { 0 };
	char *room;
	bool ok;

	if (in->len > UINT_MAX / 2 ||
	    deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	room = buf_reserve(out, in->len);
	z.next_in = (Bytef *)in->data;
	z.avail_in = (uInt)in->len;
	z.next_out = (Bytef *)room;
	z.avail_out = (uInt)in->len;
	ok = room != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END;
	if (ok) {
		out->len += z.total_out;
		out->data[out->len] = '\0';
	}
	deflateEnd(&z);
	return ok;
}
