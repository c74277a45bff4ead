#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Large answers: whole whatever their size, and of no harm where the web server goes away in the middle of one."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, children, run, wait_for  # noqa: E402
from work import make_feeds, make_task  # noqa: E402

# A write of its own begins at 32 KiB of data, and a record of FastCGI holds 65,528 bytes.
BOUNDS = (32768, 65528, 2 * 65528)
LIST = "/allocations?limit=1"


def data_of(answer):
    """The bytes of an answer's data, as they are."""
    return answer.body.split(b'"data":', 1)[1][:-1]


def test_sizes(s, t):
    """answers of any size"""
    make_task(s, "large", make_feeds(s, 1))
    s.admin().post("/dispatch-task?task_id=large")

    def get(size):
        s.sql("UPDATE we_cascade_task_allocations SET result_summary = REPEAT('x', %d)" % size)
        return s.admin().get(LIST)
    rest = len(data_of(get(0)))
    sizes, wrong = set(), []
    for size in [bound + n - rest for bound in BOUNDS for n in range(-9, 10)]:
        answer = get(size)
        sizes.add(len(data_of(answer)))
        if answer.status != 200 or answer["data.list"][0]["result_summary"] != "x" * size:
            wrong.append(size)
    t.eq(wrong, [], "around what is written at once, whole")
    t.eq(set(BOUNDS) - sizes, set(), "and exactly that")


def test_feeds(s, t):
    """a long list"""
    make_feeds(s, 5000, first=100)
    everything = [r["id"] for r in s.sql("SELECT id FROM we_feeds ORDER BY id")]
    t.eq([f["id"] for f in s.new_node("reader").get("/feeds")["data"]], everything, "of feeds has each of them, in order")


def record(kind, body):
    return struct.pack("!BBHHBx", 1, kind, 1, len(body), 0) + body


def ask(s, path):
    """A request at a worker itself, as the web server would make it; the connection."""
    env = {"REQUEST_METHOD": "GET", "REQUEST_URI": GUIDE + path, "DOCUMENT_URI": GUIDE + path.split("?")[0],
           "QUERY_STRING": path.partition("?")[2], "HTTP_AUTHORIZATION": s.admin().authorization}
    params = b"".join(struct.pack("!BI", len(k), len(v) | 1 << 31) + k.encode() + v.encode() for k, v in env.items())
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.path.join(os.path.dirname(s.db_socket), "fcgi.sock"))
    connection.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
    return connection


def gone(s):
    with open(os.path.join(s.log_dir, "cascade-fcgi.log")) as file:
        return file.read().count("event=client_gone")


def test_gone(s, t):
    """a web server that goes away in the middle"""
    s.sql("UPDATE we_cascade_task_allocations SET result_summary = REPEAT('x', 4000000)")
    before, had = children(s.pid("cascade-fcgi")), gone(s)
    for _ in range(4):
        connection = ask(s, LIST)
        t.ok(b"Status: 200" in connection.recv(4096), "it had begun")
        connection.close()
    t.ok(wait_for(lambda: gone(s) == had + 4, 10), "each is noticed, and logged")
    t.eq(len(s.admin().get(LIST)["data.list"][0]["result_summary"]), 4000000, "the next has all of it")
    t.eq(children(s.pid("cascade-fcgi")), before, "no worker has died")


run(test_sizes, test_feeds, test_gone, workers=2)
