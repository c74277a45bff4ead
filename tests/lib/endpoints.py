# SPDX-License-Identifier: MIT
"""
Every endpoint of the wire contract as data, for the tests that go over all of them: who may call it,
what it takes. Endpoints that the router does not have are left out by served().
"""
import os
import re

from cascade import SOURCE

USER, ADMIN, NODE, ANY, EVERYBODY = "user", "admin", "node", "any", "everybody"  # who may call


class Field:
    """A field of a body: its JSON type, and what of it is refused."""

    def __init__(self, kind, required=False, empty=True, most=None, least=None, url=False):
        self.kind, self.required, self.empty, self.most, self.least, self.url = kind, required, empty, most, least, url

    def wrong(self):
        """Values that are refused, and why."""
        samples = {"string": "x", "integer": 1, "boolean": True, "array": [], "object": {}, "number": 1.5}
        yield from (("a %s" % kind, v) for kind, v in samples.items() if kind != self.kind)
        if self.required:
            yield "null", None
        if not self.empty:
            yield "an empty one", "" if self.kind == "string" else []
        if self.most is not None and self.kind == "string":
            yield "one too long", ("http://" if self.url else "") + "长" * (self.most + 1)
        if self.most is not None and self.kind == "integer":
            yield from (("%d" % v, v) for v in (self.most + 1, 1 << 64, -1 << 63))
        if self.least is not None:
            yield "%d" % (self.least - 1), self.least - 1
        if self.url:
            yield from (("'%s'" % u, u) for u in ("ftp://x/", "javascript:alert(1)", "http:", "http://", "x", "http://a b/"))


class Endpoint:
    """
    WHO may call; BODY, one that is accepted; OPTIONAL, it may be left out; FIELDS of it; QUERY, integer
    parameters with their bounds; CHOICE, parameters of few values; MISSING, a path below the mount
    (and perhaps a body) whose object does not exist.
    """

    def __init__(self, who, body=None, optional=False, fields=None, query=None, choice=None, missing=None):
        self.who, self.body, self.optional = who, body, optional
        self.fields, self.query, self.choice = fields or {}, query or {}, choice or ()
        self.missing = missing

    def harmless(self, method, pattern):
        """A request that shows that one is let in and does no harm: path, body, status."""
        if self.missing:
            return (*self.missing, 404)
        if method == "GET" or self.optional:
            return pattern, self.body, 200
        return pattern, {}, 422


UNKNOWN = "01900000-0000-7000-8000-000000000000"
PAGE = {"limit": (1, 200), "offset": (0, (1 << 63) - 1)}
ALLOCATION = Field("string", required=True, empty=False, most=255)
ATTEMPT = Field("integer", least=1, most=65535)

ENDPOINTS = {
    ("GET", "/openapi.json"): Endpoint(EVERYBODY),
    ("POST", "/auth/login"): Endpoint(EVERYBODY, {"username": "nobody", "password": "x"}, fields={
        "username": Field("string", required=True, empty=False, most=50),
        "password": Field("string", required=True, empty=False, most=256)}),
    ("POST", "/nodes"): Endpoint(ADMIN, {"node_type": 1, "name": "n"}, fields={
        "node_type": Field("integer", required=True, least=0, most=1),
        "name": Field("string", required=True, empty=False, most=255), "description": Field("string"),
        "api_url": Field("string", most=500, url=True)}),
    ("GET", "/nodes"): Endpoint(USER, query={"node_type": (0, 1)}),
    ("GET", "/nodes/{id}"): Endpoint(USER, missing=("/nodes/" + UNKNOWN, None)),
    ("PUT", "/nodes/{id}"): Endpoint(ADMIN, {"name": "n"}, missing=("/nodes/" + UNKNOWN, {"name": "n"}), fields={
        "name": Field("string", empty=False, most=255), "description": Field("string"),
        "api_url": Field("string", most=500, url=True), "is_active": Field("boolean"),
        "sync_config": Field("object")}),
    ("DELETE", "/nodes/{id}"): Endpoint(ADMIN, missing=("/nodes/" + UNKNOWN, None)),
    ("POST", "/nodes/{id}/credentials"): Endpoint(ADMIN, missing=("/nodes/%s/credentials" % UNKNOWN, None)),
    ("POST", "/nodes/{id}/drain"): Endpoint(ADMIN, missing=("/nodes/%s/drain" % UNKNOWN, None)),
    ("POST", "/nodes/{id}/resume"): Endpoint(ADMIN, missing=("/nodes/%s/resume" % UNKNOWN, None)),
    ("POST", "/nodes/{id}/test-connection"): Endpoint(ADMIN, {}, True, missing=("/nodes/%s/test-connection" % UNKNOWN, {})),
    ("GET", "/sync-logs"): Endpoint(USER, query=PAGE),
    ("POST", "/dispatch-task"): Endpoint(ADMIN, query={"force": (0, 1)}, missing=("/dispatch-task?task_id=" + UNKNOWN, None)),
    ("GET", "/allocations"): Endpoint(USER, query=PAGE, choice=("status",)),
    ("GET", "/allocations/{id}"): Endpoint(USER, missing=("/allocations/" + UNKNOWN, None)),
    ("POST", "/allocations/{id}/cancel"): Endpoint(ADMIN, {}, True, missing=("/allocations/%s/cancel" % UNKNOWN, None)),
    ("POST", "/allocations/{id}/requeue"): Endpoint(ADMIN, missing=("/allocations/%s/requeue" % UNKNOWN, None)),
    ("GET", "/allocations/{id}/explain"): Endpoint(USER, missing=("/allocations/%s/explain" % UNKNOWN, None)),
    ("POST", "/dead-letters/requeue"): Endpoint(ADMIN),
    ("GET", "/pending-allocations"): Endpoint(USER),
    ("GET", "/feed-status"): Endpoint(USER, query=PAGE),
    ("POST", "/start-scheduler"): Endpoint(ADMIN, {}, True),
    ("POST", "/stop-scheduler"): Endpoint(ADMIN, {}, True),
    ("POST", "/reload-scheduler"): Endpoint(ADMIN, {}, True),
    ("POST", "/heartbeat"): Endpoint(NODE, {}, True, fields={
        "callback_url": Field("string", most=500, url=True), "holding": Field("array"),
        "hold_s": Field("integer", least=0, most=86400)}),
    ("GET", "/feeds"): Endpoint(ANY),
    ("GET", "/message-tasks"): Endpoint(ANY),
    ("GET", "/pending-tasks"): Endpoint(NODE, query={"limit": (1, 10)}),
    ("POST", "/claim-task"): Endpoint(NODE, {}, True, fields={"node_id": Field("string")}),
    ("PUT", "/task-status"): Endpoint(
        NODE, {"allocation_id": UNKNOWN, "status": "executing"},
        missing=("/task-status", {"allocation_id": UNKNOWN, "status": "executing"}), fields={
            "allocation_id": ALLOCATION, "status": Field("string", required=True, empty=False),
            "error_message": Field("string"), "attempt": ATTEMPT, "released": Field("boolean"),
            "hold_s": Field("integer", least=0, most=86400)}),
    ("POST", "/upload-articles"): Endpoint(
        NODE, {"allocation_id": UNKNOWN, "articles": []},
        missing=("/upload-articles", {"allocation_id": UNKNOWN, "articles": []}), fields={
            "allocation_id": ALLOCATION, "articles": Field("array", required=True), "attempt": ATTEMPT}),
    ("POST", "/report-completion"): Endpoint(
        NODE, {"allocation_id": UNKNOWN, "results": []},
        missing=("/report-completion", {"allocation_id": UNKNOWN, "results": []}), fields={
            "allocation_id": ALLOCATION, "task_id": Field("string", most=255), "results": Field("array"),
            "article_count": Field("integer", least=0, most=(1 << 31) - 1), "attempt": ATTEMPT}),
    ("POST", "/report-result"): Endpoint(NODE, {"task_id": "t", "results": []}, fields={
        "task_id": Field("string", required=True), "results": Field("array", required=True)}),
}


# Outside the mounts.
TOP = {
    ("GET", "/healthz"): Endpoint(EVERYBODY),
    ("GET", "/readyz"): Endpoint(EVERYBODY),
    ("GET", "/metrics"): Endpoint(EVERYBODY),
}


class Route:
    """A row of the route table."""

    def __init__(self, method, path, auth, body, flags):
        self.method, self.path, self.auth, self.body = method, path, auth, body
        self.top = "R_TOP" in flags
        self.methods = {method, "HEAD"} if method == "GET" and "R_NO_HEAD" not in flags else {method}


def routes():
    """Every row of the route table."""
    with open(os.path.join(SOURCE, "fcgi", "routes.c")) as file:
        rows = re.findall(r'\{\s*M_(\w+),\s*"([^"]+)",\s*(\w+),\s*(\w+),\s*([\w| ]+),', file.read())
    return [Route(*row) for row in rows]


def allowed():
    """{path: the methods that it has} of what is below the mounts and not for everybody."""
    every = {}
    for r in routes():
        if not r.top and r.auth != "AUTH_NONE":
            every.setdefault(r.path, set()).update(r.methods)
    return every


def routed():
    """(method, path) of every row of the route table that is below the mounts and not for everybody."""
    return [(r.method, r.path) for r in routes() if not r.top and r.auth != "AUTH_NONE"]


def served():
    """Those of ENDPOINTS that are routed: [(method, path, endpoint)]."""
    return [(method, path, ENDPOINTS[method, path]) for method, path in routed() if (method, path) in ENDPOINTS]
