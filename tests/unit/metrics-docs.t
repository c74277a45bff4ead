#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-fcgi(8) lists the metrics as metric.def has them; --update makes it do so."""
import os
import re
import sys

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

TABLE = os.path.join(SOURCE, "fcgi", "metric.def")
MANUAL = os.path.join(SOURCE, "man", "cascade-fcgi.8")
BEGIN, END = '.\\" metrics: begin\n', '.\\" metrics: end\n'
TEXT = r'"((?:[^"\\]|\\.)*)"'
ROW = re.compile(r"^METRIC\(%s, %s, %s,\s*(\d+),\s*(\w+),\s*([\w.()]+),\s*(\w+),\s*%s\)$" % ((TEXT,) * 4), re.M)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rows():
    """(name, type, labels, help) of every row."""
    return [(m[1], m[2], m[3], m[8]) for m in ROW.finditer(read(TABLE))]


def mdoc():
    lines = []
    for name, kind, labels, text in rows():
        lines.append(".It Ic cascade_%s Pq %s" % (name, kind))
        if labels:
            lines += ["Labels:", ".Va %s ." % labels.replace(", ", " , ")]
        lines += re.sub(r"(?<=[.;:]) ", "\n", text.replace("\\", "\\e")).split("\n")
    return "\n".join(lines) + "\n"


def parts():
    """The manual before, between and after the marks."""
    head, rest = read(MANUAL).split(BEGIN)
    table, tail = rest.split(END)
    return head + BEGIN, table, END + tail


def main():
    t = Tap()
    t.eq(len(rows()), read(TABLE).count("\nMETRIC("), "every row of metric.def is read")
    t.ok(parts()[1] == mdoc(), "the metrics of cascade-fcgi(8) are those of metric.def",
         "run tests/unit/metrics-docs.t --update")
    t.end()


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        before, _, after = parts()
        with open(MANUAL, "w", encoding="utf-8") as out:
            out.write(before + mdoc() + after)
    else:
        main()
