#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node on a disk that another fills to the last byte: it holds back, says so, and loses nothing."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import Child, Wire, all_are, collect, journal_of, rows, times  # noqa: E402
from work import allocation, clear, consistent, dispatch, make_feeds, make_task  # noqa: E402

FEEDS, ARTICLES = 16, 150
WORDS = "cannot be written since"


class Disk:
    """A small file system; .why is why there is none."""

    def __init__(self, path, size):
        self.path = path
        os.makedirs(path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.why = "no file system can be mounted here: " + done.stdout.strip() if done.returncode else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.why:
            subprocess.run(["umount", self.path], check=True)

    def fill(self, leave=0):
        """But for so many bytes."""
        with open(os.path.join(self.path, "ballast"), "ab", buffering=0) as file:
            free = os.statvfs(self.path)
            try:
                file.write(bytes(max(0, free.f_bavail * free.f_frsize - leave)))
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.path, "ballast"))


def requests(s):
    """Of all children, to deliver."""
    with open(os.path.join(s.log_dir, "nginx-access.log")) as file:
        text = file.read()
    return text.count("POST /api/v1/cascade/report-completion") + text.count("POST /api/v1/cascade/upload-articles")


def failures(child):
    return [e for e in child.events("spool") if e["level"] == "error"]


def test_executors(s, t, disk):
    """a disk that is full while executors run"""
    journal = journal_of(s, "disk")
    make_task(s, "disk", make_feeds(s, FEEDS))
    dispatch(s, "disk")
    with Child(s, "disk", collect(journal, 1, ARTICLES), concurrency=4, cascade__state_dir=os.path.join(disk.path, "one")) as child:
        t.ok(wait_for(lambda: len(rows(s, "disk", status="completed")) >= 4, 60), "it works")
        t.ok(wait_for(lambda: disk.fill() or failures(child), 30, 0.2), "its log says that its disk is full")
        t.note(failures(child)[0]["msg"])
        claimed = len(child.events("claimed"))
        t.ok(wait_for(lambda: WORDS in child.run("status").stdout, 40, 1), "so does its status", child.run("status").stdout)
        t.eq(len(child.events("claimed")), claimed, "nothing more is claimed")
        t.ok(len(rows(s, "disk", status="completed")) < FEEDS, "not all is done")
        disk.empty()
        t.ok(wait_for(lambda: "can be written again" in child.log_text(), 30), "when there is room again it says so")
        t.ok(wait_for(lambda: all_are(s, "disk"), 60), "and goes on to the end", child.run("status").stdout)
        t.ok(wait_for(lambda: WORDS not in child.run("status").stdout, 20), "its status is well", child.run("status").stdout)
    nothing_lost(s, t, journal, "disk")


def test_delivery(s, t, disk):
    """a disk that is full when all is collected and nothing delivered"""
    journal = journal_of(s, "late")
    wire = Wire(s)
    make_task(s, "late", make_feeds(s, 4, first=100))
    dispatch(s, "late")
    with Child(s, "late", collect(journal, 1, ARTICLES), concurrency=4, cascade__state_dir=os.path.join(disk.path, "two"), url=wire.url) as child:
        t.ok(wait_for(lambda: len(child.events("begin")) == 4, 30), "it works")
        wire.cut()
        t.ok(wait_for(lambda: len(child.events("done")) == 4, 30), "it collects, and cannot deliver")
        disk.fill()
        before = requests(s)
        wire.mend()
        t.ok(wait_for(lambda: disk.fill() or failures(child), 30, 0.2), "it delivers, and cannot write that it has")
        since = time.monotonic()
        time.sleep(4)
        sent = requests(s) - before
        t.note("%d uploads and reports in %.1f s" % (sent, time.monotonic() - since))
        t.ok(1 <= sent <= 40, "it does so again, but does not press the parent", sent)
        t.eq(len(rows(s, "late", status="completed")), 0, "nothing is done")
        disk.empty()
        t.ok(wait_for(lambda: all_are(s, "late"), 30), "when there is room it is", child.run("status").stdout)
    wire.close()
    nothing_lost(s, t, journal, "late")


def test_free(s, t, disk):
    """less room than spool.free"""
    journal = journal_of(s, "free")
    make_task(s, "free", make_feeds(s, 4, first=200))
    disk.fill(leave=2 << 20)
    with Child(s, "free", collect(journal, 0, 1), concurrency=4, cascade__state_dir=os.path.join(disk.path, "three"),
               spool__free="4m") as child:
        t.ok(wait_for(lambda: child.events("pressure"), 20), "its log says so")
        t.ok(wait_for(lambda: "spool.free" in (child.status()["claims_nothing_because"] or ""), 10), "so does its status", child.status())
        t.ok("claims nothing: the disk is full (spool.free)" in child.run("status").stdout, "for people", child.run("status").stdout)
        dispatch(s, "free")
        t.ok(child.status()["parent"]["answers"], "it is alive", child.status())
        t.eq(child.events("claimed"), [], "nothing is claimed")
        disk.empty()
        t.ok(wait_for(lambda: all_are(s, "free"), 30), "until there is room", child.run("status").stdout)
    t.eq(set(times(journal, "begin").values()), {1}, "each feed is collected once")


def nothing_lost(s, t, journal, task):
    t.eq(set(times(journal, "begin").values()), {1}, "no feed was collected twice")
    done = rows(s, task)
    t.eq([a["outcome"] for r in done for a in allocation(s, r["id"])["attempts"]], ["completed"] * len(done), "no attempt failed")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles a JOIN we_cascade_task_allocations o ON o.feed_ids LIKE CONCAT('%%\"', a.mp_id, '\"%%')"
                 " WHERE o.task_id = '%s'" % task), str(len(done) * ARTICLES), "no article was lost")


def test_all(s, t):
    """a disk of 16 MiB"""
    with Disk(os.path.join(s.dir, "small"), "16m") as disk:
        if disk.why:
            t.skip("a full disk", disk.why)
            return
        for test in (test_executors, test_delivery, test_free):
            t.note(test.__doc__)
            test(s, t, disk)
            clear(s)
    consistent(s, t)


run(test_all, workers=4, env={"CASCADE_DISPATCH_PREFER": "1s"})
