#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node obeys: wake-up calls, drain, cancel, signals."""
import hashlib
import hmac
import http.client
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import SLOW, run, wait_for  # noqa: E402
from child import Child, all_are, collect, free_port, journal_of, read_journal, rows, times  # noqa: E402
from listener import Listener  # noqa: E402
from work import allocation, clear, dispatch, make_feeds, make_task  # noqa: E402

BODY = '{"type": "new_task", "allocation_id": null, "feed_count": 1, "timestamp": "2026-01-01T00:00:00"}'


def signature(secret, body, at):
    key = hashlib.sha256(secret.encode()).hexdigest()
    return "t=%d,v1=%s" % (at, hmac.new(key.encode(), ("%d.%s" % (at, body)).encode(), "sha256").hexdigest())


def notify(port, signed, body=BODY, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"}
    if signed is not None:
        headers["X-Cascade-Signature"] = signed
    connection.request(method, "/notify", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_notify(s, t):
    """the parent's wake-up call"""
    port = free_port()
    journal = journal_of(s, "notify")
    with Child(s, "notify", collect(journal, 0, 1), concurrency=2, cascade__task_poll_interval=3600,
               cascade__listen="127.0.0.1:%d" % port, cascade__callback_url="http://127.0.0.1:%d/notify" % port) as child:
        t.ok(wait_for(lambda: child.status() and child.status()["parent"]["answers"], 20), "it runs")
        t.eq(s.value("SELECT callback_url FROM we_cascade_nodes WHERE id = '%s'" % child.node.id),
             "http://127.0.0.1:%d/notify" % port, "its heartbeat told where to call")
        wait_for(lambda: "pending-tasks" in open(os.path.join(s.log_dir, "nginx-access.log")).read())
        make_task(s, "tn", make_feeds(s, 2))
        dispatch(s, "tn")
        now = int(time.time())
        secret = child.node.secret
        t.eq([notify(port, x) for x in (None, "", "t=1", signature("wrong", BODY, now), signature(secret, BODY + " ", now),
                                        signature(secret, BODY, now - 3600), signature(secret, BODY, now + 3600))],
             [401] * 7, "unsigned, badly signed, signed long ago: refused")
        t.eq(notify(port, None, method="GET"), 405, "only POST")
        t.eq(read_journal(journal), [], "and nothing was claimed")
        good = signature(secret, BODY, now)
        began = time.monotonic()
        t.eq(notify(port, good), 200, "one that the parent has signed")
        t.ok(wait_for(lambda: times(journal, "begin"), 5), "makes it claim")
        t.ok(time.monotonic() - began < 1, "within a second", time.monotonic() - began)
        t.eq(notify(port, good), 401, "the same again is refused")
        t.ok(wait_for(lambda: all_are(s, "tn"), 20), "everything is completed")
    clear(s)


class Tap(Listener):
    """Between the parent and a child's listener: notes the calls, can hold them up and send them again."""

    def __init__(self, port):
        self.port = port
        self.deaf = False
        super().__init__({"/notify": self.answer})

    def answer(self, call):
        return (503, "{}") if self.deaf else (self.forward(call.headers["X-Cascade-Signature"], call.body), "{}")

    def forward(self, signed, body):
        return notify(self.port, signed, body)


def heard(child, what="the parent has work"):
    return [e for e in child.events("notify") if what in e["msg"]]


def test_real_call(s, t):
    """the parent's own calls"""
    tap = Tap(free_port())
    journal = journal_of(s, "real")
    begun = lambda: len(times(journal, "begin"))  # noqa: E731
    took = []
    with Child(s, "real", collect(journal, 0, 1), concurrency=4, cascade__task_poll_interval=3600,
               cascade__listen="127.0.0.1:%d" % tap.port, cascade__callback_url=tap.url()) as child:
        t.ok(wait_for(lambda: child.status() and child.status()["parent"]["answers"], 20), "it runs")
        for i in range(5):
            time.sleep(1.1)  # idle again; between two calls of a node there is a second at least
            make_task(s, "tr%d" % i, make_feeds(s, 1, first=600 + i))
            began = time.monotonic()
            dispatch(s, "tr%d" % i)
            wait_for(lambda: begun() > i, 20, 0.01)
            took.append(time.monotonic() - began)
            t.ok(wait_for(lambda: all_are(s, "tr%d" % i), 20), "what is dispatched is completed")
        t.note("begun %s s after the dispatch began" % ", ".join("%.2f" % x for x in took))
        t.ok(sorted(took)[2] < 1 * SLOW, "by a child that would ask in an hour, within a second", took)
        t.ok(len(heard(child)) == len(tap.calls) >= 5 and not heard(child, "refused"), "each call was taken", tap.calls)
        tap.deaf = True
        old, before = list(tap.calls), len(heard(child))
        make_task(s, "tr", make_feeds(s, 1, first=610))
        dispatch(s, "tr")
        t.ok(wait_for(lambda: len(tap.calls) > len(old), 20), "a call is held up on its way")
        held = tap.calls[-1]
        signed = held.headers["X-Cascade-Signature"]
        t.eq([tap.forward(c.headers["X-Cascade-Signature"], c.body) for c in old], [401] * len(old), "earlier ones again are refused")
        t.eq([tap.forward(signed, held.body.replace(b'"feed_count":1', b'"feed_count":2')), tap.forward(signed, old[0].body),
              tap.forward(signed.replace("t=", "t=1"), held.body), tap.forward(signed[:-1], held.body)], [401] * 4, "so are altered ones")
        t.eq((len(heard(child)), begun(), len(rows(s, "tr", status="pending"))), (before, 5, 1), "and nothing came of them")
        t.eq(tap.forward(signed, held.body), 200, "the one that was held up is taken when it comes")
        t.ok(wait_for(lambda: all_are(s, "tr"), 20), "and its work is done")
    tap.close()
    clear(s)


def test_drain(s, t):
    """a node that is drained"""
    journal = journal_of(s, "drain")
    with Child(s, "drain", collect(journal, 0.1, 1), concurrency=2, cascade__heartbeat_interval=1) as child:
        t.ok(wait_for(lambda: child.status() and child.status()["parent"]["answers"], 20), "it runs")
        s.admin().post("/nodes/%s/drain" % child.node.id)
        t.ok(wait_for(lambda: child.events("drain"), 10), "it is told to drain")
        t.ok(wait_for(lambda: child.status()["parent"]["draining"], 5), "its status says so", child.status())
        s.admin().post("/nodes/%s/resume" % child.node.id)
        make_task(s, "td", make_feeds(s, 2, first=100))
        dispatch(s, "td")
        t.ok(wait_for(lambda: all_are(s, "td"), 20), "and works again when it is resumed")
    clear(s)


def test_cancel(s, t):
    """an allocation that is cancelled while it runs"""
    journal = journal_of(s, "cancel")
    make_task(s, "tc", make_feeds(s, 1, first=200))
    dispatch(s, "tc")
    with Child(s, "cancel", collect(journal, 600, 1), concurrency=1, cascade__heartbeat_interval=1) as child:
        t.ok(wait_for(lambda: rows(s, "tc", status="executing"), 20), "it runs")
        t.ok(wait_for(lambda: [a for a in child.status()["attempts"] if "collecting" in (a["progress"] or "")]),
             "its status tells its progress", child.status()["attempts"])
        (row,) = rows(s, "tc")
        s.admin().post("/allocations/%s/cancel" % row["id"])
        t.ok(wait_for(lambda: child.events("revoked"), 20), "it hears of it")
        t.ok(wait_for(lambda: child.status()["spool"]["attempts"] == 0, 20), "and stops it", child.status())
        t.eq([r["status"] for r in rows(s, "tc")], ["cancelled"], "it stays cancelled")
        make_task(s, "te", make_feeds(s, 1, first=210))
        dispatch(s, "te")
        t.ok(wait_for(lambda: rows(s, "te", status="executing"), 20), "its slot is free for others")
        began = time.monotonic()
        child.write_conf(cascade__stop_timeout=1)
        child.kill(signal.SIGHUP)
        t.ok(wait_for(lambda: child.events("reload"), 10), "SIGHUP reloads the configuration")
        t.eq(child.stop(), 0, "SIGTERM ends it")
        t.ok(time.monotonic() - began < 20, "within its bound", time.monotonic() - began)
        (row,) = rows(s, "te")
        t.eq([a["outcome"] for a in allocation(s, row["id"])["attempts"]], ["failed"], "what it held is handed back")
        t.ok("handed back" in allocation(s, row["id"])["attempts"][0]["error_message"], "with the reason",
             allocation(s, row["id"])["attempts"])
    clear(s)


def test_finish(s, t):
    """SIGTERM while something is nearly done"""
    journal = journal_of(s, "finish")
    make_task(s, "tf", make_feeds(s, 2, first=300))
    dispatch(s, "tf")
    with Child(s, "finish", collect(journal, 2, 1), concurrency=2) as child:
        t.ok(wait_for(lambda: len(times(journal, "begin")) == 2, 20), "it runs")
        t.eq(child.stop(), 0, "it ends")
        t.eq([r["status"] for r in rows(s, "tf")], ["completed"] * 2, "when it has finished what it held")
    clear(s)


def test_unanswered(s, t):
    """SIGTERM while the parent owes an answer"""
    silent = socket.create_server(("127.0.0.1", 0))
    with Child(s, "unanswered", collect(journal_of(s, "unanswered"), 0, 1),
               url="http://127.0.0.1:%d" % silent.getsockname()[1]) as child:
        silent.settimeout(20)
        connection, _ = silent.accept()
        t.ok(b"/heartbeat" in connection.recv(4096), "it asks")
        t.eq(child.stop(), 0, "it ends")
        connection.close()
    silent.close()


def test_bad_reload(s, t):
    """a configuration that is wrong"""
    with Child(s, "bad", collect(journal_of(s, "bad"), 0, 1)) as child:
        t.ok(wait_for(lambda: child.status() is not None, 20), "it runs")
        child.write_conf(cascade__concurrency=0)
        child.kill(signal.SIGHUP)
        t.ok(wait_for(lambda: [e for e in child.events("reload") if e["level"] == "error"], 10), "is refused on SIGHUP")
        t.ok("cascade.concurrency" in child.log_text() and child.process.poll() is None, "and the old one stays in force")
        other = child.run("--check-config")
        t.ok(other.returncode == 78 and child.conf + ":" in other.stderr, "--check-config names file and line", other.stderr)


run(test_notify, test_real_call, test_drain, test_cancel, test_finish, test_unanswered, test_bad_reload, workers=4,
    env={"CASCADE_DISPATCH_PREFER": "1s", "CASCADE_NODE_HEARTBEAT_INTERVAL": "1s", "CASCADE_OUTBOUND_ALLOW": "127.0.0.1/32"})
