#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whom our own calls believe: the authorities of outbound.ca_file, and no others; without it, the system's."""
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from authority import Authority, openssl  # noqa: E402
from cascade import BUILD, SOURCE, run, wait_for  # noqa: E402
from listener import Listener  # noqa: E402
from work import dispatch, make_feeds, make_task  # noqa: E402

SYSTEM = "/etc/ssl/certs"
PROGRAMS = BUILD or os.path.join(SOURCE, "build")
HERE, ELSEWHERE = "IP:127.0.0.1", "DNS:elsewhere.example"
NAME, UNKNOWN = "subject name", "certificate problem"


def configure(s, ca_file, *receivers):
    """The file of authorities, "" for none, and the addresses of receivers of alerts, named a, b …; in force."""
    with open(s.conf) as file:
        text = re.sub(r"\n(outbound|alerts)[^\n]*\n", "\n", file.read())
    groups = ", ".join('{ name = "%s"; url = "%s"; }' % (name, url) for name, url in zip("abc", receivers))
    with open(s.conf, "w") as file:
        file.write(text + '\noutbound: { ca_file = "%s"; };\n\nalerts = ( %s );\n' % (ca_file, groups))
    reloads = log_of(s, "cascaded").count("event=reload")
    s.kill("cascaded", signal.SIGHUP)
    s.kill("cascade-fcgi", signal.SIGHUP)
    assert wait_for(lambda: log_of(s, "cascaded").count("event=reload") > reloads, 20)


def log_of(s, program):
    with open(os.path.join(s.log_dir, program + ".log"), errors="replace") as file:
        return file.read()


def lines(s, event, about, words):
    """Of cascaded's log."""
    return [line for line in log_of(s, "cascaded").splitlines()
            if "event=" + event in line and about in line and words in line]


class World:
    """A listener that is who it says, one that is another, and one that only a stranger vouches for."""

    def __init__(self, s):
        self.ours, self.others = Authority(os.path.join(s.dir, "ours")), Authority(os.path.join(s.dir, "others"))
        self.right = Listener(certificate=self.ours.certificate("right", HERE))
        self.wrong = Listener(certificate=self.ours.certificate("wrong", ELSEWHERE))
        self.stranger = Listener(certificate=self.others.certificate("stranger", HERE))
        self.all = (self.right, self.wrong, self.stranger)


world = None


def test_wake(s, t):
    """wake-up calls"""
    global world
    world = w = World(s)
    configure(s, "")
    nodes = [s.new_node("n%d" % i, sync_config={"max_capacity": 10}) for i in range(3)]
    for node, listener in zip(nodes, w.all):
        assert node.post("/heartbeat", {"callback_url": listener.url()}).status == 200
    make_task(s, "wake", make_feeds(s, 10))
    dispatch(s, "wake")

    def failed(node, words):
        return wait_for(lambda: lines(s, "wake_up node=" + node.id, "outcome=failed", words), 20)

    for node in nodes:
        t.ok(failed(node, UNKNOWN), "the system knows none of the authorities", log_of(s, "cascaded")[-3000:])
    t.eq([listener.calls for listener in w.all], [[], [], []], "so nobody is told anything")
    configure(s, w.ours.pem)
    t.ok(wait_for(lambda: w.right.to("/notify"), 20), "who has a certificate of outbound.ca_file is called")
    t.ok(w.right.to("/notify")[0].is_signed(nodes[0].secret), "and signed for it")
    t.ok(failed(nodes[1], NAME), "not who has another's", *lines(s, "wake_up", nodes[1].id, ""))
    known = len(lines(s, "wake_up", nodes[2].id, UNKNOWN))
    t.ok(wait_for(lambda: len(lines(s, "wake_up", nodes[2].id, UNKNOWN)) > known, 20), "nor who has a stranger's")
    configure(s, w.others.pem)
    t.ok(wait_for(lambda: w.stranger.to("/notify"), 20), "the stranger's, when the file is his")
    t.eq(w.wrong.calls, [], "who is not who he says was never told anything")


def test_connection(s, t):
    """connection tests"""
    w = world

    def answer(listener):
        made = s.admin().post("/nodes", {"node_type": 1, "name": "x", "api_url": listener.url("")})
        return s.admin().post("/nodes/%s/test-connection" % made["data.node_id"]).data

    configure(s, "")
    t.ok(wait_for(lambda: UNKNOWN in answer(w.right).get("error", ""), 20), "without the key", answer(w.right))
    configure(s, w.ours.pem)
    t.ok(wait_for(lambda: answer(w.right)["connected"], 20), "with it", answer(w.right))
    t.ok(NAME in answer(w.wrong)["error"], "another's certificate", answer(w.wrong))
    t.ok(UNKNOWN in answer(w.stranger)["error"], "a stranger's", answer(w.stranger))
    os.rename(w.ours.pem, w.ours.pem + ".away")
    t.ok(w.ours.pem in answer(w.right)["error"], "a file that has gone since is named", answer(w.right))
    os.rename(w.ours.pem + ".away", w.ours.pem)


def tested(done):
    """What `alert test` says of each receiver: True, or why not."""
    return [row["delivered"] or row["error"] for row in json.loads(done.stdout)]


def test_alerts(s, t):
    """alerts"""
    w = world
    urls = [listener.url("/alerts") for listener in w.all]
    configure(s, "", *urls)
    t.ok(all(UNKNOWN in said for said in tested(s.ctl("alert", "test", "--json"))), "without the key none is taken")
    configure(s, w.ours.pem, *urls)
    right, wrong, stranger = tested(s.ctl("alert", "test", "--json"))
    t.ok(right is True and NAME in wrong and UNKNOWN in stranger, "with it that of the right one", right, wrong, stranger)
    before = len(w.right.to("/alerts"))
    node = s.new_node("goes")
    node.post("/heartbeat", {})
    online = "SELECT online FROM cascade_node WHERE node_id = '%s'" % node.id
    t.ok(wait_for(lambda: s.value(online) == "1", 20), "a node is there")
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR WHERE node_id = '%s'" % node.id)
    t.ok(wait_for(lambda: len(w.right.to("/alerts")) > before, 20), "and goes: cascaded's alert arrives likewise")
    for name, words in (("b", NAME), ("c", UNKNOWN)):
        t.ok(wait_for(lambda: lines(s, "alert_failed", "target=" + name, words), 20), "and why not", log_of(s, "cascaded")[-3000:])
    t.eq(w.wrong.to("/alerts") + w.stranger.to("/alerts"), [], "to nobody else")


def test_system(s, t):
    """the system's authorities, which in a name space of its own are the stranger"""
    w = world
    directory = os.path.join(s.dir, "system")
    os.makedirs(directory)
    for name in ("ca-certificates.crt", "stranger.pem"):
        with open(w.others.pem) as file, open(os.path.join(directory, name), "w") as copy:
            copy.write(file.read())
    openssl("rehash", directory)
    inside = ["unshare", "--mount"] + (["--map-root-user"] if os.getuid() else []) + [
        "sh", "-c", 'mount --bind "$0" %s && exec "$@"' % SYSTEM, directory]
    if subprocess.run(inside + ["true"], capture_output=True).returncode:
        t.skip("outbound.ca_file is instead of them", "no name space of its own, or no " + SYSTEM)
        return
    both = w.ours.path("both.pem")
    with open(both, "w") as out:
        for part in (w.ours.pem, w.others.pem):
            with open(part) as file:
                out.write(file.read())
    for ca_file, said in (("", [UNKNOWN, None]), (w.ours.pem, [None, UNKNOWN]), (both, [None, None])):
        configure(s, ca_file, w.right.url("/x"), w.stranger.url("/x"))
        done = subprocess.run(inside + [os.path.join(PROGRAMS, "cascadectl"), "--config", s.conf, "alert", "test", "--json"],
                              env=s.env, capture_output=True, text=True)
        t.ok(all(got is True if want is None else got is not True and want in got for got, want in zip(tested(done), said)),
             "believed with %s" % (os.path.basename(ca_file) or "none"), done.stdout)


def test_wrong_file(s, t):
    """a file that is none"""
    w = world
    configure(s, w.ours.pem)
    with open(s.conf) as file:
        conf = file.read()
    for path, words in (("/nowhere.pem", "No such file"), (s.dir, "not a regular file"), (w.ours.key, "no certificates in PEM")):
        bad = os.path.join(s.dir, "bad.conf")
        with open(bad, "w") as file:
            file.write(conf.replace(w.ours.pem, path))
        for program in ("cascaded", "cascade-fcgi", "cascadectl"):
            done = subprocess.run([os.path.join(PROGRAMS, program), "--config", bad, "--check-config"], env=s.env,
                                  capture_output=True, text=True)
            t.ok(done.returncode == 78 and "outbound.ca_file: %s: " % path in done.stderr and words in done.stderr,
                 program + " says so: " + words, done.returncode, done.stderr)
    done = s.ctl("--config", bad, "check")
    t.ok(done.returncode == 78 and "outbound.ca_file" in done.stderr, "cascadectl check too", done.returncode, done.stderr)
    with open(s.conf, "w") as file:
        file.write(conf.replace(w.ours.pem, "/nowhere.pem"))
    s.kill("cascaded", signal.SIGHUP)
    t.ok(wait_for(lambda: "outbound.ca_file: /nowhere.pem" in log_of(s, "cascaded")), "a reload with it is refused")
    calls = len(w.right.to("/notify"))
    t.ok(wait_for(lambda: len(w.right.to("/notify")) > calls, 20), "and the former stays in force")
    with open(s.conf, "w") as file:
        file.write(conf)
    for listener in w.all:
        listener.close()


run(test_wake, test_connection, test_alerts, test_system, test_wrong_file, workers=2, env={
    "CASCADE_OUTBOUND_ALLOW": "127.0.0.1/32", "CASCADE_WAKE_BACKOFF": "1s", "CASCADE_WAKE_BACKOFF_MAX": "2s",
    "CASCADE_CASCADED_REFRESH": "1s", "CASCADE_LOG_LEVEL": "debug"})
