#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What each request costs the database, by its own counters: statements, commits (as its binary log counts
them), temporary tables on disk, and rows read. One request at a time; the least of several, since a beat may fall between two readings.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run  # noqa: E402
from cost import Cost  # noqa: E402
from work import article, claim, complete, dispatch, make_feeds, make_task, status, upload  # noqa: E402

WAITING = 900
COUNTERS = ("Questions", "Binlog_commits", "Created_tmp_disk_tables", "Handler_read%")


def must(answer, code=200):
    if answer.status != code:
        raise RuntimeError(repr(answer))
    return answer


def test_cost(s, t):
    """statements, commits, temporary files and rows read"""
    feeds = make_feeds(s, WAITING)
    make_task(s, "cost", feeds)
    node = s.new_node("cost", sync_config={"max_capacity": 500})
    must(dispatch(s, "cost"))
    numbers = iter(range(1, 1000000))

    def held():
        package = claim(node)
        must(status(node, package, "executing"))
        return package

    def fresh():
        package = claim(node)
        return package, [article(package["feeds"][0]["id"], next(numbers)) for _ in range(5)]

    def silent(_=None):
        s.sql("UPDATE cascade_node SET last_heartbeat_at = NULL")

    cost = Cost(s, *COUNTERS)
    cases = [
        # request, what it needs; statements, commits, temporary files, most rows read
        ("a heartbeat soon after the last", lambda _: must(node.post("/heartbeat")), lambda: None, 1, 0, 0, 4),
        ("a heartbeat that is due", lambda _: must(node.post("/heartbeat")), silent, 2, 1, 0, 10),
        ("a claim", lambda _: must(node.post("/claim-task"))["data.allocation_id"], lambda: None, 3, 1, 0, 24),
        ("ten claims at once", lambda _: must(node.get("/pending-tasks?limit=10"))["data.list.9.attempt"], lambda: None, 3, 1, 1, 240),
        ("executing", lambda p: must(status(node, p, "executing")), lambda: claim(node), 3, 1, 0, 12),
        ("completion", lambda p: must(complete(node, p)), held, 3, 1, 0, 40),
        ("an upload of 5 new articles", lambda g: must(upload(node, *g)), fresh, 9, 1, 0, 60),
        ("feeds", lambda _: must(node.get("/feeds")), lambda: None, 3, 1, 0, WAITING + 20),
    ]
    for name, request, prepare, statements, commits, files, rows in cases:
        got = cost.of(request, prepare)
        t.eq(got[0], statements, "%s: %d statements" % (name, statements))
        t.eq(got[1], commits, "%s: %d commits" % (name, commits))
        t.eq(got[2], files, "%s: %d temporary files" % (name, files))
        t.ok(got[3] <= rows, "%s: at most %d rows read, of %d waiting" % (name, rows, WAITING), "read: %d" % got[3])


def test_assigned(s, t):
    """work that is assigned"""
    node = s.new_node("second", sync_config={"max_capacity": 500})
    make_task(s, "more", make_feeds(s, WAITING, first=5000))
    must(dispatch(s, "more"))
    s.sql("UPDATE cascade_open SET node = (SELECT seq FROM cascade_node WHERE node_id = '%s'), assigned_at = NOW(3)"
          " WHERE state = 0 AND node = 0" % node.id)
    s.sql("UPDATE cascade_node SET open_count = (SELECT COUNT(*) FROM cascade_open o WHERE o.node = cascade_node.seq)")
    for _ in range(100):
        must(node.post("/claim-task"))
    got = Cost(s, *COUNTERS).of(lambda _: must(node.post("/claim-task")))
    t.eq(got[:3], [3, 1, 0], "a claim of assigned work is three statements, a commit and no temporary file")
    t.ok(got[3] <= 24, "and reads as little as one of the pool", "read: %d" % got[3])


run(test_cost, test_assigned, workers=1, cascaded=False,
    env={"CASCADE_STACK_MARIADBD": "--log-bin=binlog --server-id=1", "CASCADE_NODE_TOUCH": "60s", "CASCADE_LEASE_CLAIM": "1h"})
