# SPDX-License-Identifier: MIT
"""What the tests of an allocation's life share: feeds and tasks in the database, and what a child does."""
import json

from cascade import wait_for


def quote(text):
    return "NULL" if text is None else "'%s'" % str(text).replace("\\", "\\\\").replace("'", "''")


def insert(s, table, rows):
    """Rows (dicts of the same keys) into TABLE, as WeRSS does it: with an explicit column list."""
    columns = ", ".join("`%s`" % name for name in rows[0])
    values = ", ".join("(%s)" % ", ".join(quote(v) for v in row.values()) for row in rows)
    s.sql("INSERT INTO %s (%s) VALUES %s" % (table, columns, values))


def feed_id(n):
    return "MP_WXS_%010d" % (3000000000 + n)


def make_feeds(s, count, first=1, status=1):
    """Feeds number FIRST and on; their ids."""
    ids = [feed_id(n) for n in range(first, first + count)]
    for at in range(0, count, 1000):
        insert(s, "we_feeds", [{"id": i, "mp_name": "公众号" + i[-4:], "faker_id": "MzA" + i[-8:],
                                "mp_cover": "https://img.example/" + i, "mp_intro": "简介", "status": status}
                               for i in ids[at:at + 1000]])
    return ids


def make_task(s, task_id, feeds, **more):
    """A task on FEEDS; None: on every enabled one."""
    row = {"id": task_id, "name": "任务" + task_id, "message_type": 0, "message_template": "tpl {{ x }}",
           "web_hook_url": "", "cron_exp": "0 9 * * *", "status": 1,
           "mps_id": json.dumps([{"id": i, "mp_name": "x"} for i in feeds]) if feeds is not None else "[]"}
    row.update(more)
    insert(s, "we_message_tasks", [row])
    return task_id


def dispatch(s, task_id, **query):
    more = "".join("&%s=%s" % item for item in query.items())
    return s.admin().post("/dispatch-task?task_id=%s%s" % (task_id, more))


def article(mp_id, number, **more):
    row = {"id": "2247483650_%d" % number, "mp_id": mp_id, "title": "标题%d" % number, "pic_url": "https://p.example/1",
           "url": "https://mp.example/s/%d" % number, "description": "摘要", "content": "<p>正文</p>",
           "content_markdown": "正文", "publish_time": 1767225600}
    row.update(more)
    return row


def claim(node):
    """The package, or None."""
    return node.post("/claim-task").data


def taken(node, seconds=10):
    """What NODE claims; for a moment it may all be reserved for others."""
    return wait_for(lambda: claim(node), seconds)


def status(node, package, state, **more):
    return node.put("/task-status", dict({"allocation_id": package["allocation_id"], "status": state}, **more))


def upload(node, package, articles, **more):
    return node.post("/upload-articles", dict({"allocation_id": package["allocation_id"], "articles": articles}, **more))


def complete(node, package, results=None, **more):
    body = {"allocation_id": package["allocation_id"], "task_id": package["task_id"], "article_count": 0}
    if results is not None:
        body["results"] = results
    body.update(more)
    return node.post("/report-completion", body)


def allocation(s, package_or_id):
    """The allocation with its attempts, as an administrator sees it."""
    id = package_or_id if isinstance(package_or_id, str) else package_or_id["allocation_id"]
    return s.admin().get("/allocations/" + id).data


def outcomes(s, package_or_id):
    return [a["outcome"] for a in allocation(s, package_or_id)["attempts"]]


def clear(s):
    """Cancels everything that is open and forgets who is alive: the next test finds none of it."""
    admin = s.admin()
    s.sql("UPDATE cascade_node SET last_seen_at = NULL")
    found = True
    while found:  # what is claimed may return to the pool after that was looked at
        found = False
        for state in ("pending", "claimed", "executing"):
            for row in admin.get("/allocations?limit=200&status=" + state).data["list"]:
                found = admin.post("/allocations/%s/cancel" % row["id"]).status == 200 or found


def consistent(s, t):
    """What must hold at any moment of rest between the tables."""
    t.eq(s.sql("SELECT n.node_id, n.open_count, COUNT(o.seq) AS held FROM cascade_node n"
               " LEFT JOIN cascade_open o ON o.node = n.seq GROUP BY n.seq HAVING n.open_count <> held"),
         [], "every node's count is that of its open allocations")
    t.eq(s.sql("SELECT n.node_id FROM cascade_node n WHERE n.open_count > n.max_capacity"), [],
         "no node is above its capacity")
    t.eq(s.sql("SELECT o.id FROM cascade_open o LEFT JOIN we_cascade_task_allocations a ON a.id = o.id"
               " LEFT JOIN cascade_node n ON n.seq = o.node"
               " WHERE a.status IS NULL OR a.status <> ELT(o.state + 1, 'pending', 'claimed', 'executing')"
               " OR NOT (a.node_id <=> n.node_id)"), [], "what is shown is what is open")
    t.eq(s.sql("SELECT a.id FROM we_cascade_task_allocations a LEFT JOIN cascade_open o ON o.id = a.id"
               " WHERE a.status IN ('pending', 'claimed', 'executing') AND o.id IS NULL"), [],
         "nothing is shown as open that is not")
    t.eq(s.sql("SELECT f.feed_id FROM cascade_open_feed f LEFT JOIN cascade_open o ON o.seq = f.open_seq"
               " WHERE o.seq IS NULL"), [], "no feed of something that has ended is taken")
