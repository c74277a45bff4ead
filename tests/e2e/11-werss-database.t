#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The schema on databases that WeRSS laid out and filled: every row stays as it was, an installation may
be repeated, doubled and killed, WeRSS's statements still run, its nodes and users are let in, and a
whole life works whatever collations the tables and the database have.
"""
import copy
import os
import random
import re
import signal
import subprocess
import sys
import time
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import werss  # noqa: E402
from cascade import BUILD, GUIDE, SOURCE, WERSS, run, wait_for  # noqa: E402
from work import (allocation, article, claim, complete, consistent, dispatch, make_feeds, make_task,  # noqa: E402
                  outcomes, status, upload)

GENERAL, UNICODE = "utf8mb4_general_ci", "utf8mb4_unicode_ci"
SQL_DIR = os.path.join(SOURCE, "sql")
KILLS = 15
serial = iter(range(1, 1000))


def database(s, tables=GENERAL, default=GENERAL):
    """Another database on the stack's server as WeRSS left it; a copy of S that looks at it."""
    other = copy.copy(s)
    other.db_name = "werss_%d" % next(serial)
    other.env = dict(s.env, CASCADE_DATABASE_NAME=other.db_name)
    s.sql("CREATE DATABASE %s COLLATE %s" % (other.db_name, default))
    s.sql("GRANT ALL ON %s.* TO 'cascade'@localhost" % other.db_name)
    werss.layout(other, tables)
    werss.fill(other)
    return other


def install(s):
    return s.ctl("schema", "install", "--dir", SQL_DIR)


def start_install(s):
    program = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascadectl")
    return subprocess.Popen([program, "--config", s.conf, "schema", "install", "--dir", SQL_DIR], env=s.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def columns(s):
    """{table.column: (type, nullable, default, collation)}"""
    return {"%(TABLE_NAME)s.%(COLUMN_NAME)s" % r: (r["COLUMN_TYPE"], r["IS_NULLABLE"], r["COLUMN_DEFAULT"],
                                                   r["COLLATION_NAME"])
            for r in s.sql("SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()")}


def indexes(s):
    return {(r["TABLE_NAME"], r["INDEX_NAME"], r["SEQ_IN_INDEX"], r["COLUMN_NAME"], r["NON_UNIQUE"])
            for r in s.sql("SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()")}


def schema(s):
    """All that an installation makes."""
    return (columns(s), indexes(s),
            s.sql("SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES"
                  " WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1"),
            s.sql("SELECT version, name, checksum FROM cascade_schema ORDER BY version"))


def test_install(s, t):
    """installing on WeRSS's tables"""
    w = database(s)
    rows, had, had_indexes = werss.rows(w), columns(w), indexes(w)
    done = install(w)
    t.eq((done.returncode, done.stderr), (0, ""), "install")
    t.ok(werss.rows(w) == rows, "every row of WeRSS's is as before")
    now = columns(w)
    t.eq({c for c in had if now.get(c) != had[c]}, {"we_articles.url", "we_articles.pic_url"},
         "no column of WeRSS's has changed but two")
    t.eq([now["we_articles." + c] for c in ("url", "pic_url")], [("varchar(2048)", "YES", "NULL", GENERAL)] * 2,
         "which have become wider")
    t.eq(had_indexes - indexes(w), set(), "its indexes are there")
    added = {c: now[c] for c in now if c not in had and c.split(".")[0] in werss.LAYOUT}
    t.eq({c for c, (_, nullable, default, _) in added.items() if nullable == "NO" and default is None}, set(),
         "what was added to its tables needs no value")
    s.sql("CREATE TABLE %s.witness SELECT NOW(3) AS at" % w.db_name)
    before, applied = schema(w), w.sql("SELECT * FROM cascade_schema")
    t.eq(install(w).returncode, 0, "again")
    t.ok(schema(w) == before and w.sql("SELECT * FROM cascade_schema") == applied and werss.rows(w) == rows,
         "changes nothing")
    t.eq(w.ctl("schema", "check").returncode, 0, "schema check is content")
    werss.fill(w, first=101)
    t.eq(len(werss.rows(w)["we_articles"]), 2 * len(rows["we_articles"]), "WeRSS's inserts still run")
    w.sql("UPDATE we_cascade_nodes SET status = 1, last_heartbeat_at = NOW() WHERE id = 'wn-101'")
    w.sql("DELETE FROM we_cascade_task_allocations WHERE id = 'wa-0101'")
    kept = {table: [r for r in found if r in rows[table]] for table, found in werss.rows(w).items()}
    t.ok(kept == rows, "and the former rows stay")


def test_two_at_once(s, t):
    """two installations at once"""
    w = database(s)
    rows = werss.rows(w)
    both = [start_install(w) for _ in range(2)]
    t.eq([(p.wait(), p.stderr.read()) for p in both], [(0, "")] * 2, "both succeed")
    t.ok(werss.rows(w) == rows, "every row is as before")
    once = database(s)
    install(once)
    t.ok(schema(w) == schema(once), "the outcome is that of one")


def test_killed(s, t):
    """kill -9 in the middle of an installation"""
    seed = int(os.environ.get("CS_SEED", random.SystemRandom().randrange(1 << 30)))
    t.note("seed %d" % seed)
    dice = random.Random(seed)
    whole = database(s)
    rows = werss.rows(whole)
    began = time.monotonic()
    install(whole)
    took = time.monotonic() - began
    want, died, partial = schema(whole), 0, 0
    for n in range(KILLS):
        w = database(s)
        for _ in range(1 + n % 2):
            process = start_install(w)
            time.sleep(dice.uniform(0.1, 1.0) * took)
            process.kill()
            died += process.wait() == -signal.SIGKILL
            process.stderr.close()
        partial += schema_is_partial(w)
        done = install(w)
        t.ok(done.returncode == 0 and schema(w) == want and werss.rows(w) == rows,
             "kill %d: resumed, complete, no row changed" % (n + 1), repr(done))
        s.sql("DROP DATABASE " + w.db_name)
    t.note("%d were killed, %d of them half-way, of %.1f s" % (died, partial, took))
    t.ok(died and partial, "some were killed half-way")


def schema_is_partial(s):
    tables = s.value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
                     " AND TABLE_NAME LIKE 'cascade%'")
    if tables == "0" or tables == "1":
        return tables == "1"
    return s.value("SELECT COALESCE(MAX(version), 0) FROM cascade_schema") != str(len(os.listdir(SQL_DIR)) - 1)


def test_servers(s, t):
    """servers that are too old, or none of MariaDB's"""
    w = database(s)
    with open("/proc/%d/cmdline" % s.pid("mariadbd")) as file:
        command = file.read().split("\0")[:-1]
    s.stop("mariadbd")
    for version, code, words in (("10.5.29-MariaDB", 78, "MariaDB 10.5.29"), ("5.7.44", 78, "MySQL 5.7.44"),
                                 ("8.0.36", 0, "MySQL 8.0.36")):
        server = subprocess.Popen([*command, "--version=" + version], cwd=s.dir, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: answers(s), 30)
            before = w.sql("SHOW TABLES")
            done = install(w)
            t.eq(done.returncode, code, "%s: exit %d" % (version, code), repr(done))
            t.ok(words in done.stderr, "and says why", repr(done))
            if code:
                t.ok("10.6" in done.stderr, "and what is needed", repr(done))
                t.eq(w.sql("SHOW TABLES"), before, "nothing was done")
        finally:
            server.terminate()
            server.wait()
    s.start("mariadbd")


def test_collations(s, t):
    """tables that differ in their collation; some only, of another one"""
    w = database(s)
    w.sql("ALTER TABLE we_feeds CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    rows, done = werss.rows(w), install(w)
    t.eq(done.returncode, 78, "are refused", repr(done))
    t.ok(GENERAL in done.stderr and UNICODE in done.stderr, "with their collations", repr(done))
    t.eq((w.value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"), werss.rows(w)),
         (str(len(werss.LAYOUT) + 1), rows), "nothing was done")
    w = database(s, tables=UNICODE)
    w.sql("DROP TABLE we_cascade_nodes, we_cascade_sync_logs, we_cascade_task_allocations")
    t.eq(install(w).returncode, 0, "a WeRSS that has no cascade yet")
    found = columns(w)
    keys = {"%s.%s" % (table, column) for table, _, _, column, _ in indexes(w)}
    t.eq({k: found[k][3] for k in keys if found[k][3] not in (UNICODE, "ascii_general_ci", "ascii_bin", None)}, {},
         "gets tables with keys of the collation that it has")


def answers(s):
    try:
        return s.sql("SELECT 1")
    except RuntimeError:
        return None


def move_to(s, t, tables, default):
    """Has the stack work on a database of WeRSS's from here on."""
    s.stop("cascade-fcgi")
    s.stop("cascaded")
    s.sql("DROP DATABASE " + s.db_name)
    # The client cannot name a database that is not there.
    name, s.db_name = s.db_name, "mysql"
    s.sql("CREATE DATABASE %s COLLATE %s" % (name, default))
    s.db_name = name
    werss.layout(s, tables)
    werss.fill(s)
    rows = werss.rows(s)
    done = install(s)
    t.eq((done.returncode, done.stderr), (0, ""), "install: tables %s, database %s" % (tables, default))
    t.ok(werss.rows(s) == rows, "every row is as before")
    s.start("cascade-fcgi")
    s.start("cascaded")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "the stack works on it")


def credentials(s, t):
    """Whom WeRSS let in."""
    secret = werss.jwt_secret(s)
    for mount in (GUIDE, WERSS):
        node = s.node(werss.NODE_KEY % 6, werss.NODE_SECRET % 6, mount=mount)
        t.eq(node.post("/heartbeat").status, 200, "a node's key and secret on " + mount)
        for n, want in ((1, 200), (2, 401), (4, 401)):  # a child, a parent, an inactive one
            t.eq(s.node(werss.NODE_KEY % n, werss.NODE_SECRET % n, mount=mount).post("/heartbeat").status, want,
                 "node %d: %d" % (n, want))
        t.eq(s.node(werss.NODE_KEY % 6, werss.NODE_SECRET % 7, mount=mount).post("/heartbeat").status, 401,
             "with another's secret")
        # Keys: 1, 4, 7 expire in a century, 2 has expired, 3 is an inactive user's, 5 is inactive itself.
        for n, want in ((1, 200), (2, 401), (3, 401), (4, 200), (5, 401), (6, 200)):
            t.eq(s.node(werss.USER_KEY % n, werss.USER_SECRET % n, mount=mount).get("/nodes").status, want,
                 "user key %d: %d" % (n, want))
        for name, want in (("admin", 200), ("用户2", 200), ("用户3", 401), ("用户99", 401)):
            t.eq(s.bearer(werss.token(secret, werss.claims(name)), mount=mount).get("/nodes").status, want,
                 "token of %s: %d" % (name, want))
    t.eq(s.node(werss.USER_KEY % 7, werss.USER_SECRET % 7).post("/dispatch-task?task_id=none").status, 404,
         "an administrator's key may dispatch")
    t.eq(s.node(werss.USER_KEY % 4, werss.USER_SECRET % 4).post("/dispatch-task?task_id=none").status, 403,
         "a user's may not")
    found = {n["id"]: n for n in s.admin().get("/nodes").data}
    t.eq(found["wn-5"]["max_capacity"], 10, "a node without settings has the default capacity")
    t.ok(wait_for(lambda: s.admin().get("/nodes/wn-8").data["max_capacity"] == 7), "one with settings has its own")
    t.eq(found["wn-7"]["name"], "节点😀7", "names are as they were")


def whole_life(s, t):
    """Through every procedure and most statements."""
    ended = s.admin().get("/allocations?status=completed&node_id=wn-1").data
    t.eq((ended["total"], ended["list"][0]["result_summary"]), (2, '[{"ok": "✓"}]'), "what had ended is listed")
    s.sql("UPDATE we_cascade_nodes SET is_active = id = 'wn-9'")
    t.ok(wait_for(lambda: s.value("SELECT GROUP_CONCAT(node_id) FROM cascade_node WHERE active") == "wn-9"),
         "what WeRSS does to its nodes is seen")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_open WHERE state = 0") == "2"),
         "WeRSS's pending allocations are adopted")
    for row in s.admin().get("/allocations?status=pending").data["list"]:
        t.eq(s.admin().post("/allocations/%s/cancel" % row["id"]).status, 200, "and cancelled")
    node = s.node(werss.NODE_KEY % 9, werss.NODE_SECRET % 9)
    feeds = make_feeds(s, 6)
    make_task(s, "listed", feeds[:3])
    make_task(s, "每一个", None)
    t.eq(dispatch(s, "listed")["data.allocations_created"], 3, "a list of feeds is dispatched")
    t.eq(dispatch(s, "listed")["data.skipped_open"], 3, "open ones are seen")
    t.eq(dispatch(s, "listed", force=1)["data.cancelled"], 3, "force cancels them")
    package = claim(node)
    t.eq(package["task_name"], "任务listed", "claimed")
    t.eq(status(node, package, "executing").status, 200, "executing")
    feed = package["feeds"][0]["id"]
    t.eq(node.post("/heartbeat", {"holding": [package["allocation_id"]]}).status, 200, "held")
    t.eq(upload(node, package, [article(feed, n, title="标题😀") for n in range(3)]).data["new_count"], 3, "uploaded")
    t.eq(upload(node, package, [article(feed, 2), article(feed, 3)]).data["new_count"], 1, "and again")
    t.eq(complete(node, package, [{"mp_id": feed, "status": "success"}], article_count=4).status, 200, "completed")
    t.eq(allocation(s, package)["status"], "completed", "is shown")
    failed = claim(node)
    t.eq(status(node, failed, "failed", error_message="抓取失败").status, 200, "failed")
    t.eq(allocation(s, failed)["status"], "failed", "for good: one attempt is all")
    t.eq(complete(node, failed).status, 200, "its late completion is taken")
    t.eq((allocation(s, failed)["status"], outcomes(s, failed)), ("completed", ["completed"]), "and shown")
    many = dispatch(s, quote("每一个"))["data.allocations_created"]
    t.eq(many, int(s.value("SELECT COUNT(*) FROM we_feeds WHERE status = 1")), "every enabled feed is dispatched")
    s.sql("INSERT INTO cascade_task (task_id, feeds_per_allocation, max_attempts) VALUES ('pairs', 2, 3)")
    make_task(s, "pairs", feeds)
    dispatch(s, "pairs")
    s.admin().put("/nodes/wn-9", {"sync_config": {"max_capacity": 100, "feed_quota": {feeds[0]: 3}}})
    pair = wait_for(lambda: next((p for p in iter(lambda: claim(node), None) if p["task_id"] == "pairs"), None))
    bad, fine = [feed["id"] for feed in pair["feeds"]]
    t.eq(complete(node, pair, [{"feed_id": bad, "success": False, "error": "失败"}, {"feed_id": fine, "success": True}])
         .status, 200, "failed in part")
    t.eq(s.sql("SELECT status FROM we_cascade_task_allocations WHERE feed_ids = '[\"%s\"]' AND task_id = 'pairs'" % bad),
         [{"status": "pending"}], "what failed goes out again")
    t.eq(s.admin().delete("/nodes/wn-9").status, 200, "the node is deleted")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_open WHERE state <> 0") == "0"), "its work returns")
    s.sql("DELETE FROM we_message_tasks WHERE id = '每一个'")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_id = '每一个'"
                                  " AND error_message = '任务不存在'") not in ("0", None)), "a deleted task's work fails")
    # What its own nodes held is nobody's any more; its dispatcher's cleanup ends that.
    s.sql("UPDATE we_cascade_task_allocations SET status = 'timeout' WHERE id LIKE 'wa-%' AND status IN ('claimed', 'executing')")
    consistent(s, t)
    for command in (["node", "list"], ["task", "list"], ["task", "show", "pairs"], ["feed", "list"], ["user", "list"],
                    ["key", "list"], ["allocations", "--task", "listed"], ["status"]):
        done = s.ctl(*command)
        t.eq((done.returncode, done.stderr), (0, ""), "cascadectl " + " ".join(command))


def life_on(tables, default):
    def test(s, t):
        move_to(s, t, tables, default)
        with open(os.path.join(s.log_dir, "cascaded.log")) as log:
            log.seek(0, os.SEEK_END)
            credentials(s, t)
            whole_life(s, t)
            t.eq(re.findall(r".*level=error.*", log.read())[:3], [], "cascaded has no error to report")
    test.__doc__ = "life on tables of %s in a database of %s" % (tables, default)
    return test


run(test_install, test_two_at_once, test_killed, test_collations, test_servers, life_on(GENERAL, GENERAL), life_on(UNICODE, UNICODE),
    life_on(GENERAL, "latin1_swedish_ci"), workers=2,
    env={"CASCADE_RETRY_MAX_ATTEMPTS": "1", "CASCADE_RETRY_BACKOFF": "1s", "CASCADE_CASCADED_REFRESH": "1s",
         "CASCADE_DISPATCH_PREFER": "1s"})
