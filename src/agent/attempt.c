/* SPDX-License-Identifier: MIT */
/* The list of attempts, in the order of their claims. */
#include "agent/message.h"
#include "agent/node.h"
#include "base/clock.h"
#include "json/jx.h"

#include <stdlib.h>
#include <string.h>

/* The ids of a JSON array and their texts in one piece of memory. */
static bool
read_feeds(struct attempt *a, const char *json)
{
	size_t len = strlen(json), n;
	struct fault f = { 0 };
	auto_jx *doc = NULL;
	char *text;

	if (jx_parse(json, len, &doc, &f) != CS_OK)
		return false;
	n = jx_len(jx_root(doc));
	/* No id is longer in memory than in JSON. */
	a->feeds = malloc(n * sizeof(*a->feeds) + len + 1);
	if (a->feeds == NULL)
		return false;
	text = (char *)(a->feeds + n);
	for (size_t i = 0; i < n; i++) {
		const char *id = jx_str(jx_at(jx_root(doc), i));

		if (id == NULL)
			continue;
		a->feeds[a->nfeeds++] = strcpy(text, id);
		text += strlen(id) + 1;
	}
	return true;
}

static bool
wants_message(const char *package)
{
	struct fault f = { 0 };
	auto_jx *doc = NULL;

	return jx_parse(package, strlen(package), &doc, &f) == CS_OK &&
	       message_wanted(jx_root(doc), 1);
}

static void
attempt_free(struct attempt *a)
{
	while (a->said != NULL) {
		struct said *s = a->said;

		a->said = s->next;
		free(s->feed);
		free(s->text);
		free(s);
	}
	runner_free(a->runner);
	free(a->allocation);
	free(a->task);
	free(a->feeds);
	free(a);
}

struct attempt *
attempt_add(struct node *n, const struct spool_attempt *from)
{
	struct attempt *a = calloc(1, sizeof(*a)), **end = &n->attempts;

	if (a == NULL)
		return NULL;
	a->node = n;
	a->seq = from->seq;
	a->number = from->number;
	a->state = from->state;
	a->revoked = from->revoked != NULL;
	a->articles = from->articles;
	a->unsent = from->unsent;
	a->owes_message = from->messages > 0;
	a->wants_message = wants_message(from->package);
	a->began_ms = clock_mono_ms();
	a->said_end = &a->said;
	a->allocation = strdup(from->allocation);
	a->task = strdup(from->task);
	if (a->allocation == NULL || a->task == NULL || !read_feeds(a, from->feeds)) {
		attempt_free(a);
		return NULL;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = a;
	n->status_due_ms = 0;
	return a;
}

void
attempt_remove(struct node *n, struct attempt *a)
{
	struct attempt **at = &n->attempts;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	n->status_due_ms = 0;
	attempt_free(a);
}

static bool
share_a_feed(const struct attempt *a, const struct attempt *b)
{
	for (size_t i = 0; i < a->nfeeds; i++) {
		for (size_t j = 0; j < b->nfeeds; j++) {
			if (strcmp(a->feeds[i], b->feeds[j]) == 0)
				return true;
		}
	}
	return false;
}

static bool
has_come_to(const struct attempt *a, enum attempt_stage stage)
{
	if (stage == STAGE_GONE || a->state != ATTEMPT_ENDED)
		return false;
	return stage == STAGE_ENDED || !a->owes_message;
}

bool
attempt_waits(const struct node *n, const struct attempt *a, enum attempt_stage until)
{
	for (const struct attempt *b = n->attempts; b != a; b = b->next) {
		if (!has_come_to(b, until) && share_a_feed(a, b))
			return true;
	}
	return false;
}

size_t
attempt_count(const struct node *n, enum attempt_state below)
{
	size_t count = 0;

	for (const struct attempt *a = n->attempts; a != NULL; a = a->next)
		count += a->state < below;
	return count;
}

void
attempt_log(enum log_level level, const struct attempt *a, const char *event, const char *text)
{
	struct log_line l;

	log_begin(&l, level, event);
	if (a != NULL) {
		log_str(&l, "allocation", a->allocation);
		log_int(&l, "attempt", a->number);
		log_str(&l, "feed", a->nfeeds > 0 ? a->feeds[0] : NULL);
		if (a->nfeeds > 1)
			log_int(&l, "feeds", (int64_t)a->nfeeds);
	}
	log_str(&l, "msg", text);
	log_end(&l);
}
