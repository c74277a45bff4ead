#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manuals of configuration files and their examples say what the tables say; --update makes them do so."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.environ.get("CASCADE_BUILD") or os.path.join(SOURCE, "build")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

# program that prints a table, its manual, its example file
TABLES = [
    ("test_conf", "man/cascade.conf.5", "src/conf/cascade.conf.example"),
    ("test_node_conf", "man/cascade-node.conf.5", "src/agent/cascade-node.conf.example"),
]
BEGIN, END = '.\\" begin\n', '.\\" end\n'


def made(name, what):
    program = os.path.join(BUILD, "tests", "unit", name)
    return subprocess.run([program, what], check=True, stdout=subprocess.PIPE).stdout.decode()


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def manual_parts(manual):
    """The manual before, between and after the marks."""
    head, rest = read(manual).split(BEGIN)
    table, tail = rest.split(END)
    return head + BEGIN, table, END + tail


def lint(manual):
    """Complaints of mandoc, run beside the other manuals so that it finds them."""
    directory, name = os.path.split(os.path.join(SOURCE, manual))
    done = subprocess.run(["mandoc", "-Tlint", name], cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return [line for line in done.stdout.decode().splitlines() if "manual not found" not in line]


def update():
    for name, manual, example in TABLES:
        head, _, tail = manual_parts(manual)
        for path, text in ((manual, head + made(name, "mdoc") + tail), (example, made(name, "example"))):
            with open(os.path.join(SOURCE, path), "w", encoding="utf-8") as file:
                file.write(text)


def main():
    t = Tap()
    hint = "run tests/unit/conf-docs.t --update"
    for name, manual, example in TABLES:
        t.ok(manual_parts(manual)[1] == made(name, "mdoc"), "the keys of %s are those of its table" % manual, hint)
        t.ok(read(example) == made(name, "example"), "%s is made from it" % example, hint)
        said = "mandoc has no complaint about %s" % manual
        if shutil.which("mandoc"):
            complaints = lint(manual)
            t.ok(not complaints, said, *complaints)
        else:
            t.skip(said, "no mandoc")
    t.end()


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        main()
