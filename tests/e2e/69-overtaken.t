#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A claim that is overtaken: between its look and its taking somebody assigns, to this node or to another, what
it was about to take. One worker, so that what it remembers is known, and no cascaded: the test assigns.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from cost import Cost  # noqa: E402
from work import claim, clear, consistent, dispatch, feed_id, make_feeds, make_task  # noqa: E402

ROUNDS = 5
HELD_S = 0.4  # how long the assignment keeps its locks: the claim has looked by then, and waits
ASSIGN = ("START TRANSACTION; SELECT seq INTO @node FROM cascade_node WHERE node_id = '%s' FOR UPDATE;"
          "UPDATE cascade_open SET node = @node, ver = ver + 1, assigned_at = NOW(3) WHERE state = 0 AND node = 0;"
          "UPDATE cascade_node SET open_count = open_count + ROW_COUNT(), assigned = assigned + 1 WHERE seq = @node;"
          "UPDATE we_cascade_task_allocations a JOIN cascade_open o ON o.id = a.id SET a.node_id = '%s'"
          " WHERE o.state = 0 AND o.node = @node; SELECT SLEEP(%s); COMMIT")


def assigning(s, node):
    """Somebody who assigns what waits to NODE, and has not committed yet."""
    process = subprocess.Popen(["mariadb", "--no-defaults", "-S", s.db_socket, s.db_name, "-e", ASSIGN % (node.id, node.id, HELD_S)],
                               stdout=subprocess.DEVNULL)
    waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'"
    assert wait_for(lambda: s.value(waits) == "1", 10, 0.01)
    return process


def overtaken(s, t, number, to_itself):
    """Claims one of two, then the other while it is assigned; the latter's package."""
    clear(s)
    node = s.new_node("claims-%d" % number, sync_config={"max_capacity": 2})
    other = s.new_node("other-%d" % number, sync_config={"max_capacity": 2})
    for one in (node, other):
        one.post("/heartbeat")
    make_task(s, "two-%d" % number, [feed_id(n) for n in (1, 2)])
    dispatch(s, "two-%d" % number)
    t.ok(claim(node), "one of two")
    process = assigning(s, node if to_itself else other)
    package = claim(node)
    process.wait()
    consistent(s, t)
    return node, other, package


def test_to_itself(s, t):
    """assigned to the node that claims: it has it"""
    make_feeds(s, 2)
    for number in range(ROUNDS):
        _, _, package = overtaken(s, t, number, True)
        t.ok(package, "the other one, though it was nobody's when it looked, and the node is full with it")


def test_to_another(s, t):
    """assigned to another: that one has it"""
    for number in range(ROUNDS, 2 * ROUNDS):
        node, other, package = overtaken(s, t, number, False)
        t.eq(package, None, "nothing is left")
        t.ok(claim(other), "the other node has it")
        t.eq(claim(node), None, "and nobody has it twice")


def test_walk(s, t):
    """one that has to walk all that waits, since none of it is for this node, reads it in the order of its index"""
    clear(s)
    feeds = make_feeds(s, 700, first=1000)
    node = s.new_node("walks", sync_config={"max_capacity": 2})
    other = s.new_node("preferred", sync_config={"max_capacity": 2, "feed_quota": {feed: 1 for feed in feeds}})
    for one in (node, other):
        one.post("/heartbeat")
    make_task(s, "walked", feeds)
    dispatch(s, "walked")
    rows, sorted_rows = Cost(s, "Handler_read%", "Sort_rows").of(lambda _: t.eq(claim(node), None, "all is for another"))
    t.ok(rows >= 700, "it looks at all of it: %d rows" % rows)
    t.ok(sorted_rows < 100, "and sorts none: %d rows" % sorted_rows)
    t.ok(claim(other), "the other gets it")


run(test_to_itself, test_to_another, test_walk, workers=1, cascaded=False, env={"CASCADE_DISPATCH_PREFER": "10m"})
