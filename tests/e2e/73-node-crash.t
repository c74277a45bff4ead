#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
cascade-node killed by SIGKILL at random moments, again and again: nothing is lost, nothing is stuck,
nothing is told twice but what the cut attempts told. CASCADE_TEST_FULL=1: 200 times; SEED=N repeats a run.
"""
import collections
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Hook, collect, journal_of, read_journal  # noqa: E402
from work import consistent, dispatch, make_feeds, make_task  # noqa: E402

KILLS = 200 if os.environ.get("CASCADE_TEST_FULL") else 15
SEED = int(os.environ.get("SEED") or random.randrange(10**6))
FEEDS, ARTICLES = 8, 3


def count(s, where):
    return int(s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE " + where))


def new_round(s, number, feeds, hook):
    """Another task on the same feeds, with its own name in its messages."""
    make_task(s, "r%d" % number, feeds, name="round%d" % number, message_type=1, web_hook_url=hook.url,
              message_template="{{ task.name }} {{ feed.id }}")
    dispatch(s, "r%d" % number)


def test_kill(s, t):
    """SIGKILL at random moments"""
    t.note("SEED=%d" % SEED)
    chance = random.Random(SEED)
    feeds = make_feeds(s, FEEDS)
    hook = Hook()
    journal = journal_of(s, "crash")
    child = Child(s, "crash", collect(journal, 0.2, ARTICLES), concurrency=4)
    rounds = kills = 0
    # where chance has met no attempt, more are killed
    while kills < KILLS or (kills < 4 * KILLS and s.value("SELECT COUNT(*) FROM cascade_attempt WHERE outcome <> 'completed'") == "0"):
        kills += 1
        if count(s, "status IN ('pending', 'claimed', 'executing')") < FEEDS // 2:
            new_round(s, rounds, feeds, hook)
            rounds += 1
        child.start()
        time.sleep(chance.random() * 1.5)
        child.kill()
    child.start()
    t.ok(wait_for(lambda: count(s, "status <> 'completed'") == 0, 90), "in the end everything is completed, nothing is stuck",
         s.sql("SELECT status, COUNT(*) FROM we_cascade_task_allocations GROUP BY status"))
    t.eq(count(s, "status = 'completed'"), rounds * FEEDS, "that was dispatched")
    t.ok(wait_for(lambda: (child.status() or {"spool": {"attempts": 1}})["spool"]["attempts"] == 0),
         "and nothing is left in the spool")
    t.eq(s.sql("SELECT a.id, COUNT(w.id) AS articles FROM we_cascade_task_allocations a LEFT JOIN we_articles w"
               " ON w.id LIKE CONCAT('%%-', a.id, '\\_%%') GROUP BY a.id HAVING articles <> %d" % ARTICLES),
         [], "no article is missing")
    cut = s.sql("SELECT a.task_id AS task, a.feed_ids AS feed, COUNT(*) AS attempts FROM cascade_attempt t"
                " JOIN we_cascade_task_allocations a ON a.id = t.allocation_id WHERE t.outcome <> 'completed' GROUP BY a.id")
    begun = collections.Counter((a, n) for what, _, a, n in read_journal(journal) if what == "begin")
    t.eq([k for k, n in begun.items() if n > 1], [], "no attempt was begun twice")
    t.ok(cut, "attempts were cut: it was not all for nothing", len(cut))
    told = collections.Counter(hook.bodies)
    t.note("%d rounds, %d kills, %d allocations with cut attempts, %d messages of %d allocations"
           % (rounds, kills, len(cut), len(hook.bodies), rounds * FEEDS))
    names = {"round%d %s" % (r, f) for r in range(rounds) for f in feeds}
    t.eq(names - set(told), set(), "each feed of each round was told of")
    extra = {name: n - 1 for name, n in told.items() if n > 1}
    # A message under way at a kill is sent again; more than one for each kill and feed there cannot be.
    t.ok(sum(extra.values()) <= kills and max(extra.values(), default=0) <= 2,
         "no message twice but those that a kill cut", extra)
    child.stop()
    hook.close()
    consistent(s, t)


run(test_kill, workers=4,
    env={"CASCADE_RETRY_BACKOFF": "1s", "CASCADE_RETRY_BACKOFF_MAX": "1s", "CASCADE_RETRY_MAX_ATTEMPTS": "100",
         "CASCADE_RETRY_MAX_LOST": "100", "CASCADE_CASCADED_REFRESH": "1s", "CASCADE_DISPATCH_PREFER": "1s",
         "CASCADE_LEASE_CLAIM": "20s", "CASCADE_LEASE_FORGOTTEN": "5s"})
