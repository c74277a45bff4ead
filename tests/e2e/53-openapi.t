#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
docs/openapi.yaml against live answers, in both directions: every endpoint of both mounts, by each kind of
credential, with success and each error that is described; every answer is as it is described, and everything
that is described is seen. tests/unit/openapi.t holds the document against the route table.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
try:
    import jsonschema  # noqa: F401
    import yaml  # noqa: F401
except ImportError as e:
    print("1..0 # SKIP " + str(e))
    sys.exit(0)
from cascade import GUIDE, WERSS, run, wait_for  # noqa: E402
from contract import TOP as OUTSIDE  # noqa: E402
from contract import Contract, load  # noqa: E402
from endpoints import ADMIN, ANY, ENDPOINTS, EVERYBODY, NODE, TOP, UNKNOWN, USER  # noqa: E402
from werss import sha256  # noqa: E402
from work import (allocation, article, claim, clear, complete, dispatch, feed_id, insert, make_feeds,  # noqa: E402
                  make_task, status, taken, upload)

BODY_MAX = 64 << 10
UPLOAD_MAX = 1 << 20
MOUNTS = (GUIDE, WERSS)
MAY = {"nobody": (), "node": (NODE, ANY), "user's token": (USER, ANY), "user's key": (USER, ANY),
       "administrator's token": (USER, ADMIN, ANY), "administrator's key": (USER, ADMIN, ANY)}
# What is described and cannot be had here, and why.
UNPROVOKED = {
    504: "the web server waits for minutes before it says so",
    ("/metrics", 403): "this host is one that may",
}
# Fields of which not every form can be had from a server that is well: none.
UNSEEN = []

contract = Contract()
people = {}


def every():
    """(mount, method, path, endpoint) of all there is."""
    for (method, path), endpoint in ENDPOINTS.items():
        for mount in MOUNTS:
            yield mount, method, path, endpoint
    for (method, path), endpoint in TOP.items():
        yield OUTSIDE, method, path, endpoint


def caller(endpoint, mount):
    """Somebody who may."""
    name = "node" if endpoint.who in (NODE, ANY) else "nobody" if endpoint.who == EVERYBODY else "administrator's token"
    return people[name].at(mount)


def judged(t, name):
    """What has been seen since the last call was as it is described."""
    t.ok(not contract.faults, "%s: %d answers as they are described" % (name, contract.count),
         *("%s\n%s" % fault for fault in list(contract.faults.items())[:20]))
    contract.faults, contract.count = {}, 0


def test_people(s, t):
    """everybody"""
    contract.watch(s)
    s.ctl("user", "add", "reader", "--role", "user")
    users = {r["username"]: r["id"] for r in s.sql("SELECT id, username FROM we_users")}
    people["nobody"] = s.anybody()
    people["node"] = s.new_node("caller")
    people["user's token"] = s.bearer(s.ctl("token", "--user", "reader").stdout.strip())
    people["administrator's token"] = s.admin()
    for n, (name, user) in enumerate((("user's key", "reader"), ("administrator's key", "admin"))):
        key, secret = "WKopenapi%023d" % n, "SKopenapi%023d" % n
        insert(s, "we_access_keys", [{"id": "k%d" % n, "user_id": users[user], "key": key, "secret": sha256(secret), "is_active": 1}])
        people[name] = s.node(key, secret)
    contract.names.update({client.authorization: name for name, client in people.items()})
    judged(t, "to begin with")


def test_served(s, t):
    """the document as it is served"""
    plain = load()
    for mount in MOUNTS:
        got = s.anybody(mount=mount).get("/openapi.json")
        want = dict(plain, servers=[{"url": mount}])
        t.eq((got.status, list(got.json), got.json == want), (200, list(want), True), "below " + mount)
        tag = got["@ETag"]
        for name, sent, answer in (("its tag", tag, 304), ("a weak one", "W/" + tag, 304), ("among others", '"x", ' + tag, 304),
                                   ("any", "*", 304), ("another", '"x"', 200), ("without quotes", tag.strip('"'), 200)):
            again = s.anybody(mount=mount).get("/openapi.json", headers={"If-None-Match": sent})
            t.eq((again.status, again["@ETag"], len(again.body)), (answer, tag, 0 if answer == 304 else len(got.body)), name)
        t.eq(s.anybody(mount=mount).get("/openapi.json", headers={"Accept-Encoding": "gzip"}).json, want, "not packed")
    t.eq(s.anybody().get("/openapi.json/").status, 200, "with a slash, as everything")
    judged(t, "the document")


def test_credentials(s, t):
    """each endpoint by each kind of credential"""
    for mount, method, path, endpoint in every():
        where, body, let_in = endpoint.harmless(method, path)
        if endpoint.who == EVERYBODY:
            where, body, let_in = path, endpoint.body, 401 if "login" in path else 200
        want = {name: let_in if endpoint.who in (*may, EVERYBODY) else 401 if name == "nobody" else 403 for name, may in MAY.items()}
        got = {name: people[name].at(mount).request(method, where, body).status for name in MAY}
        t.eq(got, want, "%s %s%s" % (method, mount, path))
        s.sql("DELETE FROM cascade_login")
    judged(t, "by everybody")


def faulty(mount, method, path, endpoint):
    """(status, path, body, headers) of requests with one fault each."""
    where, body, _ = endpoint.harmless(method, path)
    large = {"filler": "x" * (UPLOAD_MAX if path == "/upload-articles" else BODY_MAX)}
    yield 400, where + ("&" if "?" in where else "?") + "a=%zz", body, {}
    yield 413, where, large, {}
    if path != "/upload-articles":
        yield 413, where, "x" * (1 << 21), {}  # so large that nginx refuses it
    if endpoint.body is not None:
        yield 400, where, "{", {}
        yield 415, where, endpoint.body, {"Content-Encoding": "br"}
        yield 422, where, "[]", {}
    for name, field in endpoint.fields.items():
        if not endpoint.missing or "{id}" not in path:
            for _, value in field.wrong():
                yield 422, where, {**endpoint.body, name: value}, {}
    for name, (least, most) in endpoint.query.items():
        for value in (least - 1, most + 1, "x"):
            yield 422, "%s?%s=%s" % (path, name, value), body, {}
    for name in endpoint.choice:
        yield 422, "%s?%s=nonsense" % (path, name), body, {}
    if endpoint.missing:
        yield (404, *endpoint.missing, {})


def test_errors(s, t):
    """what is wrong with a request"""
    for mount, method, path, endpoint in every():
        client, wrong = caller(endpoint, mount), []
        for want, where, body, headers in faulty(mount, method, path, endpoint):
            answer = client.request(method, where, body, headers=headers)
            if answer.status != want:
                wrong.append("%d %s %s: %r" % (want, where, str(body)[:60], answer))
        t.ok(not wrong, "%s %s%s: refused as it should be" % (method, mount, path), *wrong[:10])
    judged(t, "requests with a fault")


def test_methods(s, t):
    """HEAD, and methods that a path does not have"""
    for mount, method, path, endpoint in every():
        allowed = contract.allow(mount, path)
        got = {m: people["administrator's token"].at(mount).request(m, path).status for m in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
               if m not in allowed}
        t.eq(got, {m: 405 for m in got}, "%s%s: other methods" % (mount, path))
        if method != "GET" or "HEAD" not in allowed or endpoint.missing:
            continue
        client = caller(endpoint, mount)
        get, head = client.request("GET", path), client.request("HEAD", path)
        same = path != "/metrics"  # which counts
        t.eq((head.status, not same or head["@Content-Length"] == str(len(get.body)), head["@Content-Type"]),
             (200, True, get["@Content-Type"]), "HEAD %s%s" % (mount, path))
    for mount in MOUNTS:
        t.eq(s.anybody(mount=mount).get("/nothing/here").status, 404, "nothing is there")
    judged(t, "methods")


class World:
    """What the examples speak of, below one mount."""

    def __init__(self, s, mount):
        self.s, self.mount, self.node = s, mount, people["node"]
        self.admin, self.child = s.admin(mount=mount), people["node"].at(mount)
        if not s.sql("SELECT id FROM we_message_tasks WHERE id = 'daily'"):
            make_task(s, "daily", make_feeds(s, 1))

    def held(self):
        """A new allocation that the node holds."""
        clear(self.s)
        self.s.sql("DELETE FROM cascade_attempt")
        self.s.sql("UPDATE cascade_node SET hold_until = NULL")  # one of the examples asks for no work
        dispatch(self.s, "daily")
        return taken(self.child)

    def password(self):
        with open(os.path.join(os.path.dirname(self.s.conf), "admin_password")) as file:
            return file.readline().strip()

    def fit(self, path, example):
        """PATH and EXAMPLE with what exists here in place of what the document names."""
        node = self.admin.post("/nodes", {"node_type": 1, "name": "x"})["data.node_id"] if "/nodes/" in path else None
        held = self.held() if "allocation" in path or "allocation_id" in example else {"allocation_id": None}
        body = dict(example)
        body.update({"allocation_id": held["allocation_id"]} if "allocation_id" in body else {})
        body.update({"attempt": held["attempt"]} if "attempt" in body else {})
        body.update({"username": "admin", "password": self.password()} if "password" in body else {})
        return path.replace("{id}", str(node or held["allocation_id"])), body


def examples(operation):
    media = operation.body() or {}
    return [e["value"] for e in media.get("examples", {}).values()] + [media[k] for k in media if k == "example"]


def test_examples(s, t):
    """examples of requests are accepted"""
    count = 0
    for mount in MOUNTS:
        world = World(s, mount)
        for operation in contract.operations.values():
            for example in examples(operation) if operation.mount == mount else []:
                path, body = world.fit(operation.path, example)
                client = caller(ENDPOINTS[operation.method, operation.path], mount)
                answer = client.request(operation.method, path, body)
                t.eq(answer.status, 200, "%s %s%s: its example" % (operation.method, mount, operation.path), repr(answer), body)
                count += 1
    t.ok(count > 30, "there are many", count)
    clear(s)
    judged(t, "examples")


def spare(s, n):
    """Rows in which nothing is that need not be, as other programs may leave them."""
    nothing = {"mp_name": None, "mp_cover": None, "mp_intro": None, "faker_id": None, "update_time": None, "sync_time": None}
    insert(s, "we_feeds", [dict(nothing, id="bare%d" % n, status=1), dict(nothing, id="off%d" % n, status=None)])
    insert(s, "we_message_tasks", [dict(dict.fromkeys(("message_template", "web_hook_url", "headers", "cookies", "cron_exp")),
                                        id="bare%d" % n, name="bare", message_type=0, status=1, mps_id='[{"id": "bare%d"}]' % n)])
    insert(s, "we_message_tasks", [dict.fromkeys(("headers", "mps_id"), None) | {"id": "all%d" % n, "name": "all", "message_type": 0, "status": 1}])
    insert(s, "we_cascade_nodes", [dict.fromkeys(("description", "api_url", "api_key", "parent_id", "created_at", "updated_at"), None)
                                   | {"id": "bare%d" % n, "node_type": 1, "name": "bare"}])
    insert(s, "we_cascade_sync_logs", [{"id": "bare%d" % n, "node_id": "x", "operation": "odd", "direction": "pull", "status": None,
                                        "data_count": None}])
    insert(s, "we_cascade_task_allocations", [{"id": id % n, "task_id": "bare%d" % n, "status": None, "node_id": node}
                                                for id, node in (("bare%d", None), ("with%d", "x"))])
    s.sql("INSERT INTO cascade_feed (feed_id, allocation_id) VALUES ('off%d', 'bare%d')" % (n, n))


def rich(s, n):
    """Rows in which everything is."""
    now = "2026-01-01 10:00:00"
    feed = make_feeds(s, 1, first=100 + n)[0]
    s.sql("UPDATE we_feeds SET created_at = '%s', updated_at = '%s' WHERE id = '%s'" % (now, now, feed))
    make_task(s, "rich%d" % n, [feed], headers="{}", cookies="a=b", created_at=now, updated_at=now)
    s.sql("INSERT INTO cascade_task (task_id, max_attempts) VALUES ('rich%d', 2)" % n)
    return feed


def show_nodes(s, t, n, mount, child):
    """Nodes with and without everything; connections."""
    admin = s.admin(mount=mount)
    child.post("/heartbeat", {"callback_url": "http://127.0.0.1:9/wake", "hold_s": 60})
    s.sql("UPDATE we_cascade_nodes SET parent_id = 'p', last_sync_at = NOW() WHERE id = '%s'" % child.id)
    admin.put("/nodes/" + child.id, {"api_url": "http://127.0.0.1:9", "description": "d"})
    parent = admin.post("/nodes", {"node_type": 0, "name": "parent"})["data.node_id"]
    for id in (child.id, "bare%d" % n, parent):
        t.eq(admin.get("/nodes/" + id).status, 200, "a node")
    child.post("/heartbeat", {"hold_s": 0})
    t.eq(admin.get("/nodes?node_type=0").status, 200, "parents")
    for what in ("credentials", "drain", "resume"):
        t.eq(admin.post("/nodes/%s/%s" % (parent, what)).status, 400, "a parent has no " + what)
    t.eq([admin.post("/nodes/%s/%s" % (child.id, w)).status for w in ("credentials", "drain", "resume")], [200] * 3, "a child has")
    fresh = admin.post("/nodes/%s/credentials" % child.id).data
    child.key, child.secret = fresh["api_key"], fresh["api_secret"]
    child.authorization = "AK-SK %s:%s" % (child.key, child.secret)
    admin.post("/nodes/%s/drain" % child.id)
    t.eq(child.post("/heartbeat")["data.desired_state"], "drain", "which it is told")
    admin.post("/nodes/%s/resume" % child.id)
    path = "/nodes/%s/test-connection" % child.id
    t.eq(admin.post(path)["data.connected"], False, "nobody is there")
    key = {"api_key": child.key, "api_secret": child.secret, "api_url": s.url}
    t.eq(admin.post(path, key)["data.parent_response.code"], 0, "somebody is")
    t.eq(admin.post(path, dict(key, api_secret="x"))["data.http_status"], 401, "and refuses")


def show_reports(s, t, n, mount, child):
    """An allocation's life, and what is refused of it."""
    admin, other = s.admin(mount=mount), s.new_node("other", mount=mount)
    task = "rich%d" % n
    done = dispatch(s, task)
    t.eq(admin.post("/dispatch-task?task_id=%s" % task)["data.skipped_open"], 1, "dispatched again")
    t.eq(done["data.allocations_created"], 1, "dispatched")
    package = taken(child)
    t.eq((package or {}).get("task_id"), task, "claimed")
    answers = {}
    for who, want in ((other, 403), (child, 409)):
        answers[want] = [status(who, package, "executing", attempt=9).status, upload(who, package, [], attempt=9).status,
                         complete(who, package, attempt=9).status]
    t.eq(answers, {403: [403] * 3, 409: [409] * 3}, "by another, and of another attempt")
    explain = "/allocations/%s/explain" % package["allocation_id"]
    t.eq(status(child, package, "executing").status, 200, "executing")
    t.eq(admin.get(explain)["data.verdict.code"], "held", "held")
    t.eq(admin.get("/feed-status?feed_id=" + package["feeds"][0]["id"])["data.list.0.last_task.status"], "executing", "shown")
    t.eq(upload(child, package, [article(package["feeds"][0]["id"], n)])["data.new_count"], 1, "uploaded")
    t.eq(admin.get("/allocations/" + package["allocation_id"]).status, 200, "an attempt goes on")
    t.eq(admin.post("/allocations/%s/requeue" % package["allocation_id"]).status, 409, "an open one is not requeued")
    t.eq(status(child, package, "failed", error_message="e").status, 200, "failed")
    t.eq(admin.get(explain)["data.verdict.code"], "not_ready", "waits")
    t.eq(admin.get("/allocations/" + package["allocation_id"])["data.error_message"], "e", "and says why")
    for path in ("bare%d", "with%d", "bare%d/explain"):
        t.eq(admin.get("/allocations/" + path % n).status, 200, "one of which little is known: " + path)
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) WHERE id = '%s'" % package["allocation_id"])
    t.eq(admin.get(explain)["data.verdict.code"], "assign", "will be given to a node")
    package = taken(other)
    t.eq(complete(other, package, [{"feed_id": package["feeds"][0]["id"], "success": True}], article_count=1).status, 200, "completed")
    t.eq(admin.get(explain)["data.verdict.code"], "ended", "has ended")
    t.eq(admin.get("/allocations/" + package["allocation_id"]).status, 200, "with its attempts")
    t.eq(admin.post("/allocations/%s/cancel" % package["allocation_id"]).status, 409, "a completed one is not cancelled")
    t.eq(admin.get("/feed-status?feed_id=" + package["feeds"][0]["id"])["data.list.0.last_task.status"], "completed", "shown")
    admin.delete("/nodes/" + other.id)
    t.eq(allocation(s, package)["attempts"][1]["node_name"], None, "of a node that is gone")


def show_queue(s, t, n, mount, child):
    """Claims with and without, lists, what waits."""
    admin = s.admin(mount=mount)
    clear(s)
    t.eq((child.post("/claim-task").data, child.get("/pending-tasks").data), (None, None), "nothing to claim")
    child.get("/pending-tasks?limit=3")
    insert(s, "we_message_tasks", [{"id": "broken%d" % n, "name": "broken", "message_type": 0, "status": 1, "mps_id": "{"}])
    t.eq(len(admin.post("/dispatch-task")["data.failed_tasks"]), 1, "dispatched, but for one")
    s.sql("UPDATE we_message_tasks SET status = 0 WHERE id = 'broken%d'" % n)
    s.sql("UPDATE we_cascade_task_allocations SET dispatched_at = NULL WHERE task_id = 'bare%d'" % n)
    waiting = s.value("SELECT o.id FROM cascade_open o JOIN cascade_task t ON t.seq = o.task WHERE t.task_id = 'bare%d'" % n)
    s.sql("UPDATE cascade_node SET last_seen_at = NULL WHERE node_id <> '%s'" % child.id)
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR WHERE node_id = '%s'" % people["node"].id)
    s.sql("UPDATE cascade_open SET node = (SELECT seq FROM cascade_node WHERE node_id = '%s') WHERE id = '%s'" % (child.id, waiting))
    s.sql("UPDATE cascade_node SET open_count = open_count + 1, assigned = assigned + 1 WHERE node_id = '%s'" % child.id)
    s.sql("UPDATE we_cascade_task_allocations SET node_id = '%s' WHERE id = '%s'" % (child.id, waiting))
    t.eq(admin.get("/allocations/%s/explain" % waiting)["data.verdict.code"], "reserved", "reserved")
    t.eq(allocation(s, waiting)["assigned"], True, "and assigned")
    first = child.get("/pending-tasks", headers={"Idempotency-Key": "k%d" % n})
    t.eq(first["data.task_id"], "bare%d" % n, "a task of which little is known")
    t.eq(child.get("/pending-tasks?limit=2", headers={"Idempotency-Key": "k%d" % n}).status, 422, "another query under a key")
    child.get("/pending-tasks?limit=5")
    s.sql("INSERT INTO cascade_beat (name, beat_at, gap_ended_at) VALUES ('cascaded', NOW(3) - INTERVAL 1 HOUR, NOW(3))"
          " ON DUPLICATE KEY UPDATE beat_at = VALUES(beat_at), gap_ended_at = VALUES(gap_ended_at)")
    t.eq(admin.get("/allocations/%s/explain" % waiting)["data.own_outage.silent"], "cascaded", "a part of ours is away")
    s.sql("DELETE FROM cascade_beat WHERE name = 'cascaded'")
    clear(s)
    admin.post("/dispatch-task?task_id=daily&force=1")
    admin.post("/allocations/%s/cancel" % waiting)
    t.eq(admin.post("/allocations/%s/requeue" % waiting).status, 200, "requeued")
    t.eq([admin.post("/dead-letters/requeue?task_id=bare%d" % n).status, admin.post("/dead-letters/requeue").status,
          admin.post("/dead-letters/requeue?task_id=" + UNKNOWN).status, admin.post("/dead-letters/requeue?task_id=daily&status=odd").status],
         [200, 422, 404, 422], "and all of a task")
    clear(s)
    completion = child.post("/report-result", {"task_id": "t", "results": [{}]})
    t.eq(completion.status, 200, "a result")


def show_lists(s, t, n, mount):
    """Listings, by pages and cursors, and of many rows."""
    admin, many = s.admin(mount=mount), "many%d" % n
    for path, key in (("/sync-logs", "id"), ("/allocations", "id"), ("/feed-status", "id")):
        first = admin.get(path + "?limit=1")
        t.ok(first["data.page.next_cursor"], path + ": a page")
        rest = admin.get("%s?limit=200&cursor=%s" % (path, first["data.page.next_cursor"]))
        t.ok(rest.data["list"] and first["data.list.0." + key] != rest["data.list.0." + key], path + ": the next")
        for start in range(200, 1000, 200):
            admin.get("%s?limit=200&offset=%d" % (path, start))
    s.sql("INSERT INTO we_cascade_sync_logs (id, node_id, operation, direction) SELECT CONCAT('%s', seq), '%s', 'odd', 'pull'"
          " FROM seq_1_to_10001" % (many, many))
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, status, completed_at) SELECT CONCAT('%s', seq), '%s', 'failed',"
          " UTC_TIMESTAMP() FROM seq_1_to_10001" % (many, many))
    t.eq(admin.get("/pending-allocations")["data.counts_exact"], False, "too much has failed to count it")
    s.sql("INSERT INTO we_feeds (id, status) SELECT CONCAT('%s', seq), 0 FROM seq_1_to_10001" % many)
    for path in ("/sync-logs?node_id=" + many, "/allocations?task_id=" + many, "/feed-status?"):
        t.eq(admin.get(path + "&limit=1")["data.total_exact"], False, path + ": too many to count")
    for table in ("we_cascade_sync_logs", "we_cascade_task_allocations", "we_feeds"):
        s.sql("DELETE FROM %s WHERE id LIKE '%s%%'" % (table, many))
    t.ok("counts_exact" not in admin.get("/pending-allocations").data, "counts are exact again")


def test_success(s, t):
    """what goes well, in all its forms"""
    for n, mount in enumerate(MOUNTS):
        t.note(mount)
        clear(s)
        rich(s, n)
        spare(s, n)
        child = s.new_node("child", mount=mount)
        show_nodes(s, t, n, mount, child)
        show_reports(s, t, n, mount, child)
        show_queue(s, t, n, mount, child)
        show_lists(s, t, n, mount)
        for method, path in (("GET", "/feeds"), ("GET", "/message-tasks"), ("DELETE", "/nodes/bare%d" % n), ("GET", "/nodes")):
            client = child if method == "GET" and path != "/nodes" else s.admin(mount=mount)
            t.eq(client.request(method, path).status, 200, "%s %s" % (method, path))
    judged(t, "what goes well")


def test_logins(s, t):
    """too many logins"""
    for mount in MOUNTS:
        logins = s.anybody(mount=mount)
        t.ok(wait_for(lambda: logins.post("/auth/login", {"username": "nobody", "password": "x"}).status == 429), mount)
    s.sql("DELETE FROM cascade_login")
    judged(t, "logins")


def all_answer(t, want, name):
    """Every endpoint but those that need nothing answers WANT."""
    for mount, method, path, endpoint in every():
        if want not in contract.operations[mount, method, path].responses(contract):
            continue
        where, body, _ = endpoint.harmless(method, path)
        body = endpoint.body if endpoint.who == EVERYBODY else body
        answer = caller(endpoint, mount).request(method, where, body)
        t.eq(answer.status, want, "%s %s%s: %s" % (method, mount, path, name), repr(answer))
    judged(t, name)


def test_broken(s, t):
    """a fault of the server's"""
    tables = ("we_users", "we_cascade_nodes", "cascade_schema", "cascade_login")
    s.sql("CREATE TABLE gone (id INT)")
    for table in tables:
        s.sql("RENAME TABLE %s TO %s_kept" % (table, table))
        s.sql("CREATE VIEW %s AS SELECT * FROM gone" % table)
    s.sql("DROP TABLE gone")
    all_answer(t, 500, "the database has a fault")
    for table in tables:
        s.sql("DROP VIEW %s" % table)
        s.sql("RENAME TABLE %s_kept TO %s" % (table, table))
    t.eq(s.admin().get("/nodes").status, 200, "it is put right")


def test_away(s, t):
    """no database, no workers"""
    s.stop("mariadbd")
    all_answer(t, 503, "the database is away")
    t.eq([s.http("GET", p).status for p in ("/healthz", "/metrics", GUIDE + "/openapi.json")], [200] * 3, "what needs none")
    s.start("mariadbd")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "it is back")
    s.stop("cascade-fcgi")
    all_answer(t, 502, "the workers are away")
    s.start("cascade-fcgi")


def test_all_seen(s, t):
    """everything that is described was seen"""
    for key, operation in contract.operations.items():
        mount, method, path = key
        described = set(operation.responses(contract))
        missing = {c for c in described - contract.statuses[key] if c not in UNPROVOKED and (path, c) not in UNPROVOKED}
        strangers = set(MAY) - contract.callers[key]
        t.ok(not missing and not strangers, "%s %s%s: %s, by %d kinds of credential" %
             (method, mount, path, " ".join(map(str, sorted(contract.statuses[key]))), len(MAY)), missing, strangers)
    seen = set().union(*contract.statuses.values())
    for what, why in UNPROVOKED.items():
        t.note("not provoked: %s: %s" % (what, why))
        t.ok(what not in seen, "%s is not" % (what,))
    t.eq(contract.unseen(), UNSEEN, "every field that may be left out or null was there and was not")


run(test_people, test_served, test_credentials, test_errors, test_methods, test_examples, test_success, test_logins, test_broken,
    test_away, test_all_seen, workers=2, cascaded=False,
    env={"CASCADE_SERVER_BODY_MAX": str(BODY_MAX), "CASCADE_SERVER_UPLOAD_MAX": str(UPLOAD_MAX), "CASCADE_DATABASE_WAIT": "0s",
         "CASCADE_OUTBOUND_ALLOW": "*,127.0.0.0/8", "CASCADE_LEASE_CLAIM": "1h",
         "CASCADE_AUTH_LOGIN_FAILURES": "%d" % len(MAY)})
