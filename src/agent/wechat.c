/* SPDX-License-Identifier: MIT */
/*
 * The collector's course through a task package: a feed after the other, its list page by page,
 * each article as soon as it is there, so that nothing that came is lost by what comes after it.
 * Every request waits for its turn of the account; when the account may not be used, what is left
 * of the package goes back with the time for which that is so.
 */
#include "agent/wechat_priv.h"

#include "agent/account.h"
#include "agent/lines.h"
#include "base/clock.h"
#include "json/jw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct collect {
	const struct wechat_conf *conf;
	struct account account;
	int out_fd;
	const struct jx *known;
	bool pages_closed;  /* the site wants to see a human: no more pages */
	bool later;	    /* something could not be reached */
	int64_t hold_s;	    /* the account may not be used for so long … */
	char hold_why[256]; /* … and why */
	struct buf line, content;
};

struct feed {
	const char *id, *faker_id;
	int64_t count; /* articles written */
};

struct item {
	const char *aid, *title, *link, *cover, *digest;
	int64_t update_time;
};

static const struct jx_field feed_fields[] = {
	{ "id", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct feed, id), 0, 0 },
	{ "faker_id", JX_STR, 0, offsetof(struct feed, faker_id), 0, 0 },
};
static const struct jx_field item_fields[] = {
	{ "aid", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct item, aid), 0, 0 },
	{ "title", JX_STR, 0, offsetof(struct item, title), 0, 0 },
	{ "link", JX_STR, 0, offsetof(struct item, link), 0, 0 },
	{ "cover", JX_STR, 0, offsetof(struct item, cover), 0, 0 },
	{ "digest", JX_STR, 0, offsetof(struct item, digest), 0, 0 },
	{ "update_time", JX_INT, 0, offsetof(struct item, update_time), 0, 0 },
};

/* How it goes on. */
enum course {
	COURSE_ON,
	COURSE_NEXT,  /* this feed has its result */
	COURSE_LATER, /* this feed has no result: it is to be tried again */
	COURSE_HELD   /* nothing more of this account */
};

/* A line of the attempt's log. */
static void cs_printf(1, 2) say(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "%s\n", text);
}

/* ---- Records ---- */

/* Who does not read our records any more has no use for further ones. */
static void
write_line(struct collect *c)
{
	const char *p = c->line.data;
	size_t n;

	buf_putc(&c->line, '\n');
	if (buf_failed(&c->line))
		_exit(EX_OSERR);
	for (n = c->line.len, p = c->line.data; n > 0;) {
		ssize_t done = write(c->out_fd, p, n);

		if (done < 0 && errno != EINTR)
			_exit(EX_IOERR);
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
}

static void
begin_record(struct collect *c, struct jw *w, const char *type)
{
	buf_reset(&c->line);
	jw_init(w, &c->line);
	jw_obj(w);
	jw_kstr(w, "type", type);
}

static void
put_result(struct collect *c, const struct feed *feed, const char *error)
{
	struct jw w;

	begin_record(c, &w, "result");
	jw_kstr(&w, "feed_id", feed->id);
	jw_kbool(&w, "success", error == NULL);
	jw_kint(&w, "article_count", feed->count);
	if (error != NULL)
		jw_kstr(&w, "error", error);
	jw_obj_end(&w);
	write_line(c);
}

static void
put_hold(struct collect *c, const char *feed_id)
{
	int64_t s = c->hold_s < 1 ? 1 : c->hold_s > LINES_HOLD_MAX_S ? LINES_HOLD_MAX_S : c->hold_s;
	struct jw w;

	begin_record(c, &w, "hold");
	jw_kstr(&w, "feed_id", feed_id);
	jw_kint(&w, "seconds", s);
	jw_kstr(&w, "reason", c->hold_why);
	jw_obj_end(&w);
	write_line(c);
}

static void
put_article(struct collect *c, const struct feed *feed, const struct item *item)
{
	struct jw w;

	begin_record(c, &w, "article");
	jw_key(&w, "article");
	jw_obj(&w);
	jw_kstr(&w, "id", item->aid);
	jw_kstr(&w, "mp_id", feed->id);
	jw_kstr(&w, "title", item->title);
	jw_kstr(&w, "url", item->link);
	jw_kstr(&w, "pic_url", item->cover);
	jw_kstr(&w, "description", item->digest);
	jw_kint(&w, "publish_time", item->update_time);
	if (c->content.len > 0)
		jw_kstr(&w, "content", c->content.data);
	jw_obj_end(&w);
	jw_obj_end(&w);
	if (c->line.len <= LINES_MAX_BYTES) {
		write_line(c);
		return;
	}
	say("%s: its content is too long and left out", item->aid);
	buf_reset(&c->content);
	put_article(c, feed, item);
}

/* ---- The account ---- */

static enum course
held(struct collect *c, enum account_state why, int64_t hold_s)
{
	static const enum msg_id words[ACCOUNT__MAX] = {
		[ACCOUNT_LIMITED] = MSG_H_LIMITED,
		[ACCOUNT_EXPIRED] = MSG_H_EXPIRED,
		[ACCOUNT_SPENT] = MSG_H_SPENT,
	};

	c->hold_s = hold_s;
	msg_render(c->hold_why, sizeof(c->hold_why), c->conf->lang, words[why]);
	say("account %s for %lld s: %s", account_state_name(why), (long long)hold_s, c->hold_why);
	return COURSE_HELD;
}

/* Without its state there is no telling what would be too much. */
static enum course
no_account(const struct fault *f)
{
	say("%s", f->detail[0] != '\0' ? f->detail : fault_message(f));
	return COURSE_LATER;
}

/* Waits for the turn of a request. */
static enum course
wait_turn(struct collect *c, bool counted)
{
	struct fault f = { .lang = LANG_EN };
	struct account_turn t;
	int64_t until;

	if (account_take(&c->account, counted, &t, &f) != CS_OK)
		return no_account(&f);
	if (t.state != ACCOUNT_FREE)
		return held(c, t.state, t.hold_s);
	until = clock_mono_ms() + t.wait_ms;
	while (clock_mono_ms() < until)
		clock_sleep_ms(until - clock_mono_ms());
	if (t.wait_ms == 0)
		return COURSE_ON;
	/* Another attempt may have been refused meanwhile. */
	if (account_look(&c->account, &t, &f) != CS_OK)
		return no_account(&f);
	if (t.state == ACCOUNT_FREE || t.state == ACCOUNT_SPENT)
		return COURSE_ON;
	return held(c, t.state, t.hold_s);
}

static enum course
refused(struct collect *c, enum account_state why)
{
	struct fault f = { .lang = LANG_EN };
	int64_t hold_s = c->conf->hold_s;

	if ((why == ACCOUNT_LIMITED ? account_limit : account_expire)(&c->account, &hold_s, &f) !=
	    CS_OK)
		no_account(&f);
	return held(c, why, hold_s);
}

/* ---- Articles ---- */

static bool
is_known(const struct collect *c, const struct feed *feed, const char *aid)
{
	const struct jx *ids = jx_get(c->known, feed->id);

	for (size_t i = 0; i < jx_len(ids); i++) {
		const char *id = jx_str(jx_at(ids, i));

		if (id != NULL && strcmp(id, aid) == 0)
			return true;
	}
	return false;
}

/* Leaves the content of the article at LINK in c->content, or nothing, and says why. */
static void
get_content(struct collect *c, const struct item *item)
{
	char why[256];
	enum page_result result;

	buf_reset(&c->content);
	if (!c->conf->content || c->pages_closed || *item->link == '\0')
		return;
	if (wait_turn(c, false) != COURSE_ON)
		return;
	result = site_page(c->conf, item->link, &c->content, why, sizeof(why));
	if (result == PAGE_OK && buf_failed(&c->content))
		buf_reset(&c->content);
	if (result == PAGE_NONE)
		say("%s: without its page: %s", item->aid, why);
	if (result == PAGE_ELSEWHERE)
		say("%s: without its page, which is at another site", item->aid);
	if (result != PAGE_VERIFY)
		return;
	say("%s: the site wants a verification: no more pages in this attempt", item->aid);
	c->pages_closed = true;
}

/* Writes the articles of a list's page that are not known; *LAST: there is no need of another. */
static void
take_items(struct collect *c, struct feed *feed, const struct jx *list, bool *last)
{
	size_t n = jx_len(list);

	*last = n < LIST_COUNT;
	for (size_t i = 0; i < n; i++) {
		struct item item = { .title = "", .link = "", .cover = "", .digest = "" };
		struct fault f = { .lang = LANG_EN };

		if (jx_read(jx_at(list, i), item_fields, ARRAY_LEN(item_fields), &item, NULL, "",
			&f) != CS_OK) {
			say("an article of %s left out: %s %s", feed->id, f.field, f.reason);
			continue;
		}
		if (is_known(c, feed, item.aid)) {
			*last = true;
			continue;
		}
		get_content(c, &item);
		put_article(c, feed, &item);
		feed->count++;
	}
}

/* ---- Feeds ---- */

static enum course
take_page(struct collect *c, struct feed *feed, int64_t page, bool *last)
{
	struct fault f = { .lang = c->conf->lang };
	struct jx_doc *doc;
	enum site_result result = site_list(c->conf, feed->faker_id, page, &doc, &f);

	if (result == SITE_LIMITED || result == SITE_EXPIRED)
		return refused(c, result == SITE_LIMITED ? ACCOUNT_LIMITED : ACCOUNT_EXPIRED);
	if (result == SITE_LATER) {
		say("%s: %s", feed->id, fault_message(&f));
		return COURSE_LATER;
	}
	if (result == SITE_FAILED) {
		say("%s: %s", feed->id, fault_message(&f));
		put_result(c, feed, fault_message(&f));
		return COURSE_NEXT;
	}
	if (account_succeed(&c->account, &f) != CS_OK)
		say("the state of the account cannot be written: %s", f.detail);
	take_items(c, feed, jx_get(jx_root(doc), "app_msg_list"), last);
	jx_free(doc);
	return COURSE_ON;
}

static enum course
take_feed(struct collect *c, struct feed *feed)
{
	enum course course = COURSE_ON;
	bool last = false;

	if (*feed->faker_id == '\0') {
		put_result(c, feed, msg_text(c->conf->lang, MSG_X_NO_FAKER_ID));
		return COURSE_NEXT;
	}
	for (int64_t page = 0; page < c->conf->pages && !last && course == COURSE_ON; page++) {
		course = wait_turn(c, true);
		if (course == COURSE_ON)
			course = take_page(c, feed, page, &last);
	}
	if (course != COURSE_ON)
		return course;
	put_result(c, feed, NULL);
	say("%s: %lld articles", feed->id, (long long)feed->count);
	return COURSE_NEXT;
}

static void
hold_rest(struct collect *c, const struct jx *feeds, size_t from)
{
	for (size_t i = from; i < jx_len(feeds); i++) {
		const char *id = jx_str(jx_get(jx_at(feeds, i), "id"));

		if (id != NULL)
			put_hold(c, id);
	}
}

static int
take_feeds(struct collect *c, const struct jx *feeds)
{
	for (size_t i = 0; i < jx_len(feeds); i++) {
		struct feed feed = { .faker_id = "" };
		struct fault f = { .lang = LANG_EN };
		enum course course;

		if (jx_read(jx_at(feeds, i), feed_fields, ARRAY_LEN(feed_fields), &feed, NULL, "",
			&f) != CS_OK) {
			say("a feed left out: %s %s", f.field, f.reason);
			continue;
		}
		course = take_feed(c, &feed);
		if (course == COURSE_LATER)
			c->later = true;
		if (course == COURSE_HELD) {
			hold_rest(c, feeds, i);
			return EX_UNAVAILABLE;
		}
	}
	return c->later ? EX_TEMPFAIL : EX_OK;
}

int
agent_wechat_main(const struct wechat_conf *conf, const char *package, size_t len, int out_fd)
{
	struct collect c = {
		.conf = conf,
		.account = { .dir = conf->state_dir,
		    .name = conf->account,
		    .credential = conf->cookie,
		    .pause_ms = conf->pause_ms,
		    .jitter_ms = conf->jitter_ms,
		    .daily = conf->daily,
		    .hold_s = conf->hold_s,
		    .hold_max_s = conf->hold_max_s },
		.out_fd = out_fd,
	};
	struct fault f = { .lang = LANG_EN };
	struct jx_doc *doc;
	int status;

	if (jx_parse(package, len, &doc, &f) != CS_OK) {
		say("the task package %s", f.reason);
		return EX_DATAERR;
	}
	c.known = jx_get(jx_root(doc), "known");
	status = take_feeds(&c, jx_get(jx_root(doc), "feeds"));
	jx_free(doc);
	buf_free(&c.line);
	buf_free(&c.content);
	return status;
}
