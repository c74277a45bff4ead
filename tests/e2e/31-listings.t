#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What there is to see of allocations: the list, its filters and pages, one with its attempts, counts."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run, wait_for  # noqa: E402

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
FIELDS = {
    "allocation_id": str, "id": str, "task_id": str, "task_name": str, "node_id": None, "node_name": None,
    "feed_ids": list, "status": "pending", "result_summary": None, "error_message": None,
    "dispatched_at": TIME, "claimed_at": None, "started_at": None, "completed_at": None,
    "schedule_run_id": str, "article_count": 0, "new_article_count": 0, "created_at": TIME,
    "updated_at": TIME, "attempt": 0, "failures": 0, "losts": 0, "ready_at": TIME, "lease_expires_at": None,
    "assigned": False,
}
STATUSES = ["pending", "claimed", "executing", "completed", "failed", "timeout", "cancelled"]
FEEDS = "id,mp_name\nMP_WXS_1,公众号一\nMP_WXS_2,公众号二\nMP_WXS_3,公众号三\n"


def ids(answer):
    return [row["id"] for row in answer.data["list"]]


def prepare(s, t):
    """feeds, tasks, and a dispatch of each"""
    t.eq(s.ctl("feed", "import", "-", stdin=FEEDS).returncode, 0, "feeds are imported")
    for task, feeds in (("t1", "MP_WXS_1,MP_WXS_2"), ("t2", "MP_WXS_3")):
        done = s.ctl("task", "add", "任务" + task, "--id", task, "--feeds", feeds)
        t.eq(done.stdout, task + "\n", "task %s is made" % task, done.stderr)
        done = s.ctl("dispatch", "--task", task)
        t.eq(done.returncode, 0, "and dispatched", done.stderr)
    # created_at has seconds only: two dispatches of one second would have no order of their own
    s.sql("UPDATE we_cascade_task_allocations SET created_at = created_at - INTERVAL 5 SECOND WHERE task_id = 't1'")


def test_rows(s, t):
    """the rows and their order"""
    admin = s.admin()
    every = admin.get("/allocations")
    t.eq(every["data.total"], 3, "three allocations", repr(every))
    t.eq(every["data.page"], {"limit": 50, "offset": 0, "next_cursor": None}, "page by default")
    row = every.data["list"][0]
    t.eq(sorted(row), sorted(FIELDS), "the fields of a row")
    s.table(t, [("GET", "/allocations", admin, None, 200,
                 {"data.list.0." + name: want for name, want in FIELDS.items()})])
    t.eq(row["id"], row["allocation_id"], "both names of the id are the same")
    t.eq([r["task_id"] for r in every.data["list"]], ["t2", "t1", "t1"], "newest first")
    t.eq(row["feed_ids"], ["MP_WXS_3"], "its feeds")
    t.eq(admin.at(WERSS).get("/allocations").data, every.data, "the same on the other mount")
    t.eq(admin.at(WERSS).get("/allocations")["code"], 0, "with its code of success")


def test_filters(s, t):
    """filters, alone and together"""
    admin = s.admin()
    every = admin.get("/allocations").data["list"]
    s.sql("UPDATE we_cascade_task_allocations SET node_id = 'n-x' WHERE id = '%s'" % every[1]["id"])
    for query, want in (
            ("task_id=t1", every[1:]), ("task_id=nix", []), ("node_id=n-x", every[1:2]),
            ("status=pending", every), ("status=failed", []), ("task_id=t1&node_id=n-x", every[1:2]),
            ("task_id=t2&node_id=n-x", []), ("task_id=t2&status=pending", every[:1]),
            ("node_id=n-x&status=pending", every[1:2]), ("node_id=n-x&status=failed", []),
            ("task_id=t1&node_id=n-x&status=pending", every[1:2]), ("task_id=&status=", every)):
        answer = admin.get("/allocations?" + query)
        t.eq(ids(answer), [row["id"] for row in want], query)
        t.eq(answer["data.total"], len(want), query + ": total")
    t.eq(admin.get("/allocations?node_id=n-x")["data.list.0.assigned"], True, "a reserved one is assigned")
    s.sql("UPDATE we_cascade_task_allocations SET node_id = NULL")
    s.table(t, [("GET", "/allocations?status=" + status, admin, None, 200, None) for status in STATUSES])
    s.table(t, [
        ("GET", "/allocations?status=assigned", admin, None, 422, {"data.field": "status", "data.reason": str}),
        ("GET", "/allocations?status=PENDING", admin, None, 422, {"data.field": "status"}),
        ("GET", "/allocations?task_id=" + "x" * 256, admin, None, 422, {"data.field": "task_id"}),
        ("GET", "/allocations?node_id=" + "x" * 256, admin, None, 422, {"data.field": "node_id"}),
        ("GET", "/allocations?task_id=" + "%E4%BB%BB" * 255, admin, None, 200, {"data.total": 0}),
        ("GET", "/allocations?task_id=%27%20OR%201=1", admin, None, 200, {"data.total": 0}),
    ])


def test_pages(s, t):
    """pages"""
    admin = s.admin()
    every = ids(admin.get("/allocations"))
    t.eq(ids(admin.get("/allocations?limit=2")), every[:2], "the first page")
    second = admin.get("/allocations?limit=2&offset=2")
    t.eq(ids(second), every[2:], "the second")
    t.eq(second["data.page"], {"limit": 2, "offset": 2, "next_cursor": None}, "says which it is")
    past = admin.get("/allocations?offset=1000")
    t.eq((ids(past), past["data.total"]), ([], 3), "past the end")
    for query in ("limit=0", "limit=201", "limit=-1", "limit=x", "limit=1x", "offset=-1", "offset=x"):
        s.table(t, [("GET", "/allocations?" + query, admin, None, 422, {"data.field": query.split("=")[0]})])


def walk(client, query, path="/allocations", cursor=None):
    """Every id (behind CURSOR) by cursors, page after page, and the answers."""
    rows, answers = [], []
    while cursor or not answers:
        answers.append(client.get(path + "?" + query + ("&cursor=" + cursor if cursor else "")))
        rows += ids(answers[-1])
        cursor = answers[-1]["data.page"].get("next_cursor")
    return rows, answers


def test_cursors(s, t):
    """pages by cursor"""
    admin = s.admin()
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, created_at)"
          " SELECT CONCAT('c', LPAD(seq, 4, '0')), 'cur', '[]', IF(seq MOD 2, 'failed', 'completed'),"
          " IF(seq <= 20, NULL, '2026-01-01' - INTERVAL seq DIV 50 SECOND) FROM seq_1_to_500")
    every = [r["id"] for r in s.sql("SELECT id FROM we_cascade_task_allocations WHERE task_id = 'cur'"
                                    " ORDER BY created_at DESC, id DESC")]
    for limit in (1, 7, 50, 100, 200):
        rows, answers = walk(admin, "task_id=cur&limit=%d" % limit)
        t.eq((rows == every, len(answers)), (True, -(-500 // limit)), "each row once, in order, by %d" % limit)
    t.eq((answers[0]["data.page.offset"], "offset" in answers[1]["data.page"], answers[1]["data.total"]), (0, False, 500),
         "by cursor there is no offset")
    for query in ("task_id=cur&status=failed", "status=failed", ""):
        by_offset = []
        while len(by_offset) % 90 == 0:
            by_offset += ids(admin.get("/allocations?%s&limit=90&offset=%d" % (query, len(by_offset))))
        t.eq(walk(admin, query + "&limit=90")[0], by_offset, "the same rows as by offset: " + query)
    first = admin.get("/allocations?task_id=cur&limit=100")
    gone, cursor = every[99], first["data.page.next_cursor"]
    s.sql("DELETE FROM we_cascade_task_allocations WHERE id IN ('%s', '%s')" % (gone, every[5]))
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, created_at)"
          " VALUES ('new', 'cur', '[]', 'failed', UTC_TIMESTAMP())")
    t.eq(ids(admin.get("/allocations?task_id=cur&limit=100&cursor=" + cursor)), every[100:200],
         "rows that come and go move no page, not even the cursor's own")
    t.eq(ids(admin.get("/allocations?task_id=cur&limit=3&cursor=" + cursor)), every[100:103], "the limit may change")
    t.ok(re.match(r"^[A-Za-z0-9_-]+$", cursor), "a cursor needs no escapes", cursor)
    for bad in ("x", "=", "AA==", cursor + "=", cursor[:-1], cursor[1:], "A" * 3000, "MjAyNg", "%0A", "YW9kZApj", cursor + "AA", "CgA", "Cg"):
        answer = admin.get("/allocations?cursor=" + bad)
        t.eq((answer.status, answer["data.field"]), (422, "cursor"), "cursor %s is refused" % bad[:20], repr(answer))
    for other in ("/sync-logs", "/feed-status"):
        answer = admin.get("%s?cursor=%s" % (other, cursor))
        t.eq((answer.status, answer["data.field"]), (422, "cursor"), "%s takes none of /allocations" % other, repr(answer))
    both = admin.get("/allocations?offset=0&cursor=" + cursor)
    t.eq((both.status, both["data.field"], both["data.reason"]), (422, "offset", "不能与 cursor 同时使用"), "offset beside it too")
    s.sql("DELETE FROM we_cascade_task_allocations WHERE task_id = 'cur'")


def test_access(s, t):
    """who may look"""
    node = s.new_node("looker")
    t.eq(s.ctl("user", "add", "reader", "--role", "user").returncode, 0, "a user who is no administrator")
    reader = s.bearer(s.ctl("token", "--user", "reader").stdout.strip())
    one = "/allocations/" + ids(s.admin().get("/allocations?limit=1"))[0]
    for path in ("/allocations", one, "/pending-allocations"):
        s.table(t, [
            ("GET", path, None, None, 401, {"data": None}),
            ("GET", path, node, None, 403, {"data": None}),
            ("GET", path, reader, None, 200, None),
            ("POST", path, s.admin(), {}, 405, {"@Allow": "GET, HEAD"}),
        ])
    s.admin().delete("/nodes/" + node.id)


def test_attempts(s, t):
    """one allocation and its attempts"""
    admin = s.admin()
    node = s.new_node("工人")
    package = node.post("/claim-task").data
    path = "/allocations/" + package["allocation_id"]
    s.table(t, [
        ("GET", path, admin, None, 200, {
            "data.status": "claimed", "data.node_id": node.id, "data.node_name": "工人", "data.attempt": 1,
            "data.claimed_at": TIME, "data.lease_expires_at": package["lease_expires_at"],
            "data.assigned": False, "data.attempts.1": lambda v: not isinstance(v, dict),
            "data.attempts.0.attempt": 1, "data.attempts.0.node_id": node.id,
            "data.attempts.0.node_name": "工人", "data.attempts.0.claimed_at": TIME,
            "data.attempts.0.started_at": None, "data.attempts.0.ended_at": None,
            "data.attempts.0.outcome": None, "data.attempts.0.error_message": None}),
    ])
    report = {"allocation_id": package["allocation_id"], "status": "failed", "error_message": "抓取失败"}
    t.eq(node.put("/task-status", report).status, 200, "it fails")
    s.table(t, [
        ("GET", path, admin, None, 200, {
            "data.status": "pending", "data.node_id": None, "data.attempt": 1, "data.failures": 1,
            "data.error_message": "抓取失败", "data.ready_at": TIME,
            "data.attempts.0.outcome": "failed", "data.attempts.0.ended_at": TIME,
            "data.attempts.0.error_message": "抓取失败"}),
    ])
    s.sql("UPDATE cascade_open SET ready_at = UTC_TIMESTAMP(3) + INTERVAL IF(id = '%s', 0, 1) HOUR"
          % package["allocation_id"])
    other = s.new_node("帮手")
    again = other.post("/claim-task").data
    t.eq(again["allocation_id"], package["allocation_id"], "another node takes it")
    other.put("/task-status", {"allocation_id": package["allocation_id"], "status": "executing"})
    s.table(t, [
        ("GET", path, admin, None, 200, {
            "data.status": "executing", "data.node_name": "帮手", "data.attempt": 2,
            "data.attempts.0.node_name": "工人", "data.attempts.1.node_name": "帮手",
            "data.attempts.1.started_at": TIME, "data.attempts.1.outcome": None}),
    ])
    done = {"allocation_id": package["allocation_id"], "task_id": package["task_id"], "results": [],
            "article_count": 0}
    t.eq(other.post("/report-completion", done).status, 200, "and completes it")
    s.sql("UPDATE cascade_open SET ready_at = UTC_TIMESTAMP(3)")
    admin.delete("/nodes/" + node.id)
    s.table(t, [
        ("GET", path, admin, None, 200, {
            "data.status": "completed", "data.attempt": 2, "data.failures": None, "data.completed_at": TIME,
            "data.attempts.0.node_id": node.id, "data.attempts.0.node_name": None,
            "data.attempts.1.outcome": "completed"}),
        ("GET", "/allocations?status=completed", admin, None, 200, {"data.total": 1, "data.list.0.attempt": 2}),
        ("GET", "/allocations/nix", admin, None, 404, {"data": None, "message": "任务分配不存在"}),
    ])


def test_counts(s, t):
    """counts"""
    admin = s.admin()
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, completed_at, created_at) VALUES"
          " ('c1', 't9', '[]', 'completed', UTC_TIMESTAMP(), UTC_TIMESTAMP()),"
          " ('c2', 't9', '[]', 'completed', UTC_DATE() - INTERVAL 1 SECOND, UTC_TIMESTAMP()),"
          " ('f1', 't9', '[]', 'failed', UTC_DATE(), UTC_TIMESTAMP()),"
          " ('f2', 't9', '[]', 'timeout', UTC_TIMESTAMP(), UTC_TIMESTAMP()),"
          " ('f3', 't9', '[]', 'cancelled', UTC_TIMESTAMP(), UTC_TIMESTAMP())")
    for mount in (GUIDE, WERSS):
        t.eq(admin.at(mount).get("/pending-allocations").data,
             {"pending_tasks": 2, "executing_tasks": 0, "completed_today": 2, "failed_today": 2,
              "online_nodes": 1}, "counts on " + mount)
    worker = s.new_node("三号")
    t.eq(worker.post("/claim-task")["data.attempt"], 1, "one more is claimed")
    s.table(t, [("GET", "/pending-allocations", admin, None, 200,
                 {"data.pending_tasks": 1, "data.executing_tasks": 1, "data.online_nodes": 2})])
    s.sql("UPDATE cascade_node SET last_seen_at = UTC_TIMESTAMP(3) - INTERVAL 181 SECOND")
    s.table(t, [("GET", "/pending-allocations", admin, None, 200, {"data.online_nodes": 0})])
    worker.post("/heartbeat")
    admin.put("/nodes/" + worker.id, {"is_active": False})
    s.table(t, [("GET", "/pending-allocations", admin, None, 200,
                 {"data.online_nodes": 0, "data.pending_tasks": 2, "data.executing_tasks": 0})])


def test_strange_rows(s, t):
    """what others stored is shown without harm"""
    admin = s.admin()
    for name, feeds in (("null", "NULL"), ("text", "'nonsense'"), ("object", "'{}'"), ("escape", "'[\"\\\\q\"]'"),
                        ("number", "'[1e]'"), ("blank", "''")):
        s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, result_summary)"
              " VALUES ('s-%s', 'strange', %s, 'odd', '\"<>\\n')" % (name, feeds))
    answer = admin.get("/allocations?task_id=strange")
    t.eq(answer["data.total"], 6, "every row is there", repr(answer))
    t.eq([row["feed_ids"] for row in answer.data["list"]], [[]] * 6, "what is no array is an empty one")
    t.eq(answer["data.list.0.status"], "odd", "an unknown status is shown as it is")
    t.eq(answer["data.list.0.result_summary"], '"<>\n', "so is a summary")
    t.eq(answer["data.list.0.article_count"], 0, "counts that are null are 0")
    t.eq(answer["data.list.0.created_at"], None, "times are null")


def test_many(s, t):
    """totals are exact to 10,000"""
    admin = s.admin()
    insert = ("INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, created_at)"
              " SELECT CONCAT('m', seq), 'many', '[]', 'failed', UTC_TIMESTAMP() - INTERVAL seq SECOND FROM ")
    s.sql(insert + "seq_1_to_10000")
    exact = admin.get("/allocations?task_id=many")
    t.eq(exact["data.total"], 10000, "10,000")
    t.ok("total_exact" not in exact.data, "are exact")
    s.sql(insert + "seq_10001_to_10050")
    s.table(t, [
        ("GET", "/allocations?task_id=many", admin, None, 200,
         {"data.total": 10000, "data.total_exact": False, "data.list.0.id": "m1"}),
        ("GET", "/allocations?task_id=many&status=failed&limit=200&offset=10049", admin, None, 200,
         {"data.list.0.id": "m10050", "data.total": 10000}),
    ])


def test_many_counts(s, t):
    """counts are exact to 10,000; from there cascaded's are taken, where they are recent"""
    admin = s.admin()
    s.sql("UPDATE we_cascade_task_allocations SET completed_at = UTC_TIMESTAMP() WHERE task_id = 'many'")
    few = admin.get("/pending-allocations").data
    t.ok(few["failed_today"] > 9000 and few["counts_exact"] is False, "what has been counted, and that it is not all", repr(few))
    counted = dict(few, completed_today=654321, failed_today=123456)
    for age, want in (("1 MINUTE", counted), ("1 DAY", few)):
        s.sql("UPDATE cascade_gauge SET value = IF(label = 'failed', 123456, 654321),"
              " counted_at = UTC_TIMESTAMP(3) - INTERVAL %s WHERE name = 'ended_today'" % age)
        t.eq(admin.get("/pending-allocations").data, want, "counted %s ago" % age)
    s.sql("DELETE FROM we_cascade_task_allocations WHERE task_id = 'many' AND SUBSTR(id, 2) > 9000")
    exact = admin.get("/pending-allocations").data
    t.ok("counts_exact" not in exact and exact["failed_today"] < few["failed_today"], "fewer are exact", repr(exact))


def set_feeds(s, count):
    """COUNT feeds of every class, at times that many share, and what update_time may be besides."""
    s.sql("DELETE FROM we_feeds")
    s.sql("INSERT INTO we_feeds (id, mp_name, status, update_time) SELECT CONCAT('f', LPAD(seq * 7919 MOD 100003, 6, '0')),"
          " 'n', 1, CASE seq MOD 10 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN -(seq MOD 3) WHEN 3 THEN 2147483647"
          " WHEN 4 THEN UNIX_TIMESTAMP() - 172800 WHEN 5 THEN UNIX_TIMESTAMP() - 7200"
          " ELSE UNIX_TIMESTAMP() - (seq * 7919 MOD 600000) END FROM seq_1_to_%d" % count)


def test_feeds(s, t):
    """how feeds stand, by cursor"""
    admin = s.admin()
    set_feeds(s, 400)
    every = ids(admin.get("/feed-status?limit=200")) + ids(admin.get("/feed-status?limit=200&offset=200"))
    t.eq(len(set(every)), 400, "400 feeds by offset")
    for limit in (1, 3, 7, 37, 101, 199, 200):
        rows, answers = walk(admin, "limit=%d" % limit, "/feed-status")
        t.eq((rows == every, len(answers)), (True, -(-400 // limit)), "each feed once, in order, by %d" % limit)
    t.ok("offset" not in answers[1]["data.page"] and answers[1]["data.total"] == 400, "by cursor there is no offset")
    ranks = ["outdated", "stale", "unknown", "recent", "fresh"]
    order = [ranks.index(f["update_status"]) for a in answers for f in a.data["list"]]
    t.ok(order == sorted(order) and set(order) == set(range(5)), "in the order of their classes", order)
    cursor = answers[0]["data.page.next_cursor"]
    for path in ("/allocations", "/sync-logs"):
        answer = admin.get("%s?cursor=%s" % (path, cursor))
        t.eq((answer.status, answer["data.field"]), (422, "cursor"), "%s takes none of feeds" % path, repr(answer))
    for bad in ("x", "=", cursor[1:], cursor[:-1], cursor + "AA", "A" * 3000, "ZgppZA", "ZjE4MDAwMDAwMDAKaWQ"):
        answer = admin.get("/feed-status?cursor=" + bad)
        t.eq((answer.status, answer["data.field"]), (422, "cursor"), "cursor %s is refused" % bad[:20], repr(answer))
    for more, field in (("offset=0", "offset"), ("feed_id=" + every[0], "cursor")):
        answer = admin.get("/feed-status?%s&cursor=%s" % (more, cursor))
        t.eq((answer.status, answer["data.field"]), (422, field), "not with " + more, repr(answer))


def test_feeds_on_the_move(s, t):
    """feeds that change while somebody walks over them"""
    admin = s.admin()
    s.sql("DELETE FROM we_feeds")
    s.sql("INSERT INTO we_feeds (id, mp_name, status, update_time) SELECT CONCAT('m', CHAR(96 + seq)), 'n', 1,"
          " ELT(1 + (seq - 1) DIV 5, UNIX_TIMESTAMP() - 200000 + seq, NULL, UNIX_TIMESTAMP() - 86393, UNIX_TIMESTAMP() - 60)"
          " FROM seq_1_to_20")
    every = ["m" + c for c in "abcdefghijklmnopqrst"]
    first = admin.get("/feed-status?limit=7")
    t.eq(ids(first), every[:7], "the first page: the stale, and two of which nothing is known")
    rest = walk(admin, "limit=7", "/feed-status", first["data.page.next_cursor"])[0]
    t.eq(rest, every[7:], "and those behind it")
    stale = wait_for(lambda: admin.get("/feed-status?feed_id=mk")["data.list.0.update_status"] == "stale", 30)
    t.ok(stale and ids(admin.get("/feed-status?limit=7"))[5:] == every[10:12], "recent ones have become stale by now")
    rows, answers = walk(admin, "limit=4", "/feed-status", first["data.page.next_cursor"])
    t.eq(rows, every[7:], "a walk that goes on misses none of them")
    t.eq([f["update_status"] for f in answers[0].data["list"]], ["unknown"] * 3 + ["stale"], "each is shown as it stands now")
    s.sql("DELETE FROM we_feeds WHERE id IN ('mg', 'mi')")
    s.sql("UPDATE we_feeds SET update_time = UNIX_TIMESTAMP() - 10 WHERE id IN ('mb', 'mk')")
    t.eq(walk(admin, "limit=3", "/feed-status", first["data.page.next_cursor"])[0],
         ["mh", "mj"] + every[11:] + ["mb", "mk"], "what is updated meanwhile comes among the fresh, what is gone not")
    s.sql("DELETE FROM we_feeds WHERE id LIKE 'm%'")


run(prepare, test_rows, test_filters, test_pages, test_cursors, test_access, test_attempts, test_counts, test_strange_rows,
    test_many, test_many_counts, test_feeds, test_feeds_on_the_move, workers=2, cascaded=False)
