#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Work that is handed back, and nodes that ask for none."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import (allocation, claim, clear, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  outcomes, status, taken)

LONG = 3600


def back(node, package, **more):
    return status(node, package, "failed", released=True, attempt=package["attempt"], **more)


def counts(s, package):
    return {k: allocation(s, package)[k] for k in ("status", "failures", "losts", "node_id")}


def reasons(s, package, node):
    """{code: its time} of what keeps NODE from it."""
    nodes = s.admin().get("/allocations/%s/explain" % package["allocation_id"]).data["nodes"]
    (row,) = [n for n in nodes if n["node_id"] == node.id]
    return {r["code"]: r.get("until") for r in row["reasons"]}


def let_pass(s):
    """The holds are over."""
    s.sql("UPDATE cascade_hold SET held_until = NOW(3) - INTERVAL 1 SECOND")


def looked(s):
    """cascaded has assigned twice since."""
    before = s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'")
    for _ in range(2):
        wait_for(lambda: s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'") != before, 20)
        before = s.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'")


def test_input(s, t):
    """what a report must be"""
    make_task(s, "ti", make_feeds(s, 1))
    node, other = s.new_node("holds"), s.new_node("never held it")
    dispatch(s, "ti")
    package = taken(node)
    for body, field in (({"status": "failed", "released": 1}, "released"),
                        ({"status": "failed", "released": "true"}, "released"),
                        ({"status": "executing", "released": True}, "released"),
                        ({"status": "completed", "released": True}, "released"),
                        ({"status": "failed", "hold_s": 1}, "hold_s"),
                        ({"status": "failed", "released": True, "hold_s": -1}, "hold_s"),
                        ({"status": "failed", "released": True, "hold_s": 86401}, "hold_s"),
                        ({"status": "failed", "released": True, "hold_s": "1"}, "hold_s")):
        answer = node.put("/task-status", dict(body, allocation_id=package["allocation_id"]))
        t.eq((answer.status, answer.data and answer.data["field"]), (422, field), "%s is refused" % body)
    t.eq(allocation(s, package)["status"], "claimed", "and nothing has changed")
    t.eq(back(other, package).status, 403, "who never held it hands nothing back")
    t.eq(status(node, package, "failed", released=False).status, 200, "released false is an ordinary failure")
    t.eq((outcomes(s, package), counts(s, package)["failures"]), (["failed"], 1), "which counts")


def test_two_nodes(s, t):
    """another node takes it at once"""
    make_task(s, "tw", make_feeds(s, 1, first=10))
    one = s.new_node("one")
    dispatch(s, "tw")
    package = taken(one)
    status(one, package, "executing")
    answer = back(one, package, hold_s=LONG, error_message="frequency control")
    t.eq(answer.status, 200, "it is handed back")
    t.eq(counts(s, package), {"status": "pending", "failures": 0, "losts": 0, "node_id": None},
         "it waits again, and nothing was counted")
    t.eq([(a["outcome"], a["error_message"], a["node_id"]) for a in allocation(s, package)["attempts"]],
         [("released", "frequency control", one.id)], "the history says so")
    t.eq((back(one, package, hold_s=5).status, outcomes(s, package)), (200, ["released"]),
         "the same report again succeeds and changes nothing")
    t.eq(claim(one), None, "it does not get it again")
    looked(s)
    t.eq(counts(s, package)["node_id"], None, "nor is it reserved for it")
    why = reasons(s, package, one)
    t.eq(list(why), ["handed_back"], "the explanation says why")
    t.eq(why["handed_back"], s.value("SELECT DATE_FORMAT(held_until, '%Y-%m-%dT%H:%i:%s') FROM cascade_hold"),
         "and until when")
    two = s.new_node("two")
    second = claim(two)
    t.eq((second and second["allocation_id"], second and second["attempt"]), (package["allocation_id"], 2),
         "another takes it at once")
    t.eq(back(one, package).status, 200, "the old report still succeeds")
    answer = status(one, package, "failed", released=True)
    t.eq(answer.status, 200, "without its number too")
    t.eq(status(one, package, "executing").status, 409, "it is another's now")
    t.eq(status(one, package, "failed").status, 409, "a failure of a former holder is refused")
    t.eq(complete(two, second).status, 200, "the other completes it")
    t.eq(outcomes(s, package), ["released", "completed"], "both are in the history")
    t.eq(back(two, second).status, 409, "what is completed cannot be handed back")
    consistent(s, t)


def test_quota_and_late(s, t):
    """neither quota nor a late report brings it back"""
    (feed,) = make_feeds(s, 1, first=20)
    make_task(s, "tq", [feed])
    fond = s.new_node("fond of it", sync_config={"feed_quota": {feed: 5}})
    dispatch(s, "tq")
    package = taken(fond)
    back(fond, package, hold_s=LONG)
    t.eq(status(fond, package, "executing", attempt=1).status, 409, "executing that came late takes nothing")
    other = s.new_node("other")
    second = claim(other)
    t.eq(second and second["attempt"], 2, "it is not kept for the node whose quota it would be")
    back(other, second, hold_s=LONG)
    t.eq([claim(fond), claim(other)], [None, None], "two may wait at a time")
    t.eq(sorted(list(reasons(s, package, n)) for n in (fond, other)), [["handed_back"], ["handed_back"]], "both do")
    s.sql("UPDATE cascade_hold h JOIN cascade_node n ON n.seq = h.node SET h.held_until = NOW(3)"
          " WHERE n.node_id = '%s'" % fond.id)
    t.eq(taken(fond)["attempt"], 3, "the first whose time has passed gets it")


def test_one_node(s, t):
    """one node, many times"""
    make_task(s, "to", make_feeds(s, 2, first=30))
    node = s.new_node("alone")
    dispatch(s, "to")
    package = taken(node)
    id = package["allocation_id"]
    for n in range(1, 9):
        package["attempt"] = n
        t.eq(back(node, package, hold_s=LONG).status, 200, "handed back %d times" % n)
        other = claim(node)
        t.ok(other is None or other["allocation_id"] != id, "before its time it gets others only", repr(other))
        let_pass(s)
        again = wait_for(lambda: claim(node), 20)
        while again and again["allocation_id"] != id:
            again = wait_for(lambda: claim(node), 20)
        t.eq(again and again["attempt"], n + 1, "when its time has passed it gets it again")
    t.eq(counts(s, id), {"status": "claimed", "failures": 0, "losts": 0, "node_id": node.id}, "it is no dead letter")
    t.eq(outcomes(s, id), ["released"] * 8 + [None], "all of it is in the history")
    t.eq(back(node, dict(package, attempt=9)).status, 200, "without a time")
    t.eq(taken(node)["attempt"], 10, "it may take it again at once, since nobody else is there")
    s.sql("UPDATE cascade_open SET attempt = 1000 WHERE id = '%s'" % id)
    t.eq(back(node, dict(package, attempt=1000)).status, 200, "but not for ever")
    t.eq((counts(s, id)["status"], outcomes(s, id)[-1]), ("failed", "released"), "the thousandth is the last")


def test_node_hold(s, t):
    """a node that asks for no work"""
    make_task(s, "th", make_feeds(s, 4, first=40))
    node = s.new_node("blocked", sync_config={"max_capacity": 4})
    shown = lambda: s.admin().get("/nodes/" + node.id).data  # noqa: E731
    for value in (-1, 86401, "1", True):
        answer = node.post("/heartbeat", {"hold_s": value})
        t.eq((answer.status, answer.data and answer.data["field"]), (422, "hold_s"), "%r is refused" % value)
    node.post("/heartbeat")
    t.eq(shown()["hold_until"], None, "it takes work")
    dispatch(s, "th")
    t.ok(wait_for(lambda: shown()["current_tasks"] == 4), "all is reserved for it")
    held = claim(node)
    t.eq(node.post("/heartbeat", {"hold_s": LONG}).status, 200, "it asks for no more")
    t.ok(shown()["hold_until"], "which is shown", repr(shown()))
    answer = node.post("/claim-task")
    t.eq((answer.data, answer["message"]), (None, "暂无待处理任务：节点要求暂不接收任务"), "a claim says why it gets nothing")
    t.ok(wait_for(lambda: shown()["current_tasks"] == 1, 30), "what is reserved and unclaimed leaves it")
    waits = s.admin().get("/allocations?status=pending&task_id=th").data["list"][0]
    why = reasons(s, {"allocation_id": waits["id"]}, node)
    t.eq(why, {"on_hold": shown()["hold_until"]}, "the explanation says so")
    t.ok('cascade_nodes{state="on_hold"} 1\n' in s.http("GET", "/metrics").body.decode(), "metrics count it")
    found = {row["name"]: row for row in json.loads(s.ctl("--json", "check").stdout)}
    t.eq((found["on_hold"]["verdict"], len(found["on_hold"]["findings"])), ("fail", 1), "check finds nobody to work")
    t.eq(json.loads(s.ctl("--json", "status").stdout)["nodes_on_hold"], 1, "status counts it")
    t.eq(status(node, held, "executing").status, 200, "what it holds it works on")
    t.eq(complete(node, held).status, 200, "and completes")
    other = s.new_node("free", sync_config={"max_capacity": 1})  # no more is reserved for it
    t.ok(taken(other), "another gets of the rest")
    node.post("/heartbeat", {"hold_s": 0})
    t.eq(shown()["hold_until"], None, "0 ends it")
    t.ok(taken(node, 30), "it gets work again")
    node.post("/heartbeat", {"hold_s": LONG})
    s.sql("UPDATE cascade_node SET hold_until = NOW(3) WHERE node_id = '%s'" % node.id)
    t.eq(shown()["hold_until"], None, "it ends by itself")
    node.post("/heartbeat", {})
    t.ok(s.value("SELECT hold_until FROM cascade_node WHERE node_id = '%s'" % node.id), "a heartbeat without it changes nothing")
    consistent(s, t)


def cleared(test):
    def go(s, t):
        clear(s)
        test(s, t)
    go.__doc__, go.__name__ = test.__doc__, test.__name__
    return go


if __name__ == "__main__":
    run(*(cleared(test) for test in (test_input, test_two_nodes, test_quota_and_late, test_one_node, test_node_hold)))
