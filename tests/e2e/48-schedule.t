#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Scheduled dispatch: every occurrence once, whoever leads, whatever dies; misfire and overlap policies."""
import datetime
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, run, wait_for  # noqa: E402
from work import claim, clear, complete, consistent, make_feeds, make_task, taken  # noqa: E402

RUNS = "SELECT run_id, scheduled_for, note, created FROM cascade_run WHERE run_id LIKE 'cron\\_%%\\_%s' ORDER BY scheduled_for"


def runs(s, task):
    return s.sql(RUNS % task)


def seconds(rows):
    return [int(datetime.datetime.fromisoformat(r["scheduled_for"]).timestamp()) for r in rows]


def disable(s):
    s.sql("UPDATE we_message_tasks SET status = 0")


def test_every_second_once(s, t):
    """each occurrence is one run"""
    make_task(s, "s1", make_feeds(s, 1), cron_exp="*/2 * * * * *")
    node = s.new_node("works", sync_config={"max_capacity": 100})
    t.ok(wait_for(lambda: len(runs(s, "s1")) >= 5, 30), "a task with seconds runs, without a restart")
    at = seconds(runs(s, "s1"))
    t.eq([b - a for a, b in zip(at, at[1:])], [2] * (len(at) - 1), "at each of its occurrences, once")
    row = runs(s, "s1")[0]
    stamp = row["scheduled_for"].replace("-", "").replace(":", "").replace(" ", "T")
    t.eq(row["run_id"], "cron_%s_s1" % stamp, "the run's name says which")
    package = taken(node)
    t.eq(s.value("SELECT schedule_run_id LIKE 'cron\\_%%\\_s1' FROM we_cascade_task_allocations WHERE id = '%s'"
                 % package["allocation_id"]), "1", "its allocations carry it")
    complete(node, package)
    disable(s)
    time.sleep(6)
    count = len(runs(s, "s1"))
    time.sleep(4)
    t.eq(len(runs(s, "s1")), count, "a disabled task stops")
    consistent(s, t)


def test_switch(s, t):
    """stopped, started and reloaded by an administrator"""
    clear(s)
    make_task(s, "w1", make_feeds(s, 1, first=50), cron_exp="* * * * * *")
    admin = s.admin()
    t.eq(admin.post("/reload-scheduler").status, 200, "reload")
    t.ok(wait_for(lambda: runs(s, "w1"), 3), "a new task is there at once")
    t.eq(admin.post("/stop-scheduler")["message"], "定时调度服务已停止", "stop")
    time.sleep(2.5)
    count = len(runs(s, "w1"))
    s.kill("cascaded")
    wait_for(lambda: not s.is_alive("cascaded"), 5)
    s.start("cascaded")
    time.sleep(3)
    t.eq(len(runs(s, "w1")), count, "nothing runs, also after a restart")
    t.eq(admin.post("/start-scheduler")["message"], "定时调度服务已启动", "start")
    t.ok(wait_for(lambda: len(runs(s, "w1")) > count, 15), "it runs again")
    disable(s)


def test_broken(s, t):
    """an expression that cannot be parsed hurts no other"""
    clear(s)
    make_task(s, "s2", make_feeds(s, 1, first=100), cron_exp="61 * * * *")
    make_task(s, "s3", make_feeds(s, 1, first=110), cron_exp="* * * * * *")
    t.ok(wait_for(lambda: len(runs(s, "s3")) >= 2, 15), "the other one runs")
    t.ok(wait_for(lambda: s.sql("SELECT error FROM cascade_schedule WHERE task_id = 's2' AND error IS NOT NULL"), 10),
         "the broken one says why")
    s.sql("UPDATE we_message_tasks SET cron_exp = '* * * * * *' WHERE id = 's2'")
    t.ok(wait_for(lambda: len(runs(s, "s2")) >= 1, 15), "and runs when it is mended")
    t.eq(s.value("SELECT error FROM cascade_schedule WHERE task_id = 's2'"), None, "without its reason")
    disable(s)


def test_misfire(s, t):
    """occurrences that were missed"""
    clear(s)
    for name, policy in (("m1", "once"), ("m2", "skip"), ("m3", "all")):
        make_task(s, name, make_feeds(s, 1, first=200 + int(name[1])), cron_exp="*/10 * * * * *")
        s.sql("INSERT INTO cascade_task (task_id, misfire) VALUES ('%s', '%s')" % (name, policy))
    t.ok(wait_for(lambda: all(runs(s, m) for m in ("m1", "m2", "m3")), 30), "three tasks run")
    s.stop("cascaded")
    back = int(s.value("SELECT UNIX_TIMESTAMP()")) - 95
    s.sql("DELETE FROM cascade_run WHERE scheduled_for > FROM_UNIXTIME(%d)" % back)
    s.sql("UPDATE cascade_schedule SET last_at = FROM_UNIXTIME(%d)" % back)
    s.start("cascaded")
    t.ok(wait_for(lambda: all(len(runs(s, m)) >= 7 for m in ("m1", "m2", "m3")), 20), "after an outage all are accounted for")
    disable(s)
    now = int(s.value("SELECT UNIX_TIMESTAMP()"))

    def missed(task):
        """Whether each of the occurrences that were more than 30 s late ran."""
        rows = runs(s, task)
        return [r["note"] is None for r, at in zip(rows, seconds(rows)) if back < at <= now - 45]

    t.ok(not any(missed("m1")[:-1]), "once: all but the last are left out", repr(missed("m1")))
    t.ok(not any(missed("m2")), "skip: all are left out", repr(missed("m2")))
    t.ok(all(missed("m3")) and missed("m3"), "all: each runs", repr(missed("m3")))
    t.ok(all(r["note"] is None for r in runs(s, "m1")[-2:]), "what is not missed runs")
    at = seconds(runs(s, "m1"))
    t.eq([b - a for a, b in zip(at, at[1:]) if a > back], [10] * (len([a for a in at if a > back]) - 1), "no gap, none twice")


def test_overlap(s, t):
    """occurrences while something is open"""
    clear(s)
    for name, policy in (("o1", "skip"), ("o2", "replace"), ("o3", "queue")):
        make_task(s, name, make_feeds(s, 2, first=300 + 10 * int(name[1])), cron_exp="*/3 * * * * *")
        s.sql("INSERT INTO cascade_task (task_id, overlap) VALUES ('%s', '%s')" % (name, policy))
    t.ok(wait_for(lambda: all(len(runs(s, o)) >= 3 for o in ("o1", "o2", "o3")), 40), "three tasks that nobody works off")

    def count(task, status):
        return int(s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_id = '%s' AND status = '%s'"
                           % (task, status)))

    t.ok(wait_for(lambda: count("o2", "cancelled") >= 2, 20), "replace: what nobody has claimed makes room")
    disable(s)
    t.eq((count("o1", "pending"), count("o1", "cancelled")), (2, 0), "skip: what is open stays")
    t.eq((count("o3", "pending"), count("o3", "cancelled")), (2, 0), "queue: the next waits")
    node = s.new_node("late", sync_config={"max_capacity": 100})
    s.sql("DELETE FROM we_message_tasks WHERE id IN ('o1', 'o2')")
    done = []

    def work_off():
        package = claim(node)
        if package and package["task_id"] == "o3":
            done.append(package)
            complete(node, package)
        return len(done) >= 4

    t.ok(wait_for(work_off, 30), "and goes out when that is done")


def test_two_daemons(s, t):
    """a second cascaded; the leader is killed"""
    clear(s)
    disable(s)
    second = subprocess.Popen([os.path.join(BUILD, "cascaded"), "--config", s.conf], env=s.env,
                              stderr=open(os.path.join(s.log_dir, "cascaded2.log"), "w"))
    try:
        make_task(s, "d1", make_feeds(s, 1, first=400), cron_exp="* * * * * *")
        t.ok(wait_for(lambda: len(runs(s, "d1")) >= 3, 20), "two daemons")
        s.kill("cascaded", signal.SIGSTOP)
        stopped = time.monotonic()
        before = len(runs(s, "d1"))
        t.ok(wait_for(lambda: len(runs(s, "d1")) > before + 1, 20), "the other takes over")
        t.ok(time.monotonic() - stopped < 16, "within 15 s", "%.1f s" % (time.monotonic() - stopped))
        s.kill("cascaded", signal.SIGCONT)
        time.sleep(3)
        at = seconds(runs(s, "d1"))
        t.eq([b - a for a, b in zip(at, at[1:])], [1] * (len(at) - 1), "no occurrence is lost or comes twice")
        second.send_signal(signal.SIGTERM)
        t.eq(second.wait(10), 0, "SIGTERM ends it")
        count = len(runs(s, "d1"))
        t.ok(wait_for(lambda: len(runs(s, "d1")) > count + 1, 5), "and the first leads at once")
    finally:
        second.kill()
        second.wait()
    disable(s)
    consistent(s, t)


def test_fair(s, t):
    """a task of many feeds beside a small one"""
    clear(s)
    make_feeds(s, 20000, first=10000)
    make_task(s, "large", None, cron_exp="0 0 1 1 *")
    make_task(s, "small", make_feeds(s, 1, first=500), cron_exp="0 0 1 1 *")
    wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule WHERE task_id IN ('large', 'small')") == "2", 15)
    began = s.value("SELECT UTC_TIMESTAMP()")
    s.sql("UPDATE we_message_tasks SET cron_exp = '*/20 * * * * *' WHERE id IN ('large', 'small')")
    t.ok(wait_for(lambda: s.sql("SELECT 1 FROM cascade_run WHERE run_id LIKE 'cron%\\_large' AND finished_at IS NOT NULL"), 90),
         "both run")
    late = s.value("SELECT TIMESTAMPDIFF(SECOND, l.finished_at, k.finished_at) FROM cascade_run l JOIN cascade_run k"
                   " ON k.scheduled_for = l.scheduled_for AND k.run_id LIKE 'cron%\\_small'"
                   " WHERE l.run_id LIKE 'cron%\\_large' AND l.finished_at IS NOT NULL ORDER BY l.scheduled_for LIMIT 1")
    t.ok(late is not None and int(late) <= 0, "the small one is not kept waiting", "%r since %s" % (late, began))


run(test_every_second_once, test_switch, test_broken, test_misfire, test_overlap, test_two_daemons, test_fair, workers=2,
    env={"CASCADE_CASCADED_REFRESH": "2s", "CASCADE_DISPATCH_PREFER": "1s", "CASCADE_DISPATCH_BATCH": "2000"})
