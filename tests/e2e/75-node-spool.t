#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node's spool: when it is full nothing more is claimed; each instance has its own."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Hook, all_are, collect, journal_of, rows  # noqa: E402
from work import allocation, clear, consistent, dispatch, make_feeds, make_task  # noqa: E402


def test_pressure(s, t):
    """the spool is full"""
    hook = Hook([500] * 1000)
    make_task(s, "tp", make_feeds(s, 30, first=400), message_type=1, web_hook_url=hook.url)
    journal = journal_of(s, "pressure")
    dispatch(s, "tp")
    with Child(s, "pressure", collect(journal, 0, 100), concurrency=10, capacity=60, spool__max="200k", message__backoff=1,
               message__tries=100) as child:
        t.ok(wait_for(lambda: child.events("pressure"), 30), "it says that its spool is full")
        t.ok(wait_for(lambda: "spool.max" in (child.status()["claims_nothing_because"] or ""), 5), "so does its status",
             child.status())
        held = len(child.events("claimed"))
        t.ok(held < 30, "not everything was claimed", held)
        hook.close()
        child.write_conf(message__tries=1)
        child.kill(signal.SIGHUP)
        t.ok(wait_for(lambda: all_are(s, "tp"), 60), "when it empties, work goes on to the end",
             [r["status"] for r in rows(s, "tp")], child.status())
        results = [allocation(s, r["id"])["result_summary"] for r in rows(s, "tp")]
        t.ok("message_error" in str(results[0]), "that a message was not taken is reported", results[0])
        t.eq(s.value("SELECT COUNT(*) FROM we_articles WHERE mp_id >= 'MP_WXS_3000000400'"), "3000", "no article was lost")
    consistent(s, t)
    clear(s)


def test_instances(s, t):
    """two instances on one machine"""
    journal = journal_of(s, "two")
    make_task(s, "ti", make_feeds(s, 6, first=500))
    one = Child(s, "two", collect(journal, 0.2, 1), instance="one", concurrency=1)
    two = Child(s, "two-b", collect(journal, 0.2, 1), instance="two", concurrency=1)
    two.write_conf(cascade__state_dir=one.state)
    two.state = one.state
    with one, two:
        t.ok(wait_for(lambda: one.status() and two.status(), 20), "both run")
        again = one.run("run")
        t.eq((again.returncode, "in use by process %d" % one.process.pid in again.stderr), (75, True),
             "an instance runs once", again.stderr)
        dispatch(s, "ti")
        t.ok(wait_for(lambda: all_are(s, "ti"), 30), "they work")
        t.eq(len({r["node_id"] for r in rows(s, "ti")}), 2, "both")
    t.eq(sorted(os.listdir(one.state)), ["one", "two"], "each in a directory of its own")
    clear(s)


run(test_pressure, test_instances, workers=4, env={"CASCADE_DISPATCH_PREFER": "1s"})
