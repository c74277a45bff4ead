#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Requeueing what has ended, and the explanation of what waits."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import (allocation, claim, clear, complete, consistent, dispatch, feed_id, make_feeds,  # noqa: E402
                  make_task, outcomes, status)

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def requeue(s, id):
    return s.admin().post("/allocations/%s/requeue" % id)


def one(s, task):
    """The newest allocation of TASK."""
    return s.admin().get("/allocations?limit=1&task_id=" + task).data["list"][0]


def reader(s):
    if s.ctl("user", "add", "reader", "--role", "user").returncode:
        raise RuntimeError("no reader")
    return s.bearer(s.ctl("token", "--user", "reader").stdout.strip())


def at_once(*calls):
    """Runs CALLS at the same time; their results in order."""
    results = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def go(n, call):
        start.wait()
        results[n] = call()
    threads = [threading.Thread(target=go, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_requeue(s, t):
    """each state"""
    make_task(s, "tr", make_feeds(s, 1))
    s.sql("INSERT INTO cascade_task (task_id, max_attempts) VALUES ('tr', 1)")
    node = s.new_node("works")
    t.eq(requeue(s, UNKNOWN).status, 404, "unknown is 404")
    dispatch(s, "tr")
    id = one(s, "tr")["id"]
    answer = requeue(s, id)
    t.eq((answer.status, answer["message"]), (409, "该任务尚未结束"), "open is 409")
    package = claim(node)
    t.eq(requeue(s, id).status, 409, "so is held")
    status(node, package, "failed", error_message="第一次")
    t.eq(allocation(s, id)["status"], "failed", "a dead letter")
    answer = requeue(s, id)
    t.eq((answer.status, answer["message"], answer["code"]), (200, "任务分配已重新排队", 200), "is requeued")
    now = allocation(s, id)
    t.eq([now[k] for k in ("status", "node_id", "failures", "losts", "attempt", "error_message", "completed_at")],
         ["pending", None, 0, 0, 1, None, None], "with fresh counts")
    t.eq(outcomes(s, id), ["failed"], "its history stays")
    t.eq(requeue(s, id).status, 409, "again is 409: it is open")
    second = claim(node)
    t.eq((second["allocation_id"], second["attempt"]), (id, 2), "numbering goes on")
    complete(node, second)
    t.eq(allocation(s, id)["status"], "completed", "it may be completed")
    answer = requeue(s, id)
    t.eq((answer.status, answer["message"]), (409, "该任务已结束：completed"), "completed is 409")
    dispatch(s, "tr")
    id = one(s, "tr")["id"]
    s.admin().post("/allocations/%s/cancel" % id)
    t.eq(requeue(s, id).status, 200, "cancelled may be requeued")
    s.admin().post("/allocations/%s/cancel" % id)
    s.sql("UPDATE we_cascade_task_allocations SET status = 'timeout' WHERE id = '%s'" % id)
    t.eq(s.admin().at(WERSS).post("/allocations/%s/requeue" % id)["code"], 0, "so may a timeout, on either mount")
    consistent(s, t)


def test_refused(s, t):
    """what stands in the way"""
    clear(s)
    make_task(s, "tn", make_feeds(s, 2, first=10))
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation) VALUES ('tn', 2)")
    dispatch(s, "tn")
    old = one(s, "tn")["id"]
    s.admin().post("/allocations/%s/cancel" % old)
    s.sql("UPDATE cascade_task SET feeds_per_allocation = 1 WHERE task_id = 'tn'")
    dispatch(s, "tn")
    answer = requeue(s, old)
    t.eq((answer.status, answer["message"]), (409, "相同公众号已有更新的任务分配"), "something newer is open")
    newer = s.admin().get("/allocations?task_id=tn&status=pending").data["list"]
    s.admin().post("/allocations/%s/cancel" % newer[0]["id"])
    t.eq(requeue(s, old).status, 409, "for one of its feeds is enough")
    t.eq(allocation(s, old)["status"], "cancelled", "and nothing has changed")
    s.admin().post("/allocations/%s/cancel" % newer[1]["id"])
    s.sql("DELETE FROM we_message_tasks WHERE id = 'tn'")
    answer = requeue(s, old)
    t.eq((answer.status, answer["message"]), (409, "任务不存在"), "its task was deleted")
    make_task(s, "tj", [])
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, cascade_owned)"
          " VALUES ('strange', 'tj', 'nonsense', 'failed', 1), ('werss', 'tj', '[\"%s\"]', 'timeout', 1)" % feed_id(1))
    answer = requeue(s, "strange")
    t.eq((answer.status, answer["message"]), (409, "公众号不存在"), "it has no feeds")
    t.eq(requeue(s, "werss").status, 200, "one of WeRSS's dispatcher is no different")
    t.eq(requeue(s, "WERSS").status, 404, "an id is the same byte for byte")
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, cascade_owned)"
          " VALUES ('none', 'tj', '[]', NULL, 1), ('word', 'tj', '[]', 'paused', 1)")
    for id in ("none", "word"):
        answer = s.admin().post("/allocations/%s/cancel" % id)
        t.eq((requeue(s, id).status, answer.status, answer["message"]), (409, 409, "该任务的状态无法识别"),
             "a status of nobody's is a conflict: %s" % id)
    s.sql("DELETE FROM we_cascade_task_allocations WHERE id IN ('none', 'word')")
    node, user = s.new_node("nobody"), reader(s)
    for path in ("/allocations/%s/requeue" % old, "/dead-letters/requeue?task_id=tn"):
        s.table(t, [("POST", path, None, None, 401, None), ("POST", path, node, None, 403, None),
                    ("POST", path, user, None, 403, None), ("PUT", path, s.admin(), {}, 405, {"@Allow": "POST"})])
    consistent(s, t)


def test_all_of_a_task(s, t):
    """a task's failures"""
    clear(s)
    feeds = make_feeds(s, 30, first=100)
    make_task(s, "tb", feeds)
    dispatch(s, "tb")
    first = [row["id"] for row in s.admin().get("/allocations?task_id=tb&limit=200").data["list"]]
    clear(s)
    s.sql("UPDATE we_cascade_task_allocations SET status = IF(id < '%s', 'failed', 'timeout'),"
          " created_at = created_at - INTERVAL 1 HOUR WHERE task_id = 'tb'" % sorted(first)[15])
    dispatch(s, "tb")
    clear(s)
    admin = s.admin()
    s.table(t, [
        ("POST", "/dead-letters/requeue", admin, None, 422, {"data.field": "task_id"}),
        ("POST", "/dead-letters/requeue?task_id=tb&status=pending", admin, None, 422, {"data.field": "status"}),
        ("POST", "/dead-letters/requeue?task_id=nix", admin, None, 404, {"message": "任务不存在"}),
    ])
    done = admin.post("/dead-letters/requeue?task_id=tb&status=timeout")
    t.eq(done.data, {"requeued": 15, "skipped": 0}, "those of one status")
    done = admin.post("/dead-letters/requeue?task_id=tb")
    t.eq((done.data, done["message"]), ({"requeued": 15, "skipped": 0}, "已重新排队 15 个任务分配，跳过 0 个"), "the other failures")
    done = admin.post("/dead-letters/requeue?task_id=tb&status=cancelled")
    t.eq(done.data, {"requeued": 0, "skipped": 30}, "what was cancelled has something newer open")
    t.eq(admin.post("/dead-letters/requeue?task_id=tb").data, {"requeued": 0, "skipped": 0}, "nothing is left")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_task t ON t.seq = o.task WHERE t.task_id = 'tb'"), "30",
         "every feed is open once")
    clear(s)
    s.sql("UPDATE we_cascade_task_allocations SET status = 'failed', created_at = NULL WHERE task_id = 'tb'")
    done = s.ctl("--json", "task", "requeue", "tb")
    t.eq((done.returncode, '"requeued":30' in done.stdout.replace(" ", "")), (0, True), "cascadectl task requeue", repr(done))
    t.eq(s.ctl("task", "requeue", "nix").returncode, 69, "of an unknown task")
    consistent(s, t)


def test_at_once(s, t):
    """several at once"""
    clear(s)
    make_task(s, "tc", make_feeds(s, 1, first=200))
    ids = []
    for _ in range(4):
        dispatch(s, "tc")
        ids.append(one(s, "tc")["id"])
        s.admin().post("/allocations/%s/cancel" % ids[-1])
    for n in range(5):
        got = at_once(*[lambda id=id: requeue(s, id).status for id in ids + ids[:2]])
        t.eq(sorted(got), [200] + [409] * 5, "one of six wins, round %d" % n)
        got = at_once(lambda: dispatch(s, "tc")["data.allocations_created"], lambda: requeue(s, ids[0]).status)
        t.eq(got, [0, 409], "onto open ones nothing comes")
        clear(s)
        created, code = at_once(lambda: dispatch(s, "tc")["data.allocations_created"], lambda: requeue(s, ids[0]).status)
        t.ok((created, code) in ((1, 409), (0, 200)), "a dispatch or the requeue, not both", (created, code))
        clear(s)
    consistent(s, t)


def test_command(s, t):
    """cascadectl"""
    clear(s)
    make_task(s, "tk", make_feeds(s, 1, first=300))
    dispatch(s, "tk")
    id = one(s, "tk")["id"]
    t.eq(s.ctl("allocation", "requeue", id).returncode, 75, "an open one is a conflict")
    s.ctl("allocation", "cancel", id)
    done = s.ctl("allocation", "requeue", id)
    t.eq((done.returncode, id in done.stdout), (0, True), "a cancelled one is requeued", repr(done))
    t.eq(s.ctl("allocation", "requeue", UNKNOWN).returncode, 69, "an unknown one")


run(test_requeue, test_refused, test_all_of_a_task, test_at_once, test_command, workers=4, cascaded=False)
