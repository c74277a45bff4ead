#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The executor of cascade-executor(7): it is what the manual shows, and keeps to what the manual says."""
import http.server
import json
import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

PROGRAM = os.path.join(SOURCE, "docs", "examples", "executor-rss")
MANUAL = os.path.join(SOURCE, "man", "cascade-executor.7")
PATIENCE = 120
RSS = """<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>x</title>
<item><guid>100_1</guid><title>一 &amp; 二</title><link>http://a/1</link><description>摘要</description>
<pubDate>Wed, 01 Jan 2025 00:00:00 GMT</pubDate></item>
<item><title>no guid, no date</title><link>http://a/2</link></item></channel></rss>"""


class Site(http.server.BaseHTTPRequestHandler):
    ANSWERS = {"/ok.xml": (200, RSS), "/M%3D%3D.xml": (200, RSS), "/bad.xml": (200, "<rss>"), "/busy.xml": (429, "")}

    def do_GET(self):
        status, text = self.ANSWERS.get(self.path, (404, ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def in_manual():
    """The program as the manual has it."""
    with open(MANUAL, encoding="utf-8") as file:
        lines = file.read().split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("#!"))
    end = lines.index(".Ed", start)
    return "\n".join(line.replace("\\&", "").replace("\\e", "\\") for line in lines[start:end]) + "\n"


def run(url, *fakers):
    package = {"allocation_id": "A1", "feeds": [
        {"id": "F%d" % (i + 1), "faker_id": faker} for i, faker in enumerate(fakers)]}
    done = subprocess.run([sys.executable, PROGRAM, url], input=json.dumps(package).encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    records = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return done.returncode, records, done.stderr.decode()


def checks(t, url):
    status, records, log = run(url, "ok", "gone", "bad", "M==")
    t.eq(status, 0, "exit 0", log)
    t.eq([r["article"] for r in records if r["type"] == "article"][:2], [
        {"id": "100_1", "mp_id": "F1", "title": "一 & 二", "url": "http://a/1", "description": "摘要",
         "publish_time": 1735689600},
        {"id": "http://a/2", "mp_id": "F1", "title": "no guid, no date", "url": "http://a/2", "description": ""}],
         "articles")
    t.eq([(r["feed_id"], r["success"]) for r in records if r["type"] == "result"],
         [("F1", True), ("F2", False), ("F3", False), ("F4", True)], "a result for each feed")
    status, records, log = run(url, "ok", "busy", "ok")
    t.eq((status, records[-1]["type"]), (69, "hold"), "too many requests: exit 69", log)
    status, records, log = run("http://127.0.0.1:1/%s", "ok")
    t.eq((status, records), (75, []), "no connection: exit 75", log)


def main():
    t = Tap()
    with open(PROGRAM, encoding="utf-8") as file:
        t.eq(in_manual(), file.read(), "the manual shows the program as it is")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        checks(t, "http://127.0.0.1:%d/%%s.xml" % server.server_port)
    except Exception:
        t.died("the checks")
    t.end()


if __name__ == "__main__":
    main()
