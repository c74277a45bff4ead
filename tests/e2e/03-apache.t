#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Behind Apache: a life, the limits and every envelope, by mod_proxy_fcgi and by mod_fcgid."""
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from apache import Apache, is_there  # noqa: E402
from cascade import GUIDE, WERSS, run, wait_for  # noqa: E402
import work  # noqa: E402

MIB = 1 << 20
HAN = re.compile("[\u4e00-\u9fff]")
LATIN = re.compile("^[\x20-\x7e]+$")
REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{8,128}$")
DIGITS = re.compile(r"^\d+$")


def check(t, answer, status, name, message=HAN, **headers):
    """An error in the envelope."""
    t.eq(answer.status, status, name, repr(answer))
    t.eq([answer["code"], answer["data"]], [status, None], name + ": in the envelope", repr(answer))
    t.ok(message.search(str(answer["message"])), name + ": its message", answer["message"])
    t.eq(answer.headers.get_all("Content-Type"), ["application/json"], name + ": of one type, exactly")
    ids = answer.headers.get_all("X-Request-Id")
    t.ok(ids and len(ids) == 1 and REQUEST_ID.search(ids[0]), name + ": one X-Request-Id", str(ids))
    for header, want in headers.items():
        t.eq(answer["@" + header.replace("_", "-")], want, "%s: %s" % (name, header), str(answer.headers))


def life(s, t, kind):
    for number, (mount, code) in enumerate(((GUIDE, 200), (WERSS, 0))):
        t.eq(s.admin(mount=mount).get("/nodes")["code"], code, "the mount " + mount)
        node = s.new_node("%s-%d" % (kind, number), mount=mount)
        t.eq(node.post("/heartbeat")["data.status"], "alive", "a node's credential arrives")
        feed, = work.make_feeds(s, 1, first=int(s.value("SELECT COUNT(*) + 1 FROM we_feeds")))
        work.dispatch(s, work.make_task(s, "%s-%d" % (kind, number), [feed]))
        package = work.taken(node)
        t.ok(package, "work is claimed")
        t.eq(work.status(node, package, "executing").status, 200, "and begun")
        large = work.article(feed, 1, content="文" * MIB)
        t.eq(work.upload(node, package, [large, work.article(feed, 2)])["data.new_count"], 2, "an upload of over 3 MiB")
        t.eq(work.complete(node, package).status, 200, "and completed")
        t.eq(work.allocation(s, package)["status"], "completed", "it is")
        t.eq(int(s.value("SELECT LENGTH(content) FROM we_articles WHERE mp_id = '%s' AND id LIKE '%%_1'" % feed)), 3 * MIB,
             "the article is whole")
    work.consistent(s, t)
    for path in ("/healthz", "/readyz"):
        t.eq(s.http("GET", path).status, 200, path)


def worker_errors(s, t):
    admin = s.admin()
    check(t, admin.get("/no-such-thing"), 404, "unknown path")
    check(t, admin.get("/nodes/a%2Fb"), 404, "an escaped slash")
    check(t, admin.get("/no-such-thing", headers={"Accept-Language": "en"}), 404, "in English", LATIN)
    check(t, admin.delete("/nodes"), 405, "unknown method", Allow=re.compile("GET.*POST|POST.*GET"))
    check(t, s.anybody().get("/nodes"), 401, "no credential", WWW_Authenticate="Bearer")
    check(t, s.bearer("x.y.z").get("/nodes"), 401, "a bad one")
    bad = admin.post("/nodes", {"node_type": 7, "name": "x"})
    t.eq((bad.status, bad["data.field"]), (422, "node_type"), "what a worker says of a field passes")


def conditional(s, t):
    for mount in (GUIDE, WERSS):
        got = s.anybody(mount=mount).get("/openapi.json")
        again = s.anybody(mount=mount).get("/openapi.json", headers={"If-None-Match": got["@ETag"]})
        t.eq((got.status, got["servers"], got["@Cache-Control"], again.status, again.body, again["@ETag"]),
             (200, [{"url": mount}], "no-cache", 304, b"", got["@ETag"]), "a description that the client has, on " + mount)


def own_errors(s, t, kind):
    admin = s.admin()
    large = b"x" * (MIB + 1)
    for mount in (GUIDE, WERSS):
        check(t, admin.at(mount).post("/nodes", large), 413, "a large body on " + mount)
        t.eq(s.anybody(mount=mount).post("/upload-articles", large).status, 401,
             "an upload of that size reaches a worker on " + mount)
    t.eq(admin.post("/nodes", b"x" * MIB)["data.field"], "body", "one byte less reaches a worker")
    english = {"Accept-Language": "en-US,en;q=0.9,zh;q=0.8"}
    check(t, admin.post("/nodes", large, headers=english), 413, "in English", LATIN)
    check(t, admin.post("/upload-articles", headers={"Content-Length": str(64 * MIB + 1)}), 413, "an upload too large")
    check(t, s.http("GET", "/elsewhere"), 404, "outside the mounts")
    check(t, s.http("GET", GUIDE + "x"), 404, "beside a mount")
    check(t, s.http("GET", GUIDE + "/%zz"), 400, "a bad escape")
    check(t, s.http("GET", "/", headers={"X": "x" * 40000}), 400, "a header too long")
    check(t, s.http("GET", "/" + "x" * 40000), 414, "a request line too long")
    body = b'{"node_type":1,"name":"in chunks"}'
    answer = admin.post("/nodes", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), headers={"Transfer-Encoding": "chunked"})
    if kind == "proxy":
        check(t, answer, 411, "a body without a length")
    else:
        t.eq(answer.status, 200, "a body without a length", repr(answer))
    for ask in (admin.get, admin.post):
        path, data = ("/nodes", {}) if ask == admin.get else ("/nodes", {"body": large})
        t.eq(ask(path, headers={"X-Request-Id": "my.id_1:2-3"}, **data).headers.get_all("X-Request-Id"), ["my.id_1:2-3"],
             "a sane id of the caller is kept")
        got = ask(path, headers={"X-Request-Id": "two words"}, **data).headers.get_all("X-Request-Id")
        t.ok(len(got) == 1 and REQUEST_ID.search(got[0]), "another is not", got)


def metrics(s, t):
    where = urllib.parse.urlsplit(s.url)
    answer = s.http("GET", "/metrics")
    t.eq(answer["@Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "the metrics' own type passes")
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10, source_address=("127.0.0.2", 0))
    connection.request("GET", "/metrics")
    t.eq(connection.getresponse().status, 403, "strangers do not see them")
    connection.close()


def never_twice(s, t, apache):
    """A worker dies over a request: the request is answered with an error, and not sent to another."""
    lock = subprocess.Popen(["mariadb", "--no-defaults", "-S", s.db_socket, s.db_name, "-e",
                             "LOCK TABLES we_cascade_nodes WRITE; SELECT SLEEP(60)"], stdout=subprocess.DEVNULL)
    wait_for(lambda: s.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(60)'") == "1")
    answers = []
    slow = threading.Thread(target=lambda: answers.append(
        s.admin().post("/nodes", {"node_type": 1, "name": "twice-" + apache.kind})))
    slow.start()
    waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT INTO we\\_cascade\\_nodes%'"
    t.ok(wait_for(lambda: s.value(waiting) == "1"), "a worker is at it")
    for pid in apache.workers():
        os.kill(pid, signal.SIGKILL)
    slow.join()
    lock.kill()
    lock.wait()
    t.ok(answers[0].status in (500, 502, 503), "a worker that dies is an error", repr(answers[0]))
    check(t, answers[0], answers[0].status, "in the envelope")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200, 20), "others take its place")
    wait_for(lambda: s.value(waiting) == "0")
    t.ok(int(s.value("SELECT COUNT(*) FROM we_cascade_nodes WHERE name = 'twice-%s'" % apache.kind)) <= 1,
         "and nothing was done twice")


def behind(s, t, kind):
    if not is_there(kind):
        t.skip("behind Apache, by mod_" + kind, "no apache2-bin, or no module of it")
        return
    with Apache(s, kind) as apache:
        life(s, t, kind)
        worker_errors(s, t)
        conditional(s, t)
        own_errors(s, t, kind)
        metrics(s, t)
        never_twice(s, t, apache)
        if kind == "proxy":
            s.stop("cascade-fcgi")
            check(t, s.admin().get("/nodes"), 503, "without the pool", Retry_After=DIGITS)
            s.start("cascade-fcgi")
            t.ok(wait_for(lambda: s.http("GET", "/healthz").status == 200), "it is asked again at once")
        else:
            s.stop("mariadbd")
            check(t, s.http("GET", "/readyz"), 503, "without the database", Retry_After=DIGITS)
            s.start("mariadbd")
    t.eq(apache.left, {}, "what it started goes with it")


def test_proxy(s, t):
    """mod_proxy_fcgi, in front of the pool"""
    behind(s, t, "proxy")


def test_fcgid(s, t):
    """mod_fcgid, which starts workers of its own; there is no pool"""
    s.stop("cascade-fcgi")
    behind(s, t, "fcgid")
    s.start("cascade-fcgi")


run(test_proxy, test_fcgid, workers=3)
