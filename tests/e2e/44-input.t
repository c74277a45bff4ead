#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Bad input to every endpoint on both mounts: a 4xx envelope that names the field, nothing stored.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run  # noqa: E402
from endpoints import ADMIN, ENDPOINTS, USER, allowed, routed, served  # noqa: E402
from work import article, claim, dispatch, make_feeds, make_task  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
BODY_MAX = 64 * KIB
UPLOAD_MAX = MIB
HAN = re.compile("[\u4e00-\u9fff]")
# What lives by itself: beats, and a node's signs of life.
BEATS = ("cascade_beat", "cascade_leader")
NODE = ("SELECT seq, node_id, active, draining, may_reserve, open_count, max_capacity, sync_config_hash FROM cascade_node"
        " ORDER BY seq")
# What is refused of a node's pulls and pushes is noted as failed; nothing else may get there.
LOG = "SELECT id, node_id, operation, data_count FROM we_cascade_sync_logs WHERE status <> 2 ORDER BY id"

MALFORMED = ["{", "}", '{"a":1,}', "{'a':1}", '{"a":1} x', '{"a":01}', '{"a":NaN}', '{"a":+1}', '{"a":.5}', "nul", "[1,2",
             '{"a" 1}', '{"a":1 "b":2}', '{"a":"\x01"}', '{"a":"\\x"}', '{"a":"\\u12"}', "{a:1}", '{"a":1}{}', "\ufeff{}",
             '{"a":', '"x', "/* */ {}", '{"a":1e}', "--", "{\"a\":tru}"]
NUL = [b"\0", b'{"a":"x\0"}', b'{"a\0":1}', rb'{"a":"\u0000"}', rb'{"a\u0000b":1}', b"{}\0", rb'{"a":{"b":["\u0000"]}}']
NOT_UTF8 = [b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"\xc3":1}', b'{"a":"\xf5\x80\x80\x80"}',
            b'{"a":"\xe4\xb8"}', "任务".encode("gbk")]
DEEP = ['{"a":' + "[" * 32 + "]" * 32 + "}", '{"a":' * 33 + "1" + "}" * 33, "[" * 30000, "[" * 1000 + "]" * 1000]


def contents(s):
    """By which any change of a row shows."""
    tables = {list(r.values())[0] for r in s.sql("SHOW TABLES")}.difference(
        BEATS, ["cascade_node", "we_cascade_sync_logs"])
    sums = s.sql("CHECKSUM TABLE " + ", ".join(tables))
    return dict({r["Table"].split(".")[1]: r["Checksum"] for r in sums}, cascade_node=s.sql(NODE),
                we_cascade_sync_logs=s.sql(LOG))


def nothing_stored(s, t, before, name):
    now = contents(s)
    t.eq({table: now.get(table) for table in now if now[table] != before.get(table)}, {}, name)


class Judge:
    """Counts refusals that are as they should be; a check for each group of them."""

    def __init__(self, t, name):
        self.t, self.name, self.count, self.wrong = t, name, 0, []

    def refused(self, answer, status, field, what):
        """FIELD None: data is null."""
        body = answer.json
        data = body.get("data") if isinstance(body, dict) else None
        good = (answer.status == status and isinstance(body, dict) and list(body) == ["code", "message", "data"]
                and body["code"] == status and HAN.search(body["message"])
                and answer.headers.get_all("Content-Type") == ["application/json"] and answer["@X-Request-Id"]
                and (data is None if field is None else
                     isinstance(data, dict) and data.get("field") == field and bool(data.get("reason"))))
        self.count += 1
        if not good:
            self.wrong.append("%s: want %d %s, got %r" % (what, status, field, answer))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.count:  # there may be nothing to refuse
            self.t.ok(not self.wrong, "%s (%d requests)" % (self.name, self.count), *self.wrong[:20])


class World:
    """A node that holds an allocation, and whoever may call an endpoint."""

    def __init__(self, s):
        make_task(s, "input", make_feeds(s, 3))
        self.node = s.new_node("holder")
        dispatch(s, "input")
        self.package = claim(self.node)
        self.other = s.new_node("other")
        self.admin = s.admin()

    def caller(self, endpoint):
        return self.admin if endpoint.who in (ADMIN, USER) else self.node

    def path(self, pattern):
        """With the ids of what exists."""
        return pattern.replace("{id}", self.package["allocation_id"] if "alloc" in pattern else self.other.id)

    def body(self, endpoint):
        body = dict(endpoint.body)
        if "allocation_id" in body:
            body["allocation_id"] = self.package["allocation_id"]
        return body


world = None


def over_all(test):
    """TEST(judge, method, path, endpoint, client) for each endpoint and mount, then: nothing stored."""
    def go(s, t):
        before = contents(s)
        for method, pattern, endpoint in served():
            for mount in (GUIDE, WERSS):
                name = "%s %s%s: %s" % (method, mount, pattern, test.__doc__)
                with Judge(t, name) as judge:
                    test(judge, method, world.path(pattern), endpoint, world.caller(endpoint).at(mount))
        nothing_stored(s, t, before, test.__doc__ + ": nothing is stored")
    go.__doc__ = test.__doc__
    return go


def prepare(s, t):
    """the endpoints"""
    global world
    world = World(s)
    t.eq([r for r in routed() if r not in ENDPOINTS], [], "every route is known to this test")
    t.ok(len(served()) > 15, "there are some")
    t.ok(world.package, "the node holds an allocation")


@over_all
def test_malformed(judge, method, path, endpoint, client):
    """what is not JSON"""
    if endpoint.body is None:
        return
    for text in MALFORMED:
        judge.refused(client.request(method, path, text), 400, "body", "malformed " + text)
    for kind, bodies in (("NUL", NUL), ("not UTF-8", NOT_UTF8), ("deep", DEEP)):
        for body in bodies:
            judge.refused(client.request(method, path, body), 400, "body", "%s %r" % (kind, body[:40]))
    no_type = {"Content-Type": "text/plain; charset=latin1"}
    judge.refused(client.request(method, path, "{", headers=no_type), 400, "body", "of another content type")


@over_all
def test_not_an_object(judge, method, path, endpoint, client):
    """JSON that is no object"""
    if endpoint.body is None:
        return
    for text in ("[]", "[{}]", '"x"', "1", "-0.5", "true", "false"):
        judge.refused(client.request(method, path, text), 422, "body", text)
    if not endpoint.optional:
        for text in (None, "", " \r\n\t", "null"):
            judge.refused(client.request(method, path, text), 422, "body", repr(text))


@over_all
def test_fields(judge, method, path, endpoint, client):
    """wrong fields"""
    for name, field in endpoint.fields.items():
        for what, value in field.wrong():
            body = dict(world.body(endpoint), **{name: value})
            judge.refused(client.request(method, path, body), 422, name, "%s: %s" % (name, what))
        if field.required:
            body = {k: v for k, v in world.body(endpoint).items() if k != name}
            judge.refused(client.request(method, path, body), 422, name, name + " left out")


@over_all
def test_query(judge, method, path, endpoint, client):
    """wrong parameters"""
    body = None if endpoint.body is None else world.body(endpoint)
    for name, (least, most) in endpoint.query.items():
        for value in (least - 1, most + 1, 1 << 64, -(1 << 64), "x", "1.5", "1x", "0x1", "%2B1", "1%20", "%201", "1e1", "１"):
            value = value if isinstance(value, int) else value.replace("１", "%EF%BC%91")
            answer = client.request(method, "%s?%s=%s" % (path, name, value), body)
            judge.refused(answer, 422, name, "%s=%s" % (name, value))
    for name in endpoint.choice:
        for value in ("nonsense", "PENDING", "pending%20", "%E4%BB%BB", "pending,failed", "p" * 300):
            judge.refused(client.request(method, "%s?%s=%s" % (path, name, value), body), 422, name, "%s=%s" % (name, value))
    for query, field in (("a=%zz", "a"), ("a=%", "a"), ("a=%4", "a"), ("a=%FF", "a"), ("a=%C0%AF", "a"), ("a=%00", "a"),
                         ("%zz=1", "query"), ("%ED%A0%80=1", "query"), ("&".join("a%d=1" % n for n in range(40)), "query")):
        judge.refused(client.request(method, path + "?" + query, body), 400, field, query)


@over_all
def test_missing(judge, method, path, endpoint, client):
    """what does not exist"""
    if endpoint.missing is None:
        return
    where, body = endpoint.missing
    judge.refused(client.request(method, where, body), 404, None, "unknown")
    if "{id}" not in where and "/nodes/" not in where and "/allocations/" not in where:
        return
    tail = where.split("/")[3:]
    base = "/" + where.split("/")[1] + "/"
    for id in ("x" * 255, "x" * 256, "x" * 6000, "%20", "%E4%BB%BB" * 90, "'%20OR%20'1'='1", "%25", "%2E%2Ex", "-1", "0", "%F0%9F%98%80",
               path.split("/")[2].upper().replace("7", "%37") + "x"):
        judge.refused(client.request(method, "/".join([base + id, *tail]), body), 404, None, "id " + id[:40])
    for id in ("%FF", "%C0%AF", "a%ED%A0%80", "%80x"):
        judge.refused(client.request(method, "/".join([base + id, *tail]), body), 400, "path", "id " + id)
    for id in ("%zz", "%0", "a%00b"):  # nginx's own answers
        judge.refused(client.request(method, "/".join([base + id, *tail]), body), 400, None, "id " + id)


@over_all
def test_too_large(judge, method, path, endpoint, client):
    """bodies that are too large"""
    most = UPLOAD_MAX if path == "/upload-articles" else BODY_MAX
    filler = {"filler": "x" * (most + 1)}
    body = json.dumps(dict(world.body(endpoint), **filler) if endpoint.body is not None else filler)
    judge.refused(client.request(method, path, body), 413, "body", "%d bytes" % len(body))
    if path != "/upload-articles":
        judge.refused(client.request(method, path, "x" * (MIB + 1)), 413, None, "so large that nginx refuses it")


def test_others_id(s, t):
    """another node's id"""
    before = contents(s)
    for mount in (GUIDE, WERSS):
        node = world.node.at(mount)
        with Judge(t, "node_id of another on " + mount) as judge:
            judge.refused(node.post("/claim-task", {"node_id": world.other.id}), 403, None, "claim-task, body")
            judge.refused(node.post("/claim-task?node_id=" + world.other.id), 403, None, "claim-task, query")
            judge.refused(node.get("/pending-tasks?node_id=" + world.other.id), 403, None, "pending-tasks")
    nothing_stored(s, t, before, "nothing is handed out")


def test_nested(s, t):
    """what is inside of arrays and objects"""
    before = contents(s)
    feed = world.package["feeds"][0]["id"]
    good = article(feed, 1)

    def uploaded(*articles):
        return {"allocation_id": world.package["allocation_id"], "articles": [good, *articles]}

    for mount in (GUIDE, WERSS):
        node, admin = world.node.at(mount), world.admin.at(mount)
        with Judge(t, "articles on " + mount) as judge:
            for value in (None, 1, "x", [], True):
                judge.refused(node.post("/upload-articles", uploaded(value)), 422, "articles[1]", "article %r" % (value,))
            for name in ("id", "mp_id", "title", "pic_url", "url", "description", "content", "content_markdown"):
                for value in (1, 1.5, True, [], {}) + ((None, "") if name in ("id", "mp_id") else ()):
                    judge.refused(node.post("/upload-articles", uploaded(dict(article(feed, 2), **{name: value}))), 422,
                                  "articles[1]." + name, "%s %r" % (name, value))
            for name in ("status", "publish_time"):
                for value in ("1", 1.5, True, [], {}, 1 << 31, -(1 << 31) - 1, 1 << 64):
                    judge.refused(node.post("/upload-articles", uploaded(dict(article(feed, 2), **{name: value}))), 422,
                                  "articles[1]." + name, "%s %r" % (name, value))
            judge.refused(node.post("/upload-articles", uploaded(article("MP_WXS_1", 2))), 422, "articles[1].mp_id", "account")
            judge.refused(node.post("/upload-articles", uploaded(article(feed, 2, id="长" * 250))), 422, "articles[1].id", "long id")
            lacking = {k: v for k, v in good.items() if k != "id"}
            judge.refused(node.post("/upload-articles", uploaded(lacking)), 422, "articles[1].id", "no id")
        with Judge(t, "results on " + mount) as judge:
            for value in (None, 1, "x", [], True):
                body = {"allocation_id": world.package["allocation_id"], "results": [{}, value]}
                judge.refused(node.post("/report-completion", body), 422, "results[1]", "result %r" % (value,))
            body = {"allocation_id": world.package["allocation_id"], "task_id": "another"}
            judge.refused(node.post("/report-completion", body), 422, "task_id", "another task")
            for state in ("nonsense", "EXECUTING", "pending", "cancelled", " executing"):
                body = {"allocation_id": world.package["allocation_id"], "status": state}
                judge.refused(node.put("/task-status", body), 422, "status", "status " + state)
            for value in (None, 1, [], {}):
                judge.refused(node.post("/heartbeat", {"holding": ["x", value]}), 422, "holding[1]", "holding %r" % (value,))
        with Judge(t, "sync_config on " + mount) as judge:
            for name, values in (("max_capacity", (0, -1, 100001, "1", 1.5, True, [], 1 << 64)),
                                 ("feed_quota", ([], "x", 1, True))):
                for value in values:
                    judge.refused(admin.put("/nodes/" + world.other.id, {"sync_config": {name: value}}), 422,
                                  "sync_config." + name, "%s %r" % (name, value))
            for value in (-1, "1", 1.5, True, None, [], {}):
                judge.refused(admin.put("/nodes/" + world.other.id, {"sync_config": {"feed_quota": {"a": 1, "MP_1": value}}}),
                              422, "sync_config.feed_quota.MP_1", "quota %r" % (value,))
    long = world.admin.put("/nodes/" + world.other.id, {"sync_config": {"feed_quota": {"长" * 200: -1}}})
    t.eq(long.status, 422, "a long name in a field is cut")
    t.ok(long["data.field"].startswith("sync_config.feed_quota.长") and "\ufffd" not in long["data.field"],
         "between characters", repr(long))
    nothing_stored(s, t, before, "nothing is stored")


def test_methods(s, t):
    """methods that an endpoint does not have"""
    before = contents(s)
    for mount in (GUIDE, WERSS):
        with Judge(t, "methods on " + mount) as judge:
            for pattern, methods in allowed().items():
                for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get"):
                    if method in methods:
                        continue
                    answer = s.http(method, mount + world.path(pattern), None, {"Authorization": world.admin.authorization})
                    if method == "get":  # nginx's own answer
                        judge.refused(answer, 400 if answer.status == 400 else 405, None, "%s %s" % (method, pattern))
                        continue
                    judge.refused(answer, 405, None, "%s %s" % (method, pattern))
                    allow = {m.strip() for m in (answer["@Allow"] or "").split(",")}
                    if allow != methods:
                        judge.wrong.append("%s %s: Allow: %s" % (method, pattern, sorted(allow)))
    nothing_stored(s, t, before, "nothing is stored")


def test_paths(s, t):
    """paths that lead nowhere"""
    before = contents(s)
    for mount in (GUIDE, WERSS):
        with Judge(t, "paths on " + mount) as judge:
            for path in ("", "/", "/x", "//nodes", "/nodes//credentials", "/nodes/a/b", "/nodes/a/credentials/x", "/Nodes", "/nodes.json",
                         "/nodes%2F" + world.other.id + "%2Fx", "/nodes;x", "/%6eodes/x/y", "/healthz", "/nodes/" + "x/" * 2000,
                         "/nodes/x%0d%0aX-Evil:%201/y"):
                judge.refused(world.admin.at(mount).get(path), 404, None, "path " + path[:50])
    t.eq(world.admin.get("/%6eodes/").status, 200, "escapes and a final slash are the same path")
    nothing_stored(s, t, before, "nothing is stored")


def test_bounds(s, t):
    """what is just within the bounds"""
    admin, node = world.admin, world.node
    for path in ("/allocations?limit=200&offset=9223372036854775807", "/allocations?limit=&offset=&status=", "/nodes?node_type=",
                 "/allocations?limit=7&limit=1&unknown=x", "/allocations?status=pending&task_id=%27%22%5C&node_id=%25"):
        t.eq(admin.get(path).status, 200, path)
    nested = '{"filler":' + "[" * 31 + "]" * 31 + "}"
    t.eq(node.post("/heartbeat", nested).status, 200, "32 levels")
    t.eq(node.post("/heartbeat", '{"a": "\\ud800", "b": "\\ud83d\\ude00"}').status, 200, "escaped surrogates, paired or not")
    t.eq(node.post("/heartbeat", ' \n{"callback_url": null}\r\n').status, 200, "white space around")
    made = admin.post("/nodes", {"node_type": 1, "name": "长" * 255, "description": "😀" * 1000,
                                 "api_url": "https://x/" + "长" * 490, "unknown": 1})
    t.eq(made.status, 200, "the longest name and URL", repr(made))
    t.eq(admin.get("/nodes/" + made["data.node_id"])["data.name"], "长" * 255, "are kept whole")
    exact = '{"filler":"%s"}' % ("x" * (BODY_MAX - 13))
    t.eq((len(exact), node.post("/heartbeat", exact).status), (BODY_MAX, 200), "the largest body")


run(prepare, test_malformed, test_not_an_object, test_fields, test_query, test_missing, test_too_large, test_others_id,
    test_nested, test_methods, test_paths, test_bounds, workers=2, cascaded=False,
    env={"CASCADE_SERVER_BODY_MAX": str(BODY_MAX), "CASCADE_SERVER_UPLOAD_MAX": str(UPLOAD_MAX),
         "CASCADE_NODE_TOUCH": "60s", "CASCADE_LEASE_CLAIM": "1h"})
