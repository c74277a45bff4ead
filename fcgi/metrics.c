/* SPDX-License-Identifier: MIT */
/*
 * Counting and showing. What is kept is a fixed table: a line for each row of the route table and
 * one for requests that found none; a line has a counter for each status and for each bucket of
 * duration. It is mapped once, before the first fork: memory that nobody touched costs nothing.
 */
#include "fcgi/metrics.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PREFIX	     "cascade_"
#define STATUS_FIRST 100
#define STATUS_END   600
#define CLASSES	     (STATUS_END / 100 - STATUS_FIRST / 100)

/* The upper ends of the buckets; the last one has none. */
static const struct {
	int64_t us;
	const char *le;
} bounds[] = {
	{ 500, "0.0005" },
	{ 1000, "0.001" },
	{ 2500, "0.0025" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 25000, "0.025" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 5000000, "5" },
	{ 10000000, "10" },
	{ 30000000, "30" },
	{ INT64_MAX, "+Inf" },
};
#define BUCKETS ARRAY_LEN(bounds)

enum retry { RETRY_BUSY, RETRY_AWAY, RETRY__MAX };
enum article { ARTICLE_NEW, ARTICLE_UPDATED, ARTICLE__MAX };
enum { HEARTBEAT_ALONE, HEARTBEAT_TOGETHER, HEARTBEAT__MAX };

typedef _Atomic uint64_t counter;

struct per_route {
	counter status[STATUS_END - STATUS_FIRST];
	counter bucket[CLASSES][BUCKETS];
	counter us[CLASSES];
	counter db_us;
	counter db_round_trips;
	counter retries[RETRY__MAX];
};

struct metrics {
	struct super_stats super;
	counter started_ms;
	counter articles[ARTICLE__MAX];
	counter heartbeats[HEARTBEAT__MAX];
	struct per_route route[]; /* nroutes + 1; the last one: no route found */
};

/* Values of a label; NULL ends them. */
static const char *const retry_reasons[] = {
	[RETRY_BUSY] = "busy",
	[RETRY_AWAY] = "database_away",
	[RETRY__MAX] = NULL,
};
static const char *const heartbeat_ways[] = {
	[HEARTBEAT_ALONE] = "alone",
	[HEARTBEAT_TOGETHER] = "together",
	[HEARTBEAT__MAX] = NULL,
};
static const char *const article_kinds[] = {
	[ARTICLE_NEW] = "new",
	[ARTICLE_UPDATED] = "updated",
	[ARTICLE__MAX] = NULL,
};
static const char *const worker_states[] = {
	[SUPER_IDLE] = "idle",
	[SUPER_BUSY] = "busy",
	[SUPER_STARTING] = "starting",
	[SUPER_MISSING] = "missing",
	[SUPER_DRAINING] = "draining",
	[SUPER_STATE__MAX] = NULL,
};
static const char *const worker_ends[] = {
	[SUPER_RECYCLED] = "recycled",
	[SUPER_DRAINED] = "drained",
	[SUPER_DIED] = "died",
	[SUPER_STUCK] = "stuck",
	[SUPER_DRAIN_TIMEOUT] = "drain_timeout",
	[SUPER_END__MAX] = NULL,
};

struct metrics *
metrics_map(void)
{
	size_t size = sizeof(struct metrics) + (nroutes + 1) * sizeof(struct per_route);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct metrics *m = p != MAP_FAILED ? p : NULL;

	if (m != NULL)
		m->started_ms = (uint64_t)clock_wall_ms();
	return m;
}

struct super_stats *
metrics_super(struct metrics *m)
{
	return &m->super;
}

static void
add(counter *c, int64_t n)
{
	if (n > 0)
		atomic_fetch_add_explicit(c, (uint64_t)n, memory_order_relaxed);
}

static struct per_route *
line_of(struct metrics *m, const struct route *r)
{
	return &m->route[r != NULL ? (size_t)(r - routes) : nroutes];
}

void
metrics_request(
    struct metrics *m, const struct route *r, int status, int64_t us, const struct db_stats *db)
{
	struct per_route *line = line_of(m, r);
	int known = status >= STATUS_FIRST && status < STATUS_END ? status : STATUS_END - 1;
	int class = known / 100 - STATUS_FIRST / 100;
	size_t b = 0;

	while (us > bounds[b].us)
		b++;
	add(&line->status[known - STATUS_FIRST], 1);
	add(&line->bucket[class][b], 1);
	add(&line->us[class], us);
	add(&line->db_us, db->us);
	add(&line->db_round_trips, db->round_trips);
}

void
metrics_retry(struct metrics *m, const struct route *r, enum cs_err err)
{
	add(&line_of(m, r)->retries[err == CS_EDBDOWN ? RETRY_AWAY : RETRY_BUSY], 1);
}

void
metrics_articles(struct metrics *m, int64_t fresh, int64_t updated)
{
	add(&m->articles[ARTICLE_NEW], fresh);
	add(&m->articles[ARTICLE_UPDATED], updated);
}

void
metrics_heartbeats(struct metrics *m, int64_t alone, int64_t together)
{
	add(&m->heartbeats[HEARTBEAT_ALONE], alone);
	add(&m->heartbeats[HEARTBEAT_TOGETHER], together);
}

/* ---- the page ---- */

struct page {
	struct buf *out;
	const struct metrics *m;
	const struct metrics_row *rows;
	size_t nrows;
};

struct family {
	const char *name, *type, *labels;
	uint64_t scale;
	void (*put)(const struct page *p, const struct family *f);
	size_t at;
	const char *const *values;
	const char *help;
};

struct label {
	const char *name, *value;
};

static void
put_escaped(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n') {
			buf_puts(out, "\\n");
			continue;
		}
		if (*s == '\\' || *s == '"')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

/* One line: the name with SUFFIX, those of the N labels that have a name, the value. */
static void
sample(const struct page *p, const struct family *f, const char *suffix, const struct label *labels,
    size_t n, uint64_t value, uint64_t scale)
{
	const char *before = "{";

	buf_printf(p->out, PREFIX "%s%s", f->name, suffix);
	for (size_t i = 0; i < n; i++) {
		if (labels[i].name == NULL)
			continue;
		buf_printf(p->out, "%s%s=\"", before, labels[i].name);
		put_escaped(p->out, labels[i].value);
		buf_putc(p->out, '"');
		before = ",";
	}
	if (*before == ',')
		buf_putc(p->out, '}');
	buf_printf(p->out, " %llu", (unsigned long long)(value / scale));
	if (scale > 1)
		buf_printf(
		    p->out, ".%0*llu", scale == 1000 ? 3 : 6, (unsigned long long)(value % scale));
	buf_putc(p->out, '\n');
}

/* The last one of F's labels. */
static const char *
last_label(const struct family *f)
{
	const char *comma = strrchr(f->labels, ' ');

	if (f->labels[0] == '\0')
		return NULL;
	return comma != NULL ? comma + 1 : f->labels;
}

static uint64_t
kept(const void *base, size_t at, size_t i)
{
	return ((const counter *)(const void *)((const char *)base + at))[i];
}

static void
put_build(const struct page *p, const struct family *f)
{
	sample(p, f, "", &(struct label){ "version", PACKAGE_VERSION }, 1, 1, 1);
}

static void
put_up(const struct page *p, const struct family *f)
{
	sample(p, f, "", &(struct label){ "component", "database" }, 1, p->rows != NULL, 1);
}

/* One number of the pool, or one for each value of a label. */
static void
put_values(const struct page *p, const struct family *f)
{
	size_t i = 0;

	do {
		const struct label l = { last_label(f), f->values != NULL ? f->values[i] : NULL };

		sample(p, f, "", &l, 1, kept(p->m, f->at, i), f->scale);
	} while (f->values != NULL && f->values[++i] != NULL);
}

static void
put_rows(const struct page *p, const struct family *f)
{
	for (size_t i = 0; i < p->nrows; i++) {
		const struct metrics_row *row = &p->rows[i];
		const struct label l = { last_label(f), row->label };

		if (strcmp(row->name, f->name) == 0 && row->value >= 0)
			sample(p, f, "", &l, 1, (uint64_t)row->value, f->scale);
	}
}

/* Series of routes come into being with the first event: most of what could be never happens. */

static void
label_route(struct label labels[2], size_t i)
{
	labels[0] = (struct label){ "method", i < nroutes ? router_method(routes[i].method) : "-" };
	labels[1] = (struct label){ "route", i < nroutes ? routes[i].pattern : "-" };
}

static void
put_route(const struct page *p, const struct family *f)
{
	struct label labels[3] = { 0 };

	for (size_t i = 0; i <= nroutes; i++) {
		size_t k = 0;

		label_route(labels, i);
		do {
			uint64_t value = kept(&p->m->route[i], f->at, k);

			if (f->values != NULL)
				labels[2] = (struct label){ last_label(f), f->values[k] };
			if (value > 0)
				sample(p, f, "", labels, ARRAY_LEN(labels), value, f->scale);
		} while (f->values != NULL && f->values[++k] != NULL);
	}
}

static void
put_status(const struct page *p, const struct family *f)
{
	struct label labels[3];
	char code[4];

	for (size_t i = 0; i <= nroutes; i++) {
		label_route(labels, i);
		labels[2] = (struct label){ "code", code };
		for (unsigned s = 0; s < STATUS_END - STATUS_FIRST; s++) {
			uint64_t n = p->m->route[i].status[s];

			snprintf(code, sizeof(code), "%u", (STATUS_FIRST + s) % 1000);
			if (n > 0)
				sample(p, f, "", labels, ARRAY_LEN(labels), n, f->scale);
		}
	}
}

/* The buckets of a route and class, each with those below it. Their last is the count, which is not
 * kept, so that the two cannot differ. */
static void
put_histogram(const struct page *p, const struct family *f, const struct per_route *line, int class,
    struct label labels[4])
{
	uint64_t count[BUCKETS], sum = 0;

	for (size_t b = 0; b < BUCKETS; b++)
		count[b] = sum += line->bucket[class][b];
	if (sum == 0)
		return;
	for (size_t b = 0; b < BUCKETS; b++) {
		labels[3] = (struct label){ "le", bounds[b].le };
		sample(p, f, "_bucket", labels, 4, count[b], 1);
	}
	sample(p, f, "_sum", labels, 3, line->us[class], f->scale);
	sample(p, f, "_count", labels, 3, sum, 1);
}

static void
put_duration(const struct page *p, const struct family *f)
{
	static const char *const class_name[CLASSES] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
	struct label labels[4];

	for (size_t i = 0; i <= nroutes; i++) {
		label_route(labels, i);
		for (int class = 0; class < CLASSES; class ++) {
			labels[2] = (struct label){ "class", class_name[class] };
			put_histogram(p, f, &p->m->route[i], class, labels);
		}
	}
}

#define OF_POOL(member)	 offsetof(struct metrics, member)
#define OF_ROUTE(member) offsetof(struct per_route, member)
static const struct family families[] = {
#define METRIC(name, type, labels, scale, put, at, values, help)                                   \
	{ name, type, labels, scale, put, at, values, help },
#include "fcgi/metric.def"
#undef METRIC
};

void
metrics_render(
    const struct metrics *m, const struct metrics_row *rows, size_t nrows, struct buf *out)
{
	const struct page page = { out, m, rows, nrows };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *f = &families[i];

		buf_printf(out, "# HELP " PREFIX "%s %s\n", f->name, f->help);
		buf_printf(out, "# TYPE " PREFIX "%s %s\n", f->name, f->type);
		f->put(&page, f);
	}
}
