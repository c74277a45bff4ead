# SPDX-License-Identifier: MIT
"""
docs/openapi.yaml as a judge of live answers. A Contract that watches a stack holds every answer of it
against what the document says of that operation and status, and remembers what it has seen:

	contract = Contract()
	contract.watch(stack)
	...
	contract.faults     {what was not as it is written: an answer}
	contract.statuses   {(mount, method, path): statuses seen}
	contract.callers    {(mount, method, path): kinds of credential seen}
	contract.unseen()   fields that were never left out, never there, never null or never anything else

The document is open, since clients are to ignore what they do not know; here its objects are closed, so
that a field that is not in it is a fault.
"""
import json
import os
import re

import jsonschema
import yaml

from cascade import GUIDE, SOURCE, WERSS

DOCUMENT = os.path.join(SOURCE, "docs", "openapi.yaml")
TOP = ""
SUCCESS = {GUIDE: 200, WERSS: 0, TOP: 200}
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def load():
    with open(DOCUMENT, encoding="utf-8") as file:
        return yaml.safe_load(file)


def find(document, ref):
    """What "#/a/b" points to."""
    for key in ref[2:].split("/"):
        document = document[key.replace("~1", "/").replace("~0", "~")]
    return document


def flatten(document, schema):
    """The parts of allOf as one object."""
    whole = {"type": "object", "required": [], "properties": {}}
    for part in [*schema["allOf"], schema]:
        part = find(document, part["$ref"]) if "$ref" in part else part
        whole["required"] = whole["required"] + part.get("required", [])
        whole["properties"] = {**whole["properties"], **part.get("properties", {})}
    return whole


def close(document, node):
    """A copy in which no object has more than it says."""
    if isinstance(node, list):
        return [close(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("allOf"), list):
        node = flatten(document, node)
    copy = {key: value if key in ("example", "examples") else close(document, value) for key, value in node.items()}
    if isinstance(copy.get("properties"), dict):
        copy.setdefault("additionalProperties", False)
    return copy


class Operation:
    def __init__(self, contract, mount, method, path):
        self.mount, self.method, self.path = mount, method, path
        self.item = contract.closed["paths"][path]
        self.said = self.item[method.lower()]
        self.key = (mount, method, path)

    def responses(self, contract):
        return {int(status): contract.resolve(said) for status, said in self.said["responses"].items()}

    def parameters(self, contract):
        """{(where, name): parameter}"""
        every = [contract.resolve(p) for p in self.item.get("parameters", []) + self.said.get("parameters", [])]
        return {(p["in"], p["name"]): p for p in every}

    def body(self):
        """The media type of its body, None."""
        return self.said["requestBody"]["content"]["application/json"] if "requestBody" in self.said else None


class Contract:
    def __init__(self):
        self.document = load()
        self.closed = close(self.document, self.document)
        self.resolver = jsonschema.RefResolver.from_schema(self.closed)
        self.patterns = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "/?") for path in self.closed["paths"]}
        self.operations = {}
        for path, item in self.closed["paths"].items():
            for mount in [TOP] if "servers" in item else [GUIDE, WERSS]:
                for method in (m.upper() for m in item if m in METHODS):
                    self.operations[mount, method, path] = Operation(self, mount, method, path)
        self.names = {None: "nobody"}  # Authorization: whose it is
        self.faults, self.count = {}, 0
        self.statuses = {key: set() for key in self.operations}
        self.callers = {key: set() for key in self.operations}
        self.said, self.seen = set(), set()
        for operation in self.operations.values():
            for status, response in operation.responses(self).items():
                for media in response.get("content", {}).values():
                    self.declare(media["schema"], "%s %s" % (operation.method, operation.path))

    def resolve(self, node):
        return find(self.closed, node["$ref"]) if "$ref" in node else node

    def errors(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return ["%s: %s" % ("/".join(map(str, e.absolute_path)), e.message) for e in validator.iter_errors(value)]

    # what may be there or not, null or not

    def step(self, schema, name):
        """SCHEMA without references, its name, whether it may be null."""
        while "$ref" in schema:
            ref, schema = schema["$ref"], find(self.closed, schema["$ref"])
            if "properties" in schema:
                name = ref.split("/")[-1]
        kinds = schema.get("type")
        choice = schema.get("oneOf", [])
        return schema, name, isinstance(kinds, list) and "null" in kinds or {"type": "null"} in choice

    def declare(self, schema, name):
        """Notes what should be seen of SCHEMA."""
        schema, name, nullable = self.step(schema, name)
        if nullable:
            self.said |= {(name, "null"), (name, "not null")}
        for choice in schema.get("oneOf", []):
            self.declare(choice, name)
        if "items" in schema:
            self.declare(schema["items"], name + "[]")
        for key, value in schema.get("properties", {}).items():
            if key not in schema.get("required", []):
                self.said |= {("%s.%s" % (name, key), "there"), ("%s.%s" % (name, key), "left out")}
            self.declare(value, "%s.%s" % (name, key))

    def note(self, schema, name, value):
        """Notes what VALUE, which is valid, shows of it."""
        schema, name, nullable = self.step(schema, name)
        if nullable:
            self.seen.add((name, "null" if value is None else "not null"))
        for choice in schema.get("oneOf", []):
            if not self.errors(choice, value):
                self.note(choice, name, value)
        if isinstance(value, list):
            for item in value:
                self.note(schema.get("items", {}), name + "[]", item)
        if not isinstance(value, dict):
            return
        for key, inner in schema.get("properties", {}).items():
            if key not in schema.get("required", []):
                self.seen.add(("%s.%s" % (name, key), "there" if key in value else "left out"))
            if key in value:
                self.note(inner, "%s.%s" % (name, key), value[key])

    def unseen(self):
        return sorted(self.said - self.seen)

    # live answers

    def watch(self, stack):
        plain = stack.http

        def http(method, path, body=None, headers=None, timeout=60):
            answer = plain(method, path, body, headers, timeout)
            self.count += 1
            for wrong in self.judge(method, path, headers or {}, answer):
                self.faults.setdefault("%s %s%s: %s" % (method, *map(str, self.locate(path)), wrong), "%s: %r" % (path[:200], answer))
            return answer
        stack.http = http

    def locate(self, path):
        """The mount of PATH, and the document's name of it, None."""
        path = path.split("?")[0]
        mount = next((m for m in (WERSS, GUIDE) if path.startswith(m + "/")), TOP)
        below = path[len(mount):]
        tops = [p for p in self.patterns if (mount == TOP) == ("servers" in self.closed["paths"][p])]
        exact = [p for p in tops if p == below]
        return mount, next(iter(exact + [p for p in tops if self.patterns[p].fullmatch(below)]), None)

    def judge(self, method, path, headers, answer):
        """What is wrong with ANSWER."""
        mount, name = self.locate(path)
        asked = "GET" if method == "HEAD" else method
        operation = self.operations.get((mount, asked, name))
        if operation is None:
            status, said = (404, "NotFound") if name is None else (405, "MethodNotAllowed")
            if answer.status != status:
                return ["not %d, as of what is not described" % status]
            response, where = self.closed["components"]["responses"][said], said
        else:
            self.callers[operation.key].add(self.names.get(headers.get("Authorization"), "somebody"))
            response = operation.responses(self).get(answer.status)
            if response is None:
                return ["%d is not described" % answer.status]
            self.statuses[operation.key].add(answer.status)
            where = "%s %s" % (asked, name)
        wrong = self.judge_headers(response, answer)
        if method == "HEAD" and operation and (answer.status == 405) == (method in self.allow(mount, name)):
            wrong.append("is served or not, as is not described")
        if answer.status == 405 and set(answer["@Allow"].split(", ")) != self.allow(mount, name):
            wrong.append("Allow: " + answer["@Allow"])
        if method == "HEAD":
            return wrong + (["a body"] if answer.body else [])
        return wrong + self.judge_body(response, answer, mount, where)

    def allow(self, mount, path):
        """The methods of a path. HEAD is one wherever GET is, but where a 405 is described: that is HEAD's."""
        methods = {m for where, m, p in self.operations if (where, p) == (mount, path)}
        get = self.operations.get((mount, "GET", path))
        return methods | ({"HEAD"} if get and 405 not in get.responses(self) else set())

    def judge_headers(self, response, answer):
        wrong = []
        for name, header in response.get("headers", {}).items():
            header, value = self.resolve(header), answer.headers.get(name)
            if value is None:
                wrong += ["no " + name] if header.get("required") else []
                continue
            if header["schema"]["type"] == "integer":
                value = int(value) if value.isdigit() else value
            wrong += ["%s: %s" % (name, e) for e in self.errors(header["schema"], value)]
        return wrong

    def judge_body(self, response, answer, mount, where):
        if "content" not in response:
            return ["a body"] if answer.body or "Content-Type" in answer.headers else []
        ((kind, media),) = response["content"].items()
        if answer.headers.get_all("Content-Type") != [kind]:
            return ["Content-Type: %s" % answer.headers.get_all("Content-Type")]
        if kind != "application/json":
            return []
        try:
            value = json.loads(answer.body)
        except ValueError as e:
            return [str(e)]
        wrong = self.errors(media["schema"], value)
        if "code" in value and value["code"] != (SUCCESS[mount] if answer.status == 200 else answer.status):
            wrong.append("code %s" % value["code"])
        if not wrong:
            self.note(media["schema"], where, value)
        return wrong
