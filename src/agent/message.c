/* SPDX-License-Identifier: MIT */
/*
 * A task's message: what its template is filled with, and WeRSS's own texts where it has none. For
 * a webhook, whose template is JSON as a rule, every text is filled in as JSON has it between
 * quotes. Who takes the message, and in which form, is message_robot.c's.
 */
#include "agent/message_priv.h"

#include "agent/template.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ARENA_MAX (64u << 20)
#define URL_MAX	  2048
#define TIME_SIZE 20

/* WeRSS's words to the letter, with a backslash and an n where it has them. */
static const char chat_default[] = "\n"
				   "### {{feed.mp_name}} 订阅消息：\n"
				   "{% if articles %}\n"
				   "{% for article in articles %}\n"
				   "- [**{{ article.title }}**]({{article.url}}) "
				   "({{ article.publish_time }})\\n\n"
				   "{% endfor %}\n"
				   "{% else %}\n"
				   "- 暂无文章\\n\n"
				   "{% endif %}\n"
				   "    ";
static const char webhook_default[] = "{\n"
				      "  \"feed\": {\n"
				      "    \"id\": \"{{ feed.id }}\",\n"
				      "    \"name\": \"{{ feed.mp_name }}\"\n"
				      "  },\n"
				      "  \"articles\": [\n"
				      "    {% if articles %}\n"
				      "     {% for article in articles %}\n"
				      "        {\n"
				      "          \"id\": \"{{ article.id }}\",\n"
				      "          \"mp_id\": \"{{ article.mp_id }}\",\n"
				      "          \"title\": \"{{ article.title }}\",\n"
				      "          \"pic_url\": \"{{ article.pic_url }}\",\n"
				      "          \"url\": \"{{ article.url }}\",\n"
				      "          \"description\": \"{{ article.description }}\",\n"
				      "          \"publish_time\": \"{{ article.publish_time }}\"\n"
				      "        }{% if not loop.last %},{% endif %}\n"
				      "      {% endfor %}\n"
				      "    {% endif %}\n"
				      "  ],\n"
				      "  \"task\": {\n"
				      "    \"id\": \"{{ task.id }}\",\n"
				      "    \"name\": \"{{ task.name }}\"\n"
				      "  },\n"
				      "  \"now\": \"{{ now }}\"\n"
				      "}\n";

struct package {
	const char *task_id, *task_name, *template, *url, *cron_exp;
	int64_t type;
	const struct jx *feeds;
};

static const struct jx_field package_fields[] = {
	{ "task_id", JX_STR, 0, offsetof(struct package, task_id), 0, 0 },
	{ "task_name", JX_STR, 0, offsetof(struct package, task_name), 0, 0 },
	{ "message_type", JX_INT, JX_REQUIRED, offsetof(struct package, type), 0, 1 },
	{ "message_template", JX_STR, 0, offsetof(struct package, template), 0, 0 },
	{ "web_hook_url", JX_STR, JX_REQUIRED | JX_NONEMPTY | JX_URL, offsetof(struct package, url),
	    1, URL_MAX },
	{ "cron_exp", JX_STR, 0, offsetof(struct package, cron_exp), 0, 0 },
	{ "feeds", JX_ARR, 0, offsetof(struct package, feeds), 0, 0 },
};

/* Values being written: an object, text by text. */
struct filling {
	struct jw w;
	struct buf escaped;
	struct arena *arena;
	bool for_json; /* texts are escaped once more */
	bool content;  /* the template may ask for contents */
};

bool
message_wanted(const struct jx *package, size_t narticles)
{
	const char *url = jx_str(jx_get(package, "web_hook_url"));

	return narticles > 0 && url != NULL && *url != '\0';
}

/* ---- What the template is filled with ---- */

static void
put_text(struct filling *to, const char *key, const char *s, size_t n)
{
	struct jw inner;

	jw_key(&to->w, key);
	if (!to->for_json) {
		jw_strn(&to->w, s, n);
		return;
	}
	buf_reset(&to->escaped);
	jw_init(&inner, &to->escaped);
	jw_strn(&inner, s, n);
	if (buf_failed(&to->escaped))
		to->w.out->failed = true;
	else /* without its quotes */
		jw_strn(&to->w, to->escaped.data + 1, to->escaped.len - 2);
}

static const char *
local_time(char out[TIME_SIZE], int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		out[0] = '\0';
	return out;
}

static enum cs_err
put_member(void *arg, const char *key, const struct jx *v)
{
	struct filling *to = arg;
	char text[TIME_SIZE];

	if (!to->content && strcmp(key, "content") == 0)
		return CS_OK;
	if (jx_type(v) == JX_INT && strcmp(key, "publish_time") == 0) {
		local_time(text, jx_int(v));
		put_text(to, key, text, strlen(text));
	} else if (jx_type(v) == JX_STR) {
		put_text(to, key, jx_str(v), jx_str_len(v));
	} else {
		jw_kraw(&to->w, key, jx_text(v, to->arena));
	}
	return CS_OK;
}

static enum cs_err
put_object(struct filling *to, const struct jx *obj)
{
	jw_obj(&to->w);
	TRY(jx_each(obj, put_member, to));
	jw_obj_end(&to->w);
	return CS_OK;
}

static void
put_task(struct filling *to, const struct package *p)
{
	jw_key(&to->w, "task");
	jw_obj(&to->w);
	put_text(to, "id", p->task_id, strlen(p->task_id));
	put_text(to, "name", p->task_name, strlen(p->task_name));
	put_text(to, "cron_exp", p->cron_exp, strlen(p->cron_exp));
	jw_kint(&to->w, "message_type", p->type);
	jw_obj_end(&to->w);
}

static const struct jx *
find_feed(const struct jx *feeds, const char *id)
{
	for (size_t i = 0; i < jx_len(feeds); i++) {
		const struct jx *feed = jx_at(feeds, i);
		const char *its = jx_str(jx_get(feed, "id"));

		if (id == NULL || (its != NULL && strcmp(its, id) == 0))
			return feed;
	}
	return NULL;
}

static bool
mentions(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

/* {"feed": …, "articles": […], "task": …, "now": …} */
static enum cs_err
put_values(struct filling *to, const struct package *p, const struct message_input *in)
{
	char now[TIME_SIZE];

	jw_obj(&to->w);
	jw_key(&to->w, "feed");
	TRY(put_object(to, find_feed(p->feeds, in->feed_id)));
	jw_key(&to->w, "articles");
	jw_arr(&to->w);
	for (size_t i = 0; i < in->n; i++)
		TRY(put_object(to, in->articles[i]));
	jw_arr_end(&to->w);
	put_task(to, p);
	jw_kstr(&to->w, "now", local_time(now, in->now_s));
	jw_obj_end(&to->w);
	return CS_OK;
}

static enum cs_err
make_values(const struct package *p, const struct message_input *in, const char *template,
    struct arena *a, struct jx_doc **doc, struct fault *f)
{
	struct buf text = { .cap = ARENA_MAX };
	struct filling to = {
		.arena = a, .for_json = p->type == 1, .content = mentions(template, "content")
	};
	enum cs_err err;

	jw_init(&to.w, &text);
	err = put_values(&to, p, in);
	buf_free(&to.escaped);
	if (err == CS_OK && buf_failed(&text))
		err = cs_fail(f, CS_ENOMEM, MSG_NONE);
	if (err == CS_OK)
		err = jx_parse(text.data, text.len, doc, f);
	buf_free(&text);
	return err;
}

static enum cs_err
render(const struct package *p, const struct message_input *in, struct arena *a, struct buf *out,
    struct fault *f)
{
	const char *defaults[] = { chat_default, webhook_default };
	const char *template = *p->template != '\0' ? p->template : defaults[p->type];
	struct jx_doc *doc;
	enum cs_err err;

	TRY(make_values(p, in, template, a, &doc, f));
	err = template_render(template, strlen(template), jx_root(doc), out, f);
	jx_free(doc);
	return err;
}

/* ---- The message ---- */

static enum cs_err
fill(const struct jx *package, const struct message_input *in, struct message *m, struct fault *f)
{
	struct package p = { .task_id = "", .task_name = "", .template = "", .cron_exp = "" };
	struct buf text = { 0 };
	enum cs_err err;

	TRY(jx_read(package, package_fields, ARRAY_LEN(package_fields), &p, NULL, "", f));
	m->kind = robot_of(p.type, p.url);
	m->url = arena_strdup(m->arena, p.url);
	if (m->url == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	TRY(message_headers(package, m, f));
	err = render(&p, in, m->arena, &text, f);
	if (err == CS_OK)
		robot_body(
		    m->kind, p.task_name, text.data != NULL ? text.data : "", text.len, &m->body);
	if (err == CS_OK && buf_failed(&m->body))
		err = cs_fail(f, CS_ENOMEM, MSG_NONE);
	buf_free(&text);
	return err;
}

enum cs_err
message_build(const struct jx *package, const char *feed_id, const struct jx *const *articles,
    size_t n, int64_t now_s, struct message *m, struct fault *f)
{
	struct message_input in = { feed_id, articles, n, now_s };
	enum cs_err err;

	*m = (struct message){ .arena = arena_new(ARENA_MAX) };
	if (m->arena == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	err = fill(package, &in, m, f);
	if (err != CS_OK)
		message_free(m);
	return err;
}

void
message_free(struct message *m)
{
	arena_free(m->arena);
	buf_free(&m->body);
	*m = (struct message){ 0 };
}
