#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Wake-up calls: who is told that there is work, when, how often, and that nobody waits for the deaf."""
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SLOW, SOURCE, run, wait_for  # noqa: E402
from listener import Listener  # noqa: E402
from prom import Page  # noqa: E402
from work import claim, clear, complete, consistent, dispatch, make_feeds, make_task  # noqa: E402

listener = Listener()
first_feed = 1


def child(s, path, capacity=10, url=None):
    """A node that listens at PATH of the listener (or URL); alive."""
    node = s.new_node(path, sync_config={"max_capacity": capacity})
    node.path = path
    beat(node, url or listener.url(path))
    return node


def beat(node, url):
    assert node.post("/heartbeat", {"callback_url": url}).status == 200


def task(s, name, feeds=1):
    """A task on FEEDS feeds of its own."""
    global first_feed
    ids = make_feeds(s, feeds, first=first_feed)
    first_feed += feeds
    return make_task(s, name, ids)


def fresh(s):
    clear(s)
    s.sql("UPDATE cascade_node SET last_heartbeat_at = NULL")
    with listener.lock:
        listener.calls.clear()


def drain(node):
    """Claims and completes all that there is; how many."""
    count = 0
    while True:
        package = claim(node)
        if not package:
            return count
        complete(node, package)
        count += 1


def calls(node):
    return listener.to(node.path)


def log_of(s):
    with open(os.path.join(s.log_dir, "cascaded.log"), errors="replace") as file:
        return file.read()


def test_call(s, t):
    """one allocation"""
    node = child(s, "/one")
    took = []
    for i in range(5):
        name = task(s, "call%d" % i)
        start = time.monotonic()
        t.eq(dispatch(s, name)["data.allocations_created"], 1, "work is dispatched")
        t.ok(wait_for(lambda: len(calls(node)) > i), "and the node is called")
        took.append(calls(node)[i].at - start)
        call, package = calls(node)[i], claim(node)
        t.eq({k: v for k, v in call.json.items() if k != "timestamp"},
             {"type": "new_task", "allocation_id": package["allocation_id"], "feed_count": 1}, "about it")
        told = datetime.datetime.fromisoformat(call.json["timestamp"])
        t.ok(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", call.json["timestamp"]) and
             abs((datetime.datetime.utcnow() - told).total_seconds()) < 60, "at this time", call.body)
        t.ok(call.is_signed(node.secret), "signed with what the node's secret gives", call.headers)
        t.ok(not call.is_signed(node.secret + "x"), "and with nothing else")
        t.eq(call.headers["Content-Type"], "application/json", "as JSON")
        complete(node, package)
        time.sleep(1.1 + 0.07 * i)
    t.ok(sorted(took)[2] < 1.2 * SLOW, "without waiting for the next tick", *took)
    t.eq(len(calls(node)), 5, "and once each")
    t.ok(node.secret not in log_of(s), "no secret is in the log")


def test_coalesced(s, t):
    """much at once, and in a row"""
    fresh(s)
    node = child(s, "/many", capacity=100)
    dispatch(s, task(s, "many", 50))
    t.ok(wait_for(lambda: calls(node)), "fifty allocations")
    time.sleep(1.2)
    t.eq(len(calls(node)), 1, "are one call")
    drain(node)
    names = [task(s, "row%d" % i) for i in range(5)]
    for name in names:
        before = len(calls(node))
        dispatch(s, name)
        t.ok(wait_for(lambda: len(calls(node)) > before, 20), "what comes right after a claim is called out too")
        drain(node)
    at = [c.at for c in calls(node)]
    t.ok(all(b - a > 0.95 for a, b in zip(at, at[1:])), "never two within a second", *at)


def test_large(s, t):
    """a large dispatch, which is created assigned"""
    fresh(s)
    node = child(s, "/large", capacity=100000)
    took = []
    for i in range(3):
        name = task(s, "large%d" % i, 1000)
        before = len(calls(node))
        t.eq(dispatch(s, name)["data.allocations_created"], 1000, "is answered")
        answered = time.monotonic()
        t.ok(wait_for(lambda: len(calls(node)) > before), "and the node is called")
        took.append(calls(node)[before].at - answered)
        t.ok(claim(node), "it claims, and is called again when there is more")
        time.sleep(1.1 + 0.07 * i)
    t.ok(sorted(took)[1] < 1.2 * SLOW, "without waiting for the next tick", *took)
    for table in ("cascade_open", "cascade_open_feed", "we_cascade_task_allocations"):
        s.sql("DELETE FROM " + table)
    s.sql("UPDATE cascade_node SET open_count = 0")


def test_reminder(s, t):
    """a node that took the call and does not claim"""
    fresh(s)
    node = child(s, "/lazy")
    dispatch(s, task(s, "lazy", 3))
    t.ok(wait_for(lambda: len(calls(node)) >= 3, 40), "is reminded")
    at = [c.at for c in calls(node)]
    t.ok(1.5 < at[1] - at[0] < 10 * SLOW and at[2] - at[1] > (at[1] - at[0]) * 1.1, "more and more seldom", *at)
    drain(node)
    time.sleep(1.2)
    before = len(calls(node))
    start = time.monotonic()
    dispatch(s, task(s, "lazy2"))
    t.ok(wait_for(lambda: len(calls(node)) > before), "once it has claimed, all is as before")
    t.ok(calls(node)[-1].at - start < 6 * SLOW, "at once", calls(node)[-1].at - start)


def test_deaf(s, t):
    """one that cannot be reached, one that rejects, one that hangs, and one that is well"""
    fresh(s)
    listener.answers["/rejects"] = (503, "{}")
    listener.answers["/waits"] = (503, "{}", {"Retry-After": "3600"})
    nodes = {"rejects": child(s, "/rejects"), "hang": child(s, "/hang"), "waits": child(s, "/waits"),
             "nobody": child(s, "/nobody", url="http://127.0.0.1:1/x")}
    well = child(s, "/well", capacity=20)
    dispatch(s, task(s, "deaf", 60))
    t.ok(wait_for(lambda: calls(well), 20), "the one that is well is called")
    wait_for(lambda: drain(well), 5)
    t.ok(wait_for(lambda: len(calls(nodes["rejects"])) >= 3, 40), "the one that rejects is tried again")
    at = [c.at for c in calls(nodes["rejects"])]
    t.ok(at[1] - at[0] > 1.5 and at[2] - at[1] > (at[1] - at[0]) * 1.1, "more and more seldom", *at)
    t.eq(len(calls(nodes["waits"])), 1, "Retry-After is heeded")
    longest = 0
    for i in range(4):
        before = len(calls(well))
        start = time.monotonic()
        name = task(s, "beside%d" % i, 20)
        dispatch(s, name)
        wait_for(lambda: len(calls(well)) > before, 20)
        longest = max(longest, calls(well)[-1].at - start)
        drain(well)
        time.sleep(0.5)
    t.ok(longest < 15 * SLOW, "the well one waits for none of them: they hang for 20 s", longest)
    hung = calls(nodes["hang"])
    t.ok(1 <= len(hung) <= 4, "the hanging one is not pressed", len(hung))
    page = Page(s.http("GET", "/metrics").body.decode())
    count = {o: page.value("cascade_wake_ups_total", outcome=o) for o in ("taken", "rejected", "failed", "timeout", "refused")}
    t.ok(count["taken"] >= 10 and count["rejected"] >= 3 and count["failed"] >= 1, "calls are counted", count)
    t.ok(wait_for(lambda: Page(s.http("GET", "/metrics").body.decode())
                  .value("cascade_wake_ups_total", outcome="timeout") >= 1, 40), "the hanging ones too")
    t.ok("outcome=rejected status=503" in log_of(s), "and logged")
    before = len(calls(nodes["rejects"]))
    listener.answers["/rejects"] = (200, "{}")
    t.ok(claim(nodes["rejects"]), "a deaf one claims")
    t.ok(wait_for(lambda: len(calls(nodes["rejects"])) > before, 20), "and is called again soon: it is alive")


def test_left_alone(s, t):
    """who is not called"""
    fresh(s)
    full = child(s, "/full", capacity=1)
    dispatch(s, task(s, "fill"))
    t.ok(wait_for(lambda: claim(full), 10), "one is full")
    off, draining, silent = child(s, "/off"), child(s, "/draining"), child(s, "/silent")
    s.admin().put("/nodes/%s" % off.id, {"is_active": False})
    s.admin().post("/nodes/%s/drain" % draining.id)
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 DAY WHERE node_id = '%s'" % silent.id)
    before = len(calls(full))
    dispatch(s, task(s, "nobody", 5))
    time.sleep(3)
    t.eq([len(calls(n)) for n in (off, draining, silent)], [0, 0, 0], "inactive, draining and offline nodes")
    t.eq(len(calls(full)), before, "nor is the one that is full")
    refused = child(s, "/refused", url=listener.url("/refused", "127.1.2.3"))
    t.ok(wait_for(lambda: "outcome=refused" in log_of(s)), "an address that is not allowed is refused")
    t.ok("127.1.2.3" in log_of(s).split("outcome=refused")[1].splitlines()[0], "and named")
    t.eq(calls(refused), [], "and not called")


def test_pool(s, t):
    """work that nobody has"""
    fresh(s)
    nodes = [child(s, "/pool%d" % i) for i in range(20)]
    # they have each let a reservation lapse: what comes now is reserved for none of them
    s.sql("UPDATE cascade_node SET may_reserve = 0 WHERE node_id IN (%s)" % ", ".join("'%s'" % n.id for n in nodes))
    dispatch(s, task(s, "pool", 3))
    t.ok(wait_for(lambda: sum(len(calls(n)) for n in nodes) >= 3, 20), "three allocations")
    time.sleep(1.2)
    told = [n for n in nodes if calls(n)]
    t.eq(len(told), 3, "are called out to three nodes of twenty")
    t.eq(len({calls(n)[0].json["allocation_id"] for n in told}), 3, "one each")
    t.eq(sum(drain(n) for n in told), 3, "which claim them")


def test_two_hundred(s, t):
    """two hundred nodes at once"""
    fresh(s)
    ids = ["big%03d" % i for i in range(200)]
    secret_hash = "%064d" % 7
    s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, sync_config, callback_url, api_key, api_secret_hash, status, is_active,"
          " created_at, updated_at) VALUES " + ", ".join(
              "('%s', 1, '%s', '{\"max_capacity\": 1}', '%s', 'CN%s', '%s', 1, 1, NOW(), NOW())" % (i, i, listener.url("/" + i), i, secret_hash)
              for i in ids))
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_node WHERE node_id LIKE 'big%'") == "200", 20),
         "there are as many")
    name = task(s, "big", 200)
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) WHERE node_id LIKE 'big%'")
    start = time.monotonic()
    dispatch(s, name)
    t.ok(wait_for(lambda: len([i for i in ids if listener.to("/" + i)]) == 200, 20), "each is called")
    last = max(listener.to("/" + i)[0].at for i in ids)
    t.note("the last of them after %.2f s" % (last - start))
    t.ok(last - start < 20 * SLOW, "soon", last - start)
    t.eq(len({listener.to("/" + i)[0].json["allocation_id"] for i in ids}), 200, "each for work of its own")
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id LIKE 'big%'")


def test_several_daemons(s, t):
    """three daemons, and the death of the one that leads"""
    fresh(s)
    program = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascaded")
    log = open(os.path.join(s.log_dir, "cascaded-more.log"), "w")
    more = [subprocess.Popen([program, "--config", s.conf], env=s.env, stdout=log, stderr=log) for _ in range(2)]
    try:
        node = child(s, "/daemons", capacity=100)
        dispatch(s, task(s, "three", 5))
        t.ok(wait_for(lambda: calls(node), 20), "the node is called")
        time.sleep(1.2)
        t.eq(len(calls(node)), 1, "by one of the three")
        drain(node)
        fresh(s)
        beat(node, listener.url("/daemons"))
        s.kill("cascaded")
        dispatch(s, task(s, "after", 5))
        t.ok(wait_for(lambda: calls(node), 30), "after kill -9 of the leader another calls")
        time.sleep(1.2)
        t.eq(len(calls(node)), 1, "once")
        drain(node)
    finally:
        for process in more:
            process.terminate()
        t.eq([process.wait(20) for process in more], [0, 0], "they end well")
        log.close()
    s.start("cascaded")


def test_settings(s, t):
    """switched off, and on again by a reload, while a call hangs"""
    fresh(s)
    node = child(s, "/hang-reload")
    dispatch(s, task(s, "reload", 1))
    t.ok(wait_for(lambda: calls(node), 20), "a call hangs")
    with open(s.conf) as file:
        conf = file.read()
    with open(s.conf, "w") as file:
        file.write(conf + "wake: { enabled = false; };\n")
    for _ in range(3):
        s.kill("cascaded", signal.SIGHUP)
        time.sleep(0.3)
    t.ok(wait_for(lambda: log_of(s).count("configuration reloaded") >= 2, 20), "reloads wait for it")
    off = child(s, "/off-now")
    dispatch(s, task(s, "off", 30))
    time.sleep(2)
    t.eq(len(calls(off)), 0, "nobody is called")
    with open(s.conf, "w") as file:
        file.write(conf)
    s.kill("cascaded", signal.SIGHUP)
    t.ok(wait_for(lambda: calls(off), 10), "and again after the next")
    clear(s)
    consistent(s, t)


run(test_call, test_coalesced, test_large, test_reminder, test_deaf, test_left_alone, test_pool, test_two_hundred,
    test_several_daemons, test_settings, workers=2, env={
        "CASCADE_OUTBOUND_ALLOW": "127.0.0.1/32", "CASCADE_WAKE_BACKOFF": "2s", "CASCADE_WAKE_TIMEOUT": "20s",
        "CASCADE_CASCADED_TICK": "3s", "CASCADE_LOG_LEVEL": "debug"})
