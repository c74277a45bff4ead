# SPDX-License-Identifier: MIT
"""Test Anything Protocol: one line per check, diagnostics of a failure below it, the plan at the end."""
import json
import re
import sys
import traceback

MISSING = type("Missing", (), {"__repr__": lambda self: "<absent>"})()


def show(value, limit=2000):
    if isinstance(value, (bytes, bytearray)):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, default=repr)
        except (TypeError, ValueError):
            value = repr(value)
    return value if len(value) <= limit else value[:limit] + " ..."


def matches(got, want):
    """WANT is a value, or a type, a compiled pattern, or a function that judges the value."""
    if isinstance(want, type):
        return isinstance(got, want) and not (want is int and isinstance(got, bool))
    if isinstance(want, re.Pattern):
        return isinstance(got, str) and want.search(got) is not None
    if callable(want) and want is not MISSING:
        return bool(want(got))
    return type(got) is type(want) and got == want


def pick(value, path):
    """The value at a path such as data.list.0.id of parsed JSON; MISSING where there is none."""
    for key in path.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", key) and -len(value) <= int(key) < len(value):
            value = value[int(key)]
        else:
            return MISSING
    return value


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, condition, name, *notes):
        self.count += 1
        if not condition:
            self.failed += 1
        # A # in a name would be read as a directive.
        print("%s %d - %s" % ("ok" if condition else "not ok", self.count, name.replace("#", "no.")),
              flush=True)
        if not condition:
            for note in notes:
                self.note(note)
        return bool(condition)

    def eq(self, got, want, name, *notes):
        return self.ok(matches(got, want), name, "got:  " + show(got), "want: " + show(want), *notes)

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, why), flush=True)

    def note(self, text):
        for line in show(text, 20000).splitlines():
            print("# " + line, flush=True)

    def died(self, where):
        """To be called in an except block."""
        self.ok(False, where + " ran to its end", traceback.format_exc())

    def end(self):
        """Prints the plan and ends the program."""
        print("1..%d" % self.count, flush=True)
        sys.exit(1 if self.failed or not self.count else 0)
