#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Workers and cascaded are killed and MariaDB is restarted in the middle of a run: nothing is lost, nothing
done twice. Children behave as WeRSS's do: an answer that is an error is swallowed, and they poll on; ours
repeat a report until it is answered.
"""
import http.client
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import SLOW, children, run, wait_for  # noqa: E402
from work import article, claim, complete, consistent, dispatch, make_feeds, make_task, status, upload  # noqa: E402

FEEDS = 300 if SLOW == 1 else 60
CHILDREN = 4


def stubborn(call):
    """Repeats CALL until it is answered with something else than 5xx."""
    while True:
        try:
            answer = call()
            if answer.status < 500:
                return answer
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)


def child(node, done, stop, bad):
    while not stop.is_set():
        try:
            package = claim(node)
        except (OSError, http.client.HTTPException):
            package = None
        if not isinstance(package, dict):
            time.sleep(0.1)
            continue
        stubborn(lambda: status(node, package, "executing"))
        feed = package["feeds"][0]["id"]
        for answer in (stubborn(lambda: upload(node, package, [article(feed, 1), article(feed, 2)])),
                       stubborn(lambda: complete(node, package, [{"feed_id": feed, "success": True}]))):
            if answer.status not in (200, 409):
                bad.append(repr(answer))
        done.append(package["allocation_id"])


def test_kills(s, t):
    """kill -9 in the middle of a run"""
    seed = int(os.environ.get("CS_SEED", random.SystemRandom().randrange(1 << 30)))
    t.note("seed %d" % seed)
    dice = random.Random(seed)
    make_task(s, "crash", make_feeds(s, FEEDS))
    nodes = [s.new_node("child%d" % n, sync_config={"max_capacity": 5}) for n in range(CHILDREN)]
    t.eq(dispatch(s, "crash")["data.allocations_created"], FEEDS, "%d allocations" % FEEDS)
    stop, done, bad, killed = threading.Event(), [], [], {"worker": 0, "cascaded": 0, "mariadbd": 0}
    # daemons: a test that dies half way must end, though its children repeat themselves for ever
    threads = [threading.Thread(target=child, args=(node, done, stop, bad), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()

    def finished():
        try:
            return s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE status = 'completed'") == str(FEEDS)
        except RuntimeError:
            return False

    began = time.monotonic()
    while not finished() and time.monotonic() - began < 180 * SLOW:
        time.sleep(dice.uniform(0.05, 0.3))
        # each of them at least once, however soon the work is done
        what = dice.choice([k for k in killed if killed[k] == 0] or ["worker", "worker", "worker", "cascaded", "mariadbd"])
        if killed["mariadbd"] >= 2 and what == "mariadbd":
            continue
        if time.monotonic() - began > 60 * SLOW:
            continue
        if what == "worker":
            pids = sorted(children(s.pid("cascade-fcgi")))
            if pids:
                try:
                    os.kill(dice.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    continue
        elif what == "cascaded":
            s.kill("cascaded")
            wait_for(lambda: not s.is_alive("cascaded"), 5)
            s.start("cascaded")
        else:
            s.kill("mariadbd", dice.choice([signal.SIGKILL, signal.SIGTERM]))
            wait_for(lambda: not s.is_alive("mariadbd"), 20)
            s.start("mariadbd")
        killed[what] += 1
    stop.set()
    for thread in threads:
        thread.join()
    t.note("killed: %r in %.0f s" % (killed, time.monotonic() - began))
    t.ok(all(killed.values()), "each of them was killed")
    t.ok(finished(), "every feed is completed", repr(s.sql("SELECT status, COUNT(*) n FROM we_cascade_task_allocations GROUP BY 1")))
    t.eq(bad[:3], [], "no report was refused but for a hand-over")
    t.eq(s.value("SELECT COUNT(*) FROM (SELECT 1 FROM cascade_attempt WHERE outcome = 'completed' GROUP BY allocation_id"
                 " HAVING COUNT(*) > 1) twice"), "0", "none completed twice")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles"), str(2 * FEEDS), "every article is stored, once")
    t.eq(s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE article_count <> 2"), "0", "and counted right")
    t.eq(s.value("SELECT SUM(new_article_count) FROM we_cascade_task_allocations"), str(2 * FEEDS), "as new just once")
    consistent(s, t)


def test_database_away(s, t):
    """the database is away for a moment, then for longer than a write waits"""
    node = s.new_node("waits")
    s.stop("mariadbd")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(node.post("/heartbeat")))
    thread.start()
    time.sleep(1)
    t.eq(s.http("GET", "/readyz").status, 503, "readyz says so")
    t.eq(s.http("GET", "/healthz").status, 200, "healthz is about the process")
    s.start("mariadbd")
    thread.join()
    t.eq(answers[0].status, 200, "a node's write waits for it")
    s.stop("mariadbd")
    began = time.monotonic()
    gone = node.post("/claim-task")
    t.eq((gone.status, gone["code"]), (503, 503), "then it is answered 503")
    t.ok(gone["@Retry-After"], "with Retry-After")
    t.ok(time.monotonic() - began >= 9, "after waiting")
    t.eq(s.admin().get("/nodes").status, 503, "an administrator's read does not wait")
    s.start("mariadbd")
    t.ok(wait_for(lambda: node.post("/heartbeat").status == 200, 10), "the workers reconnect by themselves")


def test_outage_grace(s, t):
    """after an outage of ours nobody is declared lost for a while"""
    make_task(s, "grace", make_feeds(s, 1, first=5000))
    node = s.new_node("holds")
    node.post("/heartbeat")
    dispatch(s, "grace")
    package = wait_for(lambda: claim(node), 10)
    status(node, package, "executing")
    s.stop("cascaded")
    time.sleep(8)  # longer than node.offline_after, and as if longer than node.outage_gap
    s.sql("UPDATE cascade_beat SET beat_at = beat_at - INTERVAL 10 SECOND WHERE name = 'cascaded'")
    s.start("cascaded")
    time.sleep(3)
    row = s.sql("SELECT status FROM we_cascade_task_allocations WHERE id = '%s'" % package["allocation_id"])
    t.eq(row[0]["status"], "executing", "the silent node keeps its work during the grace")
    t.ok(wait_for(lambda: s.value("SELECT status FROM we_cascade_task_allocations WHERE id = '%s'"
                                  % package["allocation_id"]) == "pending", 15), "and loses it after that")
    consistent(s, t)


run(test_kills, test_database_away, test_outage_grace, workers=3,
    env={"CASCADE_LEASE_CLAIM": "3s", "CASCADE_LEASE_EXECUTING": "30s", "CASCADE_NODE_OFFLINE_AFTER": "6s",
         "CASCADE_NODE_OUTAGE_GAP": "10s", "CASCADE_NODE_TOUCH": "1s", "CASCADE_CASCADED_REFRESH": "1s",
         "CASCADE_DATABASE_WAIT": "10s", "CASCADE_RETRY_BACKOFF": "1s", "CASCADE_DISPATCH_PREFER": "2s"})
