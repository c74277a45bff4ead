#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""/metrics: its format, who may see it, what it counts, and that it answers whatever else does not."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, SOURCE, run, wait_for  # noqa: E402
from prom import Page  # noqa: E402
import work  # noqa: E402

WORKERS = 3
PROMTOOL = os.environ.get("CASCADE_PROMTOOL") or shutil.which("promtool")
FROM_DATABASE = {"cascade_nodes", "cascade_queue_allocations", "cascade_queue_oldest_waiting_seconds",
                 "cascade_queue_sample_age_seconds", "cascade_attempts_total", "cascade_beat_age_seconds",
                 "cascade_leader_present", "cascade_schema_version"}


def scrape(s):
    return Page(s.http("GET", "/metrics").body.decode())


def requests(page, method, route, code):
    return page.value("cascade_http_requests_total", method=method, route=route, code=str(code)) or 0


def worker_pids(s):
    with open("/proc/%d/task/%d/children" % ((s.pid("cascade-fcgi"),) * 2)) as file:
        return [int(pid) for pid in file.read().split()]


def test_format(s, t):
    """the page"""
    answer = s.http("GET", "/metrics")
    t.eq(answer.status, 200, "it answers without a credential")
    t.eq(answer["@Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "as text of that version")
    t.eq(answer["@Cache-Control"], "no-store", "which nobody keeps")
    page = Page(answer.body.decode())
    t.eq(page.faults, [], "a strict reader has no complaint")
    t.eq(page.value("cascade_up", component="database"), 1.0, "the database is there")
    t.eq(page.value("cascade_schema_version"), float(s.value("SELECT MAX(version) FROM cascade_schema")),
         "the schema's version")
    versions = [labels for _, labels, _ in page.families["cascade_build_info"].samples]
    t.ok(len(versions) == 1 and re.match(r"\d", versions[0]["version"]), "the version that answers", versions)
    with open(os.path.join(SOURCE, "src", "core", "alloc.c"), encoding="utf-8") as file:
        outcomes = set(re.findall(r'(?:END|RETRY|RETRY_LAPSE)\(\w+, "(\w+)"\)', file.read()))
    t.eq({labels["outcome"] for _, labels, _ in page.families["cascade_attempts_total"].samples}, outcomes,
         "every outcome that there can be is counted, from zero")
    t.eq(s.http("HEAD", "/metrics").body, b"", "HEAD")
    refused = s.http("POST", "/metrics")
    t.eq((refused.status, refused["code"]), (405, 405), "nothing else")
    t.eq(s.admin().get("/metrics").status, 404, "and not below a mount")


def test_strangers(s, t):
    """who may see it"""
    where = urllib.parse.urlsplit(s.url)
    for source, status in (("127.0.0.1", 200), ("127.0.0.2", 403)):
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10, source_address=(source, 0))
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        t.eq(answer.status, status, "from " + source)
        if status == 403:
            t.eq(answer.headers["Content-Type"], "application/json", "with the envelope")
        answer.read()
        connection.close()


def test_requests(s, t):
    """requests, by route, method and status"""
    before = scrape(s)
    node = s.new_node("counted")
    feed, = work.make_feeds(s, 1)
    work.dispatch(s, work.make_task(s, "t1", [feed]))
    package = work.claim(node)
    work.status(node, package, "executing")
    articles = [work.article(feed, n) for n in range(3)]
    work.upload(node, package, articles)
    work.upload(node, package, articles[:2] + [work.article(feed, 9)])
    t.eq(work.complete(node, package).status, 200, "a life is lived")
    node.get("/nodes")
    s.anybody().post("/claim-task")
    s.http("GET", GUIDE + "/nothing/here")
    after = scrape(s)
    t.eq(after.faults, [], "a strict reader has no complaint")
    for method, route, code, more in (
            ("POST", "/nodes", 200, 1), ("POST", "/nodes/{id}/credentials", 200, 1), ("POST", "/claim-task", 200, 1),
            ("POST", "/claim-task", 401, 1), ("GET", "/nodes", 403, 1), ("PUT", "/task-status", 200, 1),
            ("POST", "/upload-articles", 200, 2), ("POST", "/report-completion", 200, 1), ("-", "-", 404, 1),
            ("GET", "/metrics", 200, 1)):
        t.eq(requests(after, method, route, code) - requests(before, method, route, code), float(more),
             "%s %s %d: %d more" % (method, route, code, more))
    duration = "cascade_http_request_duration_seconds"
    claims = {"method": "POST", "route": "/claim-task"}
    t.eq(after.value(duration + "_count", **claims, **{"class": "2xx"}), 1.0, "its duration")
    t.eq(after.sum("cascade_http_requests_total"), after.sum(duration + "_count"), "every request has one")
    spent = after.value("cascade_http_request_database_seconds_total", **claims)
    t.ok(0 < spent <= after.sum(duration + "_sum", **claims), "a part of it for the database", spent)
    t.ok(2 <= after.value("cascade_http_request_database_round_trips_total", **claims) < 30,
         "in a few round trips")
    t.eq([after.value("cascade_articles_stored_total", kind=k) for k in ("new", "updated")], [4.0, 2.0],
         "articles stored")


def test_queue(s, t):
    """the queue, nodes, attempts, as cascaded counts them"""
    feeds = work.make_feeds(s, 6, first=100)
    for number in (1, 2, 3):
        node = s.new_node("n%d" % number, sync_config={"max_capacity": 2})
        node.post("/heartbeat")
    s.admin().put("/nodes/" + node.id, {"is_active": False})
    s.sql("UPDATE cascade_node SET draining = 1 WHERE node_id IN (SELECT id FROM we_cascade_nodes WHERE name = 'n2')")
    s.new_node("never seen")
    work.dispatch(s, work.make_task(s, "t2", feeds))
    # Nobody may reserve, so that what is ready stays so.
    s.sql("UPDATE cascade_node SET may_reserve = 0")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) + INTERVAL 1 HOUR, order_at = ready_at ORDER BY seq LIMIT 1")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3) - INTERVAL 100 SECOND ORDER BY seq DESC LIMIT 1")

    def counts():
        page = scrape(s)
        return {labels["state"]: n for _, labels, n in page.families["cascade_queue_allocations"].samples}

    def settled():
        have = counts()
        return have if have and sum(have.values()) == 6 and have["backoff"] == 1 else None

    t.ok(wait_for(settled, 20), "one waits for its time, the others do not", counts())
    page = scrape(s)
    t.ok(100 <= page.value("cascade_queue_oldest_waiting_seconds") < 160, "how long the oldest has waited",
         page.value("cascade_queue_oldest_waiting_seconds"))
    t.ok(page.value("cascade_queue_sample_age_seconds") < 20, "counted a moment ago")
    t.eq({labels["state"]: n for _, labels, n in page.families["cascade_nodes"].samples},
         {"online": 2.0, "draining": 1.0, "on_hold": 0.0, "inactive": 1.0, "offline": 1.0}, "nodes by state")

    one, other = (s.new_node(n, sync_config={"max_capacity": 2}) for n in ("w1", "w2"))
    work.status(one, work.claim(one), "executing")
    work.claim(other)
    t.ok(wait_for(lambda: (counts()["claimed"], counts()["executing"]) == (1.0, 1.0), 20),
         "what is claimed and what is executed", counts())
    work.clear(s)
    t.ok(wait_for(lambda: sum(counts().values()) == 0, 20), "all gone", counts())

    def all_counted():
        rows = s.sql("SELECT outcome, COUNT(*) AS n FROM cascade_attempt GROUP BY outcome")
        have = {labels["outcome"]: n for _, labels, n in scrape(s).families["cascade_attempts_total"].samples}
        return have if {k: n for k, n in have.items() if n} == {r["outcome"]: float(r["n"]) for r in rows} else None

    t.ok(wait_for(all_counted, 40), "every attempt that ended is counted once, by its outcome",
         str(s.sql("SELECT * FROM cascade_gauge")))
    s.sql("DELETE FROM cascade_attempt")
    t.ok(wait_for(lambda: scrape(s).sum("cascade_attempts_total") == 3.0 and
                  s.value("SELECT MIN(counted_at) > NOW(3) - INTERVAL 12 SECOND FROM cascade_gauge"
                          " WHERE name = 'attempts_total'") == "1", 20),
         "and stays so when its row is removed")


def test_retries(s, t):
    """requests that are run again"""
    labels = {"method": "POST", "route": "/nodes", "reason": "busy"}
    t.eq(scrape(s).value("cascade_http_request_retries_total", **labels), None, "none yet")
    s.sql("CREATE TRIGGER tests_busy BEFORE INSERT ON we_cascade_nodes FOR EACH ROW"
          " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock'")
    answer = s.admin().post("/nodes", {"node_type": 1, "name": "never"})
    s.sql("DROP TRIGGER tests_busy")
    t.eq(answer.status, 503, "one that loses every race", repr(answer))
    page = scrape(s)
    t.eq(page.value("cascade_http_request_retries_total", **labels), 5.0, "was run five times more")
    t.eq(requests(page, "POST", "/nodes", 503), 1.0, "and answered once")


def test_workers(s, t):
    """workers: what they do, and that their end takes nothing along"""
    page = scrape(s)

    def states():
        return {labels["state"]: n for _, labels, n in scrape(s).families["cascade_workers"].samples}

    t.eq(set(states()), {"idle", "busy", "starting", "missing", "draining"}, "every state is there")
    t.ok(wait_for(lambda: states()["idle"] == WORKERS), "all are idle", states())
    lock = subprocess.Popen(["mariadb", "--no-defaults", "-S", s.db_socket, s.db_name, "-e",
                             "LOCK TABLES we_cascade_task_allocations WRITE; SELECT SLEEP(30)"],
                            stdout=subprocess.DEVNULL)
    slow = threading.Thread(target=lambda: s.admin().get("/allocations"))
    wait_for(lambda: s.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(30)'") == "1")
    slow.start()
    t.ok(wait_for(lambda: states()["busy"] == 1.0), "one that waits is busy", states())
    lock.kill()
    lock.wait()
    slow.join()
    t.ok(wait_for(lambda: states()["idle"] == WORKERS), "and idle when it has done", states())

    os.kill(worker_pids(s)[0], signal.SIGKILL)
    t.ok(wait_for(lambda: scrape(s).value("cascade_worker_ends_total", reason="died") == 1.0 and
                  states()["idle"] == WORKERS), "one that is killed is counted and replaced", states())
    after = scrape(s)
    t.eq(after.value("cascade_worker_starts_total") - page.value("cascade_worker_starts_total"), 1.0, "started")
    t.ok(after.sum("cascade_http_requests_total") > page.sum("cascade_http_requests_total"), "no counter is lost")
    t.eq(after.value("cascade_start_time_seconds"), page.value("cascade_start_time_seconds"), "nor begun anew")

    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(wait_for(lambda: scrape(s).value("cascade_worker_ends_total", reason="drained") == WORKERS and
                  states()["idle"] == WORKERS), "SIGHUP exchanges them all", states())
    last = scrape(s)
    t.eq(last.value("cascade_worker_starts_total"), after.value("cascade_worker_starts_total") + WORKERS, "started")
    t.eq(last.value("cascade_worker_ends_total", reason="died"), 1.0, "none of them died")
    t.ok(requests(last, "POST", "/upload-articles", 200) == 2.0, "no counter is lost by that either")


def test_daemon(s, t):
    """without cascaded"""
    page = scrape(s)
    t.eq(page.value("cascade_leader_present"), 1.0, "it leads")
    t.ok(page.value("cascade_beat_age_seconds", part="cascaded") < 30, "and beats")
    t.ok(page.value("cascade_beat_age_seconds", part="pool") < 30, "so does the pool")
    s.stop("cascaded")
    t.ok(wait_for(lambda: scrape(s).value("cascade_leader_present") == 0.0), "ended: nobody leads")
    t.ok(wait_for(lambda: scrape(s).value("cascade_beat_age_seconds", part="cascaded") > 2), "and its beat grows old")
    s.start("cascaded")
    t.ok(wait_for(lambda: scrape(s).value("cascade_leader_present") == 1.0), "started again: it leads")


def test_database_away(s, t):
    """without the database"""
    s.stop("mariadbd")
    page = scrape(s)
    t.eq(page.faults, [], "the page is whole")
    t.eq(page.value("cascade_up", component="database"), 0.0, "it says that the database is away")
    t.eq({f.name for f in page.families.values() if not f.samples} & FROM_DATABASE, FROM_DATABASE,
         "and nothing that it would have to ask for")
    t.ok(page.sum("cascade_http_requests_total") > 0, "but the rest")
    s.start("mariadbd")
    t.ok(wait_for(lambda: scrape(s).value("cascade_up", component="database") == 1.0), "it is back")
    s.sql("KILL USER `cascade`")
    t.eq(scrape(s).value("cascade_up", component="database"), 1.0, "a connection gone stale is no outage")
    s.sql("KILL USER `cascade`")
    for _ in range(WORKERS * 3):
        s.admin().get("/nodes")
    t.ok(scrape(s).sum("cascade_http_request_retries_total", route="/nodes", reason="database_away") >= 1,
         "and a request that found one was run again")


def test_promtool(s, t):
    """promtool check metrics, where it is at hand"""
    if not PROMTOOL:
        t.skip("promtool has no complaint", "no promtool")
        return
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=s.http("GET", "/metrics").body,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    t.eq((done.returncode, done.stdout), (0, b""), "promtool has no complaint")


run(test_format, test_strangers, test_requests, test_queue, test_retries, test_workers, test_daemon,
    test_database_away, test_promtool, workers=WORKERS, env={"CASCADE_CASCADED_REFRESH": "1s"})
