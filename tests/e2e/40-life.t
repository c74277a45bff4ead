#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The life of an allocation, all reports in order, repeated, late and by the wrong node."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import (allocation, article, claim, clear, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  outcomes, status, taken, upload)

UNKNOWN = "01900000-0000-7000-8000-000000000000"


def test_whole_life(s, t):
    """dispatched, claimed, executing, uploaded, completed"""
    feeds = make_feeds(s, 3)
    make_task(s, "t1", feeds)
    node = s.new_node("子节点1")
    t.eq(claim(node), None, "nothing to claim yet")
    t.eq(node.post("/claim-task")["message"], "暂无待处理任务", "and it says so")
    done = dispatch(s, "t1")
    t.eq(done.status, 200, "dispatch answers 200")
    t.eq(done["message"], "任务分发完成", "the guide's message")
    t.eq(done["data.allocations_created"], 3, "an allocation a feed")
    t.eq(done["data.tasks.0.mp_count"], 3, "the task's feeds are counted")
    t.eq(done["data.online_nodes"], 1, "the node is online")
    again = dispatch(s, "t1")
    t.eq((again["data.allocations_created"], again["data.skipped_open"]), (0, 3), "open feeds are skipped")

    package = taken(node)
    want = {"task_id": "t1", "task_name": "任务t1", "message_type": 0, "message_template": "tpl {{ x }}",
            "web_hook_url": "", "cron_exp": "0 9 * * *", "headers": None, "cookies": None, "attempt": 1}
    t.eq({k: package[k] for k in want}, want, "the package has the task")
    t.eq(sorted(package["feeds"][0]), sorted(["id", "faker_id", "mp_name", "mp_cover", "mp_intro", "status"]),
         "and the feed's fields")
    t.eq(len(package["dispatched_at"]), 19, "times have no fraction and no zone")
    t.eq(allocation(s, package)["status"], "claimed", "it is claimed")
    t.eq(allocation(s, package)["node_id"], node.id, "by this node")

    t.eq(status(node, package, "executing")["message"], "状态更新成功", "executing")
    t.eq(allocation(s, package)["status"], "executing", "is shown")
    t.eq(status(node, package, "executing").status, 200, "executing again renews the lease")
    feed = package["feeds"][0]["id"]
    done = upload(node, package, [article(feed, 1), article(feed, 2)])
    t.eq(done.data, {"received": 2, "new_count": 2}, "two articles are new")
    done = upload(node, package, [article(feed, 2, title="改"), article(feed, 3), article(feed, 3)])
    t.eq(done.data, {"received": 3, "new_count": 1}, "one is known, one came twice")
    stored = "%s-2247483650_2" % feed.replace("MP_WXS_", "")
    t.eq(s.value("SELECT title FROM we_articles WHERE id = '%s'" % stored), "改", "the known one is updated")
    t.eq(complete(node, package, [{"mp_id": feed, "status": "success"}], article_count=3)["message"],
         "任务完成上报成功", "completed")
    now = allocation(s, package)
    t.eq((now["status"], now["article_count"], now["new_article_count"]), ("completed", 3, 3),
         "counts add up over uploads")
    t.ok(now["completed_at"], "with its time")
    t.eq(complete(node, package).status, 200, "completion may be repeated")
    t.eq(outcomes(s, package), ["completed"], "and changes nothing")
    t.eq(status(node, package, "executing").status, 409, "executing after that is refused")
    t.eq(status(node, package, "failed").status, 409, "so is failure")
    t.eq(upload(node, package, [article(feed, 4)]).status, 200, "articles that come late are kept")
    t.eq(allocation(s, package)["article_count"], 4, "and counted")
    consistent(s, t)


def test_articles(s, t):
    """article identity, and what an update keeps"""
    clear(s)
    (feed,) = make_feeds(s, 1, first=900)
    make_task(s, "ta", [feed])
    node = s.new_node("articles")
    dispatch(s, "ta")
    package = taken(node)
    number = feed.replace("MP_WXS_", "")
    t.eq(upload(node, package, [article(feed, 1), article(feed, 9, id=number + "-9")]).status, 200, "both forms of id")
    t.eq([r["id"] for r in s.sql("SELECT id FROM we_articles WHERE mp_id = '%s' ORDER BY id" % feed)],
         [number + "-2247483650_1", number + "-9"], "are stored as WeRSS does")
    row = "SELECT %%s FROM we_articles WHERE id = '%s-9'" % number
    before = int(s.value(row % "updated_at_millis"))
    t.eq(upload(node, package, [article(feed, 9, id=number + "-9", content=None, content_markdown="", title="新")])
         .data["new_count"], 0, "an update is not new")
    t.eq(s.value(row % "content"), "<p>正文</p>", "null content does not replace content")
    t.eq(s.value(row % "content_markdown"), "正文", "nor does empty content")
    t.eq(s.value(row % "title"), "新", "what is given replaces")
    t.ok(int(s.value(row % "updated_at_millis")) > before, "updated_at_millis grows")
    s.sql("INSERT INTO we_articles (id, mp_id, title) VALUES ('%s-77', 'MP_WXS_1', 'theirs')" % number)
    done = upload(node, package, [article(feed, 77, id="77")])
    t.eq((done.status, done.data["new_count"]), (200, 0), "an id that another account has")
    t.eq(s.value("SELECT title FROM we_articles WHERE id = '%s-77'" % number), "theirs", "is not touched")
    linked = allocation(s, package)["article_count"]
    done = upload(node, package, [article(feed, 20), article(feed, 77, id="77"), article(feed, 9, id="9")])
    t.eq((done.status, done.data["new_count"]), (200, 1), "beside a new one and an update, in equal numbers")
    t.eq(s.value("SELECT title FROM we_articles WHERE id = '%s-77'" % number), "theirs", "it is not touched either")
    t.eq(allocation(s, package)["article_count"], linked + 1, "nor counted for the allocation")
    t.eq(s.value("SELECT JSON_VALUE(extra_data, '$.left_alone') FROM we_cascade_sync_logs WHERE operation = 'upload_articles'"
                 " AND data_count = 3 ORDER BY started_at DESC LIMIT 1"), "1", "and the sync log says that it was left alone")
    t.eq(upload(node, package, [article("MP_WXS_1", 5)])["data.field"], "articles[0].mp_id",
         "an account that is not of the allocation is refused")
    long = upload(node, package, [article(feed, 10, title="长" * 1200, url="https://x.example/" + "u" * 1500)])
    t.eq(long.status, 200, "a title over its column is taken")
    t.eq(int(s.value("SELECT CHAR_LENGTH(title) FROM we_articles WHERE id = '%s-2247483650_10'" % number)), 1000, "and cut")
    t.ok("截断" in s.value("SELECT error_message FROM we_cascade_sync_logs WHERE error_message IS NOT NULL"
                         " AND operation = 'upload_articles' AND status = 1"), "with a warning in the sync log")
    before = s.value("SELECT COUNT(*) FROM we_articles")
    bad = upload(node, package, [article(feed, 50), article(feed, 51, id="x" * 300)])
    t.eq((bad.status, bad["data.field"]), (422, "articles[1].id"), "an id that is too long is refused")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles"), before, "and nothing of the upload is stored")
    t.ok(int(s.value("SELECT update_time FROM we_feeds WHERE id = '%s'" % feed)) > 1700000000, "the feed's time follows")
    complete(node, package)


def test_fence(s, t):
    """another's allocation, and another attempt"""
    clear(s)
    make_task(s, "tf", make_feeds(s, 1, first=910))
    a, b = s.new_node("a"), s.new_node("b")
    dispatch(s, "tf")
    package = taken(a)
    feed = package["feeds"][0]["id"]
    before = allocation(s, package)
    for name, answer in {
            "executing": status(b, package, "executing"), "failed": status(b, package, "failed"),
            "completed": status(b, package, "completed"), "completion": complete(b, package),
            "upload": upload(b, package, [article(feed, 1)])}.items():
        t.eq(answer.status, 403, name + " by a node that never held it is 403")
    t.eq(allocation(s, package), before, "and nothing has changed")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles WHERE mp_id = '%s'" % feed), "0", "nothing is stored")
    t.eq(complete(a, package, attempt=2).status, 409, "another attempt number is 409")
    t.eq(status(a, package, "executing", attempt=1).status, 200, "the right one is accepted")
    t.eq(complete(a, package, attempt=1).status, 200, "for completion too")
    t.eq(complete(a, package, attempt=1).status, 200, "also repeated")
    for method, path in (("PUT", "/task-status"), ("POST", "/upload-articles"), ("POST", "/report-completion")):
        body = {"allocation_id": UNKNOWN, "status": "failed", "articles": [], "task_id": "tf"}
        t.eq(a.request(method, path, body).status, 404, path + " of an unknown allocation is 404")
    t.eq(a.post("/claim-task?node_id=" + b.id).status, 403, "nobody claims for another node")
    t.eq(a.post("/claim-task", {"node_id": b.id}).status, 403, "nor in the body")


def test_failures(s, t):
    """failure, trying again, and its limits"""
    clear(s)
    make_task(s, "tr", make_feeds(s, 1, first=920))
    s.sql("INSERT INTO cascade_task (task_id, max_attempts) VALUES ('tr', 2)")
    node = s.new_node("fails")
    dispatch(s, "tr")
    package = taken(node)
    t.eq(status(node, package, "failed", error_message="抓取失败").status, 200, "a failure is accepted from claimed")
    now = allocation(s, package)
    t.eq((now["status"], now["node_id"], now["failures"], now["error_message"]), ("pending", None, 1, "抓取失败"),
         "it is tried again")
    t.eq(status(node, package, "failed", error_message="again").status, 200, "the report may be repeated")
    t.eq(allocation(s, package)["failures"], 1, "and counts once")
    t.eq(claim(node), None, "not before its back-off")
    second = taken(node)
    t.eq((second or {}).get("attempt"), 2, "then it is handed out again, as attempt 2")
    t.eq(complete(node, package, attempt=1).status, 409, "a report of attempt 1 during attempt 2 is 409")
    t.eq(status(node, second, "failed", error_message="最后").status, 200, "the second failure")
    now = allocation(s, package)
    t.eq((now["status"], now["error_message"]), ("failed", "最后"), "makes it a dead letter")
    t.eq(outcomes(s, package), ["failed", "failed"], "both attempts are kept")
    t.eq(complete(node, package).status, 200, "its last holder may still complete it")
    t.eq(allocation(s, package)["status"], "completed", "and that counts")
    consistent(s, t)


def test_partial(s, t):
    """completions that say that feeds failed"""
    clear(s)
    feeds = make_feeds(s, 4, first=930)
    make_task(s, "tp", feeds)
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation) VALUES ('tp', 4)")
    node = s.new_node("partial")
    t.eq(dispatch(s, "tp")["data.allocations_created"], 1, "one allocation of four feeds")
    package = taken(node)
    t.eq([f["id"] for f in package["feeds"]], feeds, "has them all")
    results = [{"feed_id": feeds[0], "success": True}, {"feed_id": feeds[1], "success": False, "error": "超时"},
               {"mp_id": feeds[2], "status": "success"}, {"mp_id": feeds[3], "status": "failed"}]
    t.eq(complete(node, package, results).status, 200, "some failed")
    t.eq(complete(node, package, results).status, 200, "(repeated)")
    t.eq(allocation(s, package)["status"], "completed", "the allocation is completed")
    rest = s.admin().get("/allocations?task_id=tp&status=pending").data["list"]
    t.eq([r["feed_ids"] for r in rest], [[feeds[1], feeds[3]]], "the failed feeds go out again, once")
    t.eq((rest[0]["failures"], rest[0]["attempt"], rest[0]["error_message"]), (1, 1, "超时"), "as their next attempt")
    again = taken(node)
    t.eq((again or {}).get("attempt"), 2, "attempt 2")
    t.eq(complete(node, again, [{"feed_id": f, "success": False, "error": "e"} for f in (feeds[1], feeds[3])]).status, 200,
         "all failed")
    t.eq(allocation(s, again)["status"], "pending", "is a failed attempt")
    t.eq(outcomes(s, again), ["failed"], "with that outcome")
    consistent(s, t)


def test_cancel(s, t):
    """cancelled by an administrator"""
    clear(s)
    make_task(s, "tc", make_feeds(s, 2, first=940))
    node = s.new_node("cancelled")
    dispatch(s, "tc")
    package = taken(node)
    admin = s.admin()
    t.eq(admin.post("/allocations/%s/cancel" % package["allocation_id"]).status, 200, "cancelled while held")
    t.eq(allocation(s, package)["status"], "cancelled", "at once")
    feed = package["feeds"][0]["id"]
    t.eq(status(node, package, "executing").status, 409, "the holder's next call gets 409")
    t.eq(upload(node, package, [article(feed, 1)]).status, 409, "an upload too")
    t.eq(complete(node, package).status, 409, "and the completion")
    t.eq(admin.post("/allocations/%s/cancel" % package["allocation_id"]).status, 200, "cancelling again succeeds")
    (rest,) = admin.get("/allocations?task_id=tc&status=pending").data["list"]
    t.eq(admin.post("/allocations/%s/cancel" % rest["id"]).status, 200, "cancelled while it waits")
    t.eq(admin.post("/allocations/%s/cancel" % UNKNOWN).status, 404, "unknown")
    t.eq(node.post("/allocations/%s/cancel" % rest["id"]).status, 403, "by a node")
    t.eq(dispatch(s, "tc")["data.allocations_created"], 2, "its feeds may be dispatched again")
    t.eq(dispatch(s, "tc", force=1)["data.allocations_created"], 2, "force replaces what nobody has claimed")
    package = taken(node)
    forced = dispatch(s, "tc", force=1)
    t.eq((forced["data.allocations_created"], forced["data.skipped_open"]), (1, 1), "but not what is held")
    complete(node, package)
    consistent(s, t)


def test_dispatch_input(s, t):
    """tasks that are unknown, disabled, unreadable, deleted"""
    clear(s)
    feeds = make_feeds(s, 2, first=950) + make_feeds(s, 1, first=960, status=0)
    make_task(s, "tx", feeds + [feeds[0], "MP_WXS_unknown"])
    make_task(s, "toff", feeds, status=0)
    make_task(s, "tbad", [], mps_id="not json")
    t.eq(dispatch(s, "nope").status, 404, "an unknown task is 404")
    t.eq(dispatch(s, "nope")["message"], "任务不存在", "with the reason")
    off = dispatch(s, "toff")
    t.eq((off.status, off["data.task_count"]), (200, 0), "a disabled one is 200 with no task")
    done = dispatch(s, "tx")
    t.eq((done["data.allocations_created"], done["data.skipped_feeds"]), (2, 2),
         "unknown and disabled feeds are skipped, repeated ones merged")
    bad = dispatch(s, "tbad")
    t.eq((bad.status, bad["data.task_count"], bad["data.failed_tasks.0.id"]), (200, 0, "tbad"),
         "a task that cannot be parsed fails alone")
    every = s.admin().post("/dispatch-task")
    t.eq((every.status, every["data.failed_tasks.0.id"]), (200, "tbad"), "also among all")
    s.sql("DELETE FROM we_message_tasks WHERE id = 'tx'")
    node = s.new_node("gone", sync_config={"max_capacity": 1000})
    t.ok(wait_for(lambda: len(s.admin().get("/allocations?task_id=tx&status=failed").data["list"]) == 2, 20),
         "waiting work of a deleted task fails")
    t.eq({a["error_message"] for a in s.admin().get("/allocations?task_id=tx&status=failed").data["list"]},
         {"任务不存在"}, "with that reason")
    t.ok(taken(node), "and the claim goes on to the next")
    consistent(s, t)


def test_werss_mount(s, t):
    """the mount of WeRSS's children"""
    clear(s)
    make_task(s, "tw", make_feeds(s, 3, first=970))
    node = s.new_node("werss", mount=WERSS)
    for path in ("/heartbeat", "/claim-task"):
        for body in (None, "", "null", "{}", {}):
            t.eq(node.post(path, body)["code"], 0, "%s with body %r" % (path, body))
    dispatch(s, "tw")
    for client in (node, node.at("/api/v1/cascade")):
        head = client.request("HEAD", "/pending-tasks")
        t.eq((head.status, head["@Allow"], head.body), (405, "GET", b""), "HEAD, which would show nothing, takes nothing")
    one = node.get("/pending-tasks?limit=3")
    t.eq((one["code"], one["message"], type(one.data["feeds"])), (0, "获取任务成功", list),
         "pending-tasks answers one package whatever the limit")
    t.eq(one["@Cache-Control"], "no-store", "not to be stored")
    guide = node.at("/api/v1/cascade").get("/pending-tasks?limit=3")
    t.eq((guide["code"], guide["data.total"], len(guide.data["list"])), (200, 2, 2), "the guide's mount answers a list")
    t.eq(node.at("/api/v1/cascade").get("/pending-tasks?limit=3").data, {"list": [], "total": 0}, "also an empty one")
    for limit in ("0", "11", "x", "-1"):
        bad = node.get("/pending-tasks?limit=" + limit)
        t.eq((bad.status, bad["code"], bad["data.field"]), (422, 422, "limit"), "limit %s is refused" % limit)


run(test_whole_life, test_articles, test_fence, test_failures, test_partial, test_cancel, test_dispatch_input,
    test_werss_mount, workers=2, env={"CASCADE_RETRY_BACKOFF": "1s", "CASCADE_CASCADED_REFRESH": "1s",
                                      "CASCADE_DISPATCH_PREFER": "1s"})
