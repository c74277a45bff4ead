/* SPDX-License-Identifier: MIT */
/*
 * Compiled zone files. A file has the data twice: with 32-bit times for old readers, which is
 * stepped over, and with 64-bit times; then, as text, the rule for the years after its last change.
 * All counts are checked against what is there before anything is allocated or read. Changes of
 * the name alone are dropped. Files that count leap seconds ("right/") are refused: our seconds are
 * those of POSIX.
 */
#include "core/zone.h"

#include "core/zone_rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_FILE   "/etc/localtime"
#define ZONE_DIR     "/usr/share/zoneinfo/"
#define NAME_CHARS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/"
#define MAGIC	     "TZif"
#define MAGIC_LEN    4
#define RESERVED_LEN 15
#define TYPE_LEN     6
#define TYPES_MAX    256 /* a change has a byte for its type */
#define FOOTER_MAX   128

struct change {
	int64_t at;
	int32_t offset_s;
};

struct zone {
	bool has_rule; /* after the last change */
	struct zone_rule rule;
	int32_t first_s; /* offset before the first change */
	size_t n;
	struct change change[];
};

/* The bytes of a file that are still to be read. */
struct reader {
	const unsigned char *p;
	size_t left;
};

struct header {
	unsigned char version;
	uint32_t nut, nstd, nleap, ntimes, ntypes, nchars;
};

/* N bytes, or NULL where there are not as many. */
static const unsigned char *
take(struct reader *r, size_t n)
{
	const unsigned char *p = r->p;

	if (n > r->left)
		return NULL;
	r->p += n;
	r->left -= n;
	return p;
}

static uint64_t
big_endian(const unsigned char *p, size_t n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | *p++;
	return value;
}

static bool
read_header(struct reader *r, struct header *h)
{
	uint32_t *const counts[] = { &h->nut, &h->nstd, &h->nleap, &h->ntimes, &h->ntypes,
		&h->nchars };
	const unsigned char *p = take(r, MAGIC_LEN + 1 + RESERVED_LEN + 4 * ARRAY_LEN(counts));

	if (p == NULL || memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return false;
	h->version = p[MAGIC_LEN];
	p += MAGIC_LEN + 1 + RESERVED_LEN;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++, p += 4) {
		*counts[i] = (uint32_t)big_endian(p, 4);
		if (*counts[i] > ZONE_FILE_MAX)
			return false;
	}
	return h->version >= '2' && (h->nut == 0 || h->nut == h->ntypes) &&
	       (h->nstd == 0 || h->nstd == h->ntypes);
}

/* Bytes of what follows a header, with times of TIME_LEN bytes. */
static size_t
data_len(const struct header *h, size_t time_len)
{
	return (size_t)h->ntimes * (time_len + 1) + (size_t)h->ntypes * TYPE_LEN + h->nchars +
	       (size_t)h->nleap * (time_len + 4) + h->nstd + h->nut;
}

/* The offset of each type. */
static bool
read_types(const unsigned char *p, const struct header *h, int32_t *offset_s)
{
	for (uint32_t i = 0; i < h->ntypes; i++, p += TYPE_LEN) {
		offset_s[i] = (int32_t)big_endian(p, 4);
		if (offset_s[i] < ZONE_OFFSET_MIN || offset_s[i] > ZONE_OFFSET_MAX || p[4] > 1 ||
		    p[5] >= h->nchars)
			return false;
	}
	return true;
}

static bool
read_changes(
    struct zone *z, const unsigned char *times, const struct header *h, const int32_t *offset_s)
{
	const unsigned char *types = times + (size_t)h->ntimes * 8;
	int32_t now_s = offset_s[0];
	int64_t last = INT64_MIN;

	z->first_s = now_s;
	for (uint32_t i = 0; i < h->ntimes; i++) {
		int64_t at = (int64_t)big_endian(times + (size_t)i * 8, 8);

		if ((i > 0 && at <= last) || types[i] >= h->ntypes)
			return false;
		last = at;
		if (offset_s[types[i]] == now_s)
			continue;
		now_s = offset_s[types[i]];
		z->change[z->n++] = (struct change){ at, now_s };
	}
	return true;
}

/* What is left: a rule, or nothing, between two line feeds. */
static bool
read_footer(struct zone *z, const struct reader *r)
{
	char text[FOOTER_MAX];
	size_t n = r->left - 2;

	if (r->left < 2 || n >= sizeof(text) || r->p[0] != '\n' || r->p[r->left - 1] != '\n')
		return false;
	memcpy(text, r->p + 1, n);
	text[n] = '\0';
	z->has_rule = n > 0;
	return strlen(text) == n && (n == 0 || zone_rule_parse(text, &z->rule));
}

static bool
read_zone(struct zone *z, const unsigned char *data, const struct header *h, const struct reader *r)
{
	const unsigned char *types = data + (size_t)h->ntimes * 9;
	int32_t offset_s[TYPES_MAX];

	return read_types(types, h, offset_s) && read_changes(z, data, h, offset_s) &&
	       read_footer(z, r);
}

enum cs_err
zone_parse(const void *data, size_t n, struct zone **zone)
{
	struct reader r = { data, n };
	const unsigned char *p;
	struct header h;
	struct zone *z;

	if (!read_header(&r, &h) || take(&r, data_len(&h, 4)) == NULL || !read_header(&r, &h))
		return CS_EINVALID;
	p = take(&r, data_len(&h, 8));
	if (p == NULL || h.ntypes == 0 || h.ntypes > TYPES_MAX || h.nleap > 0)
		return CS_EINVALID;
	z = calloc(1, sizeof(*z) + (size_t)h.ntimes * sizeof(z->change[0]));
	if (z == NULL)
		return CS_ENOMEM;
	if (!read_zone(z, p, &h, &r)) {
		free(z);
		return CS_EINVALID;
	}
	*zone = z;
	return CS_OK;
}

void
zone_free(struct zone *zone)
{
	free(zone);
}

/* Letters, digits and a few signs, no dots: nothing that could lead out of the directory. */
static bool
is_name(const char *name)
{
	size_t n = strnlen(name, ZONE_NAME_MAX + 1);

	return n <= ZONE_NAME_MAX && name[0] != '/' && strspn(name, NAME_CHARS) == n;
}

/* What PATH holds; false where it is no file, or none of a zone's size. */
static bool
read_file(const char *path, unsigned char *data, size_t *n)
{
	FILE *file = fopen(path, "rbe");

	if (file == NULL)
		return false;
	*n = fread(data, 1, ZONE_FILE_MAX, file);
	if (ferror(file))
		*n = 0;
	fclose(file);
	return true;
}

enum cs_err
zone_open(const char *name, struct zone **zone, struct fault *f)
{
	unsigned char data[ZONE_FILE_MAX];
	char path[sizeof(ZONE_DIR) + ZONE_NAME_MAX] = LOCAL_FILE;
	enum cs_err err;
	size_t n = 0;

	*zone = NULL;
	if (!is_name(name))
		return cs_bad(f, "timezone", MSG_R_ZONE);
	if (*name != '\0')
		snprintf(path, sizeof(path), ZONE_DIR "%s", name);
	if (!read_file(path, data, &n) && *name == '\0' && errno == ENOENT)
		return CS_OK;
	err = zone_parse(data, n, zone);
	if (err == CS_ENOMEM)
		return cs_fail(f, err, MSG_NONE);
	return err == CS_OK ? CS_OK : cs_bad(f, "timezone", MSG_R_ZONE);
}

/* How many changes are at or before UTC. */
static size_t
changes_until(const struct zone *z, int64_t utc)
{
	size_t low = 0, high = z->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->change[middle].at <= utc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct zone_span
zone_span_at(const struct zone *z, int64_t utc)
{
	struct zone_span span = { INT64_MIN, INT64_MAX, 0 };
	size_t i;

	if (z == NULL)
		return span;
	i = changes_until(z, utc);
	if (i == z->n && z->has_rule)
		span = zone_rule_span(&z->rule, utc);
	else
		span.offset_s = i > 0 ? z->change[i - 1].offset_s : z->first_s;
	if (i > 0 && z->change[i - 1].at > span.start)
		span.start = z->change[i - 1].at;
	if (i < z->n)
		span.end = z->change[i].at;
	return span;
}

int64_t
zone_local(const struct zone *z, int64_t utc)
{
	return utc + zone_span_at(z, utc).offset_s;
}

int64_t
zone_utc(const struct zone *z, int64_t local)
{
	/* No zone is further from UTC: the answer lies in or after the stretch of this time. */
	struct zone_span span = zone_span_at(z, local - ZONE_OFFSET_MAX);

	while (span.end != INT64_MAX && local >= span.end + span.offset_s)
		span = zone_span_at(z, span.end);
	local -= span.offset_s;
	return span.start != INT64_MIN && local < span.start ? span.start : local;
}
