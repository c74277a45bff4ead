#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
16 concurrent claimers over 5,000 pending allocations: each handed out exactly once, every claimer
within its capacity at every moment (from the database's own history), quotas and capacity steering.
"""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import SLOW, run, wait_for  # noqa: E402
from work import claim, clear, complete, consistent, dispatch, make_feeds, make_task  # noqa: E402

CLAIMERS = 16
TOTAL = 5000 if SLOW == 1 else 400


def work_off(node, limit, got, every, errors, capacity):
    """Claims up to CAPACITY, completes the half of it, until all are handed out and it holds none."""
    held, ends = [], time.monotonic() + 150 * SLOW
    while held or sum(map(len, every)) < TOTAL:
        answer = node.get("/pending-tasks?limit=%d" % limit)
        if answer.status != 200 or time.monotonic() > ends:
            errors.append(repr(answer))
            return
        packages = answer.data["list"] if limit > 1 else [answer.data] if answer.data else []
        held += packages
        got += [p["allocation_id"] for p in packages]
        if len(held) > capacity:
            errors.append("%s holds %d" % (node.id, len(held)))
        if not packages and not held:
            time.sleep(0.05)  # all that is left is reserved for others: a child polls on
        for package in held[:max(1, len(held) // 2)]:
            done = complete(node, package)
            if done.status != 200:
                errors.append(repr(done))
            held.remove(package)


def test_claimers(s, t):
    """16 claimers"""
    make_task(s, "big", None)
    make_feeds(s, TOTAL)
    # Every change of a node's count, as it was committed: the history that the check reads.
    s.sql("CREATE TABLE test_history (at BIGINT AUTO_INCREMENT PRIMARY KEY, node INT, open_count INT, max_capacity INT)")
    s.sql("CREATE TRIGGER test_history AFTER UPDATE ON cascade_node FOR EACH ROW"
          " INSERT INTO test_history (node, open_count, max_capacity) VALUES (NEW.seq, NEW.open_count, NEW.max_capacity)")
    nodes = [s.new_node("claimer%d" % n, sync_config={"max_capacity": 1 + n % 5}) for n in range(CLAIMERS)]
    t.eq(dispatch(s, "big")["data.allocations_created"], TOTAL, "%d allocations" % TOTAL)
    got, errors = [[] for _ in nodes], []
    threads = [threading.Thread(target=work_off, args=(node, 1 + n % 3, got[n], got, errors, 1 + n % 5))
               for n, node in enumerate(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [id for ids in got for id in ids]
    t.eq(errors[:5], [], "no error, no claimer beyond its capacity")
    t.eq((len(every), len(set(every))), (TOTAL, TOTAL), "every allocation was handed out exactly once")
    t.ok(min(len(ids) for ids in got) > 0, "every claimer had a share", str([len(ids) for ids in got]))
    t.eq(s.value("SELECT COUNT(*) FROM test_history WHERE open_count > max_capacity"), "0",
         "no node was ever above its capacity")
    t.ok(int(s.value("SELECT COUNT(*) FROM test_history")) >= 2 * TOTAL, "the history is complete")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_attempt WHERE outcome = 'completed'"), str(TOTAL), "each is one attempt")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_attempt WHERE outcome <> 'completed'"), "0", "and no other")
    consistent(s, t)
    s.sql("DROP TRIGGER test_history")


def test_many_at_once(s, t):
    """ten at a time: the node's own first, then the pool's, together or one by one"""
    clear(s)
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR, last_heartbeat_at = NULL")
    s.sql("DELETE FROM we_cascade_sync_logs")
    s.stop("cascaded")  # what is assigned below is all, and stays
    nodes = [s.new_node("ten%d" % n, sync_config={"max_capacity": 100}) for n in range(8)]
    make_task(s, "ten", make_feeds(s, 403, first=40000))
    dispatch(s, "ten")
    one = nodes[0]
    number = s.value("SELECT seq FROM cascade_node WHERE node_id = '%s'" % one.id)
    s.sql("UPDATE cascade_open SET node = %s, ver = ver + 1, assigned_at = NOW(3) WHERE state = 0 AND node = 0"
          " ORDER BY seq DESC LIMIT 3" % number)
    s.sql("UPDATE cascade_node SET open_count = 3 WHERE seq = %s" % number)
    own = {r["id"] for r in s.sql("SELECT id FROM cascade_open WHERE node = %s" % number)}
    first = one.get("/pending-tasks?limit=10").data["list"]
    t.eq(len(first), 10, "ten")
    t.eq({p["allocation_id"] for p in first[:3]}, own, "the node's own lead")
    t.eq({len(p["feeds"]) for p in first} | {p["attempt"] for p in first}, {1}, "each with its feed, for the first time")
    t.eq(s.value("SELECT open_count FROM cascade_node WHERE seq = %s" % number), "10", "the others took room")
    logs = s.sql("SELECT data_count, extra_data FROM we_cascade_sync_logs WHERE operation = 'claim_task'")
    t.ok(len(logs) <= 2, "the sync log has a row for what was claimed together", repr(logs))
    t.eq(sum(int(row["data_count"]) for row in logs), 10, "with its feeds")
    named = [a for row in logs for a in json.loads(row["extra_data"])["allocations"]]
    t.eq(sorted(named, key=lambda a: a["allocation_id"]),
         sorted(({"allocation_id": p["allocation_id"], "task_id": "ten", "attempt": 1} for p in first),
                key=lambda a: a["allocation_id"]), "and names them all")
    shown = s.sql("SELECT status, node_id, claimed_at IS NULL AS never FROM we_cascade_task_allocations WHERE id IN (%s)"
                  % ", ".join("'%s'" % p["allocation_id"] for p in first))
    t.eq({(r["status"], r["node_id"], r["never"]) for r in shown}, {("claimed", one.id, "0")}, "all are shown as claimed")

    # what a worker has at the head of its list has become the node's own since: it is handed out once
    several = []
    for n in range(30):  # each worker has a class of its own
        s.sql("UPDATE cascade_open SET node = %s, ver = ver + 1, assigned_at = NOW(3) WHERE state = 0 AND node = 0"
              " AND seq MOD 4 = %d ORDER BY order_at, seq LIMIT 1" % (number, n % 4))
        s.sql("UPDATE cascade_node SET open_count = open_count + 1, assigned = assigned + 1 WHERE seq = %s" % number)
        several += one.get("/pending-tasks?limit=2").data["list"]
    t.eq([len(p["feeds"]) for p in several], [1] * 60, "60 packages, each with its feed once")
    t.eq(len({p["allocation_id"] for p in several}), 60, "and each once")

    # all want the same rows: half of the list is behind what is taken by others meanwhile
    got, errors = [], []

    def take(node):
        while True:
            answer = node.get("/pending-tasks?limit=10")
            if answer.status != 200:
                errors.append(repr(answer))
            if answer.status != 200 or not answer.data["list"]:
                return
            got.extend(p["allocation_id"] for p in answer.data["list"])
    threads = [threading.Thread(target=take, args=(node,)) for node in nodes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.eq(errors[:3], [], "16 at once, no error")
    t.eq((len(got), len(set(got))), (333, 333), "all that is left, each once; nobody went away too early")
    t.eq(one.get("/pending-tasks?limit=10").data["list"], [], "and no more")
    consistent(s, t)
    clear(s)

    # room for less than is asked for, and for none but what is the node's own
    small = s.new_node("small", sync_config={"max_capacity": 4})
    make_task(s, "room", make_feeds(s, 20, first=50000))
    dispatch(s, "room")
    t.eq(len(small.get("/pending-tasks?limit=10").data["list"]), 4, "as many as there is room for")
    s.sql("UPDATE cascade_open SET node = (SELECT seq FROM cascade_node WHERE node_id = '%s'), ver = ver + 1, assigned_at = NOW(3)"
          " WHERE state = 0 AND node = 0 LIMIT 2" % small.id)
    s.sql("UPDATE cascade_node SET open_count = open_count + 2 WHERE node_id = '%s'" % small.id)
    t.eq(len(small.get("/pending-tasks?limit=10").data["list"]), 2, "what is its own it gets beyond that")
    full = small.get("/pending-tasks?limit=10")
    t.eq(full.data["list"], [], "no more")
    t.ok("6/4" in full["message"], "which is said", full["message"])
    clear(s)
    s.start("cascaded")


def test_one_node_many_connections(s, t):
    """one credential used by many at once stays within its capacity"""
    s.sql("DELETE FROM cascade_attempt")
    # the claimers from before are gone: nothing is reserved for them
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR, last_heartbeat_at = NULL")
    node = s.new_node("shared", sync_config={"max_capacity": 7})
    make_task(s, "shared", make_feeds(s, 40, first=20000))
    dispatch(s, "shared")
    got = []
    threads = [threading.Thread(target=lambda: got.append(claim(node))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    packages = [p for p in got if p]
    t.eq((len(packages), len({p["allocation_id"] for p in packages})), (7, 7), "7 of 24 claims get work")
    full = node.post("/claim-task")
    t.ok("暂无待处理任务" in full["message"] and "7/7" in full["message"], "the others are told why", full["message"])
    complete(node, packages[0])
    t.ok(claim(node), "a place that is free is filled again")
    s.admin().post("/dispatch-task?task_id=shared&force=1")
    consistent(s, t)


def test_quota(s, t):
    """feed_quota steers assignment and claims"""
    feeds = make_feeds(s, 6, first=30000)
    clear(s)
    s.sql("UPDATE cascade_node SET last_seen_at = NULL")
    wanted = s.new_node("wanted", sync_config={"max_capacity": 10, "feed_quota": {f: 1 for f in feeds[:3]}})
    other = s.new_node("other", sync_config={"max_capacity": 10})
    for node in (wanted, other):
        node.post("/heartbeat")
    make_task(s, "quota", feeds)
    dispatch(s, "quota")
    assigned = "SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_id = 'quota' AND node_id IS NOT NULL"
    t.ok(wait_for(lambda: s.value(assigned) == "6", 10), "all is assigned")
    rows = s.sql("SELECT node_id, feed_ids FROM we_cascade_task_allocations WHERE task_id = 'quota'")
    for feed in feeds[:3]:
        t.eq([r["node_id"] for r in rows if feed in r["feed_ids"]], [wanted.id], "%s goes to the node that wants it" % feed)
    t.eq(sorted(r["node_id"] for r in rows).count(other.id), 3, "the rest is spread by load")
    mine = [claim(other) for _ in range(4)]
    t.eq(len([p for p in mine if p]), 3, "a claim takes the node's own work, and leaves what is reserved for others")
    t.ok(not set(feeds[:3]) & {p["feeds"][0]["id"] for p in mine if p}, "and never what another has the quota for")
    answer = other.post("/claim-task")
    t.ok(answer.data is None and "暂无待处理任务" in answer["message"], "then there is nothing for it")
    for _ in range(3):
        complete(wanted, claim(wanted))
    consistent(s, t)


run(test_claimers, test_many_at_once, test_one_node_many_connections, test_quota, workers=4,
    env={"CASCADE_LEASE_CLAIM": "1h", "CASCADE_SERVER_MAX_REQUESTS": "3000"})
