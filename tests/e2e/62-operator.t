#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The operator's view and hand: status, refresh, dead letters, logs, switches, reload; a child that freezes."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SLOW, SOURCE, run, wait_for  # noqa: E402
from work import (allocation, article, claim, clear, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  outcomes, status, upload)

CASCADED = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascaded")
OFFLINE_S = 5
HELD = 20


def ctl(s, t, *arguments, code=0):
    """What it prints as JSON; a check of its exit status."""
    done = s.ctl("--json", *arguments)
    t.eq(done.returncode, code, "cascadectl " + " ".join(arguments)[:70], repr(done))
    return json.loads(done.stdout) if done.stdout else None


def away(s):
    """Nothing and nobody of the test before is left."""
    s.sql("UPDATE we_cascade_nodes SET is_active = 0")
    s.sql("UPDATE we_message_tasks SET status = 0")
    clear(s)


def test_frozen(s, t):
    """a child that freezes with 20 allocations"""
    make_task(s, "tf", make_feeds(s, HELD))
    dispatch(s, "tf")
    frozen = s.new_node("freezes", sync_config={"max_capacity": HELD})
    frozen.post("/heartbeat")
    packages = [claim(frozen) for _ in range(HELD)]
    for package in packages[::2]:
        status(frozen, package, "executing")
    frozen.post("/heartbeat")
    others = [s.new_node("other-%d" % n, sync_config={"max_capacity": 7}) for n in range(3)]

    def pool():
        for other in others:
            other.post("/heartbeat")
        return s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_node n ON n.seq = o.node"
                       " WHERE n.node_id = '%s'" % frozen.id) == "0"
    t.ok(wait_for(pool, 20), "all of it goes back")
    took = s.sql("SELECT TIMESTAMPDIFF(MICROSECOND, n.last_seen_at, MIN(a.ended_at)) / 1000000 AS first,"
                 " TIMESTAMPDIFF(MICROSECOND, n.last_seen_at, MAX(a.ended_at)) / 1000000 AS last, COUNT(*) AS n"
                 " FROM cascade_attempt a JOIN cascade_node n ON n.seq = a.node WHERE a.outcome = 'node_lost'")[0]
    t.eq(took["n"], str(HELD), "as lost")
    t.ok(float(took["first"]) >= OFFLINE_S, "not before node.offline_after", took)
    t.ok(float(took["last"]) <= OFFLINE_S + 1 + 4 * SLOW, "and not later than a refresh after it", took)
    done = {}

    def work_off():
        for other in others:
            package = claim(other)
            if package:
                done.setdefault(package["allocation_id"], []).append(complete(other, package).status)
        return len(done) == HELD
    t.ok(wait_for(work_off, 30), "others are handed all of it", len(done))
    t.eq(sorted(done.values()), [[200]] * HELD, "and complete each once")
    late = [(status(frozen, p, "executing").status, complete(frozen, p).status,
             status(frozen, p, "failed", error_message="late").status) for p in packages]
    t.eq(late, [(409, 409, 409)] * HELD, "what it reports when it wakes up is 409")
    kept = [upload(frozen, p, [article(p["feeds"][0]["id"], 1)]).status for p in packages]
    t.eq(kept, [200] * HELD, "but its articles are kept")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles"), str(HELD), "each of them")
    t.eq({tuple(outcomes(s, p)) for p in packages}, {("node_lost", "completed")}, "one loss and one completion each")
    t.eq({allocation(s, p)["status"] for p in packages}, {"completed"}, "all is completed")
    consistent(s, t)


def test_refresh(s, t):
    """node refresh"""
    away(s)
    s.sql("DELETE FROM cascade_node")
    s.sql("DELETE FROM we_cascade_nodes")
    here, gone = s.new_node("在线", sync_config={"max_capacity": 6}), s.new_node("离线")
    gone.post("/heartbeat")
    t.ok(wait_for(lambda: s.value("SELECT online FROM cascade_node WHERE node_id = '%s'" % gone.id) == "1"), "one is online")
    s.kill("cascaded", signal.SIGSTOP)
    try:
        here.post("/heartbeat")
        s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR WHERE node_id = '%s'" % gone.id)
        s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, status, is_active, created_at)"
              " VALUES ('wr-1', 1, 'WeRSS', 0, 1, NOW())")
        said = ctl(s, t, "node", "refresh")
        t.eq(said["grace"], False, "no grace")
        t.eq(sorted((r["name"], r["before"], r["now"]) for r in said["changed"]),
             [("WeRSS", "new", "offline"), ("在线", "offline", "online"), ("离线", "online", "offline")], "what has changed")
        t.eq(s.sql("SELECT status FROM we_cascade_nodes ORDER BY name"), [{"status": x} for x in "010"], "as WeRSS's page shows it")
        t.eq(ctl(s, t, "node", "refresh")["changed"], [], "once")
        t.ok("0 nodes changed" in s.ctl("node", "refresh").stdout, "in words")
        s.sql("UPDATE cascade_beat SET gap_ended_at = NOW(3) WHERE name = 'cascaded'")
        s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 1 HOUR WHERE node_id = '%s'" % here.id)
        said = ctl(s, t, "node", "refresh")
        t.eq((said["grace"], said["changed"]), (True, []), "after an outage of ours nobody goes offline")
    finally:
        s.sql("UPDATE cascade_beat SET gap_ended_at = NULL")
        s.kill("cascaded", signal.SIGCONT)
    t.ok(wait_for(lambda: s.value("SELECT beat_at > NOW(3) - INTERVAL 2 SECOND FROM cascade_beat WHERE name = 'cascaded'") == "1"),
         "cascaded goes on")


def test_status(s, t):
    """status"""
    away(s)
    feeds = make_feeds(s, 4, first=100)
    make_task(s, "ts", feeds, name="早报", cron_exp="0 9 * * *")
    node = s.new_node("忙", sync_config={"max_capacity": 2})
    node.post("/heartbeat")
    dispatch(s, "ts")
    status(node, wait_for(lambda: claim(node)), "executing")

    def assigned():
        s.sql("UPDATE cascade_node SET may_reserve = 1")  # whatever it let lapse on a slow machine
        return ctl(s, t, "status")["assigned"] == 1

    t.ok(wait_for(assigned, 30), "what is assigned is counted")
    t.ok(wait_for(lambda: claim(node)), "and claimed: the node is full")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule WHERE task_id = 'ts' AND next_at IS NOT NULL") == "1"),
         "it is scheduled")
    now = ctl(s, t, "status")
    t.ok(re.match(r"^.+:%d:" % s.pid("cascaded"), now["leader"] or ""), "who leads", now)
    t.ok(now["leader_since"] and 0 <= now["leader_lease_s"] <= 10, "since when, and for how long yet", now)
    t.eq((now["scheduler"], now["schedule_lag_s"]), ("own", None), "the schedule")
    t.eq([now[k] for k in ("ready", "backing_off", "assigned", "claimed", "executing", "dead_letters")], [2, 0, 0, 1, 1, 0],
         "work by its state", now)
    t.eq([now[k] for k in ("nodes_online", "nodes_draining", "nodes_offline")], [1, 0, 0], "nodes by theirs")
    t.eq([(n["task_id"], n["task_name"], n["next_at"][-6:]) for n in now["next"]], [("ts", "早报", ":00:00")], "what falls due next")
    t.ok(now["oldest_waiting"] and now["oldest_waiting_s"] >= 0, "what has waited longest")
    s.sql("UPDATE cascade_open SET ready_at = ready_at - INTERVAL 90 SECOND WHERE state = 0 AND node = 0 ORDER BY seq LIMIT 1")
    now = ctl(s, t, "status")
    t.ok(now["oldest_waiting_s"] >= 90 and now["oldest_waiting_why"] == "nobody can take it now", "and why", now)
    t.ok({"code": "at_capacity", "nodes": 1, "node_name": "忙", "text": "the node is at capacity, 2 of 2"}
         in now["oldest_waiting_reasons"], "with what keeps the nodes from it", now["oldest_waiting_reasons"])
    shown = s.ctl("--lang", "zh", "status").stdout
    for words in ("主调度进程", "目前没有节点可以执行", "节点已达容量上限 2/2", "下次执行", "死信"):
        t.ok(words in shown, "people see: " + words, shown)
    t.eq(now["oldest_run_s"], None, "every run is finished")
    s.sql("INSERT INTO cascade_run (run_id, task, created_at, touched_at)"
          " SELECT 'stuck', seq, NOW(3) - INTERVAL 300 SECOND, NOW(3) FROM cascade_task LIMIT 1")
    lag = ctl(s, t, "status")["oldest_run_s"]
    t.ok(lag and lag >= 300, "the oldest run that is not finished", lag)
    s.sql("DELETE FROM cascade_run WHERE run_id = 'stuck'")


def fail_all(s, node, count):
    for _ in range(count):
        package = wait_for(lambda: claim(node))
        status(node, package, "failed", error_message="接口限制")


def test_dead_letters(s, t):
    """dead letters"""
    away(s)
    s.sql("DELETE FROM we_cascade_task_allocations")
    s.sql("DELETE FROM cascade_attempt")
    node = s.new_node("fails", sync_config={"max_capacity": 20})
    make_task(s, "d1", make_feeds(s, 3, first=200))
    make_task(s, "d2", make_feeds(s, 2, first=300))
    for task in ("d1", "d2"):
        s.sql("INSERT INTO cascade_task (task_id, max_attempts) VALUES ('%s', 1)" % task)
        dispatch(s, task)
    fail_all(s, node, 5)
    rows = ctl(s, t, "dead-letters", "list")
    t.eq([(r["task_id"], r["status"], r["attempts"], r["node_name"], r["error_message"]) for r in rows if r["task_id"] == "d2"],
         [("d2", "failed", 1, "fails", "接口限制")] * 2, "are listed with their reason")
    t.eq((len(rows), len(ctl(s, t, "dead-letters", "list", "--task", "d1")), len(ctl(s, t, "dead-letters", "list", "--limit", "4"))),
         (5, 3, 4), "all, of a task, so many")
    t.eq(ctl(s, t, "status")["dead_letters"], 5, "are counted")
    t.eq(ctl(s, t, "dead-letters", "requeue", "--task", "d2"), {"requeued": 2, "skipped": 0}, "those of a task are requeued")
    t.eq(s.ctl("dead-letters", "requeue", "--task", "nix").returncode, 69, "not of an unknown one")
    t.eq(ctl(s, t, "dead-letters", "requeue"), {"requeued": 3, "skipped": 0}, "or all")
    fail_all(s, node, 5)
    done = s.ctl("dead-letters", "purge")
    t.ok(done.returncode == 64 and "5 dead letters" in done.stderr and "--yes" in done.stderr, "a purge asks", repr(done))
    t.eq(len(ctl(s, t, "dead-letters", "list")), 5, "and does nothing meanwhile")
    t.eq(ctl(s, t, "dead-letters", "purge", "--older-than", "1h", "--yes")["purged"], 0, "nothing is that old")
    s.sql("UPDATE we_cascade_task_allocations SET completed_at = completed_at - INTERVAL 2 HOUR WHERE task_id = 'd2'")
    t.eq(ctl(s, t, "dead-letters", "purge", "--older-than", "1h", "--yes")["purged"], 2, "what is")
    t.eq(ctl(s, t, "dead-letters", "purge", "--task", "d1", "--yes")["purged"], 3, "and of a task, in small batches")
    t.eq((ctl(s, t, "dead-letters", "list"), s.value("SELECT COUNT(*) FROM cascade_attempt")), ([], "0"), "with their attempts")
    consistent(s, t)


def test_alone(s, t):
    """without WeRSS"""
    def listed(noun, key):
        return {row[key]: row for row in ctl(s, t, noun, "list")}
    ctl(s, t, "user", "add", "值班", "--role", "user")
    ctl(s, t, "user", "set", "值班", "--role", "admin", "--nickname", "夜")
    t.eq([listed("user", "username")["值班"][k] for k in ("role", "nickname")], ["admin", "夜"], "a user is changed")
    t.eq(s.ctl("user", "set", "值班").returncode, 64, "something has to be")
    key = ctl(s, t, "key", "add", "值班")
    reader = s.node(key["key"], key["secret"])
    t.eq(reader.get("/nodes").status, 200, "its key works")
    ctl(s, t, "user", "rm", "值班")
    t.eq((reader.get("/nodes").status, "值班" in listed("user", "username"), s.ctl("user", "rm", "值班").returncode),
         (401, False, 69), "until it is removed")
    make_feeds(s, 1, first=900)
    feed = "MP_WXS_3000000900"
    s.sql("INSERT INTO we_articles (id, mp_id, title) VALUES ('kept', '%s', 'x')" % feed)
    ctl(s, t, "feed", "rm", feed)
    t.eq((feed in listed("feed", "id"), s.value("SELECT COUNT(*) FROM we_articles WHERE id = 'kept'"),
          s.ctl("feed", "rm", feed).returncode), (False, "1", 69), "a feed is removed, its articles are not")
    headers = os.path.join(s.dir, "headers")
    with open(headers, "w") as file:
        file.write('{"User-Agent": "x"}\n')
    id = ctl(s, t, "task", "add", "头", "--headers-file", headers)["id"]
    done = s.ctl("task", "set", id, "--cookies-file", "-", stdin="a=b; c=d\r\n")
    task = ctl(s, t, "task", "show", id)
    t.eq((done.returncode, s.sql("SELECT headers, cookies FROM we_message_tasks WHERE id = '%s'" % id)),
         (0, [{"headers": '{"User-Agent": "x"}', "cookies": "a=b; c=d"}]), "headers and cookies of a task", task)
    ctl(s, t, "schedule", "stop")
    t.eq((ctl(s, t, "status")["scheduler"], s.ctl("check").returncode > 0), ("stopped", True), "the scheduler stops")
    ctl(s, t, "schedule", "start")
    reloads = "SELECT COALESCE(SUM(value), 0) FROM cascade_setting WHERE name = 'scheduler_reloads'"
    before = int(s.value(reloads))
    ctl(s, t, "schedule", "reload")
    t.eq((ctl(s, t, "status")["scheduler"], int(s.value(reloads)) - before), ("own", 1), "starts, and reads its tasks again")
    log = ctl(s, t, "logs", "--operation", "claim_task", "--limit", "3")
    t.eq([row["operation"] for row in log], ["claim_task"] * 3, "the sync log")
    t.ok(all(row["node_id"] == log[0]["node_id"] for row in ctl(s, t, "logs", "--node", log[0]["node_id"])), "of a node")


def test_reload(s, t):
    """cascaded takes its whole configuration over"""
    done = subprocess.run([CASCADED, "--config", s.conf, "--check-config"], env=s.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    t.eq((done.returncode, done.stdout, done.stderr), (0, "cascaded: the configuration is valid\n", ""), "--check-config says so")
    with open(s.conf) as file:
        text = file.read()
    target = os.path.join(s.dir, "log", "elsewhere.log")

    def reload(more):
        with open(s.conf, "w") as file:
            file.write(text + more)
        s.kill("cascaded", signal.SIGHUP)

    def log(path=target):
        try:
            with open(path) as file:
                return file.read()
        except FileNotFoundError:
            return ""
    reload('log: { target = "%s"; level = "warn"; };\n' % target)
    t.ok(wait_for(lambda: os.path.exists(target)), "log.target")
    reload("log: { target = 1")
    t.ok(wait_for(lambda: "event=reload" in log()), "what is wrong is said there, and changes nothing", log())
    t.ok("level=info" not in log(), "log.level", log())
    os.rename(target, target + ".1")
    reload('log: { target = "%s"; level = "info"; };\n' % target)
    t.ok(wait_for(lambda: "configuration reloaded" in log()), "the file is opened anew", log())
    reload("retention: { batch = 7; };\n")
    t.ok(wait_for(lambda: log(os.path.join(s.log_dir, "cascaded.log")).count("configuration reloaded")), "and back again")
    t.ok(s.is_alive("cascaded"), "it lives")


run(test_frozen, test_refresh, test_status, test_dead_letters, test_alone, test_reload, workers=2,
    env={"CASCADE_NODE_OFFLINE_AFTER": "%ds" % OFFLINE_S, "CASCADE_NODE_TOUCH": "1s", "CASCADE_CASCADED_REFRESH": "1s",
         "CASCADE_LEASE_CLAIM": "10m", "CASCADE_DISPATCH_PREFER": "1s", "CASCADE_RETENTION_BATCH": "2"})
