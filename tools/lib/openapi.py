#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
openapi.py FILE: the description of the API as C, to standard output. Members of the document become
JSON texts; its servers are left to the program, which knows where it is mounted.
"""
import hashlib
import json
import re
import sys

try:
    import yaml
except ImportError:
    sys.exit("openapi.py: python3-yaml is missing (needed in a clone only: a release has fcgi/openapi.c)")

WIDTH = 90  # characters of a line's text
PIECE = re.compile(r"(?:[^\\]|\\.){1,%d}" % WIDTH)


def literal(text):
    """C for TEXT, a piece a line. A ? is escaped so that none is part of a trigraph."""
    escaped = re.sub(r'[\\"?]', r"\\\g<0>", text)
    return "\n\t  ".join('"%s"' % piece for piece in PIECE.findall(escaped))


def main(path):
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    members = {key: None if key == "servers" else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
               for key, value in document.items()}
    tag = hashlib.sha256(json.dumps(members).encode()).hexdigest()[:32]
    print("/* SPDX-License-Identifier: MIT */")
    print("/* The description of the API as the program serves it. Made from docs/openapi.yaml: change that. */")
    print("/* clang-format off */")
    print('#include "fcgi/openapi.h"\n\n#include <stddef.h>\n')
    print('const char openapi_etag[] = "\\"%s\\"";\n' % tag)
    print("const struct openapi_member openapi_members[] = {")
    for key, text in members.items():
        print('\t{ "%s",\n\t  %s },' % (key, "NULL" if text is None else literal(text)))
    print("\t{ NULL, NULL },\n};")


main(sys.argv[1])
