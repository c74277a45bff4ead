#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes: registration, settings, credentials, and what becomes of their work."""
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run, wait_for  # noqa: E402
from work import consistent, dispatch, make_feeds, make_task  # noqa: E402

UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
UNKNOWN = "01900000-0000-7000-8000-000000000000"
FIELDS = ["id", "node_type", "name", "description", "api_url", "api_key", "parent_id", "status", "is_active",
          "last_sync_at", "last_heartbeat_at", "created_at", "updated_at", "sync_config", "current_tasks",
          "max_capacity", "callback_url", "draining", "hold_until", "online", "last_seen_at"]
REFRESH_S = 15


def quoted(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''")


def shown(s, node_id):
    return s.admin().get("/nodes/" + node_id).data


def seq_of(s, node_id):
    return s.value("SELECT seq FROM cascade_node WHERE node_id = %s" % quoted(node_id))


def quotas(s, node_id):
    return {r["feed_id"]: int(r["quota"]) for r in s.sql(
        "SELECT q.feed_id, q.quota FROM cascade_quota q JOIN cascade_node n ON n.seq = q.node"
        " WHERE n.node_id = %s" % quoted(node_id))}


def capacity(s, node_id):
    return s.value("SELECT max_capacity FROM cascade_node WHERE node_id = %s" % quoted(node_id))


def give_work(s, node_id, number, state):
    """An open allocation of the node: 0 reserved for it, 1 claimed, 2 executing."""
    name = "w-%s-%d" % (node_id[-6:], number)
    feed = "MP_WXS_%d" % (7000 + number)
    s.sql("INSERT IGNORE INTO cascade_task (task_id) VALUES ('tw')")
    s.sql("INSERT IGNORE INTO we_message_tasks (id, message_type, name, mps_id, cron_exp, status)"
          " VALUES ('tw', 0, 'tw', '[]', '', 1)")
    # at once, or cascaded takes the first for one of WeRSS's and adopts it
    s.sql("START TRANSACTION;"
          " INSERT INTO we_cascade_task_allocations (id, task_id, task_name, node_id, feed_ids, status, created_at)"
          " VALUES ('%s', 'tw', 'tw', '%s', '[\"%s\"]', '%s', NOW());"
          % (name, node_id, feed, ("pending", "claimed", "executing")[state]) +
          " INSERT INTO cascade_open (seq, id, task, state, node, attempt, ready_at, order_at, claimed_at, lease_until)"
          " SELECT n.seq * 1000 + %d, '%s', t.seq, %d, n.seq, 1, NOW(3), NOW(3),"
          " IF(%d, NOW(3), NULL), IF(%d, NOW(3) + INTERVAL 1 HOUR, NULL)"
          " FROM cascade_node n JOIN cascade_task t ON t.task_id = 'tw' WHERE n.node_id = '%s';"
          % (number, name, state, state, state, node_id) +
          " UPDATE cascade_node SET open_count = open_count + 1 WHERE node_id = '%s'; COMMIT" % node_id)
    return name


def forget_work(s):
    for table in ("cascade_open", "cascade_open_feed", "we_cascade_task_allocations"):
        s.sql("DELETE FROM " + table)
    s.sql("UPDATE cascade_node SET open_count = 0")


def stands(s, names):
    """Status and node of each allocation, as shown."""
    rows = s.sql("SELECT status, node_id FROM we_cascade_task_allocations WHERE id IN (%s) ORDER BY id"
                 % ", ".join(quoted(n) for n in names))
    return [(r["status"], r["node_id"]) for r in rows]


def outcomes(s, names):
    return sorted(r["outcome"] for r in s.sql(
        "SELECT outcome FROM cascade_attempt WHERE allocation_id IN (%s)" % ", ".join(quoted(n) for n in names)))


def test_create(s, t):
    """registration"""
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        admin = s.admin(mount=mount)
        made = admin.post("/nodes", {"node_type": 1, "name": "节点A", "description": "d",
                                     "api_url": "http://127.0.0.1:1"})
        t.eq(made.status, 200, "made on " + mount, repr(made))
        t.eq((made["code"], made["message"]), (code, "节点创建成功"), "with its code and message")
        t.eq(list(made.data), ["node_id", "node_type", "name", "is_active", "created_at"], "and fields")
        t.ok(UUID7.search(made["data.node_id"]), "the id is a UUIDv7", repr(made))
        t.ok(TIME.search(made["data.created_at"]), "created_at has no zone", repr(made))
        t.eq((made["data.node_type"], made["data.name"], made["data.is_active"]), (1, "节点A", True), "as asked")
    node = admin.get("/nodes/" + made["data.node_id"])
    t.eq(list(node.data), FIELDS, "a node's fields, in order")
    want = {"id": made["data.node_id"], "description": "d", "api_url": "http://127.0.0.1:1", "api_key": None,
            "parent_id": None, "status": 0, "is_active": True, "last_sync_at": None, "last_heartbeat_at": None,
            "sync_config": {}, "current_tasks": 0, "max_capacity": 10, "callback_url": None, "draining": False, "hold_until": None,
            "online": False, "last_seen_at": None}
    t.eq({k: node.data[k] for k in want}, want, "a new child")
    parent = admin.post("/nodes", {"node_type": 0, "name": "P", "api_url": "", "description": None})
    node = shown(s, parent["data.node_id"])
    t.eq((node["node_type"], node["description"], node["api_url"], node["max_capacity"]), (0, "", None, 0),
         "a parent, with defaults")
    t.eq(s.sql("SELECT 1 FROM cascade_node WHERE node_id = '%s'" % parent["data.node_id"]), [], "has no row of ours")
    plain = '{"node_type":1,"name":"no content type"}'
    t.eq(admin.post("/nodes", plain.encode()).status, 200, "JSON without a Content-Type")


def test_refused(s, t):
    """what is refused"""
    admin = s.admin()
    before = s.value("SELECT COUNT(*) FROM we_cascade_nodes")
    url = "http://h/" + "x" * 491
    bad = [
        ({"name": "n"}, "node_type"), ({"node_type": None, "name": "n"}, "node_type"),
        ({"node_type": 2, "name": "n"}, "node_type"), ({"node_type": -1, "name": "n"}, "node_type"),
        ({"node_type": "1", "name": "n"}, "node_type"), ({"node_type": True, "name": "n"}, "node_type"),
        ({"node_type": 1.0, "name": "n"}, "node_type"), ({"node_type": 1}, "name"),
        ({"node_type": 1, "name": ""}, "name"), ({"node_type": 1, "name": 5}, "name"),
        ({"node_type": 1, "name": "名" * 256}, "name"), ({"node_type": 1, "name": "n", "description": 5}, "description"),
        ({"node_type": 1, "name": "n", "api_url": "ftp://h/"}, "api_url"),
        ({"node_type": 1, "name": "n", "api_url": "h"}, "api_url"),
        ({"node_type": 1, "name": "n", "api_url": "http://u:p@h/"}, "api_url"),
        ({"node_type": 1, "name": "n", "api_url": 1}, "api_url"),
        ({"node_type": 1, "name": "n", "api_url": url + "x"}, "api_url"),
    ]
    s.table(t, [("POST", "/nodes", admin, body, 422, {"code": 422, "data.field": field, "data.reason": str})
                for body, field in bad])
    s.table(t, [
        ("POST", "/nodes", admin, None, 422, {"data.field": "body"}),
        ("POST", "/nodes", admin, [1], 422, {"data.field": "body"}),
        ("POST", "/nodes", admin, '{"node_type":', 400, {"data.field": "body"}),
        ("POST", "/nodes", None, {"node_type": 1, "name": "n"}, 401, {"data": None}),
        ("GET", "/nodes?node_type=2", admin, None, 422, {"data.field": "node_type"}),
        ("GET", "/nodes?node_type=x", admin, None, 422, {"data.field": "node_type"}),
    ])
    t.eq(s.value("SELECT COUNT(*) FROM we_cascade_nodes"), before, "nothing was stored")
    most = admin.post("/nodes", {"node_type": 1, "name": "名" * 255, "api_url": url})
    t.eq(most.status, 200, "the longest name and address are taken", repr(most))

    node_id = most["data.node_id"]
    old = shown(s, node_id)
    deep = json.loads("[" * 40 + "]" * 40)
    bad = [
        ({"name": ""}, "name"), ({"name": 1}, "name"), ({"name": "x" * 256}, "name"),
        ({"description": []}, "description"), ({"api_url": "nope"}, "api_url"),
        ({"is_active": 1}, "is_active"), ({"is_active": "true"}, "is_active"),
        ({"sync_config": []}, "sync_config"), ({"sync_config": "{}"}, "sync_config"),
        ({"sync_config": {"max_capacity": 0}}, "sync_config.max_capacity"),
        ({"sync_config": {"max_capacity": 100001}}, "sync_config.max_capacity"),
        ({"sync_config": {"max_capacity": 10 ** 30}}, "sync_config.max_capacity"),
        ({"sync_config": {"max_capacity": "5"}}, "sync_config.max_capacity"),
        ({"sync_config": {"max_capacity": 1.5}}, "sync_config.max_capacity"),
        ({"sync_config": {"feed_quota": [1]}}, "sync_config.feed_quota"),
        ({"sync_config": {"feed_quota": {"MP_1": -1}}}, "sync_config.feed_quota.MP_1"),
        ({"sync_config": {"feed_quota": {"MP_1": 1, "公\"众": "2"}}}, "sync_config.feed_quota.公\"众"),
        ({"sync_config": {"feed_quota": {"MP_1": None}}}, "sync_config.feed_quota.MP_1"),
        ({"name": "changed", "sync_config": {"max_capacity": 0}}, "sync_config.max_capacity"),
    ]
    s.table(t, [("PUT", "/nodes/" + node_id, admin, body, 422, {"code": 422, "data.field": field, "data.reason": str})
                for body, field in bad])
    t.eq(admin.put("/nodes/" + node_id, {"sync_config": {"x": deep}}).status, 400, "nested too deeply")
    t.eq(shown(s, node_id), old, "nothing changed")
    long_key = admin.put("/nodes/" + node_id, {"sync_config": {"feed_quota": {"长" * 300: -1}}})
    t.ok(long_key["data.field"].startswith("sync_config.feed_quota.长"), "a long key is cut", repr(long_key))


def test_unknown(s, t):
    """nodes that are not there"""
    admin = s.admin()
    none = {"code": 404, "message": "节点不存在", "data": None}
    made = admin.post("/nodes", {"node_type": 1, "name": "case"})["data.node_id"]
    for node_id in (UNKNOWN, "nope", made.upper(), made + "%20", "x" * 300, "%27%20OR%201=1"):
        s.table(t, [
            ("GET", "/nodes/" + node_id, admin, None, 404, none),
            ("PUT", "/nodes/" + node_id, admin, {"name": "x", "is_active": False}, 404, none),
            ("POST", "/nodes/%s/credentials" % node_id, admin, None, 404, none),
            ("DELETE", "/nodes/" + node_id, admin, None, 404, none),
        ])
    t.eq(shown(s, made)["name"], "case", "the one of nearly that id is untouched")
    english = s.admin(headers={"Accept-Language": "en"})
    t.eq(english.get("/nodes/nope")["message"], "no such node", "in English")


def test_update(s, t):
    """changes"""
    admin = s.admin(mount=WERSS)
    node_id = admin.post("/nodes", {"node_type": 1, "name": "a", "description": "d",
                                    "api_url": "https://h/"})["data.node_id"]
    path = "/nodes/" + node_id

    def put(body, what, **want):
        answer = admin.put(path, body)
        t.eq((answer.status, answer["code"], answer["message"], answer.data), (200, 0, "节点更新成功", None), what)
        now = shown(s, node_id)
        t.eq({k: now[k] for k in want}, want, what + ": as shown")

    put({}, "nothing", name="a", description="d", api_url="https://h/", is_active=True, sync_config={})
    put({"name": "节点'B\"\\"}, "name alone", name="节点'B\"\\", description="d", api_url="https://h/")
    put({"description": "e"}, "description", description="e", api_url="https://h/")
    put({"name": None, "is_active": None}, "null where there is no default", name="节点'B\"\\", is_active=True)
    put({"api_url": None}, "null clears the address", api_url=None, description="e")
    put({"api_url": "http://x"}, "address", api_url="http://x")
    put({"api_url": "", "description": None}, "empty clears it too", api_url=None, description="")

    config = {"max_capacity": 3, "feed_quota": {"MP_1": 2, "a\"b": 4, "c\\d": 5, "e.f[0]*$": 6, "g'h": 7, "中 文": 8,
                                                "😀": 9, "tab\tq": 10, "zero": 0, "huge": 10 ** 18}, "other": {"k": [1, None]}}
    put({"sync_config": config}, "sync_config", sync_config=config, max_capacity=3)
    want = dict(config["feed_quota"], huge=2 ** 32 - 1)
    t.eq(quotas(s, node_id), want, "its quotas, whatever the feed is called")
    t.eq(s.value("SELECT sync_config FROM we_cascade_nodes WHERE id = '%s'" % node_id),
         json.dumps(config, ensure_ascii=False, separators=(",", ":")), "is stored as compact JSON")
    put({"name": "c"}, "a name leaves it", sync_config=config, max_capacity=3)
    t.eq(quotas(s, node_id), want, "and the quotas")
    put({"sync_config": {"max_capacity": 100000}}, "it is replaced whole", sync_config={"max_capacity": 100000},
        max_capacity=100000)
    t.eq(quotas(s, node_id), {}, "quotas and all")
    put({"sync_config": {"feed_quota": {"A": 1, "a": 2}}}, "keys that the database takes for one",
        sync_config={"feed_quota": {"A": 1, "a": 2}}, max_capacity=10)
    put({"sync_config": {"max_capacity": None, "feed_quota": None}}, "null inside means default", max_capacity=10)
    put({"sync_config": {"max_capacity": 1}}, "one", max_capacity=1)
    put({"sync_config": None}, "null means defaults", sync_config={}, max_capacity=10)
    many = {"feed_quota": {"MP_WXS_%010d" % i: i % 5 for i in range(3000)}}
    put({"sync_config": many}, "many quotas", sync_config=many)
    t.eq(len(quotas(s, node_id)), 3000, "are all there")

    parent = admin.post("/nodes", {"node_type": 0, "name": "P"})["data.node_id"]
    t.eq(admin.put("/nodes/" + parent, {"sync_config": {"max_capacity": 5}, "is_active": False}).status, 200, "a parent")
    t.eq((shown(s, parent)["sync_config"], shown(s, parent)["status"]), ({"max_capacity": 5}, 2), "is changed")


def test_list(s, t):
    """listing"""
    admin = s.admin()
    every = admin.get("/nodes").data
    t.ok(len(every) >= 4, "every node")
    t.eq({tuple(n) for n in every}, {tuple(FIELDS)}, "all have the fields of one")
    children = admin.get("/nodes?node_type=1").data
    parents = admin.get("/nodes?node_type=0").data
    t.eq({n["node_type"] for n in children}, {1}, "children")
    t.eq({n["node_type"] for n in parents}, {0}, "parents")
    t.eq(sorted(n["id"] for n in children + parents), sorted(n["id"] for n in every), "make the whole")
    t.eq(every[0], shown(s, every[0]["id"]), "a listed node is the same as one asked for")
    times = [n["created_at"] for n in every]
    t.eq(times, sorted(times, reverse=True), "newest first")
    t.eq(admin.get("/nodes?node_type=").data, every, "an empty filter is none")


def test_credentials(s, t):
    """credentials"""
    admin = s.admin()
    node_id = admin.post("/nodes", {"node_type": 1, "name": "c"})["data.node_id"]
    path = "/nodes/%s/credentials" % node_id
    first = admin.post(path)
    t.eq((first.status, first["message"], first["@Cache-Control"]), (200, "凭证生成成功", "no-store"), "made")
    t.eq(list(first.data), ["node_id", "api_key", "api_secret"], "its fields")
    t.eq(first["data.node_id"], node_id, "the node's")
    for field, prefix in (("api_key", "CN"), ("api_secret", "CS")):
        t.ok(re.fullmatch(prefix + r"[A-Za-z0-9_-]{32}", first.data[field]), field, repr(first))
    key, secret = first["data.api_key"], first["data.api_secret"]
    t.eq(shown(s, node_id)["api_key"], key, "the node shows its key")
    everything = json.dumps(admin.get("/nodes").json) + json.dumps(shown(s, node_id))
    stored = s.value("SELECT api_secret_hash FROM we_cascade_nodes WHERE id = '%s'" % node_id)
    t.ok(re.fullmatch("[0-9a-f]{64}", stored), "the hash is stored")
    t.ok(secret not in everything and stored not in everything and "hash" not in everything,
         "neither secret nor hash is shown")

    node = s.node(key, secret)
    t.eq(node.post("/heartbeat").status, 200, "it is accepted")
    t.ok(shown(s, node_id)["last_seen_at"] and shown(s, node_id)["last_heartbeat_at"], "and seen")
    t.eq((shown(s, node_id)["status"], shown(s, node_id)["online"]), (1, True), "so the node is online")
    for wrong in ((key, secret[:-1] + ("a" if secret[-1] != "a" else "b")), (key.lower(), secret), (key, stored),
                  (key, key), (key + " ", secret)):
        t.eq(s.node(*wrong).post("/heartbeat").status, 401, "another pair is not")
    t.eq(node.get("/nodes").status, 403, "a node may not ask for nodes")
    t.eq(node.post("/nodes", {"node_type": 1, "name": "x"}).status, 403, "nor make them")

    second = admin.post(path)
    t.ok(second["data.api_key"] != key and second["data.api_secret"] != secret, "another time, another pair")
    t.eq(node.post("/heartbeat").status, 401, "the former stops working at once")
    t.eq(s.node(second["data.api_key"], second["data.api_secret"]).post("/heartbeat").status, 200, "the new one works")
    parent = admin.post("/nodes", {"node_type": 0, "name": "P"})["data.node_id"]
    s.table(t, [("POST", "/nodes/%s/credentials" % parent, admin, None, 400,
                 {"code": 400, "message": "只有子节点需要凭证", "data": None})])
    t.eq(shown(s, parent)["api_key"], None, "a parent gets none")

    other = s.new_node("twin")
    s.sql("UPDATE we_cascade_nodes SET api_key = '%s' WHERE id = '%s'" % (other.key.swapcase(), node_id))
    t.eq(other.post("/heartbeat").status, 200, "a key that differs in case only does no harm")


def test_deactivate(s, t):
    """a node is deactivated"""
    node = s.new_node("off", sync_config={"max_capacity": 5})
    admin = s.admin()
    t.eq(node.post("/heartbeat").status, 200, "it is alive")
    work = [give_work(s, node.id, i, i) for i in range(3)]
    t.eq(shown(s, node.id)["current_tasks"], 3, "its work is counted")
    t.eq(admin.put("/nodes/" + node.id, {"is_active": False}).status, 200, "deactivated")
    t.eq(stands(s, work), [("pending", None)] * 3, "its work is back in the pool at once")
    t.eq(outcomes(s, work), ["node_inactive"] * 2, "held attempts ended for that reason")
    t.eq(s.sql("SELECT failures, losts FROM cascade_open WHERE id = '%s'" % work[2]),
         [{"failures": "0", "losts": "1"}], "which counts as lost, not failed")
    now = shown(s, node.id)
    t.eq((now["status"], now["is_active"], now["online"], now["current_tasks"]), (2, False, False, 0), "it is disabled")
    t.eq(s.value("SELECT status FROM we_cascade_nodes WHERE id = '%s'" % node.id), "2", "for WeRSS too")
    t.eq(node.post("/heartbeat").status, 401, "and refused")
    t.eq(node.post("/claim-task").status, 401, "everywhere")
    t.eq(admin.put("/nodes/" + node.id, {"is_active": False}).status, 200, "once more")
    t.eq(admin.put("/nodes/" + node.id, {"is_active": True}).status, 200, "activated")
    now = shown(s, node.id)
    t.eq((now["status"], now["is_active"], now["online"]), (1, True, True), "it is as it was")
    t.eq(node.post("/heartbeat").status, 200, "and accepted")
    forget_work(s)


def test_delete(s, t):
    """a node is deleted"""
    node = s.new_node("gone", sync_config={"feed_quota": {"MP_1": 2}})
    admin = s.admin(mount=WERSS)
    seq = seq_of(s, node.id)
    work = [give_work(s, node.id, i, i) for i in range(3)]
    gone = admin.delete("/nodes/" + node.id)
    t.eq((gone.status, gone["code"], gone["message"], gone.data), (200, 0, "节点删除成功", None), "deleted")
    t.eq(stands(s, work), [("pending", None)] * 3, "its work is back in the pool")
    t.eq(outcomes(s, work), ["node_deleted"] * 2, "held attempts ended for that reason")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_attempt WHERE node_id = '%s'" % node.id), "2", "and name the node")
    t.eq(s.value("SELECT (SELECT COUNT(*) FROM cascade_node WHERE seq = %s) + (SELECT COUNT(*) FROM cascade_quota"
                 " WHERE node = %s)" % (seq, seq)), "0", "nothing of it is left")
    t.eq(admin.get("/nodes/" + node.id).status, 404, "it is gone")
    t.eq(node.post("/heartbeat").status, 401, "and refused")
    t.eq(admin.delete("/nodes/" + node.id).status, 404, "only once")
    forget_work(s)

    half = s.new_node("half")
    work = [give_work(s, half.id, 5, 2)]
    s.stop("cascaded")
    s.sql("DELETE FROM we_cascade_nodes WHERE id = '%s'" % half.id)
    t.eq(admin.delete("/nodes/" + half.id).status, 200, "a deletion that was interrupted is finished")
    t.eq(stands(s, work), [("pending", None)], "with its work")
    t.eq(s.sql("SELECT 1 FROM cascade_node WHERE node_id = '%s'" % half.id), [], "and its row")
    s.start("cascaded")
    forget_work(s)


def test_written_by_werss(s, t):
    """nodes that WeRSS inserts, changes and deletes"""
    s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, is_active, status, sync_config, api_key, api_secret_hash)"
          " VALUES ('wr-1', 1, 'w', 1, 0, '{\"max_capacity\": 4, \"feed_quota\": {\"MP_9\": 3, \"bad\": \"x\"}}',"
          " 'CNwerss1', SHA2('CSwerss1', 256)), ('wr-2', 1, 'w', 1, 0, '{broken', 'CNwerss2', SHA2('CSwerss2', 256)),"
          " ('wr-3', 1, 'w', 1, 0, '{\"max_capacity\": 100001, \"feed_quota\": [1]}', NULL, NULL),"
          " ('wr-4', 0, 'p', 1, 0, NULL, 'CNwerss4', SHA2('CSwerss4', 256)), ('wr-5', 1, 'w', 0, 2, '', NULL, NULL)")
    t.eq(s.node("CNwerss1", "CSwerss1").post("/heartbeat").status, 200, "it is accepted before anybody looked")
    t.eq((capacity(s, "wr-1"), quotas(s, "wr-1")), ("4", {"MP_9": 3}), "its settings are taken over")
    t.eq(s.node("CNwerss2", "CSwerss2").post("/heartbeat").status, 200, "one with a broken sync_config too")
    t.eq(shown(s, "wr-2")["sync_config"], {}, "which is shown as an empty one")
    t.eq(s.node("CNwerss4", "CSwerss4").post("/heartbeat").status, 401, "a parent is not")
    t.eq(shown(s, "wr-3")["max_capacity"], 10, "what is out of range is a default")

    def all_known():
        return s.value("SELECT COUNT(*) FROM cascade_node WHERE node_id LIKE 'wr-%'") == "4"

    t.ok(wait_for(all_known, REFRESH_S), "cascaded finds the others")
    t.eq(capacity(s, "wr-3"), "10", "with defaults")
    t.eq(s.value("SELECT active FROM cascade_node WHERE node_id = 'wr-5'"), "0", "and what is inactive")

    s.sql("UPDATE we_cascade_nodes SET sync_config = '{\"max_capacity\":6}' WHERE id = 'wr-1'")
    t.ok(wait_for(lambda: capacity(s, "wr-1") == "6", REFRESH_S), "it takes over changes")
    t.eq(quotas(s, "wr-1"), {}, "of quotas too")
    work = [give_work(s, "wr-1", i, i) for i in range(3)]
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id = 'wr-1'")
    t.eq(s.node("CNwerss1", "CSwerss1").post("/claim-task").status, 401, "deactivated: refused at once")
    t.ok(wait_for(lambda: outcomes(s, work) == ["node_inactive"] * 2, REFRESH_S), "its work returns")
    t.ok(wait_for(lambda: shown(s, "wr-1")["current_tasks"] == 0, REFRESH_S), "all of it")
    forget_work(s)

    work = [give_work(s, "wr-2", i + 10, i) for i in range(3)]
    s.sql("DELETE FROM we_cascade_nodes WHERE id = 'wr-2'")
    t.ok(wait_for(lambda: s.sql("SELECT 1 FROM cascade_node WHERE node_id = 'wr-2'") == [], REFRESH_S),
         "deleted: forgotten")
    t.eq(outcomes(s, work), ["node_deleted"] * 2, "its work returned")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open o LEFT JOIN cascade_node n ON n.seq = o.node"
                 " WHERE o.node <> 0 AND n.seq IS NULL"), "0", "nothing is held by nobody")
    forget_work(s)


def test_while_claiming(s, t):
    """settings, deactivation and deletion while nodes claim"""
    make_task(s, "tc", make_feeds(s, 200))
    nodes = [s.new_node("busy%d" % i, sync_config={"max_capacity": 1000}) for i in range(2)]
    seqs = [seq_of(s, node.id) for node in nodes]
    admin = s.admin()
    over = threading.Event()
    seen = set()

    def claim_on(node):
        while not over.is_set():
            seen.add(node.post("/claim-task").status)

    threads = [threading.Thread(target=claim_on, args=(node,)) for node in nodes * 2]
    for thread in threads:
        thread.start()
    try:
        t.eq(dispatch(s, "tc")["data.allocations_created"], 200, "work is dispatched")
        answers = []
        for i in range(5):
            off, on = {"is_active": False}, {"is_active": True, "sync_config": {"max_capacity": 500 + i}}
            answers += [admin.put("/nodes/" + node.id, body).status for node in nodes for body in (off, on)]
        t.eq(set(answers), {200}, "every change is made")
        answers = [admin.put("/nodes/" + nodes[0].id, {"is_active": False}).status,
                   admin.delete("/nodes/" + nodes[1].id).status]
        t.eq(answers, [200, 200], "one is deactivated, one deleted")
        left = s.value("SELECT COUNT(*) FROM cascade_open WHERE node IN (%s)" % ", ".join(seqs))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    t.eq(left, "0", "neither has any work then")
    t.eq(seen, {200, 401}, "claims are answered or refused, and nothing else")
    consistent(s, t)
    forget_work(s)


def test_roles(s, t):
    """who may"""
    s.sql("INSERT INTO we_users (id, username, password_hash, is_active, role) VALUES ('u-r', 'reader', '', 1, 'user'),"
          " ('u-x', 'off', '', 0, 'admin')")
    s.sql("INSERT INTO we_access_keys (id, user_id, `key`, secret, name, is_active, expires_at) VALUES"
          " ('k1', 'u-r', 'WKreader', SHA2('SKreader', 256), 'k', 1, NULL),"
          " ('k2', 'u-r', 'WKold', SHA2('SKold', 256), 'k', 1, NOW() - INTERVAL 1 SECOND),"
          " ('k3', 'u-r', 'WKoff', SHA2('SKoff', 256), 'k', 0, NOW() + INTERVAL 1 DAY),"
          " ('k4', 'u-x', 'WKuser', SHA2('SKuser', 256), 'k', 1, NULL),"
          " ('k5', 'nobody', 'WKnone', SHA2('SKnone', 256), 'k', 1, NULL)")
    reader = s.node("WKreader", "SKreader")
    node_id = s.admin().post("/nodes", {"node_type": 1, "name": "r"})["data.node_id"]
    s.table(t, [
        ("GET", "/nodes", reader, None, 200, {}),
        ("GET", "/nodes/" + node_id, reader, None, 200, {"data.name": "r"}),
        ("POST", "/nodes", reader, {"node_type": 1, "name": "n"}, 403, {"code": 403}),
        ("PUT", "/nodes/" + node_id, reader, {"name": "n"}, 403, {"code": 403}),
        ("DELETE", "/nodes/" + node_id, reader, None, 403, {"code": 403}),
        ("POST", "/nodes/%s/credentials" % node_id, reader, None, 403, {"code": 403}),
        ("GET", "/nodes", s.node("WKREADER", "SKreader"), None, 401, {}),
        ("GET", "/nodes", s.node("WKold", "SKold"), None, 401, {}),
        ("GET", "/nodes", s.node("WKoff", "SKoff"), None, 401, {}),
        ("GET", "/nodes", s.node("WKuser", "SKuser"), None, 401, {}),
        ("GET", "/nodes", s.node("WKnone", "SKnone"), None, 401, {}),
    ])
    s.sql("UPDATE we_users SET is_active = 0 WHERE id = 'u-r'")
    t.eq(reader.get("/nodes").status, 401, "a user that is disabled is refused from then on")


def test_beats(s, t):
    """signs of life of our own parts"""
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_beat") == "2", REFRESH_S), "pool and cascaded beat")
    s.sql("UPDATE cascade_beat SET beat_at = NOW(3) - INTERVAL 60 SECOND, gap_ended_at = NULL")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_beat WHERE gap_ended_at > NOW(3) - INTERVAL 60 SECOND")
                  == "2", REFRESH_S), "the end of a gap is noted")
    node = s.new_node("quiet")
    node.post("/heartbeat")
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 600 SECOND WHERE node_id = '%s'" % node.id)
    t.eq((shown(s, node.id)["online"], shown(s, node.id)["status"]), (False, 0), "a silent node is offline")
    node.post("/claim-task")
    t.eq(shown(s, node.id)["online"], True, "any request of it is a sign of life")


run(test_create, test_refused, test_unknown, test_update, test_list, test_credentials, test_deactivate, test_delete,
    test_written_by_werss, test_while_claiming, test_roles, test_beats,
    env={"CASCADE_CASCADED_REFRESH": "1s"})
