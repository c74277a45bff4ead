#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
How the listings and counts are read. Every statement that the server executes for one of these requests, taken
from its own log, is explained and run once more with what it reads counted: each is on the index meant for it,
sorts nothing but a page, and reads no more than the page and the limit of a total, also where what is asked
for is rare and old. On 30,000 rows; with CASCADE_TEST_FULL=1 on 1,000,000.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import bulk  # noqa: E402
from cascade import run  # noqa: E402
from cost import Cost  # noqa: E402

ROWS, FEEDS = (1000000, 100000) if os.environ.get("CASCADE_TEST_FULL") else (30000, 3000)
TOTAL = 10001  # entries of an index that a total reads at most
PAGE = 200
BIG = {"we_cascade_task_allocations", "we_cascade_sync_logs", "we_articles", "we_feeds", "cascade_open",
       "cascade_open_feed", "cascade_attempt", "cascade_feed"}
DEEP = 1000
LIST_PAGES = 130  # for 7 rows of a page and their surroundings, and 10,001 entries of an index
STATUS_PAGES = 400  # for 7 feeds with all that is shown of them; for three counts

# filters by their letters; the index that each combination is read from
ALLOCATIONS = (("T", "task"), ("N", "node"), ("S", "status"), ("TN", "pair"), ("TS", "task_status"),
               ("NS", "node_status"), ("TNS", "pair_status"), ("", "created"))
SYNC_LOGS = (("N", "node"), ("O", "operation"), ("NO", "node_operation"), ("", "started"))
USUAL = {"T": "task_id=" + bulk.TASK, "N": "node_id=" + bulk.NODE, "S": "status=completed", "O": "operation=claim_task"}
RARE = {"T": "task_id=" + bulk.RARE_TASK, "N": "node_id=" + bulk.RARE_NODE, "S": "status=" + bulk.RARE_STATUS,
        "O": "operation=claim_task"}


def listen(s):
    """Every statement from now on goes into mysql.general_log."""
    s.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")


def executed(s, request):
    """The SELECTs of prepared statements that REQUEST() runs, with their parameters; its answer."""
    s.sql("TRUNCATE mysql.general_log")
    answer = request()
    rows = s.sql("SELECT DISTINCT CONVERT(argument USING utf8mb4) AS text FROM mysql.general_log"
                 " WHERE command_type = 'Execute'")
    return [row["text"] for row in rows if row["text"].startswith("SELECT")], answer


def wrong(line, table, index, most):
    """What is wrong with a line of a plan of a base table; None if nothing."""
    extra, rows = line["Extra"] or "", float(line["r_rows"] or 0)
    if rows > most:
        return "reads %d rows" % rows
    if ("filesort" in extra or "temporary" in extra) and max(rows, int(line["rows"] or 0)) > PAGE:
        return "sorts more than a page"
    if table in BIG and line["type"] != "const" and (line["type"] == "ALL" or line["key"] is None):
        return "uses no index on " + table
    # what is shown of a page's rows is read by their keys
    if line["table"] in index and line["key"] != index[table]:
        return "uses %s instead of %s" % (line["key"], index[table])
    return None


def judge(s, statement, index, most=TOTAL):
    """Every fault of STATEMENT's plan, in which nothing reads more than MOST rows, and the tables that it reads."""
    names = {alias: table for table, alias in re.findall(r"\b((?:we|cascade)_\w+) ([a-z]\d?)\b", statement)}
    faults, tables = [], set()
    for line in s.sql("ANALYZE " + statement):
        if not line["table"] or line["table"].startswith(("<", "NULL")):
            continue
        table = names.get(line["table"], line["table"])
        tables.add(table)
        fault = wrong(line, table, index, most)
        if fault:
            faults.append("%s: %s" % (fault, line))
    return faults, tables


def examine(s, t, path, index):
    """One check for all statements of GET PATH; the answer."""
    statements, answer = executed(s, lambda: s.admin().get(path))
    faults, tables = [], set()
    for statement in statements:
        found, read = judge(s, statement, index)
        faults += [f + "\n" + statement for f in found]
        tables |= read
    missing = sorted(set(index) - tables)
    t.ok(answer.status == 200 and not faults and not missing, "GET %s: %d statements" % (path[:90], len(statements)),
         repr(answer), *faults, *["%s is not read" % name for name in missing])
    return answer


def test_listings(s, t):
    """pages, deep ones and those behind a cursor, of every combination of filters"""
    for path, table, combinations in (("/allocations?", "we_cascade_task_allocations", ALLOCATIONS),
                                      ("/sync-logs?", "we_cascade_sync_logs", SYNC_LOGS)):
        for letters, name in combinations:
            index = {table: "ix_cascade_" + name}
            query = path + "&".join(USUAL[c] for c in letters)
            first = examine(s, t, query + "&limit=7", index)
            examine(s, t, "%s&limit=200&offset=%d" % (query, DEEP), index)
            cursor = first["data.page.next_cursor"]
            t.ok(isinstance(cursor, str), "there are more", repr(first))
            examine(s, t, "%s&cursor=%s" % (query, cursor), index)
            if letters:
                examine(s, t, path + "&".join(RARE[c] for c in letters), index)


def use_all_columns(s):
    """What somebody else may do before: the server hands a table over with the columns that were in use (stmt.def)."""
    for table in sorted(BIG):
        s.sql("SELECT COUNT(*) FROM " + ", ".join("(SELECT * FROM %s LIMIT 1) %s" % (table, name) for name in "abcd"))


def test_again(s, t):
    """what a worker prepared once and executes again and again reads no more pages, and writes no table to disk"""
    cost = Cost(s, "Innodb_buffer_pool_read_requests", "Created_tmp_disk_tables")
    client = s.admin()

    def request(path, most):
        pages, on_disk = cost.of(lambda _: client.get(path), lambda: use_all_columns(s))
        t.ok(pages <= most and on_disk == 0, "%s: %d pages" % (path, pages), on_disk)

    for path, combinations in (("/allocations?", ALLOCATIONS), ("/sync-logs?", SYNC_LOGS)):
        for letters, _ in combinations:
            query = path + "&".join(USUAL[c] for c in letters)
            request(query + "&limit=7", LIST_PAGES)
            request("%s&limit=7&offset=%d" % (query, DEEP), LIST_PAGES)
    request("/feed-status?limit=7", STATUS_PAGES)
    request("/pending-allocations", STATUS_PAGES)


def test_rare(s, t):
    """a filter that matches much and one that matches little"""
    for letters, name in ALLOCATIONS[3:7]:
        for rare in letters:
            query = "&".join((RARE if c == rare else USUAL)[c] for c in letters)
            examine(s, t, "/allocations?" + query, {"we_cascade_task_allocations": "ix_cascade_" + name})
    examine(s, t, "/sync-logs?%s&%s" % (RARE["N"], USUAL["O"]), {"we_cascade_sync_logs": "ix_cascade_node_operation"})


def test_feeds(s, t):
    """how feeds stand"""
    index = {"we_feeds": "ix_cascade_update", "we_articles": "ix_cascade_feed"}
    for query in ("", "?limit=200", "?limit=200&offset=%d" % DEEP):
        examine(s, t, "/feed-status" + query, index)
    examine(s, t, "/feed-status?feed_id=MP_WXS_5000000007", {})


def pages_of_feeds(s):
    """{the last feed of a page: its cursor} of a walk over all."""
    client, cursors, cursor = s.admin(), {}, ""
    while cursor is not None:
        answer = client.get("/feed-status?limit=%d%s" % (PAGE, "&cursor=" + cursor if cursor else ""))
        cursor = answer["data.page.next_cursor"]
        cursors[answer.data["list"][-1]["id"]] = cursor
    return {feed: cursor for feed, cursor in cursors.items() if cursor}


def test_feeds_behind_a_cursor(s, t):
    """however deep, a page of feeds reads no more of them than are on it; also where many were updated at once"""
    index = {"we_feeds": "ix_cascade_update", "we_articles": "ix_cascade_feed"}
    s.sql("UPDATE we_feeds SET update_time = UNIX_TIMESTAMP() - 500000 WHERE MOD(SUBSTR(id, 8), 6) = 1;"
          "UPDATE we_feeds SET update_time = 0 WHERE MOD(SUBSTR(id, 8), 12) = 2;"
          "UPDATE we_feeds SET update_time = UNIX_TIMESTAMP() - 40000 WHERE MOD(SUBSTR(id, 8), 6) = 0")
    pages = pages_of_feeds(s)
    t.eq(len(pages), FEEDS // PAGE - 1, "pages with one behind them")
    for feed, cursor in pages.items():
        path = "/feed-status?limit=%d&cursor=%s" % (PAGE - 1, cursor)
        statements, answer = executed(s, lambda: s.admin().get(path))
        page = [text for text in statements if "mp_cover" in text]
        faults = [f for text in page for f in judge(s, text, index, PAGE)[0]]
        t.ok(answer.status == 200 and len(page) == 1 and not faults, "behind " + feed, repr(answer), *faults, *page)


def test_counts(s, t):
    """the dashboard's counts"""
    examine(s, t, "/pending-allocations",
            {"cascade_open": "queue", "we_cascade_task_allocations": "ix_cascade_completed"})


def test_judgement(s, t):
    """what this file would say of statements that are not flat"""
    for statement in (
            "SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_name = 'x'",
            "SELECT id FROM we_cascade_task_allocations WHERE feed_ids LIKE '%x%' ORDER BY updated_at LIMIT 50",
            "SELECT COUNT(*) FROM we_cascade_task_allocations FORCE INDEX (ix_cascade_status) WHERE status = 'completed'",
            "SELECT id FROM we_cascade_task_allocations FORCE INDEX (ix_cascade_task) WHERE task_id = 'bt-3'"
            " ORDER BY updated_at LIMIT 50"):
        t.ok(judge(s, statement, {})[0], "refused: " + re.sub(r"\s+", " ", statement)[:80])


def prepare(s, t):
    """%d rows in each table""" % ROWS
    bulk.fill(s, ROWS, FEEDS)
    listen(s)
    s.admin().get("/healthz")


run(prepare, test_listings, test_again, test_rare, test_feeds, test_feeds_behind_a_cursor, test_counts, test_judgement, workers=1, cascaded=False)
