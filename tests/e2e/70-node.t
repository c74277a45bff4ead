#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node with a real parent: claims, runs executors, uploads, reports."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Hook, all_are, collect, journal_of, read_journal, rows  # noqa: E402
from work import allocation, clear, consistent, dispatch, make_feeds, make_task  # noqa: E402


def test_end_to_end(s, t):
    """from the dispatch to the stored articles"""
    feeds = make_feeds(s, 12)
    make_task(s, "t1", feeds)
    journal = journal_of(s, "t1")
    with Child(s, "c1", collect(journal, 0.1, 3), concurrency=4) as child:
        dispatch(s, "t1")
        t.ok(wait_for(lambda: all_are(s, "t1"), 60), "everything is completed", rows(s, "t1")[:3])
        t.eq(sorted(e[1] for e in read_journal(journal) if e[0] == "end"), sorted(feeds), "each feed was collected once")
        t.eq(s.value("SELECT COUNT(*) FROM we_articles"), "36", "every article is stored")
        row = allocation(s, rows(s, "t1")[0]["id"])
        t.eq((row["article_count"], [a["outcome"] for a in row["attempts"]]), (3, ["completed"]), "in one attempt")
        result = json.loads(row["result_summary"]) if isinstance(row["result_summary"], str) else row["result_summary"]
        t.ok('"success"' in json.dumps(result), "with its result", result)
        t.ok(wait_for(lambda: child.status()["spool"]["attempts"] == 0), "nothing is left in the spool", child.status())
        t.eq(child.stop(), 0, "it ends on SIGTERM")
    consistent(s, t)
    clear(s)


run(test_end_to_end, workers=4)
