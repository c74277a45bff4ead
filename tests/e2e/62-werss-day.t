#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A day of WeRSS's children in fast motion, through restarts of the parent. Both of their programs run here as they
behave: the service (heartbeats, pulls feeds and tasks, claims, says executing, reports completion and
result) and the poller (claims, works in silence, uploads, reports completion; never beats). They send what they
send, read nothing but data, take any error for an exception, swallow it and go on; what they failed to
upload or to report they never send again. Meanwhile workers, cascaded, nginx and the database go away and come
back. In the end no work is lost: everything that was dispatched was done, by what the parent does on its own.
"""
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import consistent, dispatch, make_feeds, make_task  # noqa: E402

FULL = bool(os.environ.get("CASCADE_TEST_FULL"))
ROUNDS = 24 if FULL else 3   # hours, each with a dispatch and a disturbance
FEEDS = 40 if FULL else 12
SERVICES, POLLERS = 2, 2

# Requests of WeRSS 1.4.9: method, path, keys of the body in their order; keys of the answer's data, each with its
# types. What we add may be there besides.
TEXT, MAYBE, NUMBER = (str,), (str, type(None)), (int,)
FEED = {"id": TEXT, "faker_id": MAYBE, "mp_name": MAYBE, "mp_cover": MAYBE, "mp_intro": MAYBE, "status": NUMBER}
PACKAGE = {"allocation_id": TEXT, "task_id": TEXT, "task_name": TEXT, "message_type": NUMBER, "message_template": TEXT,
           "web_hook_url": MAYBE, "cron_exp": TEXT, "headers": MAYBE, "cookies": MAYBE, "feeds": (list,),
           "dispatched_at": TEXT}
TASK = {"id": TEXT, "name": TEXT, "message_type": NUMBER, "message_template": TEXT, "web_hook_url": MAYBE,
        "mps_id": TEXT, "cron_exp": TEXT, "status": NUMBER, "headers": MAYBE, "cookies": MAYBE, "created_at": MAYBE,
        "updated_at": MAYBE}
SHAPES = {
    "heartbeat": ("POST", "/heartbeat", None, {"status": TEXT}, "success"),
    "feeds": ("GET", "/feeds", None, [dict(FEED, created_at=MAYBE, updated_at=MAYBE)], "success"),
    "tasks": ("GET", "/message-tasks", None, [TASK], "success"),
    "pending": ("GET", "/pending-tasks", None, PACKAGE, "获取任务成功"),
    "claim": ("POST", "/claim-task", None, PACKAGE, "认领任务成功"),
    "status": ("PUT", "/task-status", ("allocation_id", "status", "timestamp"), None, "状态更新成功"),
    "upload": ("POST", "/upload-articles", ("allocation_id", "articles", "timestamp"),
               {"received": NUMBER, "new_count": NUMBER}, "文章数据上行成功"),
    "completion": ("POST", "/report-completion", ("allocation_id", "task_id", "results", "article_count", "timestamp"),
                   None, "任务完成上报成功"),
    "result": ("POST", "/report-result", ("task_id", "results", "timestamp"), None, "结果上报成功"),
}
RESULT = ("mp_id", "mp_name", "status", "article_count")
ARTICLE = ("id", "mp_id", "title", "pic_url", "url", "description", "content", "content_markdown", "publish_time")
NOTHING = "暂无待处理任务"


def misshapen(got, want, where="data"):
    """What of GOT is not as WeRSS answers."""
    if want is None:
        return [] if got is None else ["%s: %r" % (where, got)]
    if isinstance(want, list):
        if not isinstance(got, list):
            return ["%s: no list" % where]
        return [fault for row in got for fault in misshapen(row, want[0], where + "[]")]
    if not isinstance(got, dict):
        return ["%s: %r" % (where, got)]
    return ["%s.%s: %r" % (where, key, got.get(key, "absent")) for key, types in want.items()
            if key not in got or not isinstance(got[key], types) or isinstance(got[key], bool)]


def timestamp():
    """As Python's utcnow().isoformat() has it: with microseconds."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%06d" % (now % 1 * 1e6)


class Failed(Exception):
    """What a child makes of any status but 2xx, and of a connection that breaks."""


class Child(threading.Thread):
    """What both programs have in common."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.random, self.over = node, random.Random(seed), False
        self.faults, self.seen, self.failed, self.uploaded, self.done = [], {}, 0, set(), []

    def ask(self, name, **fields):
        """The answer's data; the request's shape is the table's."""
        method, path, keys, want, message = SHAPES[name]
        body = None
        if keys is not None:
            body = json.dumps({key: fields[key] if key in fields else timestamp() for key in keys}, ensure_ascii=False)
        headers = {"Content-Type": "application/json"}
        try:
            answer = self.node.request(method, path, body, headers=headers, timeout=30)
        except OSError as error:
            raise Failed(repr(error)) from error
        if answer.status >= 300:
            raise Failed(repr(answer))
        self.judge(name, answer, want, message)
        return answer.data

    def judge(self, name, answer, want, message):
        self.seen[name] = self.seen.get(name, 0) + 1
        nothing = name in ("claim", "pending") and answer.data is None
        faults = [] if nothing else misshapen(answer.data, want)
        if answer["code"] != 0 or answer["@Content-Type"] != "application/json":
            faults.append("not WeRSS's envelope")
        if (NOTHING if nothing else message) not in answer["message"]:
            faults.append("another message")
        if name in ("claim", "pending") and not nothing:
            faults += [f for feed in answer.data["feeds"] for f in misshapen(feed, FEED, "feed")]
        if faults:
            self.faults.append("%s: %s: %r" % (name, faults, answer))

    def articles(self, feed):
        short = feed["id"].replace("MP_WXS_", "")
        return [dict(zip(ARTICLE, ("%s-%d" % (short, n), feed["id"], "标题%d" % n, "http://p", "http://u", "d", "<p>c</p>",
                                   "c", 1767225600))) for n in range(2)]

    def complete(self, package, count):
        self.ask("completion", allocation_id=package["allocation_id"], task_id=package["task_id"], article_count=count,
                 results=[dict(zip(RESULT, (f["id"], f["mp_name"], "success", count))) for f in package["feeds"]])
        self.done.append(package["allocation_id"])

    def turn(self):
        raise NotImplementedError

    def run(self):
        while not self.over:
            try:
                self.turn()
            except Failed:
                self.failed += 1  # logged and forgotten: the next turn begins anew
            time.sleep(self.random.uniform(0.02, 0.1))


class Service(Child):
    """Beats, pulls, claims one, works on it, reports: one after the other in one loop."""

    def turn(self):
        self.ask("heartbeat")
        self.ask("feeds")
        self.ask("tasks")
        package = self.ask(self.random.choice(("claim", "pending")))
        if not package:
            return
        self.ask("status", allocation_id=package["allocation_id"], status="executing")
        time.sleep(self.random.uniform(0, 0.2))
        for feed in package["feeds"]:
            articles = self.articles(feed)
            self.ask("upload", allocation_id=package["allocation_id"], articles=articles)
            self.uploaded.update(a["id"] for a in articles)
        self.complete(package, len(package["feeds"]) * 2)
        self.ask("result", task_id=package["task_id"], results=[{"a": 1}])


class Poller(Child):
    """Claims, works in silence, uploads, reports completion; each failure is swallowed by itself."""

    def turn(self):
        package = self.ask("claim")
        if not package:
            return
        time.sleep(self.random.uniform(0, 0.4))
        count = 0
        for feed in package["feeds"]:
            articles = self.articles(feed)
            try:
                count += self.ask("upload", allocation_id=package["allocation_id"], articles=articles)["received"]
                self.uploaded.update(a["id"] for a in articles)
            except Failed:
                self.failed += 1
        self.complete(package, count)


def restart(s, name):
    s.kill(name)
    wait_for(lambda: not s.is_alive(name), 20)
    time.sleep(0.5)
    s.start(name)


def reload_pool(s):
    """An ordinary restart of the pool, as an upgrade makes it."""
    s.stop("cascade-fcgi")
    s.start("cascade-fcgi")


DISTURBANCES = (
    ("the database is killed", lambda s: restart(s, "mariadbd")), ("the pool is killed", lambda s: restart(s, "cascade-fcgi")),
    ("nginx is killed", lambda s: restart(s, "nginx")), ("cascaded is killed", lambda s: restart(s, "cascaded")),
    ("the pool is restarted", reload_pool), ("the database is restarted", lambda s: (s.stop("mariadbd"), s.start("mariadbd"))))


def open_work(s):
    return int(s.value("SELECT COUNT(*) FROM cascade_open"))


def go_through(s, t, hours, choice):
    """Each hour a dispatch, and in the midst of the work something goes away."""
    expected = 0
    for hour in range(hours):
        done = dispatch(s, "d%d" % hour)
        t.eq(done["data.allocations_created"], FEEDS, "hour %d: everything is dispatched" % hour, repr(done))
        expected += FEEDS
        wait_for(lambda: open_work(s) < FEEDS * 3 // 4, 30)
        # the first hours: one of each kind that there is time for
        for name, disturb in (DISTURBANCES[:4] if hour == 0 else [choice(DISTURBANCES)]):
            t.note(name)
            disturb(s)
        t.ok(wait_for(lambda: open_work(s) == 0, 60), "hour %d: and done" % hour, "%d are open" % open_work(s),
             repr(s.sql("SELECT id, state, node, attempt, ready_at, lease_until FROM cascade_open LIMIT 3")))
    return expected


def check_children(t, children):
    for child in children:
        t.ok(not child.faults, "answers are as WeRSS has them", *child.faults[:3])
    seen = {name: sum(child.seen.get(name, 0) for child in children) for name in SHAPES}
    t.ok(all(seen.values()), "every request was answered", repr(seen))
    failed = sum(child.failed for child in children)
    t.note("%s; %d requests failed and were swallowed" % (seen, failed))
    t.ok(failed > 0, "and some were not")


def test_day(s, t):
    """nothing is lost"""
    seed = os.environ.get("CASCADE_TEST_SEED") or str(random.randrange(1 << 32))
    t.note("CASCADE_TEST_SEED=" + seed)
    feeds = make_feeds(s, FEEDS)
    for hour in range(ROUNDS):
        make_task(s, "d%d" % hour, feeds, cron_exp="0 0 1 1 *")
    kinds = [Service] * SERVICES + [Poller] * POLLERS
    children = [kind(s.new_node("%s %d" % (kind.__name__, n), mount=WERSS), seed + str(n)) for n, kind in enumerate(kinds)]
    for child in children:
        child.start()
    expected = go_through(s, t, ROUNDS, random.Random(seed).choice)
    for child in children:
        child.over = True
    for child in children:
        child.join()
    check_children(t, children)
    t.eq(s.sql("SELECT status, COUNT(*) AS n FROM we_cascade_task_allocations GROUP BY status"),
         [{"status": "completed", "n": str(expected)}], "every allocation was completed, once")
    t.eq(s.sql("SELECT allocation_id FROM cascade_attempt WHERE outcome = 'completed' GROUP BY allocation_id"
               " HAVING COUNT(*) > 1"), [], "none twice")
    t.note("attempts: %s" % s.sql("SELECT outcome, COUNT(*) AS n FROM cascade_attempt GROUP BY outcome"))
    stored = {row["id"] for row in s.sql("SELECT id FROM we_articles")}
    told = set().union(*(child.uploaded for child in children))
    t.ok(told and told <= stored, "every article whose upload was answered is there", repr(sorted(told - stored)[:5]))
    done = set().union(*(child.done for child in children))
    wrong = s.sql("SELECT id, status FROM we_cascade_task_allocations WHERE status <> 'completed' AND id IN ('%s')"
                  % "', '".join(done))
    t.eq(wrong, [], "every completion that was answered counts")
    logs = {row["operation"] for row in s.sql("SELECT DISTINCT operation FROM we_cascade_sync_logs")}
    t.eq(sorted(logs), ["claim_task", "report_result", "sync_feeds", "sync_tasks", "task_completion", "upload_articles"],
         "the sync log has every operation")
    consistent(s, t)


run(test_day, workers=3,
    env={"CASCADE_LEASE_CLAIM": "5s", "CASCADE_LEASE_EXECUTING": "5s", "CASCADE_CASCADED_REFRESH": "1s",
         "CASCADE_NODE_OFFLINE_AFTER": "4s", "CASCADE_NODE_OUTAGE_GAP": "10s", "CASCADE_RETRY_BACKOFF": "1s",
         "CASCADE_RETRY_MAX_ATTEMPTS": "50", "CASCADE_RETRY_MAX_LOST": "50", "CASCADE_DISPATCH_PREFER": "1s",
         "CASCADE_NODE_TOUCH": "1s", "CASCADE_DATABASE_WAIT": "3s"})
