#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""POST /nodes/{id}/test-connection: what it calls and sends, how it judges, and where it may not go."""
import glob
import http.server
import json
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, SLOW, WERSS, run, wait_for  # noqa: E402

HEARTBEAT = "/api/v1/wx/cascade/heartbeat"
KEY, SECRET = "CNtestkey0000000000000000000000001", "CStestsecret0000000000000000000001"
ALIVE = {"code": 0, "message": "success", "data": {"status": "alive"}}


class Stub(http.server.ThreadingHTTPServer):
    """Another parent, whose first path segment says how it answers."""

    ANSWERS = {
        "ok": (200, json.dumps(ALIVE)), "created": (201, '{"x": "甲"}'), "refuses": (401, json.dumps({"code": 401})),
        "breaks": (500, "oops"), "html": (200, "<html>"), "array": (200, "[1]"), "empty": (200, ""),
        "big": (200, '{"x": "%s"}' % ("y" * 100000)), "moves": (302, ""),
    }

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, how, host="127.0.0.1"):
        return "http://%s:%d/%s" % (host, self.server_port, how)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.path, dict(self.headers), body))
        how = self.path.split("/")[1]
        if how == "closes":
            self.close_connection = True
            return
        if how == "sleeps":
            time.sleep(15 * SLOW)
        status, text = Stub.ANSWERS.get(how, (404, "{}"))
        self.send_response(status)
        if how == "moves":
            self.send_header("Location", self.server.url("ok") + HEARTBEAT)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST

    def log_message(self, *_):
        pass


def with_key(url):
    return {"api_url": url, "api_key": KEY, "api_secret": SECRET}


def new_node(s, **more):
    return s.admin().post("/nodes", dict({"node_type": 1, "name": "target"}, **more))["data.node_id"]


def restart_with(s, allow):
    """The pool, with this outbound.allow."""
    with open(s.conf, encoding="utf-8") as file:
        text = re.sub(r"\noutbound: \{.*?\};\n", "", file.read(), flags=re.S)
    with open(s.conf, "w", encoding="utf-8") as file:
        file.write(text + "\noutbound: { allow = %s; };\n" % json.dumps(allow))
    s.stop("cascade-fcgi")
    s.start("cascade-fcgi")
    return wait_for(lambda: s.http("GET", "/readyz").status == 200)


def test_refused_addresses(s, t):
    """by default nothing special is reached"""
    stub = Stub()
    port = stub.server_port
    path = "/nodes/%s/test-connection" % new_node(s)
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:127.0.0.1]",
                 "169.254.169.254", "[fe80::1]", "224.0.0.1", "255.255.255.255"):
        answer = s.admin().post(path, with_key("http://%s:%d/ok" % (host, port)))
        t.eq((answer.status, answer["message"], answer["data.connected"]), (200, "连接测试失败", False), host + " is refused")
        t.ok("outbound.allow" in answer["data.error"], "and the setting is named", repr(answer))
    own = new_node(s, api_url=stub.url("ok"))
    t.eq(s.admin().post("/nodes/%s/test-connection" % own)["data.connected"], False, "so is a node's own address")
    t.eq(stub.seen, [], "and nothing was sent")
    stub.shutdown()


def test_credentials(s, t):
    """a parent is called with the credential that is given"""
    t.ok(restart_with(s, ["127.0.0.0/8"]), "loopback is allowed")
    stub = Stub()
    node = new_node(s)
    path = "/nodes/%s/test-connection" % node
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        answer = s.admin().at(mount).post(path, with_key(stub.url("ok")))
        t.eq((answer.status, answer["code"], answer["message"]), (200, code, "连接测试成功"), "success on " + mount)
        t.eq(answer.data, {"connected": True, "http_status": 200, "parent_response": ALIVE}, "with what it answered")
    where, headers, body = stub.seen[0]
    t.eq((where, headers["Authorization"], json.loads(body)), ("/ok" + HEARTBEAT, "AK-SK %s:%s" % (KEY, SECRET), {}),
         "what was sent")
    t.eq(headers["Content-Type"], "application/json", "as JSON")
    s.admin().post(path, with_key(stub.url("ok") + "///"))
    t.eq(stub.seen[-1][0], "/ok" + HEARTBEAT, "slashes at the end do not matter")
    t.eq(s.admin().post(path, with_key(stub.url("ok", "localhost")))["data.connected"], True, "names are resolved")
    t.eq(s.admin().post(path, with_key(stub.url("created")))["data.parent_response"], {"x": "甲"}, "any 2xx will do")
    before = len(stub.seen)
    for how, code, why in (("refuses", 401, "401"), ("breaks", 500, "500"), ("html", 200, "JSON"), ("array", 200, "JSON"),
                           ("empty", 200, "JSON"), ("big", 200, "JSON"), ("moves", 302, "302")):
        answer = s.admin().post(path, with_key(stub.url(how)))
        t.eq((answer.status, answer["message"], answer["data.connected"], answer["data.http_status"]),
             (200, "连接测试失败", False, code), how)
        t.ok(why in answer["data.error"], "the error says why", answer["data.error"])
        t.ok("parent_response" not in answer.data, "and quotes no answer")
    t.eq(len(stub.seen), before + 7, "no redirect was followed")
    answer = s.admin().post(path, with_key(stub.url("closes")))
    t.eq((answer["data.connected"], type(answer["data.error"])), (False, str), "a connection that breaks")
    port = stub.server_port
    stub.shutdown()
    stub.server_close()
    answer = s.admin().post(path, with_key("http://127.0.0.1:%d" % port))
    t.eq((answer["data.connected"], "http_status" in answer.data), (False, False), "nobody listens")
    t.ok("无法连接" in answer["data.error"], "and it says so", answer["data.error"])


def test_own_address(s, t):
    """without a body the node's own address is looked at"""
    stub = Stub()
    for how, code in (("refuses", 401), ("breaks", 500), ("ok", 200), ("html", 200), ("moves", 302), ("nix", 404)):
        path = "/nodes/%s/test-connection" % new_node(s, api_url=stub.url(how))
        for body in (None, "", "{}", "null"):
            answer = s.admin().post(path, body)
            t.eq((answer.status, answer["message"], answer["data.connected"], answer["data.http_status"]),
                 (200, "连接测试成功", True, code), "%s with body %r" % (how, body))
    t.eq(s.admin().post("/nodes/%s/test-connection" % new_node(s, api_url=stub.url("ok")))["data.parent_response"], ALIVE,
         "what it answers is shown")
    t.ok(not any("Authorization" in headers for _, headers, _ in stub.seen), "no credential is sent")
    without = new_node(s)
    odd = new_node(s)
    s.sql("UPDATE we_cascade_nodes SET api_url = 'child:8001' WHERE id = '%s'" % odd)
    for node in (without, odd):
        s.table(t, [("POST", "/nodes/%s/test-connection" % node, s.admin(), None, 422,
                     {"data.field": "api_url", "data.reason": str})])
    stub.shutdown()


def test_input(s, t):
    """bad input, and who may ask"""
    stub = Stub()
    node = new_node(s)
    path = "/nodes/%s/test-connection" % node
    good = with_key(stub.url("ok"))
    for change, field in (
            ({"api_url": None}, "api_url"), ({"api_url": ""}, "api_url"), ({"api_url": 1}, "api_url"),
            ({"api_url": "ftp://x/"}, "api_url"), ({"api_url": "file:///etc/passwd"}, "api_url"),
            ({"api_url": "http://user:pass@127.0.0.1/"}, "api_url"), ({"api_url": "http://"}, "api_url"),
            ({"api_url": "http://127.0.0.1/?x="}, "api_url"), ({"api_url": "http://127.0.0.1/#"}, "api_url"),
            ({"api_url": "http://127.0.0.1/" + "x" * 500}, "api_url"),
            ({"api_key": None}, "api_key"), ({"api_key": ""}, "api_key"), ({"api_key": "a b"}, "api_key"),
            ({"api_secret": None}, "api_secret"), ({"api_secret": "a\r\nX-Evil: 1"}, "api_secret"),
            ({"api_secret": "密"}, "api_secret"), ({"api_secret": ["x"]}, "api_secret")):
        s.table(t, [("POST", path, s.admin(), dict(good, **change), 422, {"data.field": field, "code": 422})])
    s.table(t, [
        ("POST", path, s.admin(), {"other": 1}, 422, {"data.field": "api_url"}),
        ("POST", path, s.admin(), "[]", 422, {"data.field": "body"}),
        ("POST", path, s.admin(), "{", 400, {"data.field": "body"}),
        ("POST", "/nodes/nix/test-connection", s.admin(), good, 404, {"message": "节点不存在"}),
        ("POST", path, None, good, 401, None),
        ("POST", path, s.new_node("child"), good, 403, None),
        ("GET", path, s.admin(), None, 405, {"@Allow": "POST"}),
    ])
    s.ctl("user", "add", "reader", "--role", "user")
    reader = s.bearer(s.ctl("token", "--user", "reader").stdout.strip())
    t.eq(reader.post(path, good).status, 403, "a user who is no administrator may not")
    t.eq(stub.seen, [], "nothing was sent")
    stub.shutdown()


def test_slow(s, t):
    """an answer that does not come"""
    stub = Stub()
    start = time.monotonic()
    answer = s.admin().post("/nodes/%s/test-connection" % new_node(s), with_key(stub.url("sleeps")))
    took = time.monotonic() - start
    t.eq((answer.status, answer["data.connected"], answer["data.error"]), (200, False, "请求超时"), "is waited for in vain")
    t.ok(9 < took < 14 * SLOW, "for ten seconds", "%.1f s" % took)
    stub.shutdown()


def test_ourselves(s, t):
    """a cascade answers the test of a cascade"""
    child = s.new_node("child")
    path = "/nodes/%s/test-connection" % child.id
    answer = s.admin().post(path, {"api_url": s.url, "api_key": child.key, "api_secret": child.secret})
    t.eq((answer["data.connected"], answer["data.parent_response.data.status"]), (True, "alive"), "with its own credential")
    answer = s.admin().post(path, {"api_url": s.url, "api_key": child.key, "api_secret": "CSwrong"},
                            headers={"Accept-Language": "en"})
    t.eq((answer["message"], answer["data.error"]), ("connection test failed", "answered HTTP 401"), "with a wrong one")


def test_names(s, t):
    """host patterns, and addresses that names may not lead to"""
    t.ok(restart_with(s, ["*.example.org", "localhost", "10.0.0.0/8"]), "names are allowed")
    stub = Stub()
    path = "/nodes/%s/test-connection" % new_node(s)
    for host in ("localhost", "127.0.0.1"):
        answer = s.admin().post(path, with_key(stub.url("ok", host)))
        t.ok("outbound.allow" in answer["data.error"], host + " is refused all the same", repr(answer))
    t.eq(stub.seen, [], "nothing was sent")
    t.ok(restart_with(s, ["*", "127.0.0.0/8"]), "loopback beside all names")
    t.eq(s.admin().post(path, with_key(stub.url("ok")))["data.connected"], True, "is reached")
    t.ok("outbound.allow" in s.admin().post(path, with_key("http://169.254.169.254"))["data.error"],
         "link-local addresses still are not")
    stub.shutdown()


def test_secrets(s, t):
    """no secret is in any log"""
    for name in glob.glob(os.path.join(s.log_dir, "*.log")):
        with open(name, errors="replace") as file:
            t.ok(SECRET not in file.read(), "not in " + os.path.basename(name))


run(test_refused_addresses, test_credentials, test_own_address, test_input, test_slow, test_ourselves, test_names,
    test_secrets, workers=2, cascaded=False,
    env={"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"})
