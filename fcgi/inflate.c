/* SPDX-License-Identifier: MIT */
/*
 * gzip (RFC 1952), all members of it, piece by piece: what a small body inflates to is bounded
 * before the memory for it is taken.
 */
#include "fcgi/inflate.h"

#include <limits.h>

#define ZLIB_CONST /* the input is const */
#include <zlib.h>

#define PIECE	    (64u * 1024)
#define GZIP_WINDOW (15 + 16) /* the largest window; a gzip header and nothing else */

static enum cs_err
corrupt(struct fault *f)
{
	return cs_bad_as(f, CS_EINPUT, "body", MSG_R_GZIP);
}

static enum cs_err
too_large(struct fault *f, size_t max)
{
	return cs_bad_as(f, CS_ETOOLARGE, "body", MSG_R_MAX_BYTES, (long long)max);
}

/* Inflates until the member that Z stands in has ended. */
static enum cs_err
inflate_member(z_stream *z, size_t max, struct buf *out, struct fault *f)
{
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		/* one byte more than may be shows that there is more */
		size_t piece = max - out->len < PIECE ? max - out->len + 1 : PIECE;
		char *to = buf_reserve(out, piece);

		if (to == NULL)
			return cs_fail(f, CS_ENOMEM, MSG_NONE);
		z->next_out = (unsigned char *)to;
		z->avail_out = (unsigned)piece;
		rc = inflate(z, Z_NO_FLUSH);
		if (rc == Z_MEM_ERROR)
			return cs_fail(f, CS_ENOMEM, MSG_NONE);
		/* Z_BUF_ERROR: the data ends within the member */
		if (rc != Z_OK && rc != Z_STREAM_END)
			return corrupt(f);
		out->len += piece - z->avail_out;
		if (out->len > max)
			return too_large(f, max);
	}
	return CS_OK;
}

static enum cs_err
inflate_all(z_stream *z, size_t max, struct buf *out, struct fault *f)
{
	do {
		TRY(inflate_member(z, max, out, f));
		if (inflateReset(z) != Z_OK)
			return corrupt(f);
	} while (z->avail_in > 0);
	buf_puts(out, ""); /* ends the text where the last piece was not filled */
	return CS_OK;
}

enum cs_err
inflate_gzip(const char *in, size_t n, size_t max, struct buf *out, struct fault *f)
{
	z_stream z = { .next_in = (const unsigned char *)in, .avail_in = (unsigned)n };
	enum cs_err rc;

	if (n > UINT_MAX)
		return too_large(f, max);
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	rc = inflate_all(&z, max, out, f);
	inflateEnd(&z);
	return rc;
}
