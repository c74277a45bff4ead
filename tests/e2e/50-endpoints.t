#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What children pull and report beside their allocations, the sync log, feed status, the scheduler's switches."""
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, SLOW, WERSS, run, wait_for  # noqa: E402
from work import (article, claim, clear, complete, consistent, dispatch, feed_id, insert, make_feeds,  # noqa: E402
                  make_task, quote, status, upload)

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
FEED_FIELDS = ["id", "faker_id", "mp_name", "mp_cover", "mp_intro", "status", "created_at", "updated_at"]
TASK_FIELDS = ["id", "name", "message_type", "message_template", "web_hook_url", "mps_id", "cron_exp", "status",
               "headers", "cookies", "created_at", "updated_at"]
LOG_FIELDS = ["id", "node_id", "operation", "direction", "status", "data_count", "error_message", "extra_data",
              "started_at", "completed_at"]
STATUS_FIELDS = ["id", "mp_name", "mp_cover", "status", "article_count", "latest_article_time", "update_status",
                 "update_time", "sync_time", "last_task", "created_at", "updated_at"]


def logs(s, query=""):
    return s.admin().get("/sync-logs?limit=200" + query).data["list"]


def reader(s):
    """A user who is no administrator."""
    if not s.sql("SELECT id FROM we_users WHERE username = 'reader'"):
        s.ctl("user", "add", "reader", "--role", "user")
    return s.bearer(s.ctl("token", "--user", "reader").stdout.strip())


def access(s, t, method, path, node=200, user=200, body=None):
    """Who may call, on both mounts."""
    child = s.new_node("access")
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        for client, want in ((child, node), (reader(s), user)):
            answer = client.at(mount).request(method, path, body)
            t.eq((answer.status, answer["code"]), (want, code if want == 200 else want),
                 "%s %s%s by %s" % (method, mount, path, "a node" if client is child else "a user"), repr(answer))
        t.eq(s.anybody().at(mount).request(method, path, body).status, 401, "not by nobody")
    wrong = "DELETE" if method == "GET" else "GET"
    t.eq(s.admin().request(wrong, path).status, 405, "%s %s is 405" % (wrong, path))
    s.admin().delete("/nodes/" + child.id)


def test_feeds(s, t):
    """GET /feeds"""
    node = s.new_node("feeds")
    t.eq(node.get("/feeds").data, [], "no feeds, an empty array")
    feeds = make_feeds(s, 3)
    make_feeds(s, 1, first=4, status=0)
    s.sql("UPDATE we_feeds SET created_at = '2026-01-01 10:00:00' WHERE id = '%s'" % feeds[0])
    for mount in (GUIDE, WERSS, GUIDE):
        answer = node.at(mount).get("/feeds")
        t.eq([f["id"] for f in answer.data], feeds, "the enabled ones, on " + mount)
    t.eq(list(answer.data[0]), FEED_FIELDS, "their fields")
    t.eq(answer.data[0], {"id": feeds[0], "faker_id": "MzA00000001", "mp_name": "公众号0001",
                          "mp_cover": "https://img.example/" + feeds[0], "mp_intro": "简介", "status": 1,
                          "created_at": "2026-01-01T10:00:00", "updated_at": None}, "and values")
    t.eq(answer["message"], "success", "with the usual message")
    row = logs(s, "&operation=sync_feeds")[0]
    t.eq({k: row[k] for k in LOG_FIELDS[1:8]},
         {"node_id": node.id, "operation": "sync_feeds", "direction": "pull", "status": 1, "data_count": 3,
          "error_message": None, "extra_data": None}, "the pull is in the sync log")
    before = len(logs(s, "&operation=sync_feeds"))
    t.eq(len(reader(s).get("/feeds").data), 3, "a user may look")
    t.eq(len(logs(s, "&operation=sync_feeds")), before, "and leaves no trace in the sync log")
    access(s, t, "GET", "/feeds")


def test_many_feeds(s, t):
    """10,000 feeds in one answer"""
    make_feeds(s, 10000, first=100000)
    node = s.new_node("many")
    start = time.monotonic()
    answer = node.get("/feeds")
    took = time.monotonic() - start
    t.eq(len(answer.data), 10003, "every feed is there")
    t.eq(len({f["id"] for f in answer.data}), 10003, "once")
    t.ok(took < 5 * SLOW, "within seconds", "%.3f s, %d bytes" % (took, len(answer.body)))
    t.eq(logs(s, "&operation=sync_feeds&node_id=" + node.id)[0]["data_count"], 10003, "the log has the count")
    s.sql("DELETE FROM we_feeds WHERE id >= '%s'" % feed_id(100000))


def test_tasks(s, t):
    """GET /message-tasks"""
    node = s.new_node("tasks")
    t.eq(node.get("/message-tasks").data, [], "no tasks, an empty array")
    make_task(s, "mt1", [feed_id(1)], headers=None, cookies="", web_hook_url="http://127.0.0.1:9/h", message_type=1)
    make_task(s, "mt2", None, mps_id="not json")
    make_task(s, "mt0", None, status=0)
    for mount in (GUIDE, WERSS, GUIDE):
        answer = node.at(mount).get("/message-tasks")
        t.eq([m["id"] for m in answer.data], ["mt1", "mt2"], "the enabled ones, on " + mount)
    t.eq(list(answer.data[0]), TASK_FIELDS, "their fields")
    t.eq(answer.data[0], {"id": "mt1", "name": "任务mt1", "message_type": 1, "message_template": "tpl {{ x }}",
                          "web_hook_url": "http://127.0.0.1:9/h",
                          "mps_id": json.dumps([{"id": feed_id(1), "mp_name": "x"}]), "cron_exp": "0 9 * * *",
                          "status": 1, "headers": None, "cookies": "", "created_at": None, "updated_at": None},
         "mps_id is the text that is stored")
    t.eq(answer.data[1]["mps_id"], "not json", "whatever it is")
    row = logs(s, "&operation=sync_tasks")[0]
    t.eq((row["node_id"], row["direction"], row["status"], row["data_count"]), (node.id, "pull", 1, 2),
         "the pull is in the sync log")
    access(s, t, "GET", "/message-tasks")
    s.sql("DELETE FROM we_message_tasks")


def test_report_result(s, t):
    """POST /report-result"""
    node = s.new_node("reports")
    results = [{"a": 1, "文": ["甲", None, 1.5]}, {}]
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        done = node.at(mount).post("/report-result", {"task_id": "t1", "results": results,
                                                      "timestamp": "2026-11-24T03:52:04.352151"})
        t.eq((done.status, done["code"], done["message"], done.data), (200, code, "结果上报成功", None), mount)
    row = logs(s, "&node_id=" + node.id)[0]
    t.eq(list(row), LOG_FIELDS, "the fields of a row")
    t.eq({k: row[k] for k in LOG_FIELDS[1:8]},
         {"node_id": node.id, "operation": "report_result", "direction": "push", "status": 1, "data_count": 2,
          "error_message": None, "extra_data": {"task_id": "t1", "result_count": 2, "results": results}},
         "what was reported is kept")
    t.ok(TIME.match(row["started_at"]) and TIME.match(row["completed_at"]), "with its times")
    t.eq(node.post("/report-result", {"task_id": "nope", "results": []}).status, 200, "an unknown task is accepted")
    t.eq(logs(s, "&node_id=" + node.id)[0]["extra_data"], {"task_id": "nope", "result_count": 0, "results": []},
         "and no results too")
    bad = [
        ({"results": []}, 422, "task_id"), ({"task_id": "", "results": []}, 422, "task_id"),
        ({"task_id": 1, "results": []}, 422, "task_id"), ({"task_id": "x" * 256, "results": []}, 422, "task_id"),
        ({"task_id": "t"}, 422, "results"), ({"task_id": "t", "results": {}}, 422, "results"),
        ({"task_id": "t", "results": [{}, 1]}, 422, "results[1]"), ("[]", 422, "body"), ("", 422, "body"),
        ("{", 400, "body"), (b'{"task_id": "\xff", "results": []}', 400, "body"),
    ]
    before = len(logs(s, "&operation=report_result&node_id=" + node.id))
    for body, want, field in bad:
        answer = node.post("/report-result", body)
        t.eq((answer.status, answer["code"], answer["data.field"]), (want, want, field), "refused: %r" % (body,))
        row = logs(s, "&operation=report_result&node_id=" + node.id)[0]
        t.eq((row["status"], row["data_count"], row["extra_data"]), (2, 0, None), "and logged as failed")
        t.ok(row["error_message"].startswith(answer["message"]) and field in row["error_message"], "with the reason",
             repr(row))
    t.eq(len(logs(s, "&operation=report_result&node_id=" + node.id)), before + len(bad), "each once")
    t.eq(node.post("/report-result", {"task_id": "t", "results": [{"x": "y" * (1 << 20)}]}).status, 413,
         "1 MiB is the most")
    large = [{"n": n, "text": "字" * 100} for n in range(1000)]
    t.eq(node.post("/report-result", {"task_id": "large", "results": large}).status, 200, "a large report")
    t.eq(logs(s, "&node_id=" + node.id)[0]["extra_data"],
         {"task_id": "large", "result_count": 1000, "results_omitted": True}, "is listed without its results")
    kept = s.value("SELECT extra_data FROM we_cascade_sync_logs WHERE extra_data LIKE '{\"task_id\":\"large\"%'")
    t.eq(json.loads(kept)["results"], large, "but kept in full")
    access(s, t, "POST", "/report-result", user=403, body={"task_id": "t", "results": []})


def test_every_operation(s, t):
    """each pull and push has its row"""
    feeds = make_feeds(s, 3, first=200)
    make_task(s, "ops", feeds)
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation) VALUES ('ops', 2)")
    dispatch(s, "ops")
    node = s.new_node("ops")
    mine = "&node_id=" + node.id
    one, two = claim(node), node.get("/pending-tasks").data
    rows = logs(s, mine + "&operation=claim_task")
    t.eq(len(rows), 2, "a row for each package")
    by_id = {r["extra_data"]["allocation_id"]: r for r in rows}
    for package in (one, two):
        row = by_id[package["allocation_id"]]
        t.eq((row["direction"], row["status"], row["data_count"]), ("pull", 1, len(package["feeds"])), "with its feeds")
        t.eq(row["extra_data"], {"allocation_id": package["allocation_id"], "task_id": "ops", "attempt": 1},
             "and what it was")
    for path in ("/claim-task", "/pending-tasks"):
        t.eq(node.request("POST" if "claim" in path else "GET", path).data, None, path + " finds nothing more")
    node.get("/pending-tasks?limit=3")
    t.eq(len(logs(s, mine + "&operation=claim_task")), 2, "which is not logged")
    t.eq(node.post("/claim-task?node_id=other").status, 403, "a claim that is refused")
    t.eq(node.get("/pending-tasks?limit=11").status, 422, "and another")
    rows = logs(s, mine + "&operation=claim_task")
    t.eq([(r["status"], r["error_message"]) for r in rows[:2]],
         [(2, rows[0]["error_message"]), (2, "不能以其他节点的身份操作")], "are", repr(rows[:2]))
    t.ok("limit" in rows[0]["error_message"], "naming the parameter")

    feed = one["feeds"][0]["id"]
    upload(node, one, [article(feed, 1), article(feed, 2)])
    t.eq(upload(node, one, [article("MP_WXS_1", 3)]).status, 422, "an upload that is refused")
    complete(node, one, [{"mp_id": f["id"], "status": "success"} for f in one["feeds"]], article_count=2)
    t.eq(complete(node, one, attempt=9).status, 409, "a completion that is refused")
    status(node, two, "executing")
    t.eq(status(node, two, "odd").status, 422, "a status that is refused")
    node.post("/heartbeat")
    node.get("/feeds")
    node.get("/message-tasks")
    node.post("/report-result", {"task_id": "ops", "results": [{}]})
    want = {("upload_articles", "push", 1, 2), ("upload_articles", "push", 2, 0), ("task_completion", "push", 1, 2),
            ("task_completion", "push", 2, 0), ("claim_task", "pull", 1, 2), ("claim_task", "pull", 1, 1),
            ("claim_task", "pull", 2, 0), ("sync_tasks", "pull", 1, 1), ("report_result", "push", 1, 1),
            ("sync_feeds", "pull", 1, len(node.get("/feeds").data))}
    rows = logs(s, mine)
    t.eq({(r["operation"], r["direction"], r["status"], r["data_count"]) for r in rows}, want, "every operation")
    t.eq(sorted((r["started_at"] for r in rows), reverse=True), [r["started_at"] for r in rows], "newest first")
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id = '%s'" % node.id)
    before = len(logs(s, mine))
    t.eq(node.get("/feeds").status, 401, "a node that is disabled")
    t.eq(len(logs(s, mine)), before, "leaves no row")
    clear(s)


def test_claims_are_cheap(s, t):
    """a claim is three round trips, and its row commits with it"""
    make_task(s, "cheap", make_feeds(s, 30, first=300))
    dispatch(s, "cheap")
    node = s.new_node("cheap", sync_config={"max_capacity": 100})
    for _ in range(10):
        claim(node)

    def logged():
        with open(os.path.join(s.log_dir, "cascade-fcgi.log"), encoding="utf-8") as file:
            return [int(re.search(r"db_rt=(\d+)", line)[1]) for line in file
                    if "route=/claim-task" in line and "who=" + node.id in line and "status=200" in line]

    # A line is written after its answer.
    t.ok(wait_for(lambda: len(logged()) == 10, 5), "ten claims are in the log")
    # A worker reads its candidates anew for the first claims and once a second: those take more.
    trips = logged()
    t.ok(min(trips) == 3 and trips.count(3) >= 6, "with three round trips each", repr(trips))
    held = "SELECT COUNT(*) FROM cascade_open o JOIN cascade_node n ON n.seq = o.node WHERE n.node_id = '%s'" % node.id
    t.eq(s.value(held), "10", "ten are held")
    t.eq(len(logs(s, "&operation=claim_task&node_id=" + node.id)), 10, "ten are logged")
    s.sql("CREATE TRIGGER test_no BEFORE INSERT ON we_cascade_sync_logs FOR EACH ROW"
          " SET NEW.id = IF(NEW.operation = 'claim_task', NULL, NEW.id)")
    t.eq(node.post("/claim-task").status, 500, "where the row cannot be written")
    s.sql("DROP TRIGGER test_no")
    t.eq(s.value(held), "10", "nothing is claimed")
    t.ok(claim(node), "the next claim goes on")
    s.sql("DELETE FROM we_message_tasks WHERE id = 'cheap'")
    before = len(logs(s, "&operation=claim_task&node_id=" + node.id))
    t.eq(claim(node), None, "work of a task that is gone is not handed out")
    t.eq(len(logs(s, "&operation=claim_task&node_id=" + node.id)), before, "nor logged as if it were")
    clear(s)
    consistent(s, t)


def test_log_listing(s, t):
    """GET /sync-logs"""
    admin = s.admin()
    s.sql("DELETE FROM we_cascade_sync_logs")
    t.eq(admin.get("/sync-logs").data, {"list": [], "total": 0, "page": {"limit": 50, "offset": 0, "next_cursor": None}},
         "an empty log")
    rows = [{"id": "l%02d" % n, "node_id": "n%d" % (n % 2), "operation": "report_result" if n % 3 else "odd_one",
             "direction": "push", "status": 1, "data_count": n, "extra_data": extra,
             "started_at": "2026-01-01 00:00:%02d" % (n // 2)}
            for n, extra in enumerate((None, "", "nonsense", "[1]", '{"a": "甲"}', '{"a": 1', "null", '"x"', "{}"))]
    insert(s, "we_cascade_sync_logs", rows)
    every = admin.get("/sync-logs")
    t.eq([r["id"] for r in every.data["list"]], ["l%02d" % n for n in range(8, -1, -1)], "newest first, then by id")
    t.eq([r["extra_data"] for r in every.data["list"]], [{}, None, None, None, {"a": "甲"}, None, None, None, None],
         "what is no JSON object is null")
    t.eq((every.data["list"][0]["started_at"], every.data["list"][0]["completed_at"]), ("2026-01-01T00:00:04", None),
         "times as everywhere")
    for query, want in (("node_id=n1", [7, 5, 3, 1]), ("operation=odd_one", [6, 3, 0]), ("node_id=n1&operation=odd_one", [3]),
                        ("node_id=nix", []), ("operation=nix", []), ("node_id=&operation=", list(range(8, -1, -1)))):
        for mount in (GUIDE, WERSS):
            answer = admin.at(mount).get("/sync-logs?" + query)
            t.eq([r["data_count"] for r in answer.data["list"]], want, "%s on %s" % (query, mount))
            t.eq(answer.data["total"], len(want), "and their number")
    page = admin.get("/sync-logs?limit=2&offset=3")
    t.eq([r["data_count"] for r in page.data["list"]], [5, 4], "a page")
    cursor = page["data.page.next_cursor"]
    t.eq((page.data["page"], page.data["total"]), ({"limit": 2, "offset": 3, "next_cursor": cursor}, 9), "says which it is")
    behind = admin.get("/sync-logs?limit=3&cursor=" + cursor)
    t.eq([r["data_count"] for r in behind.data["list"]], [3, 2, 1], "its cursor gives what follows")
    last = admin.get("/sync-logs?cursor=" + behind["data.page.next_cursor"])
    t.eq(([r["data_count"] for r in last.data["list"]], last.data["page"]), ([0], {"limit": 50, "next_cursor": None}), "to the end")
    odd = admin.get("/sync-logs?operation=odd_one&node_id=n0&limit=1")
    t.eq([r["data_count"] for r in admin.get("/sync-logs?operation=odd_one&node_id=n0&cursor=" + odd["data.page.next_cursor"])
          .data["list"]], [0], "also with filters")
    for query in ("cursor=x", "offset=0&cursor=" + cursor, "limit=0", "limit=201", "offset=-1", "limit=x", "node_id=" + "x" * 256, "operation=" + "x" * 51):
        s.table(t, [("GET", "/sync-logs?" + query, admin, None, 422, {"data.field": query.split("=")[0]})])
    more = ("INSERT INTO we_cascade_sync_logs (id, node_id, operation, direction, status, data_count, started_at)"
            " SELECT CONCAT('m', seq), 'many', 'claim_task', 'pull', 1, 1, UTC_TIMESTAMP() - INTERVAL seq SECOND FROM ")
    s.sql(more + "seq_1_to_10000")
    exact = admin.get("/sync-logs?node_id=many&operation=claim_task")
    t.eq((exact.data["total"], "total_exact" in exact.data), (10000, False), "10,000 are exact")
    s.sql(more + "seq_10001_to_10050")
    for query in ("node_id=many", "operation=claim_task", "node_id=many&operation=claim_task"):
        s.table(t, [("GET", "/sync-logs?limit=1&offset=10049&" + query, admin, None, 200,
                     {"data.total": 10000, "data.total_exact": False, "data.list.0.id": "m10050"})])
    access(s, t, "GET", "/sync-logs", node=403)


def set_feeds(s, ages):
    """Feeds number 500 and on, updated so many seconds ago; a text is the value itself."""
    feeds = make_feeds(s, len(ages), first=500)
    for feed, age in zip(feeds, ages):
        s.sql("UPDATE we_feeds SET update_time = %s WHERE id = '%s'"
              % (age if isinstance(age, str) else "UNIX_TIMESTAMP() - %d" % age, feed))
    return feeds


def test_feed_status_order(s, t):
    """GET /feed-status: classes, order, pages"""
    hour = 3600
    admin = s.admin()
    s.sql("DELETE FROM we_feeds")
    ages = [10, "NULL", 72 * hour - 60, 400 * hour, "0", 24 * hour + 60, hour + 60, 72 * hour + 60, hour - 60,
            24 * hour - 60, -500]
    feeds = set_feeds(s, ages)
    want = [(3, "outdated"), (7, "outdated"), (2, "stale"), (5, "stale"), (1, "unknown"), (4, "unknown"),
            (9, "recent"), (6, "recent"), (8, "fresh"), (0, "fresh"), (10, "fresh")]
    want = [(feeds[n], name) for n, name in want]
    for mount in (GUIDE, WERSS, GUIDE):
        every = admin.at(mount).get("/feed-status")
        t.eq([(f["id"], f["update_status"]) for f in every.data["list"]], want, "in order, on " + mount)
        t.eq((every.data["total"], every.data["page"]), (11, {"limit": 50, "offset": 0, "next_cursor": None}), "with total and page")
    t.eq(list(every.data["list"][0]), STATUS_FIELDS, "the fields of a row")
    for size in (1, 2, 3, 7):
        pages = [f["id"] for at in range(0, 11, size)
                 for f in admin.get("/feed-status?limit=%d&offset=%d" % (size, at)).data["list"]]
        t.eq(pages, [id for id, _ in want], "the same in pages of %d" % size)
    t.eq(admin.get("/feed-status?offset=11").data["list"], [], "past the end")
    t.eq(admin.get("/feed-status?offset=9223372036854775807").data["list"], [], "far past the end")
    row = [f for f in every.data["list"] if f["id"] == feeds[1]][0]
    t.eq({k: row[k] for k in STATUS_FIELDS[:10]},
         {"id": feeds[1], "mp_name": "公众号0501", "mp_cover": "https://img.example/" + feeds[1], "status": 1,
          "article_count": 0, "latest_article_time": None, "update_status": "unknown", "update_time": None,
          "sync_time": 0, "last_task": None}, "a feed of which nothing is known")
    for query in ("limit=0", "limit=201", "offset=-1", "feed_id=" + "x" * 256):
        s.table(t, [("GET", "/feed-status?" + query, admin, None, 422, {"data.field": query.split("=")[0]})])
    for _ in range(2):
        one = admin.get("/feed-status?feed_id=" + feeds[2])
        t.eq(([f["id"] for f in one.data["list"]], one.data["total"]), ([feeds[2]], 1), "one feed")
    t.eq(admin.get("/feed-status?feed_id=nix").data,
         {"list": [], "total": 0, "page": {"limit": 50, "offset": 0, "next_cursor": None}}, "no such feed")
    access(s, t, "GET", "/feed-status", node=403)


def test_feed_status_work(s, t):
    """GET /feed-status: articles and the last task"""
    s.sql("DELETE FROM we_feeds")
    feeds = make_feeds(s, 4, first=600)
    make_task(s, "fs", feeds[:3])
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation) VALUES ('fs', 3)")
    node = s.new_node('子"节点')

    def row(feed):
        (found,) = s.admin().get("/feed-status?feed_id=" + feed).data["list"]
        every = {f["id"]: f for f in s.admin().get("/feed-status").data["list"]}
        t.eq(found, every[feed], "alone and among all it is the same")
        return found

    dispatch(s, "fs")
    t.eq(row(feeds[0])["last_task"], None, "what waits for the first time is no last task")
    package = claim(node)
    task = row(feeds[0])["last_task"]
    t.eq((task["status"], task["node_id"], task["node_name"]), ("claimed", node.id, '子"节点'), "claimed")
    t.ok(TIME.match(task["time"]), "with its time")
    status(node, package, "executing")
    t.eq(row(feeds[1])["last_task"]["status"], "executing", "executing")
    upload(node, package, [article(feeds[0], 1, publish_time=1767225600), article(feeds[0], 2, publish_time=1767312000),
                           article(feeds[1], 1, publish_time=0)])
    now = row(feeds[0])
    came = s.value("SELECT created_at FROM we_articles WHERE mp_id = '%s' ORDER BY publish_time DESC LIMIT 1" % feeds[0])
    t.eq((now["article_count"], now["latest_article_time"]), (2, came.replace(" ", "T")),
         "articles, and when the latest came")
    t.eq(now["update_status"], "fresh", "the upload makes it fresh")
    t.eq((row(feeds[1])["article_count"], type(row(feeds[1])["latest_article_time"])), (1, str), "one without a time")
    complete(node, package, [{"mp_id": feeds[0], "status": "success"}, {"mp_id": feeds[1], "status": "failed", "error": "e"},
                             {"mp_id": feeds[2], "status": "success"}])
    t.eq(row(feeds[0])["last_task"]["status"], "completed", "completed")
    t.eq(row(feeds[0])["last_task"]["node_id"], node.id, "by the node")
    t.eq(row(feeds[1])["last_task"], {"status": "pending", "time": None, "node_id": None, "node_name": None},
         "a feed that failed goes again")
    s.sql("UPDATE cascade_open SET ready_at = UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE, failures = 2")
    again = claim(node)
    t.eq(status(node, again, "failed", error_message="抓取失败").status, 200, "it fails for the last time")
    t.eq((row(feeds[1])["last_task"]["status"], row(feeds[1])["last_task"]["node_id"]), ("failed", node.id), "failed")
    t.eq(row(feeds[2])["last_task"]["status"], "completed", "the others stay")
    t.eq(complete(node, again).status, 200, "its completion comes late")
    t.eq(row(feeds[1])["last_task"]["status"], "completed", "and is what is shown")
    dispatch(s, "fs")
    clear(s)
    t.eq(row(feeds[0])["last_task"]["status"], "completed", "what was cancelled does not count")
    t.eq(row(feeds[3])["last_task"], None, "a feed without tasks has none")
    s.admin().delete("/nodes/" + node.id)
    t.eq((row(feeds[0])["last_task"]["node_id"], row(feeds[0])["last_task"]["node_name"]), (node.id, None),
         "a node that is gone has no name")
    consistent(s, t)


def test_feed_status_of_many(s, t):
    """GET /feed-status with 100,000 feeds"""
    s.sql("DELETE FROM we_feeds")
    s.sql("INSERT INTO we_feeds (id, mp_name, status, update_time) SELECT CONCAT('f', seq), 'n', 1,"
          " CASE seq MOD 10 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE UNIX_TIMESTAMP() - (seq * 7919 MOD 600000) END"
          " FROM seq_1_to_100000")
    s.sql("ANALYZE TABLE we_feeds")

    def fastest(path):
        took = []
        for _ in range(3):
            start = time.monotonic()
            answer = s.admin().get(path)
            took.append(time.monotonic() - start)
        return answer, min(took)

    first, took = fastest("/feed-status?limit=50")
    t.ok(took < 1 * SLOW, "the first page is fast", "%.3f s" % took)
    t.eq((first.data["total"], first.data["total_exact"]), (10000, False), "the total says that there are more")
    deep, took = fastest("/feed-status?limit=50&offset=1000")
    t.ok(took < 1 * SLOW, "so is one from 1,000 on", "%.3f s" % took)
    far, took = fastest("/feed-status?limit=5&offset=99995")
    t.eq(len(far.data["list"]), 5, "the last page is right too", "%.3f s" % took)
    t.eq({f["update_status"] for f in far.data["list"]}, {"fresh"}, "the freshest come last")
    want = s.sql("SELECT id FROM we_feeds WHERE update_time > 0 ORDER BY update_time, id LIMIT 50 OFFSET 1000")
    t.eq([f["id"] for f in deep.data["list"]], [r["id"] for r in want], "and so is what is on it")
    s.sql("DELETE FROM we_feeds")


def test_scheduler(s, t):
    """the scheduler's switches"""
    def settings():
        return {r["name"]: int(r["value"]) for r in s.sql("SELECT name, value FROM cascade_setting")}

    admin = s.admin()
    t.eq(settings(), {}, "nothing is set at first")
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        for path, message, want in (("/stop-scheduler", "定时调度服务已停止", 0), ("/stop-scheduler", "定时调度服务已停止", 0),
                                    ("/start-scheduler", "定时调度服务已启动", 1)):
            answer = admin.at(mount).post(path)
            t.eq((answer.status, answer["code"], answer["message"], answer.data), (200, code, message, None), mount + path)
            t.eq(settings()["scheduler_enabled"], want, "is kept")
        answer = admin.at(mount).post("/reload-scheduler")
        t.eq((answer.status, answer["code"], answer["message"], answer.data),
             (200, code, "定时调度任务已重载", None), mount + "/reload-scheduler")
    t.eq(settings(), {"scheduler_enabled": 1, "scheduler_reloads": 2}, "reloads are counted")
    english = admin.post("/stop-scheduler", headers={"Accept-Language": "en"})
    t.eq(english["message"], "scheduler stopped", "in English where it is preferred")
    for path in ("/start-scheduler", "/stop-scheduler", "/reload-scheduler"):
        access(s, t, "POST", path, node=403, user=403)
    t.eq(settings(), {"scheduler_enabled": 0, "scheduler_reloads": 2}, "who may not changes nothing")


def test_history(s, t):
    """what WeRSS did before us is seen by the migration"""
    s.sql("DELETE FROM cascade_feed")
    s.sql("DELETE FROM we_feeds")
    one, two = make_feeds(s, 2, first=700)
    rows = [{"id": "h%d" % n, "task_id": "old", "feed_ids": feeds, "status": state, "created_at": at}
            for n, (feeds, state, at) in enumerate((
                (json.dumps([one]), "failed", "-2 DAY"), (json.dumps([one, two]), "completed", "-1 DAY"),
                (json.dumps([one]), "pending", "-1 HOUR"), (json.dumps([two]), "completed", "-40 DAY"),
                ("nonsense", "completed", "-1 HOUR"), (json.dumps({"a": 1}), "failed", "-1 HOUR"), (None, "failed", "-1 HOUR")))]
    for row in rows:
        s.sql("INSERT INTO we_cascade_task_allocations (%s) VALUES (%s, UTC_TIMESTAMP() + INTERVAL %s)" % (
            ", ".join(row), ", ".join(quote(v) for v in list(row.values())[:-1]), row["created_at"]))
    here = os.path.dirname(os.path.realpath(__file__))
    with open(os.path.join(here, "..", "..", "sql", "003-cascade-tables.sql"), encoding="utf-8") as file:
        text = file.read()
    (fill,) = re.findall(r"INSERT INTO cascade_feed.*?;", text, re.S)
    fill = fill.replace("{{text}}", "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    for _ in range(2):
        s.sql(fill)
        t.eq({r["feed_id"]: r["allocation_id"] for r in s.sql(
            "SELECT * FROM cascade_feed WHERE feed_id >= '%s'" % one)}, {one: "h1", two: "h1"},
             "the last that ended")
    t.eq(s.admin().get("/feed-status?feed_id=" + one)["data.list.0.last_task.status"], "completed", "is shown")


run(test_feeds, test_many_feeds, test_tasks, test_report_result, test_every_operation, test_claims_are_cheap,
    test_log_listing, test_feed_status_order, test_feed_status_work, test_feed_status_of_many, test_scheduler,
    test_history, workers=1, cascaded=False, env={"CASCADE_DISPATCH_PREFER": "1s"})
