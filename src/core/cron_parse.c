/* SPDX-License-Identifier: MIT */
/*
 * Expressions, by the table of their fields. Items without "~" end as bits of a mask; the others
 * are kept as they are, their bounds checked so that whatever is drawn is in order. A function that
 * reads part of an item returns why it will not do, MSG_NONE when it will.
 */
#include "core/cron.h"

#include "base/parse.h"

#include <string.h>
#include <strings.h>

#define BLANKS	    " \t\r\n\v\f"
#define ATOM_MAX    3  /* digits of a number, letters of a name */
#define QUOTED_MAX  24 /* bytes of an item that a reason quotes */
#define QUOTED_SIZE (QUOTED_MAX + sizeof("…"))
#define SUNDAY	    0
#define SUNDAY_TOO  7

static const char *const months[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
	"OCT", "NOV", "DEC" };
static const char *const weekdays[] = { "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT" };

/* What a number or name may be. */
struct range {
	int min, max;
	const char *const *names; /* of min and on */
	size_t nnames;
};

static const struct {
	struct range values;
	struct range steps; /* up to the number of values */
	enum msg_id name;
	const char *values_text, *steps_text;
} fields[CRON__FIELDS] = {
	[CRON_SECOND] = { { 0, 59 }, { 1, 60 }, MSG_F_SECOND, "0-59", "1-60" },
	[CRON_MINUTE] = { { 0, 59 }, { 1, 60 }, MSG_F_MINUTE, "0-59", "1-60" },
	[CRON_HOUR] = { { 0, 23 }, { 1, 24 }, MSG_F_HOUR, "0-23", "1-24" },
	[CRON_DAY] = { { 1, 31 }, { 1, 31 }, MSG_F_DAY, "1-31", "1-31" },
	[CRON_MONTH] = { { 1, 12, months, ARRAY_LEN(months) }, { 1, 12 }, MSG_F_MONTH,
	    "1-12, JAN-DEC", "1-12" },
	[CRON_WEEKDAY] = { { 0, 7, weekdays, ARRAY_LEN(weekdays) }, { 1, 7 }, MSG_F_WEEKDAY,
	    "0-7, SUN-SAT", "1-7" },
};

/* Text within the expression. */
struct slice {
	const char *p;
	size_t n;
};

/* Cuts S at the first C. True: there is one, and *TAIL is what follows it. */
static bool
cut(struct slice *s, char c, struct slice *tail)
{
	const char *at = s->n > 0 ? memchr(s->p, c, s->n) : NULL;

	if (at == NULL)
		return false;
	tail->p = at + 1;
	tail->n = s->n - (size_t)(at - s->p) - 1;
	s->n = (size_t)(at - s->p);
	return true;
}

static bool
read_atom(struct slice s, const struct range *r, int *out)
{
	char text[ATOM_MAX + 1] = "";
	int64_t value;

	if (s.n == 0 || s.n > ATOM_MAX)
		return false;
	memcpy(text, s.p, s.n);
	for (size_t i = 0; i < r->nnames; i++) {
		if (strcasecmp(text, r->names[i]) == 0) {
			*out = r->min + (int)i;
			return true;
		}
	}
	if (!parse_int(text, r->min, r->max, &value))
		return false;
	*out = (int)value;
	return true;
}

/* Sunday ends a range of weekdays as their last. */
static int
end_of_range(const struct range *r, int first, int last)
{
	return r->names == weekdays && last == SUNDAY && first > SUNDAY ? SUNDAY_TOO : last;
}

/* "n" or "a~b" */
static enum msg_id
read_value(struct slice s, const struct range *r, enum msg_id otherwise, struct cron_value *out)
{
	struct slice tail;

	if (!cut(&s, '~', &tail))
		tail = s;
	if (!read_atom(s, r, &out->low) || !read_atom(tail, r, &out->high))
		return otherwise;
	out->high = end_of_range(r, out->low, out->high);
	return out->low <= out->high ? MSG_NONE : MSG_R_CRON_ORDER;
}

static bool
is_all(struct slice s)
{
	return s.n == 1 && (*s.p == '*' || *s.p == '?');
}

/* "*", "n" or "a-b"; STEPS: a step follows. */
static enum msg_id
read_range(struct slice s, bool steps, struct cron_item *item)
{
	const struct range *r = &fields[item->field].values;
	struct slice tail;
	enum msg_id why;

	item->first = (struct cron_value){ r->min, r->min };
	item->last = (struct cron_value){ r->max, r->max };
	if (is_all(s))
		return MSG_NONE;
	if (!cut(&s, '-', &tail)) {
		item->single = !steps;
		return read_value(s, r, MSG_R_CRON_VALUE, &item->first);
	}
	why = read_value(s, r, MSG_R_CRON_VALUE, &item->first);
	if (why == MSG_NONE)
		why = read_value(tail, r, MSG_R_CRON_VALUE, &item->last);
	if (why != MSG_NONE)
		return why;
	if (item->last.low == item->last.high)
		item->last.low = item->last.high =
		    end_of_range(r, item->first.low, item->last.high);
	return item->first.high <= item->last.low ? MSG_NONE : MSG_R_CRON_ORDER;
}

static bool
is_drawn(const struct cron_value *v)
{
	return v->low != v->high;
}

static enum msg_id
add_item(struct cron *c, const struct cron_item *item)
{
	int end = item->single ? item->first.low : item->last.low;

	if (is_drawn(&item->first) || is_drawn(&item->last) || is_drawn(&item->step)) {
		if (c->ndrawn == CRON_DRAWN_MAX)
			return MSG_R_CRON_DRAWN;
		c->drawn[c->ndrawn++] = *item;
		return MSG_NONE;
	}
	for (int v = item->first.low; v <= end; v += item->step.low)
		c->fixed[item->field] |= UINT64_C(1)
					 << (item->field == CRON_WEEKDAY ? v % SUNDAY_TOO : v);
	return MSG_NONE;
}

static enum msg_id
read_item(struct slice s, enum cron_field field, struct cron *c)
{
	struct cron_item item = { .field = field, .step = { 1, 1 } };
	struct slice step;
	bool steps = cut(&s, '/', &step);
	enum msg_id why = read_range(s, steps, &item);

	if (why == MSG_NONE && steps)
		why = read_value(step, &fields[field].steps, MSG_R_CRON_STEP, &item.step);
	return why != MSG_NONE ? why : add_item(c, &item);
}

/* The beginning of S, fit to be shown. */
static const char *
quote(struct slice s, char out[QUOTED_SIZE])
{
	size_t n = 0, len;

	for (; s.n > 0 && n < QUOTED_MAX; s.p += len, s.n -= len) {
		len = utf8_next(s.p, s.n);
		if (len > QUOTED_MAX - n)
			break;
		if (len == 0 || (unsigned char)*s.p < ' ' || *s.p == '\x7f') {
			out[n++] = '?';
			len = 1;
			continue;
		}
		memcpy(out + n, s.p, len);
		n += len;
	}
	strcpy(out + n, s.n > 0 ? "…" : "");
	return out;
}

static enum cs_err
refuse(struct slice item, enum cron_field field, enum msg_id why, struct fault *f)
{
	char quoted[QUOTED_SIZE];

	return cs_bad(f, "cron_exp", why, msg_text(f->lang, fields[field].name),
	    quote(item, quoted),
	    why == MSG_R_CRON_STEP ? fields[field].steps_text : fields[field].values_text);
}

static enum cs_err
read_field(struct slice s, enum cron_field field, struct cron *c, struct fault *f)
{
	struct slice tail = { 0 };
	enum msg_id why;
	bool more;

	if (field <= CRON_HOUR && is_all((struct slice){ s.p, 1 }))
		c->real_time = true;
	do {
		more = cut(&s, ',', &tail);
		why = read_item(s, field, c);
		if (why != MSG_NONE)
			return refuse(s, field, why, f);
		s = tail;
	} while (more);
	return CS_OK;
}

/* Takes the next field off *EXPR; its length is 0 at the end. */
static struct slice
next_field(const char **expr)
{
	struct slice s = { *expr + strspn(*expr, BLANKS), 0 };

	s.n = strcspn(s.p, BLANKS);
	*expr = s.p + s.n;
	return s;
}

static int
count_fields(const char *expr)
{
	int n = 0;

	while (next_field(&expr).n > 0)
		n++;
	return n;
}

enum cs_err
cron_parse(const char *expr, struct cron *out, struct fault *f)
{
	int n = count_fields(expr);

	*out = (struct cron){ 0 };
	if (n != CRON__FIELDS && n != CRON__FIELDS - 1)
		return cs_bad(f, "cron_exp", MSG_R_CRON_FIELDS, n);
	if (n < CRON__FIELDS)
		out->fixed[CRON_SECOND] = 1; /* second 0 */
	for (int i = CRON__FIELDS - n; i < CRON__FIELDS; i++)
		TRY(read_field(next_field(&expr), (enum cron_field)i, out, f));
	return CS_OK;
}
