/* SPDX-License-Identifier: MIT */
/*
 * Heartbeats: whatever the work does and however long it takes, the parent hears of us, and of what
 * we hold, and for how long we want no more. What a heartbeat leaves out lapses, so one that was
 * composed before a claim was answered is followed by another at once.
 */
#include "agent/parent.h"
#include "base/clock.h"
#include "base/parse.h"
#include "json/jw.h"

#include <string.h>

#define CLOCK_OFF_MAX_S 60

/* What the parent tells us about itself and what it wants. */
static void
obey(struct node *n, const struct jx *data)
{
	const char *desired = jx_str(jx_get(data, "desired_state"));
	const char *time = jx_str(jx_get(data, "server_time"));
	bool drain = desired != NULL && strcmp(desired, "drain") == 0;
	int64_t every = jx_int(jx_get(data, "heartbeat_interval_s")), theirs;
	bool was_off = n->clock_off_s > CLOCK_OFF_MAX_S || n->clock_off_s < -CLOCK_OFF_MAX_S;

	n->beat_every_s = n->conf->heartbeat_s;
	if (every > 0 && every < n->beat_every_s)
		n->beat_every_s = every;
	if (drain != n->drain)
		log_info("drain", drain ? "the parent drains this node: no more is claimed"
					: "the parent gives this node work again");
	if (drain != n->drain)
		n->status_due_ms = 0;
	if (n->drain && !drain)
		claim_soon(n);
	n->drain = drain;
	if (time == NULL || !parse_time_utc(time, &theirs))
		return;
	n->clock_off_s = clock_wall_s() - theirs;
	if (!was_off && (n->clock_off_s > CLOCK_OFF_MAX_S || n->clock_off_s < -CLOCK_OFF_MAX_S))
		node_error(n, NULL, "clock", "this clock is %lld s ahead of the parent's",
		    (long long)n->clock_off_s);
}

static void
on_done(struct node *n, void *arg cs_unused, const struct parent_answer *a)
{
	n->beating = false;
	if (a->verdict == PARENT_OK) {
		n->beats++;
		n->held = n->beat_held;
		obey(n, a->data);
	}
	if (a->verdict == PARENT_REFUSED)
		node_error(n, NULL, "heartbeat", "status %d: %s", a->status, a->message);
	n->beat_due_ms = clock_mono_ms() + n->beat_every_s * 1000;
	/* A lost one is repeated as soon as the parent may be asked again. */
	if (a->verdict == PARENT_LATER || n->beat_again)
		n->beat_due_ms = 0;
	n->beat_again = false;
}

static void
write_body(struct node *n, struct buf *b)
{
	int64_t hold = hold_node_s(n);
	struct jw w;

	jw_init(&w, b);
	jw_obj(&w);
	if (n->conf->callback_url[0] != '\0' && n->listener != NULL)
		jw_kstr(&w, "callback_url", n->conf->callback_url);
	jw_key(&w, "holding");
	jw_arr(&w);
	for (const struct attempt *a = n->attempts; a != NULL; a = a->next) {
		if (!a->revoked)
			jw_str(&w, a->allocation);
	}
	jw_arr_end(&w);
	n->beat_held = hold > 0;
	/* the first one also ends what an earlier process asked for */
	if (hold > 0 || n->held || n->beats == 0)
		jw_kint(&w, "hold_s", hold < HOLD_MAX_S ? hold : HOLD_MAX_S);
	jw_obj_end(&w);
}

void
beat_step(struct node *n)
{
	struct buf body = { 0 };

	if (n->beating)
		return;
	if (clock_mono_ms() < n->beat_due_ms) {
		node_wake_at(n, n->beat_due_ms);
		return;
	}
	if (!parent_ready(n))
		return;
	write_body(n, &body);
	n->beating = !buf_failed(&body) &&
		     parent_call(n, HTTP_POST, "/heartbeat", &body, NULL, on_done, NULL);
	n->beat_again = false;
	buf_free(&body);
}
