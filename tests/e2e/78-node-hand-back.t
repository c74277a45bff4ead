#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a child claimed and will not do goes to another at once, and counts nothing."""
import http.server
import json
import os
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Wire, all_are, collect, journal_of, read_journal, rows, times  # noqa: E402
from work import allocation, clear, consistent, dispatch, make_feeds, make_task, outcomes  # noqa: E402

FEEDS = 4


class Site(http.server.ThreadingHTTPServer):
    """One article for each feed; of the login whose cookie is "limited" it has had enough."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server_port
        self.seen = []  # (cookie, faker id)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def asked(self, cookie):
        return sorted(faker for who, faker in self.seen if who == cookie)


class SiteHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        cookie, faker = self.headers["Cookie"], query.get("fakeid", [""])[0]
        self.server.seen.append((cookie, faker))
        answer = {"base_resp": {"ret": 200013, "err_msg": "freq control"}}
        if cookie != "limited":
            answer = {"base_resp": {"ret": 0, "err_msg": "ok"}, "app_msg_cnt": 1, "app_msg_list": [
                {"aid": "%s_1" % faker, "title": "标题", "link": self.server.url + "/s/1", "cover": "", "digest": "",
                 "update_time": 1767225600}]}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def collector(s, site, cookie, **more):
    return Child(s, cookie, [], executor__kind="wechat", wechat__base_url=site.url, wechat__cookie=cookie,
                 wechat__token="1", wechat__pause_ms=0, wechat__jitter_ms=0, wechat__content=False,
                 cascade__heartbeat_interval=1, **more)


def counts(s, task):
    """Of each allocation of TASK: its status, and, while it is open, how often it was counted."""
    found = [allocation(s, row["id"]) for row in rows(s, task)]
    return sorted((row["status"], row["failures"], row["losts"]) for row in found)


def test_limited(s, t):
    """frequency control"""
    site = Site()
    make_task(s, "tl", make_feeds(s, FEEDS))
    dispatch(s, "tl")
    with collector(s, site, "limited", concurrency=FEEDS) as limited:
        shown = lambda: s.admin().get("/nodes/" + limited.node.id).data  # noqa: E731
        t.ok(wait_for(lambda: limited.events("hold"), 30), "the site limits the one child")
        t.ok(wait_for(lambda: shown()["hold_until"] and shown()["current_tasks"] == 0, 30),
             "which hands everything back, and asks for no work", repr(shown()))
        t.eq(counts(s, "tl"), [("pending", 0, 0)] * FEEDS, "all of it waits, and nothing was counted")
        asked = site.asked("limited")
        with collector(s, site, "fine", concurrency=FEEDS):
            t.ok(wait_for(lambda: all_are(s, "tl"), 30), "another child does it", repr(counts(s, "tl")))
        t.eq(counts(s, "tl"), [("completed", None, None)] * FEEDS, "all of it")
        t.eq(len(set(site.asked("fine"))), FEEDS, "each feed was asked for")
        t.eq(len(site.asked("fine")), FEEDS, "once")
        t.eq(site.asked("limited"), asked, "and the first child asked no more")
        endings = [outcomes(s, row["id"]) for row in rows(s, "tl")]
        t.ok(all(e[-1] == "completed" and set(e[:-1]) <= {"released"} for e in endings) and max(map(len, endings)) == 2,
             "the history shows one hand-back at most", repr(endings))
        t.eq(s.value("SELECT COUNT(*) FROM we_articles"), str(FEEDS), "each article is there once")
    consistent(s, t)
    clear(s)


def test_stop(s, t):
    """SIGTERM before it began"""
    journal = journal_of(s, "stop")
    feeds = make_feeds(s, 1, first=50)
    make_task(s, "ts1", feeds)
    make_task(s, "ts2", feeds)
    with Child(s, "stop", collect(journal, 2, 1), concurrency=2) as child:
        dispatch(s, "ts1")
        t.ok(wait_for(lambda: read_journal(journal), 20), "the feed is worked on for one task")
        dispatch(s, "ts2")
        t.ok(wait_for(lambda: len(child.events("claimed")) == 2, 20), "and waits here for another")
        t.eq(child.stop(), 0, "the child ends")
    t.eq(counts(s, "ts1"), [("completed", None, None)], "what had begun is completed")
    t.eq(counts(s, "ts2"), [("pending", 0, 0)], "what had not is handed back")
    t.eq(outcomes(s, rows(s, "ts2")[0]["id"]), ["released"], "as its history says")
    t.eq(len(times(journal, "begin")), 1, "and it never began")
    clear(s)


def test_killed(s, t):
    """a hand-back that the parent has not heard of yet"""
    journal = journal_of(s, "killed")
    make_task(s, "tk", make_feeds(s, 1, first=60))
    wire = Wire(s)
    child = Child(s, "killed", collect(journal, 1, 0, status=75), url=wire.url, concurrency=1)
    with child:
        dispatch(s, "tk")
        t.ok(wait_for(lambda: read_journal(journal), 20), "it executes")
        wire.cut()
        t.ok(wait_for(lambda: child.events("retry"), 20), "its executor ends with 75 while the parent is away")
        child.kill()
        t.eq(outcomes(s, rows(s, "tk")[0]["id"])[0], None, "it is killed before it could say so")
        wire.mend()
        child.start()
        t.ok(wait_for(lambda: outcomes(s, rows(s, "tk")[0]["id"])[0] == "released", 20), "and hands it back afterwards",
             repr(allocation(s, rows(s, "tk")[0]["id"])))
        first = allocation(s, rows(s, "tk")[0]["id"])["attempts"][0]
        t.ok(first["error_message"].startswith("retry: "), "with the reason", first)
    t.eq(counts(s, "tk"), [("pending", 0, 0)], "nothing was counted")
    t.eq(len(read_journal(journal)), 1, "it was begun once")
    wire.close()
    clear(s)


if __name__ == "__main__":
    run(test_limited, test_stop, test_killed)
