#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The rooms of the source and the directions between them, from every #include line."""
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

# Each room, and the rooms that it may include from beside itself. src/db reads its settings from
# conf, which is plain data and includes no room but base.
FRONT = {"base", "json", "conf", "core", "db", "net", "proc"}
MAY = {
    "base": set(),
    "json": {"base"},
    "conf": {"base"},
    "core": {"base"},
    "db": {"base", "core", "conf"},
    "net": {"base", "json"},
    "proc": {"base"},
    "fcgi": FRONT,
    "cascaded": FRONT,
    "cli": FRONT,
    "agent": {"base", "json", "conf", "core", "net", "proc"},
}
# Each of these headers belongs to one room; zlib's to the two ends of the wire.
OWNERS = {
    r"(.*/)?(mysql|mariadb|errmsg|mysqld_error)(_com|_version)?\.h": "db",
    r"(.*/)?(fcgiapp|fcgi_stdio|fcgios|fcgimisc|fastcgi)\.h": "fcgi",
    r"(.*/)?json\.h|(.*/)?json_\w+\.h|json-c/.*": "json",
    r"curl/.*": "net",
    r"zlib\.h": ("fcgi", "agent"),
    r"(.*/)?libconfig\.h": "conf",
    r"libxml/.*": "agent",
}
# And these to one file of it.
FILES = {
    r"libxml/.*": "src/agent/html.c",
    r"(.*/)?sqlite3\.h": "src/agent/spool_priv.h",
    r"yaml\.h": "src/agent/import.c",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def sources():
    """(room, path from the top, its #include lines as (kind, name))."""
    for top in ("src", "fcgi"):
        for path in sorted(glob.glob(os.path.join(SOURCE, top, "**", "*.[ch]"), recursive=True)):
            path = os.path.relpath(path, SOURCE)
            parts = path.split(os.sep)
            with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
                yield parts[1] if top == "src" else "fcgi", path, INCLUDE.findall(file.read())


def file_of(name):
    """Where an own header lies; None if there is no such file."""
    for path in (os.path.join("src", name), name):
        if os.path.isfile(os.path.join(SOURCE, path)):
            return path
    return None


def room_of(path):
    parts = path.split(os.sep)
    return parts[1] if parts[0] == "src" else parts[0]


def wrong_direction(room, path, includes):
    for kind, name in includes:
        if kind != '"' or name == "config.h":
            continue
        target = file_of(name)
        if target is None:
            yield "%s includes %s, which does not exist below src/ or the top" % (path, name)
        elif room_of(target) != room and room_of(target) not in MAY.get(room, set()):
            yield "%s (%s) may not include %s" % (path, room, name)


def wrong_owner(room, path, includes):
    for _, name in includes:
        for pattern, owner in OWNERS.items():
            owners = owner if isinstance(owner, tuple) else (owner,)
            if room not in owners and re.fullmatch(pattern, name) and file_of(name) is None:
                yield "%s includes <%s>, which only %s may" % (path, name, " and ".join(owners))
        for pattern, owner in FILES.items():
            if owner != path and re.fullmatch(pattern, name):
                yield "%s includes <%s>, which only %s may" % (path, name, owner)


def own_header_not_first(path, includes):
    name = path[len("src/"):] if path.startswith("src/") else path
    header = name[:-1] + "h"
    # Or its private sibling, which begins with it.
    allowed = [[('"', header)], [('"', name[:-2] + "_priv.h")]]
    if path.endswith(".c") and file_of(header) and includes[:1] not in allowed:
        yield '%s does not include "%s" first' % (path, header)


def sibling_handler(path, includes):
    if re.match(r"fcgi/h_", path):
        for _, name in includes:
            if re.search(r"(^|/)h_\w+\.h$", name):
                yield "%s includes its sibling %s" % (path, name)


def main():
    t = Tap()
    files = list(sources())
    t.ok(files, "there are sources")
    rooms = {room for room, _, _ in files}
    t.ok(rooms <= set(MAY), "every room is known here", *sorted(rooms - set(MAY)))
    for room in sorted(rooms & set(MAY)):
        found = [f for f in files if f[0] == room]
        faults = [w for f in found for w in wrong_direction(*f)]
        faults += [w for f in found for w in wrong_owner(*f)]
        faults += [w for _, path, includes in found for w in own_header_not_first(path, includes)]
        faults += [w for _, path, includes in found for w in sibling_handler(path, includes)]
        t.ok(not faults, "%s includes only what it may" % room, *faults)
    t.end()


if __name__ == "__main__":
    main()
