#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Rebalancing: what is assigned and unclaimed follows the nodes as they come, go, drain, fill up and idle."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import claim, clear, complete, consistent, dispatch, make_feeds, make_task, status  # noqa: E402

serial = iter(range(1, 100))


def fresh(s, count, **nodes):
    """Nodes of these capacities, all alive, and a dispatched task of COUNT feeds, after what was there before."""
    s.sql("UPDATE we_cascade_nodes SET is_active = 0")
    clear(s)
    made = {name: join(s, name, capacity) for name, capacity in nodes.items()}
    n = next(serial)
    make_task(s, "b%d" % n, make_feeds(s, count, first=n * 1000))
    dispatch(s, "b%d" % n)
    return made


def join(s, name, capacity, **quota):
    node = s.new_node(name, sync_config={"max_capacity": capacity, "feed_quota": quota})
    node.post("/heartbeat")
    return node


def rows(s, nodes):
    """(open, assigned, held, capacity) of each of NODES, as the database has it."""
    ids = ", ".join("'%s'" % node.id for node in nodes)
    got = s.sql("SELECT n.node_id, n.open_count, n.max_capacity, COUNT(IF(o.state = 0, 1, NULL)) AS assigned"
                " FROM cascade_node n LEFT JOIN cascade_open o ON o.node = n.seq"
                " WHERE n.node_id IN (%s) GROUP BY n.seq" % ids)
    by_id = {r["node_id"]: r for r in got}
    return [(int(r["open_count"]), int(r["assigned"]), int(r["open_count"]) - int(r["assigned"]),
             int(r["max_capacity"])) for r in (by_id[node.id] for node in nodes)]


def ideals(state):
    """By halving: the level at which the nodes, above what they hold and below their capacity, hold it all."""
    low, high = 0.0, 1000.0
    for _ in range(100):
        level = (low + high) / 2
        loads = [min(max(held, capacity), max(held, level * capacity)) for _, _, held, capacity in state]
        low, high = (level, high) if sum(loads) < sum(r[0] for r in state) else (low, level)
    return [min(max(held, capacity), max(held, high * capacity)) for _, _, held, capacity in state]


def is_balanced(state):
    return all(abs(row[0] - ideal) <= 1 + 1e-6 and row[0] <= max(row[2], row[3])
               for row, ideal in zip(state, ideals(state)))


def balanced(s, t, nodes, work, name):
    """They get there, all WORK of it is theirs, and then nothing moves any more."""
    state = wait_for(lambda: (lambda r: r if sum(x[0] for x in r) == work and is_balanced(r) else None)(rows(s, nodes)))
    t.ok(state, name, repr(rows(s, nodes)), repr(ideals(rows(s, nodes))))
    return state


def versions(s):
    return s.sql("SELECT seq, ver, node FROM cascade_open ORDER BY seq")


def beat(s):
    """The number of ticks grows by this: cascaded has looked at everything again."""
    seen = s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'")
    for _ in range(3):
        wait_for(lambda: s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'") != seen)
        seen = s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'")


def test_coming(s, t):
    """nodes come"""
    nodes = fresh(s, 30, one=30)
    balanced(s, t, nodes.values(), 30, "one node has it all")
    nodes["two"] = join(s, "two", 30)
    state = balanced(s, t, nodes.values(), 30, "a second one gets its half")
    t.eq(state and abs(state[0][0] - state[1][0]) <= 2, True, "as good as half", repr(state))
    nodes["three"] = join(s, "three", 10)
    balanced(s, t, nodes.values(), 30, "a third one its share by capacity")
    before = versions(s)
    beat(s)
    t.eq(versions(s), before, "and then nothing moves any more")
    consistent(s, t)


def test_claimed_stays(s, t):
    """what is held does not move"""
    nodes = fresh(s, 12, one=12)
    balanced(s, t, nodes.values(), 12, "one node has it all")
    packages = [claim(nodes["one"]) for _ in range(9)]
    for package in packages[:4]:
        status(nodes["one"], package, "executing")
    held = s.sql("SELECT seq, ver, node FROM cascade_open WHERE state > 0 ORDER BY seq")
    nodes["two"] = join(s, "two", 12)
    state = balanced(s, t, nodes.values(), 12, "the rest goes to a second node")
    t.ok(state and state[0][0] <= 10 and state[0][2] == 9, "as far as it can", repr(state))
    t.eq(s.sql("SELECT seq, ver, node FROM cascade_open WHERE state > 0 ORDER BY seq"), held, "nothing held was touched")
    for package in packages:
        complete(nodes["one"], package)
    balanced(s, t, nodes.values(), 3, "once it idles it is given some again")
    consistent(s, t)


def test_going(s, t):
    """nodes drain, shrink and go"""
    nodes = fresh(s, 24, one=12, two=12, three=12)
    balanced(s, t, nodes.values(), 24, "three nodes share")
    s.admin().post("/nodes/%s/drain" % nodes["one"].id)
    balanced(s, t, [nodes["two"], nodes["three"]], 24, "two, when the first drains")
    s.admin().post("/nodes/%s/resume" % nodes["one"].id)
    balanced(s, t, nodes.values(), 24, "three again")
    s.admin().put("/nodes/%s" % nodes["two"].id, {"sync_config": {"max_capacity": 3}})
    state = balanced(s, t, nodes.values(), 24, "one that shrinks gives away what it may no longer have")
    t.ok(state and state[1][0] <= 3, "and is within its capacity", repr(state))
    s.admin().put("/nodes/%s" % nodes["three"].id, {"is_active": False})
    left = [nodes["one"], nodes["two"]]
    t.ok(wait_for(lambda: sum(r[0] for r in rows(s, left)) == 15), "those that stay are filled up", repr(rows(s, left)))
    s.admin().put("/nodes/%s" % nodes["one"].id, {"sync_config": {"max_capacity": 2}})
    t.ok(wait_for(lambda: [r[0] for r in rows(s, left)] == [2, 3]), "what nobody has room for goes to the pool",
         repr(rows(s, left)))
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open WHERE node = 0"), "19", "and waits there")
    consistent(s, t)


def test_quota_and_failures(s, t):
    """quotas and failures have their say"""
    nodes = fresh(s, 10, one=20)
    balanced(s, t, nodes.values(), 10, "one node has it all")
    feeds = [r["feed_id"] for r in s.sql("SELECT feed_id FROM cascade_open_feed ORDER BY feed_id")]
    wants = join(s, "wants", 20, **{f: 5 for f in feeds[:8]})
    theirs = ("SELECT COUNT(*) FROM cascade_open o JOIN cascade_open_feed f ON f.open_seq = o.seq"
              " JOIN cascade_node n ON n.seq = o.node WHERE n.node_id = '%s' AND f.feed_id IN (%s)"
              % (wants.id, ", ".join("'%s'" % f for f in feeds[:8])))
    t.ok(wait_for(lambda: s.value(theirs) == "8"), "a node with quota gets its feeds, past its share")
    join(s, "other", 20)
    beat(s)
    t.eq(s.value(theirs), "8", "where they stay, also when another comes")
    consistent(s, t)
    nodes = fresh(s, 8, one=8)
    balanced(s, t, nodes.values(), 8, "one node has it all")
    failed = s.new_node("failed", sync_config={"max_capacity": 8})
    s.sql("UPDATE cascade_open SET failed_nodes = (SELECT seq FROM cascade_node WHERE node_id = '%s')"
          " ORDER BY seq LIMIT 6" % failed.id)
    failed.post("/heartbeat")
    t.ok(wait_for(lambda: rows(s, [failed])[0][0] == 2), "one that failed at most of it gets only the rest",
         repr(rows(s, [failed])))
    consistent(s, t)


def test_race(s, t):
    """nodes claim while it is moved about"""
    nodes = fresh(s, 70, one=40, two=40)
    claims, wrong, codes, stop = [], [], [], threading.Event()

    def refresh():
        while not stop.is_set():
            codes.append(s.ctl("node", "refresh").returncode)
    others = [threading.Thread(target=refresh, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    for turn in range(20):
        name = "n%d" % turn
        if turn % 5 == 0:
            nodes[name] = join(s, name, 20)
        if turn % 7 == 3:
            s.admin().post("/nodes/%s/%s" % (nodes["two"].id, "drain" if turn % 2 else "resume"))
        wrong += s.sql("SELECT n.seq, n.open_count, n.max_capacity, COUNT(o.seq) AS has FROM cascade_node n"
                       " LEFT JOIN cascade_open o ON o.node = n.seq GROUP BY n.seq"
                       " HAVING n.open_count > n.max_capacity OR n.open_count <> has")
        for node in nodes.values():
            package = claim(node)
            if package:
                claims.append((node, package))
    stop.set()
    for other in others:
        other.join()
    t.eq(set(codes), {0}, "those who rebalance at the same time do not disturb each other", codes)
    t.eq(len({package["allocation_id"] for _, package in claims}), len(claims), "nothing is claimed twice")
    t.eq({complete(node, package).status for node, package in claims}, {200}, "its holder completes it")
    done = s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE status = 'completed' AND task_id ="
                   " (SELECT task_id FROM cascade_task ORDER BY seq DESC LIMIT 1)")
    t.eq(int(done), len(claims), "what was claimed is completed, each once")
    t.ok(len(claims) >= 40, "and that is much of it", len(claims))
    t.eq(wrong, [], "at no moment is a node above its capacity, or its count wrong")
    consistent(s, t)


run(test_coming, test_claimed_stays, test_going, test_quota_and_failures, test_race, workers=2,
    env={"CASCADE_CASCADED_TICK": "1s", "CASCADE_CASCADED_REFRESH": "1s", "CASCADE_LEASE_CLAIM": "10m",
         "CASCADE_DISPATCH_PREFER": "10m"})
