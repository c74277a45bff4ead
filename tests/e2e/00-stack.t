#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The stack itself: processes, probes, and the envelope whoever answers."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, MISSING, WERSS, run, wait_for  # noqa: E402

MIB = 1 << 20
HAN = re.compile("[\u4e00-\u9fff]")
LATIN = re.compile("^[\x20-\x7e]+$")
REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{8,128}$")


def envelope(code, message=str):
    """What every error carries."""
    return {"code": code, "message": message, "data": None, "@Content-Type": "application/json",
            "@X-Request-Id": REQUEST_ID}


def check(t, answer, status, fields, name):
    t.eq(answer.status, status, name, repr(answer))
    for field, want in fields.items():
        t.eq(answer[field], want, "%s: %s" % (name, field), repr(answer), str(answer.headers))


def test_processes(s, t):
    """processes and the lines for eval"""
    t.eq(s.names(), ["cascade-fcgi", "cascaded", "mariadbd", "nginx"], "a pid file each")
    for name in s.names():
        t.ok(s.is_alive(name), name + " runs")
    again = s.tool("up")
    t.eq(dict(line.split("=", 1) for line in again.stdout.splitlines()), s.vars, "up again says the same")
    t.ok("already running" in again.stderr, "and that it is running")
    t.ok(re.fullmatch(r"http://127\.0\.0\.1:\d+", s.url), "CASCADE_URL is scheme, host and port", s.url)
    t.eq(s.value("SELECT COUNT(*) FROM we_users WHERE username = 'admin'"), "1", "there is the administrator")
    t.eq(s.value("SELECT @@skip_networking"), "1", "the database has no port")
    t.eq(s.admin().get("/nodes").status, 200, "its token is accepted")


def test_recycled_pid(s, t):
    """a pid that belongs to somebody else is left alone"""
    path = os.path.join(s.pid_dir, "cascaded.pid")
    mine = s.pid("cascaded")
    stranger = subprocess.Popen(["sleep", "600"], cwd="/")
    try:
        with open(path, "w") as file:
            file.write("%d\n" % stranger.pid)
        s.stop("cascaded")
        t.eq(stranger.poll(), None, "the stranger lives")
    finally:
        stranger.kill()
        stranger.wait()
    with open(path, "w") as file:
        file.write("%d\n" % mine)
    t.ok(s.is_alive("cascaded"), "so does cascaded")


def test_probes(s, t):
    """probes"""
    for path in ("/healthz", "/readyz"):
        answer = s.http("GET", path)
        t.eq(answer.status, 200, path, repr(answer))
        t.eq(answer["@Content-Type"], "application/json", path + " is JSON")


def test_envelopes_of_workers(s, t):
    """the workers' errors"""
    for mount in (GUIDE, WERSS):
        admin = s.admin(mount=mount)
        check(t, admin.get("/no-such-thing"), 404, envelope(404, HAN), "unknown path on " + mount)
        check(t, admin.get(""), 404, envelope(404), mount + " itself")
        refused = admin.delete("/nodes")
        check(t, refused, 405, envelope(405), "unknown method on " + mount)
        allowed = {m.strip() for m in (refused["@Allow"] or "").split(",")}
        t.ok({"GET", "POST"} <= allowed, "Allow names the methods", refused["@Allow"])
    english = s.admin(headers={"Accept-Language": "en-US,en;q=0.9,zh;q=0.8"})
    check(t, english.get("/no-such-thing"), 404, envelope(404, LATIN), "in English")
    check(t, s.anybody().get("/nodes"), 401,
          dict(envelope(401), **{"@WWW-Authenticate": re.compile("^Bearer")}), "no credential")


def test_envelopes_of_nginx(s, t):
    """what nginx answers by itself"""
    large = b"x" * (MIB + MIB // 2)
    for mount in (GUIDE, WERSS):
        admin = s.admin(mount=mount)
        check(t, admin.post("/nodes", large), 413, envelope(413, "请求体过大"), "a large body on " + mount)
        t.eq(s.anybody(mount=mount).post("/upload-articles", large).status, 401,
             "an upload of that size reaches a worker on " + mount)
    english = s.admin(headers={"Accept-Language": "en"})
    check(t, english.post("/nodes", large), 413, envelope(413, LATIN), "in English")
    check(t, s.http("GET", "/elsewhere"), 404, envelope(404), "outside the mounts")
    check(t, s.http("GET", "/", headers={"X": "x" * 40000}), 400, envelope(400), "a header too long")
    check(t, s.http("GET", "/" + "x" * 40000), 414, envelope(414), "a request line too long")


def test_request_id(s, t):
    """request ids"""
    admin = s.admin()
    large = b"x" * (MIB + 1)

    def by_worker(headers):
        return admin.get("/nodes", headers=headers)["@X-Request-Id"]

    def by_nginx(headers):
        return admin.post("/nodes", large, headers=headers)["@X-Request-Id"]

    for who, ask in (("worker", by_worker), ("nginx", by_nginx)):
        t.eq(ask({"X-Request-Id": "my.id_1:2-3"}), "my.id_1:2-3", who + " repeats a sane id")
        for bad in ("two words", "x" * 129, "semi;colon", "\u00e9"):
            got = ask({"X-Request-Id": bad.encode("latin-1")})
            t.ok(got not in (bad, MISSING) and REQUEST_ID.search(got), who + " replaces " + ascii(bad[:12]), got)
        one, other = ask({}), ask({})
        t.ok(REQUEST_ID.search(one) and one != other, who + " makes a new one each time", one, other)


def test_database_away(s, t):
    """without the database"""
    s.stop("mariadbd")
    t.eq(s.http("GET", "/healthz").status, 200, "the pool lives")
    check(t, s.http("GET", "/readyz"), 503, dict(envelope(503), **{"@Retry-After": re.compile(r"^\d+$")}),
          "it is not ready")
    s.start("mariadbd")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "it is ready again by itself")
    t.eq(s.admin().get("/nodes").status, 200, "and works")


def test_pool_away(s, t):
    """without the pool"""
    away = dict(envelope(502, HAN), **{"@Retry-After": re.compile(r"^\d+$")})
    s.stop("cascade-fcgi")
    check(t, s.admin().get("/nodes"), 502, away, "stopped")
    s.start("cascade-fcgi")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "started again")
    s.kill("cascade-fcgi", signal.SIGKILL)
    t.ok(wait_for(lambda: s.http("GET", "/healthz").status == 502), "killed: its workers go with it")
    s.start("cascade-fcgi")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "started over what it left behind")


run(test_processes, test_recycled_pid, test_probes, test_envelopes_of_workers, test_envelopes_of_nginx,
    test_request_id, test_database_away, test_pool_away)
