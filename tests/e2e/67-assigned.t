#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Large dispatches, which create their allocations assigned. cascaded does not run until the end: whatever is
assigned before was assigned by the dispatch.
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import claim, complete, consistent, dispatch, feed_id, make_feeds, make_task  # noqa: E402

BATCH = 1000  # the least that is created assigned
serial = iter(range(1, 100))


def nodes(s, *capacities):
    """New nodes of these capacities, alive, after what was there before."""
    s.sql("UPDATE cascade_node SET last_seen_at = NULL")
    empty(s)
    return [join(s, capacity) for capacity in capacities]


def join(s, capacity):
    node = s.new_node("n%d" % next(serial), sync_config={"max_capacity": capacity})
    node.post("/heartbeat")
    return node


def empty(s):
    """Nothing is open; cancelling thousands would take too long."""
    for table in ("cascade_open", "cascade_open_feed", "cascade_attempt", "cascade_run", "we_cascade_task_allocations"):
        s.sql("DELETE FROM " + table)
    s.sql("UPDATE cascade_node SET open_count = 0")


def task(s, count, **more):
    """A task on COUNT feeds of its own; its id, and the number of the first."""
    n = next(serial)
    first = n * 10000
    return make_task(s, "t%d" % n, make_feeds(s, count, first=first), **more), first


def loads(s, made):
    by_id = {r["node_id"]: int(r["open_count"]) for r in s.sql("SELECT node_id, open_count FROM cascade_node")}
    return [by_id[node.id] for node in made]


def waiting(s):
    """How much is nobody's."""
    return int(s.value("SELECT COUNT(*) FROM cascade_open WHERE state = 0 AND node = 0"))


def set_node(s, node, assignment):
    s.sql("UPDATE cascade_node SET %s WHERE node_id = '%s'" % (assignment, node.id))


@contextlib.contextmanager
def holding(s, statement):
    """Another transaction, open, that has done STATEMENT; what is yielded ends it by COMMIT or ROLLBACK."""
    other = subprocess.Popen(["mariadb", "--no-defaults", "-S", s.db_socket, "-N", "-n", s.db_name],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(text):
        other.stdin.write(text + "; SELECT 1;\n")
        other.stdin.flush()
        other.stdout.readline()
    try:
        say("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; " + statement)
        yield say
    finally:
        other.communicate()


def in_background(call):
    """CALL in a thread; a list of what it returns. A connection that was cut is None."""
    got = []

    def work():
        try:
            got.append(call())
        except OSError:
            got.append(None)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, got


def blocked(s):
    """Until somebody waits for a lock. Who looks more often than every 0.1 s is shown what was."""
    waits = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
    return wait_for(lambda: s.value(waits) != "0", 20, 0.2)


def quiet(s):
    """Until no transaction is open."""
    return wait_for(lambda: s.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_query IS NULL"
                                    " OR trx_query NOT LIKE '%INNODB_TRX%'") == "0", 20, 0.2)


def test_even(s, t):
    """shares by capacity"""
    made = nodes(s, 1000, 500, 2000, 10)
    name, first = task(s, 2 * BATCH + 500)
    t.eq(dispatch(s, name)["data.allocations_created"], 2500, "2,500 are dispatched, in batches of 1,000")
    got = loads(s, made)
    t.eq(sum(got), 2000, "the two full ones are assigned", got)
    t.ok(all(abs(n - 2000 * c / 3510) <= 1 for n, c in zip(got, (1000, 500, 2000, 10))), "to each node its share", got)
    t.eq(waiting(s), 500, "the rest waits for cascaded")
    consistent(s, t)
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open WHERE (node > 0) <> (assigned_at IS NOT NULL)"
                 " OR assigned_at > NOW(3) OR assigned_at < NOW(3) - INTERVAL 1 MINUTE"), "0", "and is assigned since now")
    rows = s.sql("SELECT o.id, f.feed_id, TIMESTAMPDIFF(MICROSECOND, o.ready_at, o.order_at) AS place"
                 " FROM cascade_open o JOIN cascade_open_feed f ON f.open_seq = o.seq ORDER BY o.id")
    t.eq([r["feed_id"] for r in rows], [feed_id(n) for n in range(first, first + 2500)], "ids rise in the order of the feeds")
    t.eq([r["id"] for r in rows if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", r["id"])],
         [], "and are UUIDs of version 7")
    t.eq([int(r["place"]) for r in rows], [10000 * n for n in range(2500)], "10 ms apart in the queue")
    shown = s.sql("SELECT feed_ids, task_name, status FROM we_cascade_task_allocations ORDER BY id DESC LIMIT 1")[0]
    t.eq(json.loads(shown["feed_ids"]), [feed_id(first + 2499)], "the row that is shown has the feed")
    t.eq(shown["status"], "pending", "and is pending")
    package = claim(made[1])
    t.ok(package, "a node claims of its own")
    t.eq(complete(made[1], package, [{"feed_id": package["feeds"][0]["id"], "success": True}]).status, 200, "and completes it")
    consistent(s, t)


def test_unavailable(s, t):
    """who is given nothing"""
    names = ("draining = 1", "hold_until = NOW(3) + INTERVAL 1 HOUR", "active = 0", "may_reserve = 0", "last_seen_at = NULL",
             "max_capacity = 5")
    made = nodes(s, *[2000] * (len(names) + 1))
    for node, assignment in zip(made[1:], names):
        set_node(s, node, assignment)
    set_node(s, made[0], "max_capacity = 700")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made), [700, 0, 0, 0, 0, 0, 5], "of a node each that has room, is: %s" % ", ".join(names))
    t.eq(waiting(s), 295, "what has no place waits")
    consistent(s, t)
    t.eq(s.value("SELECT MIN(x.order_at) > MAX(a.order_at) FROM cascade_open x, cascade_open a WHERE x.node = 0 AND a.node > 0"),
         "1", "the last of it")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made)[0], 700, "nobody gets more than there is room for")
    set_node(s, made[0], "max_capacity = 5000")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made)[0], 700, "while older work waits nothing is assigned before it")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) + INTERVAL 1 HOUR WHERE node = 0")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made)[0], 1700, "what is not ready yet does not wait")
    consistent(s, t)


def test_left_to_cascaded(s, t):
    """what is not assigned by the dispatch"""
    made = nodes(s, 100000)
    dispatch(s, task(s, BATCH - 1)[0])
    t.eq(loads(s, made), [0], "a small one")
    empty(s)
    s.sql("INSERT INTO cascade_run (run_id, task, created_at, touched_at) VALUES ('other', 1, NOW(3), NOW(3))")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made), [0], "one beside which another run goes on: they share what there is")
    empty(s)
    s.sql("UPDATE cascade_run SET overlap = 'queue' WHERE run_id = 'other'")
    dispatch(s, task(s, BATCH)[0])
    t.eq(loads(s, made), [BATCH], "but for one that waits for what is open of its task")
    s.sql("DELETE FROM cascade_run WHERE run_id = 'other'")
    consistent(s, t)


def test_quota(s, t):
    """feeds with a quota"""
    made = nodes(s, 5000, 5000)
    name, first = task(s, BATCH)
    wanted = {feed_id(first + n): 1 for n in (0, 1, 500, 998, 999)}
    s.admin().put("/nodes/%s" % made[1].id, {"sync_config": {"max_capacity": 5000, "feed_quota": wanted}})
    set_node(s, made[1], "open_count = 4000")  # so much that it would be given nothing else
    dispatch(s, name)
    got = s.sql("SELECT f.feed_id FROM cascade_open o JOIN cascade_open_feed f ON f.open_seq = o.seq"
                " JOIN cascade_node n ON n.seq = o.node WHERE n.node_id = '%s' ORDER BY 1" % made[1].id)
    t.eq([r["feed_id"] for r in got], sorted(wanted), "go to the node that has it, however loaded it is")
    t.eq(loads(s, made), [BATCH - 5, 4005], "the others to the other")
    other = make_task(s, "again", [feed_id(first + n) for n in range(BATCH)])
    dispatch(s, other)
    t.eq(loads(s, made), [2 * BATCH - 5, 4005], "once their quota is used they do not")
    set_node(s, made[1], "open_count = open_count - 4000")
    consistent(s, t)


def test_several_feeds(s, t):
    """several feeds an allocation"""
    made = nodes(s, 5000, 5000)
    name, first = task(s, 3 * BATCH)
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation) VALUES ('%s', 3)" % name)
    t.eq(dispatch(s, name)["data.allocations_created"], 1002, "3,000 feeds by three, 1,000 at a time")
    t.eq(loads(s, made), [0, 0], "are batches of 334, which are small")
    consistent(s, t)
    rows = s.sql("SELECT feed_ids FROM we_cascade_task_allocations WHERE task_id = '%s' ORDER BY id" % name)
    t.eq([f for r in rows for f in json.loads(r["feed_ids"])], [feed_id(first + n) for n in range(3 * BATCH)], "each feed once, in order")


def test_stale(s, t):
    """a node changes between the choice and the writing"""
    for change, want, what in (("max_capacity = 100", 100, "its capacity falls"), ("draining = 1", 0, "it is drained"),
                               ("active = 0", 0, "it is deactivated")):
        made = nodes(s, 3000, 3000, 3000)
        dispatch(s, task(s, 1)[0])
        package = claim(made[2])
        set_node(s, made[1], "last_claim_at = NOW(3)")
        with holding(s, "UPDATE cascade_node SET %s WHERE node_id = '%s'" % (change, made[1].id)) as end:
            thread, got = in_background(lambda: dispatch(s, task(s, BATCH)[0]))
            t.ok(blocked(s), "%s: the dispatch waits for its row" % what)
            t.eq(complete(made[2], package).status, 200, "no other node waits for the dispatch")
            end("COMMIT")
            thread.join()
        t.eq(got[0]["data.allocations_created"], BATCH, "all of it is created")
        left, changed, right = loads(s, made)
        t.eq(changed, want, "%d of it are the node's" % want)
        t.ok(333 <= left <= 334 and 332 <= right <= 333, "the others have their shares, and no more", left, right)
        t.eq(waiting(s), BATCH - left - changed - right, "the rest of its share waits")
        consistent(s, t)


def test_at_once(s, t):
    """two dispatches at once, and claims beside them"""
    made = nodes(s, 1500, 1500)
    names = [task(s, 3 * BATCH)[0] for _ in range(2)]
    claimed, stop, bad = [], threading.Event(), []

    def child(node):
        while not stop.is_set():
            answer = node.post("/claim-task")
            if answer.status != 200:
                bad.append(repr(answer))
            elif answer.data:
                claimed.append(answer["data.allocation_id"])
    children = [threading.Thread(target=child, args=(node,), daemon=True) for node in made]
    runs = [in_background(lambda name=name: dispatch(s, name)) for name in names]
    for thread in children:
        thread.start()
    for thread, _ in runs:
        thread.join()
    wait_for(lambda: len(claimed) > 20, 20)
    stop.set()
    for thread in children:
        thread.join()
    t.eq([got[0]["data.allocations_created"] for _, got in runs], [3 * BATCH] * 2, "both create all of theirs")
    t.eq(bad[:3], [], "no claim fails")
    t.ok(len(claimed) > 20 and len(set(claimed)) == len(claimed), "nothing is claimed twice", len(claimed))
    consistent(s, t)


def worker_pids(s):
    with open("/proc/%d/task/%d/children" % (s.pid("cascade-fcgi"), s.pid("cascade-fcgi"))) as file:
        return [int(pid) for pid in file.read().split()]


def killed_in(s, t, name, statement, done):
    """The workers are killed while a dispatch of NAME waits for what STATEMENT has locked; DONE are there then."""
    with holding(s, statement) as end:
        thread, got = in_background(lambda: dispatch(s, name))
        t.ok(blocked(s), "the dispatch is in the middle of a batch")
        for pid in worker_pids(s):
            os.kill(pid, signal.SIGKILL)
        thread.join()
        t.ok(got[0] is None or got[0].status >= 500, "when its worker is killed", repr(got))
        end("ROLLBACK")
    t.ok(quiet(s), "and the batch is undone")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open_feed f JOIN cascade_task t ON t.seq = f.task WHERE t.task_id = '%s'" % name),
         str(done), "%d of it are there" % done)
    consistent(s, t)


def test_killed(s, t):
    """kill -9 of the worker in the middle"""
    made = nodes(s, 4000, 4000)
    one, first = task(s, 3 * BATCH)
    s.sql("INSERT INTO cascade_task (task_id) VALUES ('%s')" % one)
    killed_in(s, t, one, "INSERT INTO cascade_open_feed (task, feed_id, open_seq) SELECT seq, '%s', 1 FROM cascade_task WHERE task_id = '%s'"
              % (feed_id(first + 1500), one), BATCH)
    s.sql("UPDATE cascade_run SET finished_at = NOW(3) WHERE finished_at IS NULL")
    two, _ = task(s, 2 * BATCH)
    killed_in(s, t, two, "SELECT seq FROM cascade_node WHERE node_id = '%s' FOR UPDATE" % made[1].id, 0)
    t.eq(loads(s, made), [BATCH / 2] * 2, "no node counts what was undone")
    s.sql("UPDATE cascade_run SET finished_at = NULL")
    s.start("cascaded")

    def carried_on():
        s.sql("UPDATE cascade_run SET touched_at = NOW(3) - INTERVAL 1 HOUR WHERE finished_at IS NULL")
        return s.value("SELECT COUNT(*) FROM cascade_run WHERE finished_at IS NULL") == "0"
    t.ok(wait_for(carried_on, 30), "cascaded carries them on")
    t.ok(wait_for(lambda: sum(loads(s, made)) == 5 * BATCH, 30), "all of it is assigned then", loads(s, made))
    t.ok(abs(loads(s, made)[0] - loads(s, made)[1]) <= 1, "evenly", loads(s, made))
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open_feed"), str(5 * BATCH), "each feed once")
    consistent(s, t)


run(test_even, test_unavailable, test_left_to_cascaded, test_quota, test_several_feeds, test_stale, test_at_once, test_killed,
    workers=4, cascaded=False, env={"CASCADE_DISPATCH_BATCH": str(BATCH), "CASCADE_NODE_OFFLINE_AFTER": "10m", "CASCADE_DISPATCH_PREFER": "10m"})
