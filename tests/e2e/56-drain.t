#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Draining a node, what it is told, and the explanation of what waits."""
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import (allocation, claim, clear, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  status, upload)

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
UNKNOWN = "01900000-0000-7000-8000-000000000000"


def drain(s, node, what="drain"):
    return s.admin().post("/nodes/%s/%s" % (node.id, what))


def shown(s, node):
    return s.admin().get("/nodes/" + node.id).data


def explain(s, id):
    return s.admin().get("/allocations/%s/explain" % id).data


def reasons(explained, node):
    """{code: its time} of NODE."""
    (row,) = [n for n in explained["nodes"] if n["node_id"] == node.id]
    return {r["code"]: r.get("until", r.get("since")) for r in row["reasons"]}


def may_take(explained):
    return sorted(n["node_name"] for n in explained["nodes"] if n["may_take"])


def remove(s, *nodes):
    for node in nodes:
        s.admin().delete("/nodes/" + node.id)


def test_drain(s, t):
    """a draining node"""
    make_task(s, "td", make_feeds(s, 6))
    node = s.new_node("排空", sync_config={"max_capacity": 4})
    node.post("/heartbeat")
    beat = node.post("/heartbeat")
    t.eq({k: v for k, v in beat.data.items() if k != "server_time"},
         {"status": "alive", "desired_state": "run", "heartbeat_interval_s": 45}, "what a heartbeat tells")
    t.ok(TIME.match(beat.data["server_time"]), "and the time", repr(beat))
    dispatch(s, "td")
    held = claim(node)
    t.ok(wait_for(lambda: shown(s, node)["current_tasks"] == 4), "cascaded reserves up to its capacity")
    answer = drain(s, node)
    t.eq((answer.status, answer["message"], answer.data["draining"], answer.data["current_tasks"]),
         (200, "节点已开始排空", True, 1), "its reservations return at once")
    t.eq(sorted(answer.data), sorted(shown(s, node)), "the answer is the node")
    t.eq(drain(s, node).status, 200, "draining again changes nothing")
    t.eq(node.post("/heartbeat")["data.desired_state"], "drain", "the heartbeat tells it")
    t.eq(node.at(WERSS).post("/heartbeat")["data.status"], "alive", "and nothing else changes")
    answer = node.post("/claim-task")
    t.eq((answer.status, answer.data, answer["message"]), (200, None, "暂无待处理任务：节点正在排空"), "a claim gets nothing")
    t.eq(status(node, held, "executing").status, 200, "what it holds it goes on with")
    t.eq(upload(node, held, []).status, 200, "uploads")
    t.eq(complete(node, held).status, 200, "and completes")
    t.ok(not wait_for(lambda: shown(s, node)["current_tasks"] > 0, 2), "nothing new is reserved for it")
    other = s.new_node("其他", sync_config={"max_capacity": 2})
    t.ok(claim(other), "another takes what it gave back")
    t.eq((drain(s, node, "resume")["message"], shown(s, node)["draining"]), ("节点已恢复接收任务", False), "resumed")
    t.eq(drain(s, node, "resume").status, 200, "resuming again changes nothing")
    t.eq(node.post("/heartbeat")["data.desired_state"], "run", "it is told")
    t.ok(claim(node), "and takes work again")
    consistent(s, t)
    clear(s)
    remove(s, node, other)


def test_who_and_what(s, t):
    """who may, and which nodes"""
    node = s.new_node("wer")
    parent = s.admin().post("/nodes", {"node_type": 0, "name": "parent"})["data.node_id"]
    s.ctl("user", "add", "reader", "--role", "user")
    user = s.bearer(s.ctl("token", "--user", "reader").stdout.strip())
    for what in ("drain", "resume"):
        path = "/nodes/%s/%s" % (node.id, what)
        s.table(t, [
            ("POST", path, None, None, 401, None), ("POST", path, node, None, 403, None),
            ("POST", path, user, None, 403, None), ("GET", path, s.admin(), None, 405, {"@Allow": "POST"}),
            ("POST", "/nodes/%s/%s" % (UNKNOWN, what), s.admin(), None, 404, {"message": "节点不存在"}),
            ("POST", "/nodes/%s/%s" % (node.id.upper(), what), s.admin(), None, 404, None),
            ("POST", "/nodes/%s/%s" % (parent, what), s.admin(), None, 400, {"message": "只有子节点可以排空"}),
        ])
    s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, status, is_active, created_at, updated_at)"
          " VALUES ('werss-node', 1, 'w', 0, 1, NOW(), NOW())")
    t.eq(s.admin().post("/nodes/werss-node/drain")["data.draining"], True, "one that WeRSS has just inserted")
    for what, code, state in (("drain", 0, True), ("drain", 0, True), ("resume", 0, False)):
        t.eq((s.ctl("node", what, node.id).returncode, shown(s, node)["draining"]), (code, state), "cascadectl node " + what)
    t.eq(s.ctl("node", "drain", UNKNOWN).returncode, 69, "of an unknown node")
    remove(s, node)
    for id in (parent, "werss-node"):
        s.admin().delete("/nodes/" + id)


def test_drain_while_claiming(s, t):
    """drained while it claims"""
    make_task(s, "tw", make_feeds(s, 200, first=1000))
    dispatch(s, "tw")
    node = s.new_node("eilig", sync_config={"max_capacity": 1000})
    late, errors, drained = [], [], threading.Event()

    def work():
        while True:
            was = drained.is_set()
            answer = node.post("/claim-task")
            if answer.status != 200:
                errors.append(repr(answer))
            if was and answer.data:
                late.append(answer.data["allocation_id"])
            if was:
                return
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: shown(s, node)["current_tasks"] > 20)
    answer = drain(s, node)
    drained.set()
    for thread in threads:
        thread.join()
    t.eq((answer.status, errors, late), (200, [], []), "after the answer no claim gets anything")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_node n ON n.seq = o.node WHERE o.state = 0"
                 " AND n.node_id = '%s'" % node.id), "0", "and nothing is reserved for it")
    consistent(s, t)
    clear(s)
    remove(s, node)


def test_explain_nodes(s, t):
    """why each node may not take it"""
    s.stop("cascaded")
    (feed,) = make_feeds(s, 1, first=2000)
    make_task(s, "tx", [feed])
    make_task(s, "ty", make_feeds(s, 1, first=2001))
    nodes = {name: s.new_node(name, **({"sync_config": config} if config else {})) for name, config in (
        ("free", None), ("full", {"max_capacity": 1}), ("off", None), ("idle", None), ("drain", None), ("never", None),
        ("lapsed", None))}
    for name in ("free", "full", "off", "idle", "drain", "lapsed"):
        nodes[name].post("/heartbeat")
    dispatch(s, "ty")
    claim(nodes["full"])
    s.admin().put("/nodes/" + nodes["idle"].id, {"is_active": False})
    drain(s, nodes["drain"])
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 200 SECOND WHERE node_id = '%s'" % nodes["off"].id)
    s.sql("UPDATE cascade_node SET may_reserve = 0 WHERE node_id = '%s'" % nodes["lapsed"].id)
    dispatch(s, "tx")
    id = s.admin().get("/allocations?task_id=tx").data["list"][0]["id"]
    x = explain(s, id)
    t.eq({n: reasons(x, nodes[n]) for n in ("free", "full", "idle", "drain", "never", "lapsed")},
         {"free": {}, "full": {"at_capacity": None}, "idle": {"inactive": None}, "drain": {"draining": None},
          "never": {"offline": None}, "lapsed": {"reservation_lapsed": None}}, "a reason each")
    t.ok(TIME.match(reasons(x, nodes["off"])["offline"]), "offline since when")
    t.eq([n["reasons"][0]["text"] for n in x["nodes"] if n["node_name"] == "full"], ["节点已达容量上限 1/1"], "in words")
    t.eq(may_take(x), ["free", "lapsed"], "who may take it")
    t.eq((x["verdict"]["code"], x["verdict"]["node_id"], x["verdict"]["text"]),
         ("assign", nodes["free"].id, "将分配给节点 free"), "and who will be given it")
    t.eq((x["allocation_id"], x["task_id"], x["status"]), (id, "tx", "pending"), "of what")
    english = s.admin(headers={"Accept-Language": "en"}).get("/allocations/%s/explain" % id).data
    t.eq(english["verdict"]["text"], "it goes to node free", "in English too")

    s.sql("INSERT INTO cascade_quota (feed_id, node, quota) SELECT '%s', seq, 3 FROM cascade_node WHERE node_id = '%s'"
          % (feed, nodes["lapsed"].id))
    x = explain(s, id)
    t.eq(list(reasons(x, nodes["free"])), ["quota_elsewhere"], "another has quota left for its feed")
    t.eq(reasons(x, nodes["free"])["quota_elsewhere"], x["prefer_until"], "until its preference ends")
    t.eq(may_take(x), ["lapsed"], "who may")
    s.sql("DELETE FROM cascade_quota")
    seq = s.value("SELECT seq FROM cascade_node WHERE node_id = '%s'" % nodes["free"].id)
    s.sql("UPDATE cascade_open SET failed_nodes = '%s' WHERE id = '%s'" % (seq, id))
    x = explain(s, id)
    t.eq((list(reasons(x, nodes["free"])), may_take(x)), (["failed_before"], ["lapsed"]), "it failed before")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) - INTERVAL 90 SECOND WHERE id = '%s'" % id)
    t.eq(may_take(explain(s, id)), ["free", "lapsed"], "preferences end")
    s.sql("UPDATE cascade_open SET failed_nodes = '', ready_at = NOW(3) + INTERVAL 1 HOUR WHERE id = '%s'" % id)
    x = explain(s, id)
    t.eq((reasons(x, nodes["free"]), x["verdict"]["code"], x["verdict"]["until"]),
         ({"not_ready": x["ready_at"]}, "not_ready", x["ready_at"]), "it waits for its back-off")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) WHERE id = '%s'" % id)
    drain(s, nodes["free"])
    x = explain(s, id)
    t.eq((x["verdict"]["code"], x["verdict"]["node_id"]), ("claim_only", None), "who is left gets no reservation")
    drain(s, nodes["lapsed"])
    t.eq(explain(s, id)["verdict"]["code"], "nobody", "nobody is left")
    done = s.ctl("--lang", "en", "allocation", "explain", id)
    t.ok(done.returncode == 0 and "nobody can take it now" in done.stdout and "at capacity, 1 of 1" in done.stdout,
         "cascadectl says it too", repr(done))
    same = json.loads(s.ctl("--lang", "zh", "--json", "allocation", "explain", id).stdout)
    t.eq(same["nodes"], explain(s, id)["nodes"], "with the same nodes as JSON")


def test_explain_states(s, t):
    """reserved, held, ended"""
    admin = s.admin()
    for row in admin.get("/nodes?node_type=1").data:
        admin.delete("/nodes/" + row["id"])
    clear(s)
    a, b = s.new_node("a"), s.new_node("b")
    for node in (a, b):
        node.post("/heartbeat")
    dispatch(s, "tx")
    id = admin.get("/allocations?task_id=tx&status=pending").data["list"][0]["id"]
    s.start("cascaded")
    t.ok(wait_for(lambda: allocation(s, id)["assigned"]), "cascaded assigns it")
    s.stop("cascaded")
    x = explain(s, id)
    mine, theirs = (a, b) if x["verdict"]["node_id"] == a.id else (b, a)
    t.eq((x["verdict"]["code"], reasons(x, mine), reasons(x, theirs)),
         ("reserved", {}, {"reserved": x["prefer_until"]}), "it is reserved for one until its preference ends")
    s.sql("UPDATE cascade_node SET open_count = open_count + 9 WHERE node_id = '%s'" % mine.id)
    t.eq(reasons(explain(s, id), mine), {}, "who has it reserved needs no other room")
    s.sql("UPDATE cascade_node SET open_count = open_count - 9 WHERE node_id = '%s'" % mine.id)
    s.sql("UPDATE cascade_beat SET gap_ended_at = NOW(3) WHERE name = 'cascaded'")
    package = claim(mine)
    x = explain(s, id)
    t.eq((x["verdict"]["code"], x["verdict"]["node_id"], x["verdict"]["until"], may_take(x)),
         ("held", mine.id, package["lease_expires_at"], []), "held, and by whom until when")
    t.ok(TIME.match(x["own_outage"]["grace_until"]), "after an outage of ours nothing is rescued", x["own_outage"])
    complete(mine, package)
    x = explain(s, id)
    t.eq((x["verdict"]["code"], x["status"], may_take(x)), ("ended", "completed", []), "ended")
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status) VALUES ('odd', 'tx', '[]', 'odd')")
    t.eq(explain(s, "odd")["verdict"]["code"], "ended", "a status of others")
    dispatch(s, "tx")
    id = admin.get("/allocations?task_id=tx&status=pending").data["list"][0]["id"]
    s.sql("DELETE FROM we_message_tasks WHERE id = 'tx'")
    t.eq(explain(s, id)["verdict"]["code"], "task_deleted", "its task was deleted")
    user = s.bearer(s.ctl("token", "--user", "reader").stdout.strip())
    path = "/allocations/%s/explain"
    s.table(t, [("GET", path % id, None, None, 401, None), ("GET", path % id, a, None, 403, None),
                ("GET", path % id, user, None, 200, None), ("GET", path % UNKNOWN, user, None, 404, {"message": "任务分配不存在"}),
                ("POST", path % id, s.admin(), {}, 405, {"@Allow": "GET, HEAD"})])
    t.eq(s.ctl("allocation", "explain", UNKNOWN).returncode, 69, "cascadectl of an unknown one")
    s.start("cascaded")


run(test_drain, test_who_and_what, test_drain_while_claiming, test_explain_nodes, test_explain_states, workers=4,
    env={"CASCADE_NODE_HEARTBEAT_INTERVAL": "45s"})
