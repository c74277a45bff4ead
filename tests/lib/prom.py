# SPDX-License-Identifier: MIT
"""
A strict reader of the Prometheus text format 0.0.4, and the rules of promtool check metrics that do
not need Prometheus to be installed.
"""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (\S+)\Z" % (NAME, LABEL, LABEL))
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
ABBREVIATED = {"ms", "us", "ns", "sec", "secs", "s", "m", "h", "d", "kb", "mb", "gb", "b", "pct"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type = name, help_text, None
        self.samples = []  # (name, {label: value}, float)


class Page:
    """What was read: families by name, and what is wrong with it."""

    def __init__(self, text):
        self.families, self.faults, self.current = {}, [], None
        if not text.endswith("\n"):
            self.faults.append("the last line has no end")
        for number, line in enumerate(text.split("\n")[:-1], 1):
            fault = self._line(line)
            if fault:
                self.faults.append("line %d: %s: %s" % (number, fault, line))
        for family in self.families.values():
            self.faults += ["%s: %s" % (family.name, fault) for fault in _check(family)]

    def _line(self, line):
        if line.startswith("# HELP "):
            _, _, name, help_text = line.split(" ", 3)
            if name in self.families:
                return "the family comes twice"
            self.current = self.families[name] = Family(name, help_text)
            return None
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if self.current is None or self.current.name != name or self.current.type or self.current.samples:
                return "TYPE does not follow its HELP"
            if kind not in ("counter", "gauge", "histogram"):
                return "unknown type"
            self.current.type = kind
            return None
        found = SAMPLE.match(line)
        if not found:
            return "neither a comment of the format nor a sample"
        name, labels, value = found.groups()
        family = self.current
        if not family or name not in [family.name + s for s in SUFFIXES.get(family.type, ("",))]:
            return "a sample outside its family"
        pairs = PAIR.findall(labels or "")
        if len({key for key, _ in pairs}) < len(pairs):
            return "a label twice"
        try:
            number = float(value)
        except ValueError:
            return "no number"
        family.samples.append((name, {k: re.sub(r'\\[\\"n]', lambda m: ESCAPED[m[0]], v) for k, v in pairs}, number))
        return None

    def value(self, name, **labels):
        """The sample with exactly these labels; None where there is none."""
        for family in self.families.values():
            for sample, have, number in family.samples:
                if sample == name and have == labels:
                    return number
        return None

    def sum(self, name, **labels):
        """The sum of the samples that have these labels."""
        return sum(number for family in self.families.values() for sample, have, number in family.samples
                   if sample == name and labels.items() <= have.items())


def _check(family):
    words = family.name.split("_")
    if not family.name.startswith("cascade_"):
        yield "has no prefix"
    if family.type is None or not family.help:
        yield "has no TYPE or HELP"
    if (words[-1] == "total") != (family.type == "counter"):
        yield "_total is for counters, and for them all"
    if words[-1] in ("count", "sum", "bucket", "gauge", "counter"):
        yield "a name reserved for parts of a histogram, or naming its type"
    if ABBREVIATED & set(words):
        yield "an abbreviated unit"
    seen = [(name, tuple(sorted(labels.items()))) for name, labels, _ in family.samples]
    if len(set(seen)) < len(seen):
        yield "a series twice"
    for name, labels, number in family.samples:
        if "le" in labels and not name.endswith("_bucket"):
            yield "the label le outside a histogram"
        if re.search("[A-Z]", "".join(labels)):
            yield "a label in camel case"
        if family.type != "gauge" and not 0 <= number < math.inf:
            yield "a counter that is negative or no number"
    if family.type == "histogram":
        yield from _check_histogram(family)


def _check_histogram(family):
    series = {}
    for name, labels, number in family.samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        one = series.setdefault(key, {"bucket": [], "sum": [], "count": []})
        one[name[len(family.name) + 1:]].append((float(labels.get("le", "nan")), number))
    for key, one in series.items():
        ends, counts = [le for le, _ in one["bucket"]], [n for _, n in one["bucket"]]
        if ends != sorted(set(ends)) or not ends or ends[-1] != math.inf:
            yield "buckets out of order, or not ending with +Inf: %s" % (key,)
        elif counts != sorted(counts):
            yield "buckets that do not contain the ones below: %s" % (key,)
        elif len(one["sum"]) != 1 or len(one["count"]) != 1 or one["count"][0][1] != counts[-1]:
            yield "no one sum and count equal to the last bucket: %s" % (key,)
