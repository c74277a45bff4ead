#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
cascade-node while its parent is away: what it has it goes on with, and delivers it afterwards, once,
in order. With CASCADE_TEST_FULL=1 the outage lasts for 100 completed feeds instead of 20.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Hook, all_are, collect, journal_of, rows, times  # noqa: E402
from work import clear, consistent, dispatch, feed_id, make_feeds, make_task, outcomes  # noqa: E402

COUNT, DELAY = (100, 10) if os.environ.get("CASCADE_TEST_FULL") else (20, 2)


def test_parent_away(s, t):
    """the parent is away for as long as it takes to complete what the node holds"""
    # Two tasks of the same feeds: each feed twice, and in order.
    feeds = make_feeds(s, COUNT // 2)
    hook = Hook()
    for task in ("ta", "tb"):
        make_task(s, task, feeds, message_type=1, web_hook_url=hook.url, message_template="{{ feed.id }}")
        dispatch(s, task)
    journal = journal_of(s, "away")
    with Child(s, "away", collect(journal, DELAY, 2), concurrency=COUNT) as child:
        t.ok(wait_for(lambda: len(child.events("claimed")) == COUNT, 60), "it holds everything")
        t.ok(wait_for(lambda: len(rows(s, "ta", status="executing")) > 0, 20), "and the parent knows that it works")
        s.stop("cascade-fcgi")
        t.ok(wait_for(lambda: len(times(journal, "end")) == COUNT, 120), "it completes everything without a parent",
             len(times(journal, "end")))
        t.ok(wait_for(lambda: child.status()["spool"]["attempts"] == COUNT), "all of which is in the spool", child.status())
        t.ok(wait_for(lambda: len(hook.bodies) == COUNT, 30), "its messages are sent meanwhile", len(hook.bodies))
        status = child.status()
        t.ok(not status["parent"]["answers"] and status["parent"]["away_since"], "its status says that the parent is away")
        s.start("cascade-fcgi")
        t.ok(wait_for(lambda: s.admin().get("/nodes").status == 200), "it is back")
        t.ok(wait_for(lambda: all_are(s, "ta") and all_are(s, "tb"), 60), "then everything is completed",
             [r["status"] for r in rows(s, "ta")])
        t.eq([outcomes(s, r["id"]) for task in ("ta", "tb") for r in rows(s, task)], [["completed"]] * COUNT,
             "in one attempt each")
        t.eq(set(times(journal, "begin").values()), {1}, "nothing was collected twice")
        t.eq(s.value("SELECT COUNT(*) FROM we_articles"), str(2 * COUNT), "every article is stored")
        t.ok(wait_for(lambda: len(child.events("finished")) == COUNT), "as the child has heard", len(child.events("finished")))
        order = {}
        for event in ("claimed", "finished"):
            for line in child.events(event):
                order.setdefault(line["feed"], {}).setdefault(event, []).append(line["allocation"])
        t.eq([f for f, o in order.items() if o["claimed"] != o["finished"]], [], "of each feed in the order of the claims")
        t.eq(len(hook.bodies), COUNT, "no message was sent twice")
        t.eq(child.stop(), 0, "it ends")
    hook.close()
    consistent(s, t)
    clear(s)


def test_order(s, t):
    """of one feed, much and then little"""
    for task in ("much", "little"):
        make_task(s, task, make_feeds(s, 1, first=900) if task == "much" else [feed_id(900)])
        dispatch(s, task)
    with Child(s, "order", collect(journal_of(s, "order"), 0, 1, other="much=1400"), concurrency=2) as child:
        t.ok(wait_for(lambda: all_are(s, "much") and all_are(s, "little"), 60), "both are completed")
        t.ok(wait_for(lambda: len(child.events("finished")) == 2), "as the child has heard", child.log_text())
        t.eq([e["allocation"] for e in child.events("finished")], [e["allocation"] for e in child.events("claimed")],
             "what was claimed first is delivered first, though it is three uploads")
    clear(s)


run(test_parent_away, test_order, workers=4)
