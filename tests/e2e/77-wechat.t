#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The built-in collector against a site on this machine: lists, pages, and what the site says when it has enough."""
import csv
import glob
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

BUILD = os.environ.get("CASCADE_BUILD", os.path.join(SOURCE, "build"))
PROGRAM = os.path.join(BUILD, "tests", "e2e", "wechattest")
DEMO = os.path.join(SOURCE, "tests", "data", "demo")
PATIENCE = 120
PAGE = """<!DOCTYPE html><html><head><title>x</title></head><body>
<div id="js_content" style="visibility: hidden;"><p>正文 %s</p><img data-src="https://p/1"><script>x()</script></div>
</body></html>"""
VERIFY = "<html><body><p>当前环境异常，完成验证后即可继续访问。</p></body></html>"


class Site(http.server.ThreadingHTTPServer):
    """Lists as the bundled files have them, or as a test puts them; pages below /s/."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server_port
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reset(self):
        self.seen = []  # (time, path, query, headers)
        self.lists = {}  # faker id -> list of answers, a page each
        self.pages = {}  # path -> (status, text)

    def requests(self, path):
        return [r for r in self.seen if r[1].startswith(path)]

    def answer(self, path, query):
        if path.startswith("/s/"):
            return self.pages.get(path, (404, ""))
        if path != "/cgi-bin/appmsg":
            return 404, ""
        faker = query.get("fakeid", [""])[0]
        if faker in self.lists:
            pages = self.lists[faker]
            answer = pages[min(int(query["begin"][0]) // 5, len(pages) - 1)]
            return answer if isinstance(answer, tuple) else (200, json.dumps(answer))
        name = os.path.join(DEMO, "lists", faker.rstrip("=") + ".json")
        with open(name, encoding="utf-8") as file:
            return 200, file.read()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qs(query, keep_blank_values=True)
        self.server.seen.append((time.monotonic(), path, query, dict(self.headers)))
        status, text = self.server.answer(path, query)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/s/elsewhere")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def list_of(*links, first=1):
    """An answer with an article for each link."""
    return {"base_resp": {"ret": 0, "err_msg": "ok"}, "app_msg_cnt": len(links), "app_msg_list": [
        {"aid": "100_%d" % (first + i), "title": "标题 %d" % (first + i), "link": link, "cover": "https://c/%d" % i,
         "digest": "摘要", "update_time": 1700000000 + i} for i, link in enumerate(links)]}


def refusal(ret, words):
    return {"base_resp": {"ret": ret, "err_msg": words}}


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Run:
    """The collector's outcome."""

    def __init__(self, site, directory, feeds, *options, known=None, url=None):
        package = {"allocation_id": "A1", "task_id": "T1", "feeds": [
            {"id": feed, "faker_id": faker} for feed, faker in feeds]}
        if known is not None:
            package["known"] = known
        done = subprocess.run([PROGRAM, url or site.url, directory, *options], input=json.dumps(package).encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        self.status = done.returncode
        self.log = done.stderr.decode()
        self.records = [json.loads(line) for line in done.stdout.decode().splitlines()]

    def of(self, kind):
        return [r for r in self.records if r["type"] == kind]

    def articles(self):
        return [r["article"] for r in self.of("article")]


class Cases:
    def __init__(self, t, directory):
        self.t = t
        self.top = directory
        self.count = 0
        self.site = Site()

    def state(self):
        """A directory for an account that nobody has used."""
        self.count += 1
        path = os.path.join(self.top, "state%d" % self.count)
        os.mkdir(path)
        self.site.reset()
        return path

    def bundled(self):
        t, state = self.t, self.state()
        with open(os.path.join(DEMO, "feeds.csv"), encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:10]
        feeds = [(row["id"], row["faker_id"]) for row in rows]
        run = Run(self.site, state, feeds)
        t.eq(run.status, 0, "ten bundled accounts: exit 0", run.log)
        t.eq([r["feed_id"] for r in run.of("result")], [f for f, _ in feeds], "a result for each, in order")
        for feed, faker in feeds:
            with open(os.path.join(DEMO, "lists", faker.rstrip("=") + ".json"), encoding="utf-8") as file:
                want = [{"id": a["aid"], "mp_id": feed, "title": a["title"], "url": a["link"], "pic_url": a["cover"],
                         "description": a["digest"], "publish_time": a["update_time"]}
                        for a in json.load(file)["app_msg_list"]]
            got = [a for a in run.articles() if a["mp_id"] == feed]
            if got != want:
                t.eq(got, want, "articles of %s" % feed)
                return
        t.ok(True, "every article as the site has it")
        counts = {r["feed_id"]: r["article_count"] for r in run.of("result")}
        t.eq(sum(counts.values()), len(run.articles()), "counted")

    def request(self):
        t, state = self.t, self.state()
        Run(self.site, state, [("F1", "MzA1NDY4NDI4Mw==")])
        _, _, query, headers = self.site.seen[0]
        t.eq(query, {"action": ["list_ex"], "begin": ["0"], "count": ["5"], "fakeid": ["MzA1NDY4NDI4Mw=="],
                     "type": ["9"], "token": ["12 34&"], "lang": ["zh_CN"], "f": ["json"], "ajax": ["1"]},
             "the list is asked for as the site's own editor does")
        t.eq(headers.get("Cookie"), "slave_sid=secret", "with the cookie")
        t.eq(headers.get("User-Agent"), re.compile("Mozilla"), "as a browser")

    def content(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of(self.site.url + "/s/1", "/s/2", "/s/gone", "https://mp.weixin.qq.com/s/3")]
        self.site.lists["y"] = [list_of("/s/empty", "ftp://x/", "", "http://127.0.0.1@evil.invalid/s/1", first=11)]
        self.site.pages = {"/s/1": (200, PAGE % "一"), "/s/2": (200, PAGE % "二"), "/s/empty": (200, "<p>x</p>")}
        run = Run(self.site, state, [("F1", "x"), ("F2", "y")], "content")
        t.eq(run.status, 0, "with pages: exit 0", run.log)
        contents = {a["id"]: a.get("content") for a in run.articles()}
        t.eq(contents, {
            "100_1": '<div id="js_content"><p>正文 一</p><img src="https://p/1"></div>',
            "100_2": '<div id="js_content"><p>正文 二</p><img src="https://p/1"></div>',
            "100_3": None, "100_4": None, "100_11": None, "100_12": None, "100_13": None, "100_14": None},
             "content of the pages that are there; a page that is not costs its own content only")
        t.eq([r["success"] for r in run.of("result")], [True, True], "the feeds are done")
        t.ok("100_3: without its page: HTTP 404" in run.log and "no content in it" in run.log and
             "at another site" in run.log, "the log says what is missing", run.log)
        t.ok(all("Cookie" not in h for _, _, _, h in self.site.requests("/s/")), "pages do not get the cookie")
        t.eq(sorted(r[1] for r in self.site.requests("/s/")), ["/s/1", "/s/2", "/s/empty", "/s/gone"],
             "nothing else is fetched")

    def paging(self):
        t, state = self.t, self.state()
        pages = [list_of(*["/s/x"] * 5, first=1), list_of(*["/s/x"] * 5, first=6), list_of("/s/x", first=11)]
        self.site.lists["x"] = pages
        run = Run(self.site, state, [("F1", "x")], "pages=10")
        t.eq(len(run.articles()), 11, "all pages up to the one that is not full")
        t.eq([r[2]["begin"] for r in self.site.seen], [["0"], ["5"], ["10"]], "each asked for once")
        self.site.seen.clear()
        run = Run(self.site, state, [("F1", "x")], "pages=2")
        t.eq(len(run.articles()), 10, "not more pages than configured")
        run = Run(self.site, state, [("F1", "x")], "pages=10", known={"F1": ["100_7", "100_9"], "F2": ["100_1"]})
        t.eq([a["id"] for a in run.articles()], ["100_%d" % i for i in (1, 2, 3, 4, 5, 6, 8, 10)],
             "known articles are left out, and no page after theirs is asked for")
        t.eq(run.of("result")[0]["article_count"], 8, "the result counts what is new")

    def limited(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of("/s/1")]
        self.site.lists["busy"] = [refusal(200013, "freq control")]
        run = Run(self.site, state, [("F1", "x"), ("F2", "busy"), ("F3", "x")], "hold_s=1000")
        t.eq(run.status, 69, "frequency control: exit 69", run.log)
        t.eq([r["feed_id"] for r in run.of("result")], ["F1"], "what was done before has its result")
        t.eq([(r["feed_id"], r["seconds"]) for r in run.of("hold")], [("F2", 1000), ("F3", 1000)],
             "the rest goes back, with the time")
        t.eq(run.of("hold")[0]["reason"], "the site limits the account's requests", "and the reason")
        asked = len(self.site.seen)
        run = Run(self.site, state, [("F3", "x")], "hold_s=1000")
        t.eq((run.status, len(self.site.seen)), (69, asked), "the next attempt asks nothing")
        t.ok(run.of("hold") and 0 < run.of("hold")[0]["seconds"] <= 1000, "and says for how long", run.log)
        run = Run(self.site, state, [("F3", "x")], "cookie=new")
        t.eq(run.status, 69, "nor does it with a new cookie")

    def expired(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [refusal(200003, "invalid session")]
        run = Run(self.site, state, [("F1", "x")])
        t.eq((run.status, run.of("hold")[0]["reason"]),
             (69, "the login has expired: give it a new cookie and token"), "session invalid: exit 69, clearly", run.log)
        t.eq(Run(self.site, state, [("F1", "x")]).status, 69, "the next attempt does not try")
        self.site.lists["x"] = [list_of("/s/1")]
        t.eq(Run(self.site, state, [("F1", "x")], "cookie=new").status, 0, "until there is a new cookie")

    def spent(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of("/s/1")]
        run = Run(self.site, state, [("F1", "x"), ("F2", "x"), ("F3", "x")], "daily=2", "content")
        t.eq((run.status, len(run.of("result"))), (69, 2), "the day's budget is kept", run.log)
        t.eq(run.of("hold")[0]["reason"], "the account's requests of today are used up", "with the reason")
        t.ok(0 < run.of("hold")[0]["seconds"] <= 90000, "until midnight")

    def failures(self):
        t, state = self.t, self.state()
        self.site.lists.update({
            "bad": [refusal(200002, "invalid args")], "html": [(200, "<html>")], "moved": [(302, "")],
            "none": [{"base_resp": {"ret": 0}}], "odd": [{"base_resp": {"ret": 0}, "app_msg_list": [
                {"title": "no aid"}, {"aid": "1_1", "title": None}, 5]}], "x": [list_of("/s/1")]})
        feeds = [("F1", "bad"), ("F2", "html"), ("F3", "moved"), ("F4", "none"), ("F5", "odd"), ("F6", ""), ("F7", "x")]
        run = Run(self.site, state, feeds)
        t.eq(run.status, 0, "feeds that fail: exit 0", run.log)
        t.eq({r["feed_id"]: r.get("error") for r in run.of("result")}, {
            "F1": "answered error 200002: invalid args", "F2": "the answer is no valid JSON object",
            "F3": "answered HTTP 302", "F4": None, "F5": None, "F6": "the feed has no faker_id", "F7": None},
             "each has its result and reason")
        t.eq([a["id"] for a in run.articles()], ["1_1", "100_1"], "and none costs another")

    def away(self):
        t, state = self.t, self.state()
        self.site.lists.update({"down": [(503, "")], "x": [list_of("/s/1")]})
        run = Run(self.site, state, [("F1", "down"), ("F2", "x")])
        t.eq((run.status, [r["feed_id"] for r in run.of("result")]), (75, ["F2"]),
             "the site is out of order for one feed: exit 75, the other is done", run.log)
        run = Run(self.site, state, [("F1", "x")], url="http://127.0.0.1:1")
        t.eq((run.status, run.records), (75, []), "no site: exit 75, no result", run.log)
        run = Run(self.site, "/nowhere", [("F1", "x")])
        t.eq((run.status, run.records), (75, []), "no place for the account's state: exit 75", run.log)

    def verification(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of("/s/1", "/s/2", "/s/3")]
        self.site.pages = {"/s/1": (200, PAGE % "一"), "/s/2": (200, VERIFY)}
        run = Run(self.site, state, [("F1", "x")], "content")
        t.eq((run.status, len(run.articles()), len(self.site.requests("/s/"))), (0, 3, 2),
             "where the site wants a verification no further page is asked for, and every article is there", run.log)

    def pace(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of("/s/1", "/s/2")]
        Run(self.site, state, [("F1", "x")], "content", "pause_ms=300", "jitter_ms=200")
        times = [r[0] for r in self.site.seen]
        gaps = [b - a for a, b in zip(times, times[1:])]
        # the turn is reserved before the request, so its own delay may take a little off the next gap
        t.ok(len(gaps) == 2 and sum(gaps) > 0.5, "requests keep their distance", repr(gaps))

    def refused_meanwhile(self):
        """An attempt waits for its turn while another is refused."""
        t, state = self.t, self.state()
        self.site.lists["x"] = [list_of("/s/1")]
        Run(self.site, state, [("F1", "x")], "pause_ms=3000")
        path = glob.glob(os.path.join(state, "*.json"))[0]
        before, runs = read_json(path), []
        thread = threading.Thread(target=lambda: runs.append(Run(self.site, state, [("F1", "x")], "pause_ms=3000")))
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while read_json(path)["next_ms"] == before["next_ms"] and time.monotonic() < deadline:
            time.sleep(0.02)
        with open(path + ".test", "w", encoding="utf-8") as file:
            json.dump(dict(read_json(path), held="limited", held_until=int(time.time()) + 1000), file)
        os.rename(path + ".test", path)
        thread.join(PATIENCE)
        t.eq((runs[0].status, len(self.site.seen)), (69, 1), "it does not ask any more", runs[0].log)

    def secrets(self):
        t, state = self.t, self.state()
        self.site.lists["x"] = [refusal(200003, "invalid session")]
        run = Run(self.site, state, [("F1", "x")])
        text = run.log + json.dumps(run.records)
        for path in glob.glob(os.path.join(state, "*")):
            t.eq(os.stat(path).st_mode & 0o077, 0, "nobody else reads %s" % path.rsplit(".", 1)[1])
            with open(path, encoding="utf-8") as file:
                text += file.read()
        t.ok("secret" not in text and "12 34" not in text and "12%2034" not in text,
             "neither cookie nor token is in log, records or state")


def main():
    t = Tap()
    directory = tempfile.mkdtemp()
    try:
        cases = Cases(t, directory)
        for case in (cases.bundled, cases.request, cases.content, cases.paging, cases.limited, cases.expired,
                     cases.spent, cases.failures, cases.away, cases.verification, cases.pace,
                     cases.refused_meanwhile, cases.secrets):
            try:
                case()
            except Exception:
                t.died(case.__name__)
    finally:
        shutil.rmtree(directory)
    t.end()


if __name__ == "__main__":
    main()
