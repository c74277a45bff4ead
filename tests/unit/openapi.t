#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
docs/openapi.yaml by itself: a valid document of OpenAPI 3.1, whose operations are the rows of the route
table and whose fields are those that the tests of input know, in both directions. What the server really
answers is tests/e2e/53-openapi.t's.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
try:
    import jsonschema
    import yaml  # noqa: F401
except ImportError as e:
    print("1..0 # SKIP " + str(e))
    sys.exit(0)
from cascade import SOURCE  # noqa: E402
from contract import METHODS, Contract  # noqa: E402
from endpoints import ENDPOINTS, TOP, routes  # noqa: E402
from tap import Tap  # noqa: E402

SECURITY = {
    "AUTH_NONE": [],
    "AUTH_READ": [{"userToken": []}, {"userKey": []}],
    "AUTH_ADMIN": [{"userToken": ["admin"]}, {"userKey": ["admin"]}],
    "AUTH_NODE": [{"nodeKey": []}],
    "AUTH_ANY": [{"nodeKey": []}, {"userToken": []}, {"userKey": []}],
}
BODY = {"BODY_NONE": None, "BODY_OPTIONAL": False, "BODY_JSON": True, "BODY_UPLOAD": True}  # required?


def some(of, required=(), /, **properties):
    """An object of these keys and, where OF is given, any others of that shape."""
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": of or False}


def list_of(item, least=0):
    return {"type": "array", "items": item, "minItems": least, "uniqueItems": True}


def or_ref(shape):
    return {"if": {"required": ["$ref"]}, "then": {"$ref": "#/$defs/ref"}, "else": shape}


def at(name):
    return {"$ref": "#/$defs/" + name}


TEXT, ANYTHING, YES = {"type": "string", "minLength": 1}, {}, {"type": "boolean"}
MEDIA = some(None, ["schema"], schema=at("schema"), example=ANYTHING, examples=some(some(None, ["value"], value=ANYTHING)))
CONTENT = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[a-z]+/[a-z+.-]+(; ?[a-z-]+=[a-z0-9.-]+)*$"},
           "additionalProperties": MEDIA}
OPERATION = some(
    None, ["operationId", "tags", "summary", "security", "responses"], operationId={"type": "string", "pattern": "^[a-z][A-Za-z]+$"},
    tags=list_of(TEXT, 1), summary=TEXT, description=TEXT, security=list_of(some(list_of(TEXT))), parameters=list_of(at("parameter")),
    requestBody=some(None, ["content", "required"], content=CONTENT, required=YES),
    responses={"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[1-5][0-9][0-9]$"},
               "additionalProperties": or_ref(at("response"))})
ITEM = some(None, servers=list_of(at("server"), 1), parameters=list_of(at("parameter")), **{m: OPERATION for m in METHODS})
# As much of OpenAPI 3.1 as the document uses, and more strictly: nothing else may be in it. Schemas are
# JSON Schema's own, and checked by its metaschema.
SHAPE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **some(None, ["openapi", "info", "servers", "tags", "paths", "webhooks", "components"], openapi={"const": "3.1.0"},
           info=some(None, ["title", "version", "license"], title=TEXT, version=TEXT, summary=TEXT, description=TEXT,
                     license=some(None, ["name", "identifier"], name=TEXT, identifier=TEXT)),
           servers=list_of(at("server"), 1), tags=list_of(some(None, ["name", "description"], name=TEXT, description=TEXT), 1),
           paths={"type": "object", "propertyNames": {"pattern": "^/"}, "additionalProperties": ITEM}, webhooks=some(ITEM),
           components=some(None, schemas=some(at("schema")), responses=some(at("response")), parameters=some(at("parameter")),
                           headers=some(at("header")), securitySchemes=some(at("scheme")))),
    "$defs": {
        "schema": {"type": ["object", "boolean"]},
        "ref": some(None, ["$ref"], **{"$ref": {"type": "string", "pattern": "^#/components/"}}),
        "server": some(None, ["url"], url={"type": "string", "pattern": "^/"}, description=TEXT),
        "header": some(None, ["description", "schema"], description=TEXT, required=YES, schema=at("schema")),
        "response": some(None, ["description"], description=TEXT, headers=some(or_ref(at("header"))), content=CONTENT),
        "parameter": or_ref({**some(None, ["name", "in", "description", "schema"], name=TEXT, required=YES, description=TEXT,
                                    schema=at("schema"), example=ANYTHING, **{"in": {"enum": ["path", "query", "header"]}}),
                             "if": {"properties": {"in": {"const": "path"}}}, "then": {"properties": {"required": {"const": True}},
                                                                                      "required": ["required"]}}),
        "scheme": {"oneOf": [some(None, ["type", "scheme"], type={"const": "http"}, scheme={"const": "bearer"}, bearerFormat=TEXT,
                                  description=TEXT),
                             some(None, ["type", "in", "name"], type={"const": "apiKey"}, name=TEXT, description=TEXT,
                                  **{"in": {"const": "header"}})]},
    },
}

t = Tap()
contract = Contract()
document = contract.document


def nodes(node, where=()):
    """Everything in NODE with its place, but what is in examples."""
    yield where, node
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        if key not in ("example", "examples"):
            yield from nodes(value, (*where, key))


def test_valid():
    """the document is valid"""
    jsonschema.Draft202012Validator.check_schema(SHAPE)
    faults = [e.json_path + ": " + e.message for e in jsonschema.Draft202012Validator(SHAPE).iter_errors(document)]
    t.eq(faults, [], "it is an OpenAPI 3.1 document")
    with open(os.path.join(SOURCE, "configure.ac")) as file:
        version = re.search(r"AC_INIT\(\[cascade\], \[([^]]+)\]", file.read())[1]
    t.eq(document["info"]["version"], version, "of this version")
    refs = {n["$ref"] for _, n in nodes(document) if isinstance(n, dict) and "$ref" in n}
    parts = {"#/components/%s/%s" % (kind, name) for kind, of in document["components"].items() if kind != "securitySchemes"
             for name in of}
    t.eq((sorted(refs - parts), sorted(parts - refs)), ([], []),
         "every reference leads somewhere, every component is used")
    faults = []
    for where, node in nodes(document):
        if (where[-1:] == ("schema",) and where[-2] != "properties") or (where[:2] == ("components", "schemas") and len(where) == 3):
            try:
                jsonschema.Draft202012Validator.check_schema(node)
            except jsonschema.SchemaError as e:
                faults.append("%s: %s" % ("/".join(map(str, where)), e.message))
    t.eq(faults, [], "every schema is valid")
    t.eq([where for where, node in nodes(document) if node is None and "enum" not in where], [], "no text was cut at a comma")
    faults = [where for where, node in nodes(document) if isinstance(node, dict) and isinstance(node.get("required"), list)
              and "allOf" not in node and set(node["required"]) - set(node.get("properties", ()))]
    t.eq(faults, [], "what is required is described")
    faults = ["/".join(map(str, (*where, name))) for where, node in nodes(document) if where[-1:] == ("properties",) and "Description" not in where
              for name, field in node.items() if name not in ("data", "list", "page") and "description" not in field
              and "description" not in contract.resolve(field)]
    t.eq(faults, [], "every field says what it is")
    ids = [o.said["operationId"] for o in contract.operations.values() if o.mount != contract.closed["servers"][1]["url"]]
    t.eq(sorted(set(ids)), sorted(ids), "names of operations are different")
    used = {(tag, scheme) for o in contract.operations.values() for tag in o.said["tags"] for need in o.said["security"] or [{}]
            for scheme in need or [None]}
    t.eq(({tag for tag, _ in used}, {s for _, s in used} - {None}),
         ({tag["name"] for tag in document["tags"]}, set(document["components"]["securitySchemes"])), "tags and security schemes are used")
    params = [o.path for o in contract.operations.values()
              if re.findall(r"\{(\w+)\}", o.path) != [name for where, name in o.parameters(contract) if where == "path"]]
    t.eq(params, [], "the parameters of paths are described")


def test_second_opinion():
    """by somebody else's validator"""
    try:
        import openapi_spec_validator
    except ImportError as e:
        t.skip("openapi-spec-validator finds no fault", str(e))
        return
    openapi_spec_validator.validate(document)
    t.ok(True, "openapi-spec-validator finds no fault")


def test_examples():
    """examples are what they are examples of"""
    count = 0
    for where, node in nodes(contract.closed):
        if not isinstance(node, dict) or not isinstance(node.get("schema"), dict):
            continue
        examples = [e["value"] for e in node.get("examples", {}).values()] + [node[k] for k in node if k == "example"]
        for example in examples:
            count += 1
            t.eq(contract.errors(node["schema"], example), [], "an example of " + "/".join(map(str, where)))
    t.ok(count > 50, "there are many", count)


def test_routes():
    """the route table"""
    described = {(o.method, o.path): o for o in contract.operations.values()}
    table = {(r.method, r.path): r for r in routes()}
    t.eq(sorted(table.keys() - described.keys()), [], "every route is described")
    t.eq(sorted(described.keys() - table.keys()), [], "nothing else is")
    t.eq(sorted(table.keys() ^ ({**ENDPOINTS, **TOP}).keys()), [], "the tests of input and credentials know the same ones")
    for key in sorted(table.keys() & described.keys()):
        row, operation = table[key], described[key]
        statuses = operation.responses(contract).keys()
        with_body = row.body != "BODY_NONE"
        t.eq((operation.mount == "", operation.said["security"]), (row.top, SECURITY[row.auth]), "%s %s: who may call" % key)
        t.eq(operation.said.get("requestBody", {}).get("required"), BODY[row.body], "%s %s: its body" % key)
        t.eq((415 in statuses, not with_body or 422 in statuses), (with_body, True), "%s %s: what is refused of a body" % key)
        t.eq(405 in statuses, row.methods == {"GET"}, "%s %s: whether HEAD is refused" % key)
        if row.auth != "AUTH_NONE":
            t.eq((401 in statuses, 403 in statuses), (True, row.auth != "AUTH_ANY"), "%s %s: refusals of credentials" % key)
        t.eq({400, 413, 502, 504} - statuses, set(), "%s %s: what everything answers" % key)
        t.eq("{" not in row.path or 404 in statuses, True, "%s %s: what does not exist" % key)


KINDS = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def refuses(schema, value):
    return bool(contract.errors(schema, value))


def test_fields():
    """fields and parameters, as the tests of input have them"""
    for (method, path), endpoint in ENDPOINTS.items():
        operation = next(o for o in contract.operations.values() if (o.method, o.path) == (method, path))
        name = "%s %s" % (method, path)
        parameters = {n: p["schema"] for (where, n), p in operation.parameters(contract).items() if where == "query"}
        bounds = {n: (p["minimum"], p["maximum"]) for n, p in parameters.items() if p.get("type") == "integer"}
        t.eq(bounds, endpoint.query, name + ": integer parameters and their bounds")
        body = operation.body()
        t.eq(body is None, endpoint.body is None, name + ": has a body or not")
        if body is None:
            continue
        t.ok(not refuses(body["schema"], endpoint.body), name + ": a body that is accepted", endpoint.body)
        described = body["schema"].get("properties", {})
        if endpoint.fields:
            t.eq(sorted(described.keys() - endpoint.fields.keys() - {"timestamp"}), [], name + ": its fields are tested")
        for field, said in endpoint.fields.items():
            t.ok(field in described, "%s: %s is described" % (name, field))
            t.eq(field in body["schema"].get("required", ()), said.required, "%s: %s is required or not" % (name, field))
            # An address is described in words.
            wrong = [what for what, value in said.wrong() if not said.url and not refuses(described[field], value)]
            wrong += [what for what, value in said.wrong() if said.url and what == "one too long" and not refuses(described[field], value)]
            t.eq(wrong, [], "%s: %s: what the server refuses is not as described" % (name, field))


def words(path, pattern):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return sorted(set(re.findall(pattern, file.read())))


def test_words():
    """words that fields are limited to, as the source has them"""
    of = document["components"]["schemas"]
    explained = of["Explanation"]["properties"]
    node = explained["nodes"]["items"]["properties"]["reasons"]["items"]["properties"]
    states = words("src/core/alloc.c", r'\[ALLOC_\w+\] = "(\w+)"')
    for name, said, found in (
            ("statuses", of["Status"]["enum"], states),
            ("outcomes", [w for w in of["Attempt"]["properties"]["outcome"]["enum"] if w],
             words("src/core/alloc.c", r'(?:END|RETRY|RETRY_LAPSE)\([A-Z_]+, "(\w+)"\)')),
            ("verdicts", explained["verdict"]["properties"]["code"]["enum"], words("src/core/explain.c", r'\[VERDICT_\w+\] = \{ "(\w+)"')),
            ("reasons", node["code"]["enum"], words("src/core/explain.c", r'\[WHY_\w+\] = \{ "(\w+)"')),
            ("classes of feeds", of["FeedStatus"]["properties"]["update_status"]["enum"],
             words("src/db/stmt_view.def", r"(?:THEN|ELSE) '(\w+)'"))):
        t.eq(sorted(said), found, name)
    t.ok(all(w in of["ShownStatus"]["description"] for w in states), "statuses that are shown")


for test in (test_valid, test_second_opinion, test_examples, test_routes, test_fields, test_words):
    t.note(test.__doc__)
    try:
        test()
    except Exception:
        t.died(test.__name__)
t.end()
