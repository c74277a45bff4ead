/* SPDX-License-Identifier: MIT */
/*
 * The state of a login: read, changed and written under a lock. The lock is a file of its own,
 * since the state is replaced and not written over; the lock of a process that dies goes with it.
 * Times in it are of the wall clock: it outlives reboots.
 */
#include "agent/account.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/ident.h"
#include "json/jw.h"
#include "json/jx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_MAX    65536
#define NAME_DIGITS  16 /* of the hash of a name: names have any characters */
#define DOUBLING_MAX 20
#define DATE_SIZE    16
#define DAY_MS	     86400000

struct state {
	int64_t next_ms;	/* nobody before that */
	const char *day;	/* which… */
	int64_t used;		/* … so many requests are of */
	int64_t held_until;	/* seconds */
	const char *held;	/* state's name, "" */
	const char *credential; /* hash of the one that expired */
	int64_t strikes;	/* holds in a row */
};

static const struct jx_field fields[] = {
	{ "next_ms", JX_INT, 0, offsetof(struct state, next_ms), 0, 0 },
	{ "day", JX_STR, 0, offsetof(struct state, day), 0, DATE_SIZE },
	{ "used", JX_INT, 0, offsetof(struct state, used), 0, INT32_MAX },
	{ "held_until", JX_INT, 0, offsetof(struct state, held_until), 0, 0 },
	{ "held", JX_STR, 0, offsetof(struct state, held), 0, 0 },
	{ "credential", JX_STR, 0, offsetof(struct state, credential), 0, 0 },
	{ "strikes", JX_INT, 0, offsetof(struct state, strikes), 0, 0 },
};

/* The state while it is ours. */
struct held_state {
	const struct account *account;
	struct state s;
	struct jx_doc *doc; /* owns the strings */
	char *path;
	int lock;
	char today[DATE_SIZE];
	char credential[SHA256_HEX_LEN + 1];
	int64_t now_ms;
	struct fault *f;
};

const char *
account_state_name(enum account_state s)
{
	static const char *const names[ACCOUNT__MAX] = {
		[ACCOUNT_FREE] = "free",
		[ACCOUNT_LIMITED] = "limited",
		[ACCOUNT_EXPIRED] = "expired",
		[ACCOUNT_SPENT] = "spent",
	};

	return names[s];
}

static enum cs_err
io_error(const struct held_state *h, const char *what, const char *path)
{
	return cs_detail(h->f, CS_EIO, "cannot %s %s: %s", what, path, strerror(errno));
}

/* ---- The file ---- */

static char *
path_of(const struct account *a, const char *suffix)
{
	char hash[SHA256_HEX_LEN + 1], *path;

	ident_sha256(hash, a->name, strlen(a->name));
	if (asprintf(&path, "%s/account-%.*s%s", a->dir, NAME_DIGITS, hash, suffix) < 0)
		return NULL;
	return path;
}

static enum cs_err
take_lock(struct held_state *h)
{
	char *path = path_of(h->account, ".lock");
	enum cs_err err = CS_OK;

	if (path == NULL)
		return cs_fail(h->f, CS_ENOMEM, MSG_NONE);
	h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	while (h->lock != -1 && flock(h->lock, LOCK_EX) != 0 && errno == EINTR)
		;
	if (h->lock == -1)
		err = io_error(h, "open", path);
	free(path);
	return err;
}

static void
read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char part[4096];
	ssize_t n;

	while (fd != -1 && (n = read(fd, part, sizeof(part))) > 0 && !buf_failed(out))
		buf_add(out, part, (size_t)n);
	if (fd != -1)
		close(fd);
}

/* What cannot be read is as if it were not there: the worst is a request too many. */
static void
read_state(struct held_state *h)
{
	struct buf text = { .cap = STATE_MAX };
	struct fault f = { .lang = LANG_EN };

	read_file(h->path, &text);
	if (text.len == 0) {
		buf_free(&text);
		return;
	}
	if (jx_parse(text.data, text.len, &h->doc, &f) != CS_OK ||
	    jx_read(jx_root(h->doc), fields, ARRAY_LEN(fields), &h->s, NULL, "", &f) != CS_OK) {
		log_warn("account_forgotten", "%s: %s %s", h->path, f.field, f.reason);
		h->s = (struct state){ .day = "", .held = "", .credential = "" };
	}
	buf_free(&text);
}

static void
render_state(const struct state *s, struct buf *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_kint(&w, "next_ms", s->next_ms);
	jw_kstr(&w, "day", s->day);
	jw_kint(&w, "used", s->used);
	jw_kint(&w, "held_until", s->held_until);
	jw_kstr(&w, "held", s->held);
	jw_kstr(&w, "credential", s->credential);
	jw_kint(&w, "strikes", s->strikes);
	jw_obj_end(&w);
	buf_putc(out, '\n');
}

static bool
write_file(const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok =
	    fd != -1 && write(fd, text->data, text->len) == (ssize_t)text->len && fsync(fd) == 0;

	if (fd != -1)
		ok = close(fd) == 0 && ok;
	return ok;
}

static enum cs_err
write_state(struct held_state *h)
{
	struct buf text = { 0 };
	char *path = path_of(h->account, ".new");
	enum cs_err err = CS_OK;

	render_state(&h->s, &text);
	if (path == NULL || buf_failed(&text))
		err = cs_fail(h->f, CS_ENOMEM, MSG_NONE);
	else if (!write_file(path, &text))
		err = io_error(h, "write", path);
	else if (rename(path, h->path) != 0)
		err = io_error(h, "replace", h->path);
	buf_free(&text);
	free(path);
	return err;
}

/* A change of it in the midst of a day, or of the zone, gives a new budget at worst. */
static void
set_today(struct held_state *h)
{
	time_t now = (time_t)(h->now_ms / 1000);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL || strftime(h->today, DATE_SIZE, "%Y-%m-%d", &tm) == 0)
		h->today[0] = '\0';
	if (strcmp(h->s.day, h->today) == 0)
		return;
	h->s.day = h->today;
	h->s.used = 0;
}

static void
end(struct held_state *h)
{
	jx_free(h->doc);
	free(h->path);
	if (h->lock != -1)
		close(h->lock);
}

/* end() is needed after a failure as well. */
static enum cs_err
begin(struct held_state *h, const struct account *a, struct fault *f)
{
	*h = (struct held_state){ .account = a,
		.s = { .day = "", .held = "", .credential = "" },
		.path = path_of(a, ".json"),
		.lock = -1,
		.f = f };
	if (h->path == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	TRY(take_lock(h));
	h->now_ms = clock_wall_ms(); /* after the wait for the lock */
	read_state(h);
	set_today(h);
	ident_sha256(h->credential, a->credential, strlen(a->credential));
	return CS_OK;
}

/* ---- What is done with it ---- */

static int64_t
seconds_to_midnight(const struct held_state *h)
{
	time_t now = (time_t)(h->now_ms / 1000), midnight;
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return 3600;
	tm.tm_mday++;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	midnight = mktime(&tm);
	return midnight > now ? (int64_t)(midnight - now) : 3600;
}

/* A hold for a login that has expired ends with a new one. */
static bool
is_held(const struct held_state *h)
{
	if (h->s.held_until <= h->now_ms / 1000)
		return false;
	return strcmp(h->s.held, account_state_name(ACCOUNT_EXPIRED)) != 0 ||
	       strcmp(h->s.credential, h->credential) == 0;
}

static void
look(const struct held_state *h, bool counted, struct account_turn *t)
{
	const struct account *a = h->account;

	*t = (struct account_turn){ .state = ACCOUNT_FREE };
	if (is_held(h)) {
		t->state = strcmp(h->s.held, account_state_name(ACCOUNT_EXPIRED)) == 0
			       ? ACCOUNT_EXPIRED
			       : ACCOUNT_LIMITED;
		t->hold_s = h->s.held_until - h->now_ms / 1000;
	} else if (counted && a->daily > 0 && h->s.used >= a->daily) {
		t->state = ACCOUNT_SPENT;
		t->hold_s = seconds_to_midnight(h);
	} else if (h->s.next_ms > h->now_ms) {
		t->wait_ms = h->s.next_ms - h->now_ms;
	}
}

/* Where the clock was set back, nobody waits for what it had been. */
static void
correct_next(struct held_state *h)
{
	if (h->s.next_ms > h->now_ms + DAY_MS)
		h->s.next_ms = h->now_ms;
}

static enum cs_err
take(struct held_state *h, bool counted, struct account_turn *t)
{
	const struct account *a = h->account;

	correct_next(h);
	look(h, counted, t);
	if (t->state != ACCOUNT_FREE)
		return CS_OK;
	h->s.next_ms =
	    h->now_ms + t->wait_ms + a->pause_ms + (int64_t)((double)a->jitter_ms * ident_random());
	h->s.used += counted;
	return write_state(h);
}

static enum cs_err
hold(struct held_state *h, enum account_state why, int64_t *hold_s)
{
	const struct account *a = h->account;
	int64_t seconds = a->hold_s;

	/* Requests of several attempts that were under way together are one. */
	if (!is_held(h)) {
		for (int64_t i = 0; i < h->s.strikes && i < DOUBLING_MAX && seconds < a->hold_max_s;
		     i++)
			seconds *= 2;
		if (seconds > a->hold_max_s)
			seconds = a->hold_max_s;
		h->s.strikes++;
		h->s.held_until = h->now_ms / 1000 + seconds;
	}
	h->s.held = account_state_name(why);
	h->s.credential = h->credential;
	*hold_s = h->s.held_until - h->now_ms / 1000;
	return write_state(h);
}

enum cs_err
account_take(const struct account *a, bool counted, struct account_turn *t, struct fault *f)
{
	struct held_state h;
	enum cs_err err = begin(&h, a, f);

	if (err == CS_OK)
		err = take(&h, counted, t);
	end(&h);
	return err;
}

enum cs_err
account_look(const struct account *a, struct account_turn *t, struct fault *f)
{
	struct held_state h;
	enum cs_err err = begin(&h, a, f);

	if (err == CS_OK)
		look(&h, true, t);
	end(&h);
	return err;
}

static enum cs_err
hold_account(const struct account *a, enum account_state why, int64_t *hold_s, struct fault *f)
{
	struct held_state h;
	enum cs_err err = begin(&h, a, f);

	if (err == CS_OK)
		err = hold(&h, why, hold_s);
	end(&h);
	return err;
}

enum cs_err
account_limit(const struct account *a, int64_t *hold_s, struct fault *f)
{
	return hold_account(a, ACCOUNT_LIMITED, hold_s, f);
}

enum cs_err
account_expire(const struct account *a, int64_t *hold_s, struct fault *f)
{
	return hold_account(a, ACCOUNT_EXPIRED, hold_s, f);
}

enum cs_err
account_succeed(const struct account *a, struct fault *f)
{
	struct held_state h;
	enum cs_err err = begin(&h, a, f);

	/* An answer that was under way when another was refused ends no hold. */
	if (err == CS_OK && h.s.strikes > 0 && !is_held(&h)) {
		h.s.strikes = 0;
		err = write_state(&h);
	}
	end(&h);
	return err;
}
