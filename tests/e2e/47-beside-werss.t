#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
WeRSS's own dispatcher and its 30-minute cleanup, as the SQL that they send, beside ours: its rows are
adopted or closed as duplicates, what it changes in ours is put right; nothing lost, nothing done twice.
"""
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import allocation, claim, clear, complete, consistent, dispatch, insert, make_feeds, make_task, status  # noqa: E402


def werss_dispatch(s, task_id, feeds, per=1):
    """What WeRSS's dispatcher inserts for a task: a row for each chunk of feeds; their ids."""
    run_id, ids = str(uuid.uuid4()), []
    now = s.value("SELECT UTC_TIMESTAMP()")
    for at in range(0, len(feeds), per):
        ids.append(str(uuid.uuid4()))
        insert(s, "we_cascade_task_allocations", [{
            "id": ids[-1], "task_id": task_id, "task_name": "任务" + task_id, "cron_exp": "0 9 * * *", "node_id": None,
            "feed_ids": json.dumps(feeds[at:at + per]), "status": "pending", "dispatched_at": now,
            "schedule_run_id": run_id, "article_count": 0, "new_article_count": 0, "created_at": now, "updated_at": now}])
    return ids


def werss_cleanup(s, minutes=30):
    """What it sends before each dispatch."""
    s.sql("UPDATE we_cascade_task_allocations SET status = 'timeout', error_message = '任务执行超时',"
          " completed_at = UTC_TIMESTAMP(), updated_at = UTC_TIMESTAMP()"
          " WHERE status IN ('pending', 'claimed', 'executing')"
          " AND dispatched_at < UTC_TIMESTAMP() - INTERVAL %d MINUTE" % minutes)


def shown(s, ids):
    rows = s.sql("SELECT id, status FROM we_cascade_task_allocations")
    by_id = {r["id"]: r["status"] for r in rows}
    return [by_id.get(id) for id in ids]


def test_adopted(s, t):
    """its rows are adopted"""
    feeds = make_feeds(s, 5)
    make_task(s, "w1", feeds)
    node = s.new_node("child", mount=WERSS)
    ids = werss_dispatch(s, "w1", feeds[:3])
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_open") == "3", 20), "those of its first run")
    ids += werss_dispatch(s, "w1", feeds[3:], per=2)
    t.ok(wait_for(lambda: shown(s, ids[3:]) == ["cancelled"], 20), "another run within a minute is a duplicate")
    got = [p for p in (claim(node) for _ in range(5)) if p]
    t.eq(sorted(p["allocation_id"] for p in got), sorted(ids[:3]), "are handed out once each")
    for package in got:
        t.eq(complete(node, package).status, 200, "and completed")
    again = werss_dispatch(s, "w1", feeds[:1])
    t.ok(wait_for(lambda: shown(s, again) == ["cancelled"], 20), "so is one of what was just done")
    s.sql("UPDATE cascade_run SET created_at = created_at - INTERVAL 2 MINUTE")
    later = werss_dispatch(s, "w1", feeds[:4], per=4)
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_open") == "1", 20), "a later one is work again")
    package = claim(node)
    t.eq((package["allocation_id"], len(package["feeds"])), (later[0], 4), "with all its feeds")
    complete(node, package)
    consistent(s, t)


def test_duplicates(s, t):
    """its rows for what is open with us"""
    feeds = make_feeds(s, 4, first=100)
    make_task(s, "w2", feeds)
    dispatch(s, "w2")
    s.sql("UPDATE cascade_run SET created_at = created_at - INTERVAL 2 MINUTE")
    ids = werss_dispatch(s, "w2", feeds)
    t.ok(wait_for(lambda: shown(s, ids) == ["cancelled"] * 4, 20), "are closed")
    t.ok("重复" in s.value("SELECT error_message FROM we_cascade_task_allocations WHERE id = '%s'" % ids[0]), "with a reason")
    node, got = s.new_node("once"), []
    wait_for(lambda: got.append(claim(node)) or len([p for p in got if p]) == 4, 10)
    got = [p for p in got + [claim(node) for _ in range(4)] if p]
    t.eq(sorted(p["feeds"][0]["id"] for p in got), feeds, "each feed is handed out once")
    for package in got:
        complete(node, package)
    consistent(s, t)


def test_cleanup(s, t):
    """its cleanup of what it takes for timed out"""
    clear(s)
    feeds = make_feeds(s, 3, first=200)
    make_task(s, "w3", feeds)
    dispatch(s, "w3")
    node = s.new_node("slow")
    first, second = claim(node), claim(node)
    status(node, first, "executing")
    s.sql("UPDATE we_cascade_task_allocations SET dispatched_at = dispatched_at - INTERVAL 1 HOUR")
    werss_cleanup(s)
    ids = [a["id"] for a in s.admin().get("/allocations?task_id=w3").data["list"]]
    t.eq(status(node, first, "executing").status, 200, "the holder's report is still accepted")

    def right():
        return sorted(allocation(s, i)["status"] for i in ids) == ["claimed", "executing", "pending"]

    t.ok(wait_for(right, 20), "what is open is shown as open again")
    s.sql("DELETE FROM we_cascade_task_allocations WHERE id = '%s'" % second["allocation_id"])
    t.ok(wait_for(lambda: s.admin().get("/allocations/" + second["allocation_id"]).status == 200, 20),
         "a row that somebody deleted is there again")
    t.eq(complete(node, second).status, 200, "and its holder completes it")
    t.eq(complete(node, first).status, 200, "as the other")
    werss_cleanup(s)
    t.eq(shown(s, [first["allocation_id"]]), ["completed"], "what is completed stays so")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE status = 'timeout'") == "0", 20),
         "and what waits is shown so again")
    consistent(s, t)


run(test_adopted, test_duplicates, test_cleanup, workers=2, env={"CASCADE_CASCADED_REFRESH": "1s", "CASCADE_DISPATCH_PREFER": "1s"})
