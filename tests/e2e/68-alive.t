#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Signs of life that come thick and fast are written together half a second later; of whoever is not shown
online, and of whoever comes alone, at once. None is lost where a worker ends as told. One worker, no cascaded.
"""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402

# so that each heartbeat is due, and no node is taken for offline meanwhile
AGO = "NOW(3) - INTERVAL 30 SECOND"
OLD = ("SELECT COUNT(*) FROM cascade_node n JOIN we_cascade_nodes w ON w.id = n.node_id WHERE n.node_id IN (%s)"
       " AND (n.last_heartbeat_at < NOW(3) - INTERVAL 20 SECOND OR n.last_seen_at < NOW(3) - INTERVAL 20 SECOND"
       "  OR w.last_heartbeat_at < NOW() - INTERVAL 20 SECOND OR w.status <> 1)")


def names(nodes):
    return ", ".join("'%s'" % node.id for node in nodes)


def old(s, nodes):
    """How many of NODES have an old sign of life."""
    return int(s.value(OLD % names(nodes)))


def age(s, nodes, online=1):
    s.sql("UPDATE cascade_node SET online = %d, last_heartbeat_at = %s, last_seen_at = %s WHERE node_id IN (%s);"
          "UPDATE we_cascade_nodes SET status = %d, last_heartbeat_at = %s WHERE id IN (%s)"
          % (online, AGO, AGO, names(nodes), online, AGO, names(nodes)))
    assert old(s, nodes) == len(nodes)


def written(s):
    """Heartbeats written alone, and together."""
    page = s.http("GET", "/metrics").body.decode()
    return [int(re.search(r'cascade_heartbeats_written_total\{how="%s"\} (\d+)' % how, page).group(1))
            for how in ("alone", "together")]


def beat(t, nodes):
    answers = [node.post("/heartbeat") for node in nodes]
    t.eq([a.status for a in answers], [200] * len(nodes), "%d heartbeats" % len(nodes), *map(repr, answers))


def since(before, after):
    return [b - a for a, b in zip(before, after)]


def make(s, t, count):
    """COUNT nodes that are shown online, and a worker that has written nothing for a while."""
    nodes = [s.new_node("alive-%d-%d" % (count, n)) for n in range(count)]
    beat(t, nodes)
    t.ok(wait_for(lambda: old(s, nodes) == 0, 10), "the first heartbeat of each is written")
    age(s, nodes)
    return nodes


def test_together(s, t):
    """many at once"""
    nodes = make(s, t, 40)
    before = written(s)
    beat(t, nodes)
    t.ok(wait_for(lambda: old(s, nodes) == 0, 10), "all are written", old(s, nodes))
    alone, together = since(before, written(s))
    t.eq(alone + together, 40, "each once")
    t.ok(together >= 20, "most of them together", alone, together)
    beat(t, nodes)
    t.eq(since(before, written(s)), [alone, together], "and not again within node.touch")


def test_at_once(s, t):
    """whoever is not shown online; whoever comes alone"""
    nodes = make(s, t, 6)
    age(s, nodes, online=0)
    before = written(s)
    for node in nodes:
        beat(t, [node])
        t.eq(old(s, [node]), 0, "it is shown online when it has its answer")
    t.eq(since(before, written(s)), [6, 0], "one by one")
    many = make(s, t, 60)
    age(s, many, online=0)
    before = written(s)
    beat(t, many)
    t.ok(wait_for(lambda: old(s, many) == 0, 10), "many that come back at once are all shown online", old(s, many))
    t.eq(sum(since(before, written(s))), 60, "each once")
    # what was noted is written within half a second, and then nothing is in the way
    quiet = nodes[0]

    def lone():
        age(s, [quiet])
        count = written(s)
        quiet.post("/heartbeat")
        return since(count, written(s)) == [1, 0] and old(s, [quiet]) == 0
    t.ok(wait_for(lone, 20, 1), "one that comes alone is written at once")


def test_end(s, t):
    """a worker that is told to end writes what it has noted; so does one that is replaced"""
    nodes = make(s, t, 20)
    beat(t, nodes)
    s.stop("cascade-fcgi")
    t.eq(old(s, nodes), 0, "stopped")
    s.start("cascade-fcgi")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200, 30), "started again")
    age(s, nodes)
    beat(t, nodes)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(wait_for(lambda: old(s, nodes) == 0, 10), "replaced", old(s, nodes))


def test_away(s, t):
    """the database away: what was noted is written when it is back"""
    nodes = make(s, t, 20)
    beat(t, nodes[:10])
    s.stop("mariadbd")
    s.start("mariadbd")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200, 30), "it is back")
    t.ok(wait_for(lambda: old(s, nodes[:10]) == 0, 20), "nothing was lost", old(s, nodes[:10]))


def test_inactive(s, t):
    """one that was switched off between its heartbeat and the write is not shown online by it"""
    nodes = make(s, t, 20)
    off = nodes[-1]
    beat(t, nodes)
    s.sql("UPDATE cascade_node SET active = 0 WHERE node_id = '%s'; UPDATE we_cascade_nodes SET is_active = 0, status = 0"
          " WHERE id = '%s'" % (off.id, off.id))
    t.ok(wait_for(lambda: old(s, nodes[:-1]) == 0, 10), "the others are")
    status = s.value("SELECT status FROM we_cascade_nodes WHERE id = '%s'" % off.id)
    t.eq(status, "0", "it is not")


run(test_together, test_at_once, test_end, test_away, test_inactive, workers=1, cascaded=False)
