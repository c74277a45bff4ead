#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade.conf(5) and the example file say what conf.def says; --update makes them do so."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.environ.get("CASCADE_BUILD") or os.path.join(SOURCE, "build")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

MANUAL = os.path.join(SOURCE, "man", "cascade.conf.5")
EXAMPLE = os.path.join(SOURCE, "src", "conf", "cascade.conf.example")
BEGIN, END = '.\\" begin\n', '.\\" end\n'


def made(what):
    program = os.path.join(BUILD, "tests", "unit", "test_conf")
    return subprocess.run([program, what], check=True, stdout=subprocess.PIPE).stdout.decode()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def manual_parts():
    """The manual before, between and after the marks."""
    head, rest = read(MANUAL).split(BEGIN)
    table, tail = rest.split(END)
    return head + BEGIN, table, END + tail


def lint():
    """Complaints of mandoc, run beside the other manuals so that it finds them."""
    done = subprocess.run(["mandoc", "-Tlint", os.path.basename(MANUAL)],
                          cwd=os.path.dirname(MANUAL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return [line for line in done.stdout.decode().splitlines() if "manual not found" not in line]


def update():
    head, _, tail = manual_parts()
    for path, text in ((MANUAL, head + made("mdoc") + tail), (EXAMPLE, made("example"))):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def main():
    t = Tap()
    hint = "run tests/unit/conf-docs.t --update"
    t.ok(manual_parts()[1] == made("mdoc"), "the keys of cascade.conf(5) are those of conf.def", hint)
    t.ok(read(EXAMPLE) == made("example"), "the example file is made from conf.def", hint)
    if shutil.which("mandoc"):
        complaints = lint()
        t.ok(not complaints, "mandoc has no complaint about cascade.conf(5)", *complaints)
    else:
        t.skip("mandoc has no complaint about cascade.conf(5)", "no mandoc")
    t.end()


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        main()
