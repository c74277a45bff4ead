#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Every endpoint by everybody: who is let in, who is refused with 401 and who with 403, on both mounts.
What is refused changes nothing, and no secret gets into a log.
"""
import base64
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run  # noqa: E402
from endpoints import ADMIN, ANY, ENDPOINTS, NODE, UNKNOWN, USER, routed, served  # noqa: E402
from werss import claims, jwt_secret, sha256, token  # noqa: E402
from work import claim, dispatch, insert, make_feeds, make_task  # noqa: E402

CHILD, READER, ADMINISTRATOR = {NODE, ANY}, {USER, ANY}, {USER, ADMIN, ANY}
LIVELY = {"cascade_beat", "cascade_leader", "cascade_node"}


def b64(text):
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


class People:
    """Everybody: {name: authorization} of those who are nobody, and {name: (authorization, what they may call)}."""

    def __init__(self, s):
        self.s, self.secret, self.secrets = s, jwt_secret(s), []
        self.refused = dict(self.schemes(), **self.tokens())
        self.let_in = {"administrator's token": ("Bearer " + s.token, ADMINISTRATOR)}
        self.users()
        self.nodes()
        self.keys()

    def users(self):
        s = self.s
        insert(s, "we_users", [{"id": "u-" + name, "username": name, "password_hash": "x", "is_active": active, "role": role}
                               for name, active, role in (("reader", 1, "user"), ("chef", 1, "admin"), ("rolleless", 1, None),
                                                          ("gone", 0, "admin"), ("unset", None, "admin"), ("CamelCase", 1, "admin"))])
        for name, may in (("reader", READER), ("chef", ADMINISTRATOR), ("rolleless", READER)):
            self.let_in["token of " + name] = (self.bearer(claims(name)), may)
        # WeRSS mints the name as its user typed it, and compares as its database does.
        self.let_in["token in another case"] = (self.bearer(claims("camelcase")), ADMINISTRATOR)
        for name in ("gone", "unset", "nobody", "", "u-chef", "chef%", "admin\u200b"):
            self.refused["token of '%s'" % name] = self.bearer(claims(name))

    def bearer(self, what, secret=None, **more):
        made = token(secret or self.secret, what, **more)
        self.secrets.append(made)
        return "Bearer " + made

    def schemes(self):
        token_, long = self.s.token, "x" * 4000
        return {"nobody": None, "empty": "", "no scheme": token_, "Basic": "Basic YWRtaW46YWRtaW4=", "Bearer alone": "Bearer",
                "Bearer and a blank": "Bearer ", "two tokens": "Bearer %s %s" % (token_, token_), "AK-SK alone": "AK-SK",
                "AK-SK without a secret": "AK-SK CNabc", "AK-SK without a key": "AK-SK :CSabc", "a long key": "AK-SK CN%s:CS%s" % (long, long),
                "not UTF-8": b"Bearer \xff\xfe", "a token as a key": "AK-SK admin:" + token_, "SQL": "AK-SK CN' OR '1'='1:x",
                "a wildcard": "AK-SK CN%:CS%", "Token": "Token " + token_, "JWT": "JWT " + token_}

    def tokens(self):
        good, header = claims("admin"), b64('{"alg":"HS256","typ":"JWT"}')
        head, body, mac = self.s.token.split(".")
        flipped = mac[:-2] + ("A" if mac[-2] != "A" else "B") + mac[-1]
        return {
            "expired": self.bearer(claims("admin", -1)), "expired long ago": self.bearer({"sub": "admin", "exp": 1}),
            "another key": self.bearer(good, "another secret, of some length"), "an empty key": self.bearer(good, " "),
            "alg none": self.bearer(good, alg="none"), "alg none, signed": "Bearer %s.%s.%s" % (b64('{"alg":"none"}'), body, mac),
            "alg HS512": self.bearer(good, alg="HS512"), "alg RS256": self.bearer(good, alg="RS256"),
            "alg hs256": self.bearer(good, alg="hs256"), "alg missing": "Bearer %s.%s.%s" % (b64('{"typ":"JWT"}'), body, mac),
            "without exp": self.bearer({"sub": "admin"}), "exp null": self.bearer(dict(good, exp=None)),
            "exp a string": self.bearer(dict(good, exp="9999999999")), "exp negative": self.bearer(dict(good, exp=-1)),
            "exp true": self.bearer(dict(good, exp=True)), "without sub": self.bearer({"exp": good["exp"]}),
            "sub a number": self.bearer(dict(good, sub=1)), "sub a list": self.bearer(dict(good, sub=["admin"])),
            "not before tomorrow": self.bearer(dict(good, nbf=good["exp"] + 86400)),
            "claims are a list": self.bearer([good]), "claims are text": self.bearer(b"admin"),
            "no signature": "Bearer %s.%s." % (head, body), "no third part": "Bearer %s.%s" % (head, body),
            "four parts": "Bearer %s.x" % self.s.token, "its body changed": "Bearer %s.%s.%s" % (head, b64(json.dumps(good)), mac),
            "its signature changed": "Bearer %s.%s.%s" % (head, body, flipped), "padded": "Bearer " + self.s.token + "=",
            "header alone": "Bearer " + header, "dots": "Bearer ..",
        }

    def keep(self, key, secret):
        self.secrets += [secret, sha256(secret)]
        return "AK-SK %s:%s" % (key, secret)

    def nodes(self):
        s, admin = self.s, self.s.admin()
        node = s.new_node("child")
        self.node = node
        self.let_in["node"] = (self.keep(node.key, node.secret), CHILD)
        self.refused["node, wrong secret"] = "AK-SK %s:CS%s" % (node.key, "x" * 32)
        self.refused["node, secret cut"] = "AK-SK %s:%s" % (node.key, node.secret[:-1])
        self.refused["node, secret and more"] = "AK-SK %s:%s " % (node.key, node.secret) + "x"
        self.refused["node, hash as secret"] = "AK-SK %s:%s" % (node.key, sha256(node.secret))
        self.refused["node, key in another case"] = "AK-SK CN%s:%s" % (node.key[2:].swapcase(), node.secret)
        self.refused["node, secret as a token"] = "Bearer " + node.secret
        rotated = s.new_node("rotated")
        self.refused["rotated away"] = self.keep(rotated.key, rotated.secret)
        fresh = admin.post("/nodes/%s/credentials" % rotated.id).data
        self.refused["new key, former secret"] = "AK-SK %s:%s" % (fresh["api_key"], rotated.secret)
        self.refused["former key, new secret"] = "AK-SK %s:%s" % (rotated.key, fresh["api_secret"])
        self.let_in["rotated node"] = (self.keep(fresh["api_key"], fresh["api_secret"]), CHILD)
        for name, end in (("inactive node", lambda n: admin.put("/nodes/" + n.id, {"is_active": False})),
                          ("deleted node", lambda n: admin.delete("/nodes/" + n.id)),
                          ("parent node", lambda n: s.sql("UPDATE we_cascade_nodes SET node_type = 0 WHERE id = '%s'" % n.id)),
                          ("node, active NULL", lambda n: s.sql("UPDATE we_cascade_nodes SET is_active = NULL WHERE id = '%s'" % n.id)),
                          ("node without a hash", lambda n: s.sql("UPDATE we_cascade_nodes SET api_secret_hash = NULL"
                                                                  " WHERE id = '%s'" % n.id))):
            gone = s.new_node(name)
            gone.post("/heartbeat")
            end(gone)
            self.refused[name] = self.keep(gone.key, gone.secret)

    def keys(self):
        future, past = "2125-01-01 00:00:00", "2020-01-01 00:00:00"
        for n, (name, user, active, expires, may) in enumerate((
                ("administrator's key", "chef", 1, None, ADMINISTRATOR), ("key that expires later", "chef", 1, future, ADMINISTRATOR),
                ("reader's key", "reader", 1, future, READER), ("expired key", "chef", 1, past, None),
                ("inactive key", "chef", 0, future, None), ("key, active NULL", "chef", None, None, None),
                ("inactive user's key", "gone", 1, None, None), ("unknown user's key", "nobody", 1, None, None))):
            key, secret = "WKauth%026d" % n, "SKauth%026d" % n
            insert(self.s, "we_access_keys", [{"id": "k%d" % n, "user_id": "u-" + user, "key": key, "secret": sha256(secret),
                                               "name": name, "is_active": active, "expires_at": expires}])
            if may:
                self.let_in[name] = (self.keep(key, secret), may)
            else:
                self.refused[name] = self.keep(key, secret)
        self.refused["key, wrong secret"] = "AK-SK WKauth%026d:SKauth%026d" % (0, 1)
        self.refused["key, lower case"] = "AK-SK wkauth%026d:SKauth%026d" % (0, 0)


def contents(s):
    tables = {list(r.values())[0] for r in s.sql("SHOW TABLES")} - LIVELY
    sums = s.sql("CHECKSUM TABLE " + ", ".join(tables))
    return dict({r["Table"]: r["Checksum"] for r in sums},
                nodes=s.sql("SELECT node_id, active, draining, open_count, max_capacity FROM cascade_node ORDER BY 1"),
                seen=s.sql("SELECT node_id, last_seen_at FROM cascade_node n JOIN we_cascade_nodes c ON c.id = n.node_id"
                           " WHERE c.name NOT IN ('child', 'rotated') ORDER BY 1"))


def unchanged(s, t, before, name):
    now = contents(s)
    t.eq({table: now[table] for table in now if now[table] != before.get(table)}, {}, name)


people = None


def path_of(pattern):
    return pattern.replace("{id}", people.package["allocation_id"] if "alloc" in pattern else people.node.id)


def body_of(endpoint):
    body = endpoint.body and dict(endpoint.body)
    if body and "allocation_id" in body:
        body["allocation_id"] = people.package["allocation_id"]
    return body


def prepare(s, t):
    """everybody"""
    global people
    make_task(s, "auth", make_feeds(s, 3))
    people = People(s)
    dispatch(s, "auth")
    people.package = claim(people.node)
    t.eq([r for r in routed() if r not in ENDPOINTS], [], "every route is known to this test")
    t.ok(people.package, "the node holds an allocation")


def send(s, method, mount, path, authorization, body):
    headers = {} if authorization is None else {"Authorization": authorization}
    return s.http(method, mount + path, None if body is None else json.dumps(body), headers)


def is_refusal(answer, status):
    return (answer.status == status and answer["code"] == status and answer["data"] is None and
            answer["@Content-Type"] == "application/json" and
            (answer["@WWW-Authenticate"] == "Bearer") == (status == 401))


def test_unauthenticated(s, t):
    """those who are nobody: 401, always the same"""
    before, answers = contents(s), set()
    for method, pattern, endpoint in served():
        for mount in (GUIDE, WERSS):
            wrong = []
            for name, authorization in people.refused.items():
                answer = send(s, method, mount, path_of(pattern), authorization, body_of(endpoint))
                answers.add(answer.body)
                if not is_refusal(answer, 401):
                    wrong.append("%s: %r %s" % (name, answer, answer["@WWW-Authenticate"]))
            t.ok(not wrong, "%s %s%s: 401 for each of %d" % (method, mount, pattern, len(people.refused)), *wrong)
    t.eq(len(answers), 1, "nobody learns why")
    unchanged(s, t, before, "nothing has changed, not even a sign of life")


def test_forbidden(s, t):
    """those who may not: 403"""
    before = contents(s)
    for method, pattern, endpoint in served():
        for mount in (GUIDE, WERSS):
            wrong, count = [], 0
            for name, (authorization, may) in people.let_in.items():
                if endpoint.who in may:
                    continue
                count += 1
                answer = send(s, method, mount, path_of(pattern), authorization, body_of(endpoint))
                if not is_refusal(answer, 403):
                    wrong.append("%s: %r" % (name, answer))
                elif endpoint.body is not None and send(s, method, mount, path_of(pattern), authorization, ["bad"]).status != 403:
                    wrong.append(name + ": another answer to a bad body")
            if count:
                t.ok(not wrong, "%s %s%s: 403 for each of %d" % (method, mount, pattern, count), *wrong)
    unchanged(s, t, before, "nothing has changed")


def test_let_in(s, t):
    """those who may"""
    for method, pattern, endpoint in served():
        path, body, status = endpoint.harmless(method, pattern)
        for mount, code in ((GUIDE, 200), (WERSS, 0)):
            wrong, count = [], 0
            for name, (authorization, may) in people.let_in.items():
                if endpoint.who not in may:
                    continue
                count += 1
                for value in (authorization, authorization.replace(" ", "   ", 1), authorization.replace("Bearer", "bearer")):
                    answer = send(s, method, mount, path, value, body)
                    if (answer.status, answer["code"]) != (status, code if status == 200 else status):
                        wrong.append("%s: %r" % (name, answer))
            t.ok(count and not wrong, "%s %s%s: %d for each of %d" % (method, mount, pattern, status, count), *wrong)


def test_at_once(s, t):
    """what is taken back is refused from the next request on"""
    admin = s.admin()
    node = s.new_node("taken")
    t.eq(node.post("/heartbeat").status, 200, "a node")
    admin.put("/nodes/" + node.id, {"is_active": False})
    t.eq(node.post("/heartbeat").status, 401, "deactivated")
    admin.put("/nodes/" + node.id, {"is_active": True})
    t.eq(node.post("/heartbeat").status, 200, "active again")
    fresh = admin.post("/nodes/%s/credentials" % node.id).data
    t.eq(node.post("/heartbeat").status, 401, "with a new credential")
    node = s.node(people.keep(fresh["api_key"], fresh["api_secret"]).split()[1].split(":")[0], fresh["api_secret"])
    t.eq(node.post("/heartbeat").status, 200, "which works")
    admin.delete("/nodes/" + fresh["node_id"])
    t.eq(node.post("/heartbeat").status, 401, "deleted")
    chef = s.bearer(token(people.secret, claims("chef")))
    key = s.node("WKauth%026d" % 0, "SKauth%026d" % 0)
    for column, off, on, status in (("is_active", "0", "1", 401), ("role", "'user'", "'admin'", 403)):
        for value, want in ((off, status), (on, 404)):
            s.sql("UPDATE we_users SET %s = %s WHERE username = 'chef'" % (column, value))
            t.eq([c.delete("/nodes/" + UNKNOWN).status for c in (chef, key)], [want] * 2, "user: %s %s" % (column, value))
    s.sql("UPDATE we_access_keys SET is_active = 0 WHERE id = 'k0'")
    t.eq((key.get("/nodes").status, chef.get("/nodes").status), (401, 200), "an access key")
    short = s.bearer(token(people.secret, claims("chef", 2)))
    statuses = {short.get("/nodes").status}
    while 401 not in statuses and len(statuses) < 2:
        statuses.add(short.get("/nodes").status)
    t.eq(statuses, {200, 401}, "a token expires")


def test_shown(s, t):
    """no secret in an answer but the one that makes it"""
    admin = s.admin()
    texts = [admin.get(path).body.decode() for path in ("/nodes", "/nodes/" + people.node.id, "/allocations",
                                                         "/allocations/" + people.package["allocation_id"])]
    texts += [s.ctl(*c).stdout for c in (["node", "list"], ["node", "show", people.node.id], ["user", "list"], ["key", "list"],
                                         ["--json", "node", "show", people.node.id], ["--print-config"])]
    for hidden in {*people.secrets, people.secret}:
        if any(hidden in text for text in texts):
            t.ok(False, "a secret is shown", hidden)
    t.ok(all(texts) and len(people.secrets) > 30, "no answer shows any of %d" % len(people.secrets))
    made = admin.post("/nodes/%s/credentials" % people.node.id)
    t.eq(made["@Cache-Control"], "no-store", "the one that does is not to be stored")
    people.keep(made["data.api_key"], made["data.api_secret"])


def test_logs(s, t):
    """no secret in a log"""
    hidden = {*people.secrets, people.secret, s.token}
    with open(os.path.join(os.path.dirname(s.conf), "admin_password")) as file:
        hidden.add(file.readline().strip())
    with open(os.path.join(os.path.dirname(s.conf), "db_password")) as file:
        hidden.add(file.readline().strip())
    logs = [path for path in glob.glob(os.path.join(s.log_dir, "*")) if os.path.getsize(path)]
    for path in logs:
        with open(path, errors="replace") as file:
            text = file.read()
        t.eq([h for h in hidden if h in text], [], os.path.basename(path))
    t.ok({"cascade-fcgi.log", "nginx-access.log"} <= {os.path.basename(p) for p in logs}, "there are logs")
    command_lines = []
    for name in s.names():
        with open("/proc/%d/cmdline" % s.pid(name)) as file:
            command_lines.append(file.read())
    t.eq([h for h in hidden if any(h in line for line in command_lines)], [], "nor in a command line")


run(prepare, test_unauthenticated, test_forbidden, test_let_in, test_at_once, test_shown, test_logs, workers=2, cascaded=False,
    env={"CASCADE_LEASE_CLAIM": "1h", "CASCADE_LOG_LEVEL": "debug", "CASCADE_NODE_TOUCH": "1s"})
