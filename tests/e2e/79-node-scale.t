#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Many feeds by five children of equal capacity: spread evenly, and as fast as the executor's own delay
allows. 100 feeds by capacity 4; CASCADE_TEST_FULL=1: 1,000 by capacity 20.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, collect, journal_of, times  # noqa: E402
from work import consistent, dispatch, make_feeds, make_task  # noqa: E402

FULL = bool(os.environ.get("CASCADE_TEST_FULL"))
FEEDS, CAPACITY, CHILDREN = (1000, 20, 5) if FULL else (100, 4, 5)
DELAY = 10 if FULL else 2


def count(s, where="TRUE"):
    return int(s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE " + where))


def test_scale(s, t):
    """five children"""
    journal = journal_of(s, "scale")
    make_task(s, "ts", make_feeds(s, FEEDS))
    children = [Child(s, "n%d" % n, collect(journal, DELAY, 2), concurrency=CAPACITY, cascade__heartbeat_interval=5,
                      log__level="info") for n in range(CHILDREN)]
    for child in children:
        child.start()
    t.ok(wait_for(lambda: s.admin().get("/pending-allocations")["data.online_nodes"] == CHILDREN, 30), "all are online")
    began = time.monotonic()
    dispatch(s, "ts")
    t.ok(wait_for(lambda: count(s, "status = 'completed'") == FEEDS, 300, 0.2), "everything is completed",
         s.sql("SELECT status, COUNT(*) FROM we_cascade_task_allocations GROUP BY status"))
    took = time.monotonic() - began
    ideal = FEEDS / (CAPACITY * CHILDREN) * DELAY
    done = [int(r["n"]) for r in s.sql("SELECT COUNT(*) AS n FROM we_cascade_task_allocations GROUP BY node_id")]
    t.note("took %.1f s, the executor's own delay alone %.1f s: %.2f; by node %s" % (took, ideal, took / ideal, done))
    even = FEEDS // CHILDREN
    t.ok(len(done) == CHILDREN and max(abs(n - even) for n in done) <= CAPACITY, "no node is further from its share than its capacity",
         done)
    t.eq(set(times(journal, "begin").values()), {1}, "nothing was collected twice")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles"), str(2 * FEEDS), "every article is stored")
    for child in children:
        t.eq(child.stop(), 0, "it ends")
    consistent(s, t)


run(test_scale, workers=8)
