#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Children that misbehave: what docs/design.md says, no capacity lost for ever, no work stuck."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import (allocation, article, claim, clear, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  outcomes, status, taken, upload)

serial = iter(range(1, 1000))


def fresh(s, count=1, **task):
    """A task of COUNT new feeds, dispatched, after everything before it is out of the way."""
    n = next(serial)
    s.sql("UPDATE we_cascade_nodes SET is_active = 0")
    clear(s)
    task_id = "c%d" % n
    make_task(s, task_id, make_feeds(s, count, first=n * 100), **task)
    dispatch(s, task_id)
    return task_id


def state(s, package):
    return allocation(s, package)["status"]


def until(s, package, want, seconds=15):
    return wait_for(lambda: state(s, package) == want, seconds)


def test_claims_and_vanishes(s, t):
    """claims and vanishes"""
    fresh(s)
    a, b = s.new_node("vanishes"), s.new_node("works")
    package = taken(a)
    t.ok(until(s, package, "pending"), "a claim that is not followed by executing lapses")
    now = allocation(s, package)
    t.eq((now["failures"], now["losts"], outcomes(s, package)), (0, 1, ["unacknowledged"]), "it counts as lost, not failed")
    again = taken(b)
    t.eq((again or {}).get("attempt"), 2, "another takes it at once")
    t.eq(complete(a, package).status, 409, "the first one's late completion is 409 while it is held")
    late = upload(a, package, [article(package["feeds"][0]["id"], 1)])
    t.eq(late.status, 200, "its articles are kept")
    t.eq(complete(b, again).status, 200, "the second one completes")
    t.eq((state(s, package), outcomes(s, package)), ("completed", ["unacknowledged", "completed"]), "once")
    t.eq(complete(a, package).status, 409, "a completion after that is 409")
    t.eq(allocation(s, package)["article_count"], 1, "articles count over all attempts")
    consistent(s, t)


def test_late_completion(s, t):
    """works in silence for longer than its claim lasts, then completes"""
    fresh(s)
    a = s.new_node("silent")
    package = taken(a)
    t.ok(until(s, package, "pending"), "its claim lapsed")
    t.eq(complete(a, package).status, 200, "nobody has it: the completion is accepted")
    t.eq((state(s, package), outcomes(s, package)), ("completed", ["completed"]), "and counts")
    consistent(s, t)


def test_late_executing(s, t):
    """says executing after its claim lapsed"""
    fresh(s)
    a = s.new_node("slow")
    package = taken(a)
    t.ok(until(s, package, "pending"), "its claim lapsed")
    t.eq(status(a, package, "failed").status, 409, "failure of what it no longer holds is 409")
    t.eq(status(a, package, "executing", attempt=1).status, 200, "executing takes it again")
    now = allocation(s, package)
    t.eq((now["status"], now["node_id"], now["attempt"]), ("executing", a.id, 1), "as the same attempt")
    t.eq(complete(a, package, attempt=1).status, 200, "and it completes")
    fresh(s, 2)
    b = s.new_node("full", sync_config={"max_capacity": 1})
    first = taken(b)
    t.ok(until(s, first, "pending"), "the same on a node of capacity 1")
    t.ok(wait_for(lambda: claim(b), 5), "which has claimed again")
    if state(s, first) == "pending":
        t.eq(status(b, first, "executing").status, 409, "is refused: it is at capacity")
    consistent(s, t)


def test_lost_report(s, t):
    """the report of executing, then the completion, is lost"""
    fresh(s)
    a = s.new_node("lossy")
    package = taken(a)
    t.eq(complete(a, package).status, 200, "completion without executing is accepted")
    fresh(s)
    b = s.new_node("lossy2")
    package = taken(b)
    status(b, package, "executing")
    t.ok(until(s, package, "pending"), "executing without a completion lapses")
    now = allocation(s, package)
    t.eq((now["failures"], now["losts"], outcomes(s, package)), (1, 0, ["lapsed"]), "it counts as a failure")
    again = taken(b)
    status(b, again, "executing")
    t.ok(until(s, again, "pending"), "a second time")
    last = taken(b)
    status(b, last, "executing")
    t.ok(until(s, last, "timeout"), "the third is the last: timeout, since the last end was a lapse")
    t.eq(complete(b, last).status, 200, "a late completion is accepted")
    t.eq(state(s, last), "completed", "and counts")
    consistent(s, t)


def test_renewal(s, t):
    """what renews a lease"""
    fresh(s, 3)
    a = s.new_node("renews", sync_config={"max_capacity": 3})
    named, uploads, left_out = [taken(a) for _ in range(3)]
    for package in (named, uploads, left_out):
        status(a, package, "executing")
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        a.post("/heartbeat", {"holding": [named["allocation_id"], uploads["allocation_id"]]})
        upload(a, uploads, [article(uploads["feeds"][0]["id"], 1)])
        time.sleep(0.3)
    t.eq(state(s, named), "executing", "a heartbeat that names it")
    t.eq(state(s, uploads), "executing", "an upload")
    t.eq((state(s, left_out), outcomes(s, left_out)), ("pending", ["lapsed"]), "what the list leaves out lapses soon")
    ends = time.monotonic() + 15
    while time.monotonic() < ends and state(s, named) == "executing":
        a.post("/heartbeat", {"holding": [named["allocation_id"]]})
        time.sleep(0.3)
    t.eq(outcomes(s, named), ["max_run"], "but no attempt outlives max_run")
    consistent(s, t)


def test_offline(s, t):
    """falls silent"""
    fresh(s, 3)
    a = s.new_node("beats", sync_config={"max_capacity": 2})
    b = s.new_node("never beats", sync_config={"max_capacity": 1})
    a.post("/heartbeat")
    claimed, executing = taken(a), taken(a)
    status(a, executing, "executing")
    silent = taken(b)
    status(b, silent, "executing")
    t.ok(wait_for(lambda: s.admin().get("/nodes/" + a.id).data["status"] == 0, 15), "the node goes offline")
    t.ok(until(s, executing, "pending", 5), "a node that used to beat loses its executing work")
    t.eq(outcomes(s, executing), ["node_lost"], "as lost")
    t.eq(allocation(s, executing)["losts"], 1, "which is not a failure")
    t.ok(until(s, claimed, "pending", 5), "and its claimed work")
    t.eq(outcomes(s, silent)[:1], [None] if state(s, silent) == "executing" else ["lapsed"],
         "a node that never beats keeps its lease")
    a.post("/heartbeat")
    t.ok(wait_for(lambda: s.admin().get("/nodes/" + a.id).data["status"] == 1, 5), "it is online again with the next heartbeat")
    consistent(s, t)


def test_reservation(s, t):
    """beats but never claims"""
    task = fresh(s, 4)
    idle = s.new_node("idle", sync_config={"max_capacity": 4})
    idle.post("/heartbeat")
    admin = s.admin()

    def reserved():
        return [a for a in admin.get("/allocations?task_id=" + task).data["list"] if a["node_id"] == idle.id]

    t.ok(wait_for(lambda: len(reserved()) == 4, 10), "all is reserved for it")
    ends = time.monotonic() + 8
    while time.monotonic() < ends and reserved():
        idle.post("/heartbeat")
        time.sleep(0.2)
    t.eq(len(reserved()), 0, "what it does not claim is taken back")
    time.sleep(1.5)
    idle.post("/heartbeat")
    t.eq(len(reserved()), 0, "and it gets no other reservation")
    other = s.new_node("other", sync_config={"max_capacity": 4})
    packages = [taken(other) for _ in range(3)]
    t.ok(all(packages), "anyone may take it")
    t.ok(taken(idle), "until it claims")
    consistent(s, t)


def test_gone(s, t):
    """is deactivated, its credential rotated, deleted"""
    fresh(s, 3)
    a = s.new_node("off")
    package = taken(a)
    status(a, package, "executing")
    admin = s.admin()
    t.eq(admin.put("/nodes/" + a.id, {"is_active": False}).status, 200, "deactivated")
    t.eq((state(s, package), outcomes(s, package)), ("pending", ["node_inactive"]), "its work returns at once")
    t.eq(a.post("/heartbeat").status, 401, "it is refused from the next request on")
    b = s.new_node("rotated")
    package = taken(b)
    new = admin.post("/nodes/%s/credentials" % b.id).data
    t.eq(b.post("/heartbeat").status, 401, "a rotated secret is refused at once")
    c = s.node(new["api_key"], new["api_secret"])
    t.eq(complete(c, package).status, 200, "the new one goes on with the node's work")
    d = s.new_node("deleted")
    package = taken(d)
    t.eq(admin.delete("/nodes/" + d.id).status, 200, "deleted")
    t.eq((state(s, package), outcomes(s, package)[-1]), ("pending", "node_deleted"), "its work returns at once")
    t.eq(d.post("/claim-task").status, 401, "it is refused")
    t.eq(allocation(s, package)["attempts"][-1]["node_id"], d.id, "the history keeps its name")
    consistent(s, t)


def test_bounded(s, t):
    """kills every node that takes it"""
    fresh(s)
    package = None
    for n in range(5):
        node = s.new_node("victim%d" % n)
        package = taken(node)
        if not package:
            break
        s.admin().delete("/nodes/" + node.id)
    t.ok(package, "it is handed out five times")
    t.eq((state(s, package), len(outcomes(s, package))), ("failed", 5), "then it ends as failed")
    t.eq(allocation(s, package)["error_message"], "执行节点已删除", "with the reason")
    consistent(s, t)


run(test_claims_and_vanishes, test_late_completion, test_late_executing, test_lost_report, test_renewal, test_offline,
    test_reservation, test_gone, test_bounded, workers=2,
    env={"CASCADE_LEASE_CLAIM": "2s", "CASCADE_LEASE_EXECUTING": "6s", "CASCADE_LEASE_MAX_RUN": "14s",
         "CASCADE_LEASE_FORGOTTEN": "1s", "CASCADE_NODE_OFFLINE_AFTER": "4s", "CASCADE_NODE_TOUCH": "1s",
         "CASCADE_RETRY_BACKOFF": "1s", "CASCADE_CASCADED_REFRESH": "1s", "CASCADE_DISPATCH_PREFER": "3s"})
