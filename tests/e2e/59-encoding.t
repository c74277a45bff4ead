#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Request bodies that come compressed."""
import gzip
import json
import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run  # noqa: E402
from work import article, claim, dispatch, make_feeds, make_task  # noqa: E402

NEW = {"node_type": 1, "name": "压缩"}
MIB = 1 << 20


def encoded(what):
    return {"Content-Encoding": what}


def pack(body):
    return gzip.compress(body if isinstance(body, bytes) else json.dumps(body).encode())


def test_gzip(s, t):
    """what is understood"""
    admin = s.admin()
    for name in ("gzip", "GZIP", "x-gzip"):
        t.eq(admin.post("/nodes", pack(NEW), headers=encoded(name)).status, 200, name)
    t.eq(admin.post("/nodes", NEW, headers=encoded("identity")).status, 200, "identity")
    text = json.dumps(NEW).encode()
    t.eq(admin.post("/nodes", b"".join(pack(text[n:n + 5]) for n in range(0, len(text), 5)), headers=encoded("gzip")).status, 200,
         "several members are one body")
    t.eq(admin.post("/nodes", gzip.compress(text, 0), headers=encoded("gzip")).status, 200, "stored, not compressed")
    node = s.new_node("kind")
    for body in (pack(b""), pack({}), pack(b"null"), None):
        t.eq(node.post("/heartbeat", body, headers=encoded("gzip")).status, 200, "an optional body: %r" % body)
    t.eq(admin.get("/nodes", headers=encoded("br")).status, 200, "without a body its encoding means nothing")


def test_refused(s, t):
    """what is not"""
    admin = s.admin()
    for name in ("br", "deflate", "zstd", "gzip, gzip", "gzip;q=1", "x"):
        answer = admin.post("/nodes", pack(NEW), headers=dict(encoded(name), **{"Accept-Language": "en"}))
        t.eq((answer.status, answer["code"], answer["data.field"], answer["@Accept-Encoding"]),
             (415, 415, "Content-Encoding", "gzip, identity"), name, repr(answer))
    good = pack(NEW)
    broken = {"not gzip": json.dumps(NEW).encode(), "zlib": zlib.compress(json.dumps(NEW).encode()), "cut": good[:-9],
              "without its sum": good[:-8], "half a sum": good[:-2], "another sum": good[:-5] + bytes([good[-5] ^ 1]) + good[-4:],
              "a flipped bit": good[:15] + bytes([good[15] ^ 0x40]) + good[16:], "garbage behind": good + b"garbage",
              "the header alone": good[:10], "one byte": b"\x1f"}
    for name, body in broken.items():
        answer = admin.post("/nodes", body, headers=encoded("gzip"))
        t.eq((answer.status, answer["data.field"]), (400, "body"), name, repr(answer))
    for name, body in {"not JSON": b"{", "NUL": b'{"name":"\\u0000"}', "not UTF-8": b'{"name":"\xff"}'}.items():
        answer = admin.post("/nodes", pack(body), headers=encoded("gzip"))
        t.eq((answer.status, answer["data.field"]), (400, "body"), name + " inside", repr(answer))
    answer = s.anybody().post("/nodes", b"not gzip", headers=encoded("gzip"))
    t.eq(answer.status, 401, "who may not call is told so first")
    t.eq(s.value("SELECT COUNT(*) FROM we_cascade_nodes WHERE name = '压缩'"), "6", "nothing of it is stored")


def test_bounds(s, t):
    """bounds are those of what is inside"""
    admin = s.admin()

    def padded(size):
        body = json.dumps(dict(NEW, pad="")).encode()
        return body[:-2] + b"x" * (size - len(body)) + b'"}'
    for size, status in ((MIB - 1, 200), (MIB, 200), (MIB + 1, 413), (4 * MIB, 413), (64 * MIB, 413)):
        answer = admin.post("/nodes", pack(padded(size)), headers=encoded("gzip"))
        t.eq((answer.status, answer["data.field"] if status == 413 else None), (status, "body" if status == 413 else None),
             "%d bytes inside" % size, repr(answer))
    bomb = pack(b"\0" * (256 * MIB))
    t.ok(len(bomb) < MIB, "a bomb")
    t.eq(admin.post("/nodes", bomb, headers=encoded("gzip")).status, 413, "does not go off")
    many = pack(b"") * 20000
    t.eq(admin.post("/nodes", many, headers=encoded("gzip")).status, 422, "20,000 empty members are an empty body")


def test_upload(s, t):
    """an upload"""
    (feed,) = make_feeds(s, 1)
    make_task(s, "tg", [feed])
    dispatch(s, "tg")
    node = s.new_node("lädt")
    package = claim(node)
    rows = [article(feed, n, content="<p>%s</p>" % ("正文%d " % n * 5000)) for n in range(150)]
    body = json.dumps({"allocation_id": package["allocation_id"], "articles": rows}, ensure_ascii=False).encode()
    t.ok(len(body) > 4 * MIB, "%d MiB inside" % (len(body) // MIB))
    done = node.post("/upload-articles", pack(body), headers=encoded("gzip"))
    t.eq((done.status, done.data), (200, {"received": 150, "new_count": 150}), "are stored")
    t.eq(s.value("SELECT COUNT(*) FROM we_articles WHERE content LIKE '<p>正文_%%' AND mp_id = '%s'" % feed), "150", "as they were")


run(test_gzip, test_refused, test_bounds, test_upload, workers=2, cascaded=False)
