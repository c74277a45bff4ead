#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node cut off from its parent, which gives its work back or to others meanwhile."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Wire, all_are, collect, journal_of, rows, times  # noqa: E402
from work import allocation, clear, consistent, dispatch, make_feeds, make_task  # noqa: E402


def test_given_up(s, t):
    """the parent gives the node up while it works on"""
    make_task(s, "tg", make_feeds(s, 3, first=500))
    dispatch(s, "tg")
    wire = Wire(s)
    journal = journal_of(s, "given-up")
    with Child(s, "given-up", collect(journal, 1, 1), concurrency=3, url=wire.url) as child:
        t.ok(wait_for(lambda: len(rows(s, "tg", status="executing")) == 3, 30), "it works on three")
        wire.cut()
        t.ok(wait_for(lambda: len(rows(s, "tg", status="pending")) == 3, 30), "which the parent takes back",
             [r["status"] for r in rows(s, "tg")])
        t.ok(wait_for(lambda: len(times(journal, "end")) == 3, 30), "it completes them all the same")
        wire.mend()
        t.ok(wait_for(lambda: all_are(s, "tg"), 60), "and is believed", [allocation(s, r["id"]) for r in rows(s, "tg")])
        t.eq(set(times(journal, "begin").values()), {1}, "nothing was collected twice")
        t.ok(wait_for(lambda: child.status()["spool"]["attempts"] == 0), "nothing is left in the spool")
    wire.close()
    consistent(s, t)
    clear(s)


def test_given_to_another(s, t):
    """the parent gives the work to another node meanwhile"""
    feeds = make_feeds(s, 1, first=600)
    make_task(s, "to", feeds)
    dispatch(s, "to")
    wire = Wire(s)
    journal, other = journal_of(s, "first"), journal_of(s, "second")
    with Child(s, "first", collect(journal, 4, 1), concurrency=1, url=wire.url) as child:
        t.ok(wait_for(lambda: rows(s, "to", status="executing"), 30), "one works")
        wire.cut()
        t.ok(wait_for(lambda: rows(s, "to", status="pending"), 30), "and is given up")
        with Child(s, "second", collect(other, 8, 1), concurrency=1):
            t.ok(wait_for(lambda: times(other, "begin"), 30), "another begins")
            t.ok(wait_for(lambda: times(journal, "end"), 30), "the first ends")
            wire.mend()
            t.ok(wait_for(lambda: child.events("revoked"), 30), "and is told that its report is not wanted")
            t.ok(wait_for(lambda: child.status()["spool"]["attempts"] == 0), "it drops it")
            t.ok(wait_for(lambda: all_are(s, "to"), 30), "the other completes it")
        (row,) = rows(s, "to")
        t.eq([a["outcome"] for a in allocation(s, row["id"])["attempts"]], ["node_lost", "completed"], "one attempt each")
        t.eq(times(journal, "begin"), {(feeds[0], row["id"]): 1}, "the first does not begin it again")
    wire.close()
    consistent(s, t)
    clear(s)


run(test_given_up, test_given_to_another, workers=4,
    env={"CASCADE_NODE_OFFLINE_AFTER": "3s", "CASCADE_NODE_TOUCH": "1s", "CASCADE_CASCADED_REFRESH": "1s",
         "CASCADE_DISPATCH_PREFER": "1s"})
