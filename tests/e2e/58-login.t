#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""POST /auth/login: tokens for passwords, refusals that tell nothing, and their limits."""
import base64
import glob
import json
import os
import statistics
import sys
import threading
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run, wait_for  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt

PASSWORD = "正确的密码-correct-horse"
WRONG = "用户名或密码错误"


def login(s, username, password, **more):
    return s.anybody(**more).post("/auth/login", {"username": username, "password": password})


def add_user(s, name, cost, active=1, role="admin", password=PASSWORD):
    """As WeRSS stores it."""
    salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << cost)
    s.sql("INSERT INTO we_users (id, username, password_hash, is_active, role) VALUES ('id-%s', '%s', '%s', %d, '%s')"
          % (name, name, crypt.crypt(password, salt), active, role))


def forget(s):
    s.sql("DELETE FROM cascade_login")


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_login(s, t):
    """a token for a password"""
    add_user(s, "anna", 5)
    add_user(s, "leser", 4, role="user")
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        answer = login(s, "anna", PASSWORD, mount=mount)
        t.eq((answer.status, answer["code"], answer["message"]), (200, code, "登录成功"), "on " + mount)
    t.eq(sorted(answer.data), ["access_token", "expires_in", "token_type"], "what it answers")
    t.eq((answer["data.token_type"], answer["data.expires_in"]), ("bearer", 7200), "as configured")
    t.eq(answer["@Cache-Control"], "no-store", "and nobody stores it")
    got = claims(answer["data.access_token"])
    t.eq((got["sub"], got["exp"] - got["iat"]), ("anna", 7200), "what the token says")
    anna = s.bearer(answer["data.access_token"])
    t.eq(anna.post("/nodes", {"node_type": 1, "name": "n"}).status, 200, "it does what the user may")
    reader = s.bearer(login(s, "leser", PASSWORD)["data.access_token"])
    t.eq((reader.get("/nodes").status, reader.post("/nodes", {"node_type": 1, "name": "n"}).status), (200, 403), "and no more")
    t.eq(claims(login(s, "ANNA", PASSWORD)["data.access_token"])["sub"], "anna", "names are found as WeRSS finds them")
    s.sql("UPDATE we_users SET is_active = 0 WHERE username = 'anna'")
    t.eq(anna.get("/nodes").status, 401, "a disabled user's token is void")
    s.sql("UPDATE we_users SET is_active = 1 WHERE username = 'anna'")
    t.eq(s.ctl("user", "add", "made", "--password-file", "-", stdin=PASSWORD + "\n").returncode, 0, "a user of cascadectl")
    t.eq(login(s, "made", PASSWORD).status, 200, "may log in")
    forget(s)


def test_refused(s, t):
    """refusals that tell nothing"""
    add_user(s, "inaktiv", 12, active=0)
    add_user(s, "teuer", 14)
    add_user(s, "normal", 12)
    s.sql("INSERT INTO we_users (id, username, password_hash, is_active) VALUES ('i1', 'leer', '', 1),"
          " ('i2', 'klar', '%s', 1), ('i3', 'sha', '%s', 1), ('i4', 'kaputt', '$2b$12$kurz', 1)"
          % (PASSWORD, crypt.crypt(PASSWORD, "$5$rounds=999999$abcdefgh")))
    answers = {name: login(s, name, PASSWORD) for name in ("nix", "inaktiv", "teuer", "leer", "klar", "sha", "kaputt")}
    answers["a wrong password"] = login(s, "normal", PASSWORD + "x")
    t.eq({name: (a.status, a["message"], a["data"], a["@WWW-Authenticate"]) for name, a in answers.items()},
         {name: (401, WRONG, None, "Bearer") for name in answers}, "the same answer to each")
    forget(s)
    spent = {}
    for name, password in (("nix", "x"), ("inaktiv", PASSWORD), ("normal", "x"), ("teuer", PASSWORD)):
        spent[name] = []
        for _ in range(4):
            start = time.monotonic()
            login(s, name, password)
            spent[name].append(time.monotonic() - start)
    spent = {name: statistics.median(times) for name, times in spent.items()}
    t.ok(min(spent.values()) > 0.6 * max(spent.values()), "after the same time", spent)
    forget(s)
    anybody, bad = s.anybody(), {"username": "normal", "password": "x"}
    s.table(t, [("POST", "/auth/login", anybody, body, 422, {"data.field": field}) for body, field in (
        ({}, "username"), ({"username": "a"}, "password"), (dict(bad, username=1), "username"), (dict(bad, password=None), "password"),
        (dict(bad, username=""), "username"), (dict(bad, password=""), "password"), (dict(bad, username="长" * 51), "username"),
        (dict(bad, password="x" * 257), "password"), (None, "body"), ([], "body"))])
    s.table(t, [
        ("POST", "/auth/login", anybody, "{", 400, {"data.field": "body"}),
        ("POST", "/auth/login", anybody, '{"username":"normal","password":"a\\u0000b"}', 400, {"data.field": "body"}),
        ("GET", "/auth/login", anybody, None, 405, {"@Allow": "POST"}),
        ("POST", "/auth/login", anybody, dict(bad, password="长" * 256), 401, {"message": WRONG}),
        ("POST", "/auth/login", s.bearer("nonsense"), dict(bad, password=PASSWORD), 200, None),
    ])
    english = s.anybody(headers={"Accept-Language": "en"}).post("/auth/login", bad)
    t.eq(english["message"], "wrong user name or password", "in English")
    forget(s)


def test_account_limit(s, t):
    """ten failures of an account"""
    add_user(s, "bernd", 4)
    for n in range(9):
        login(s, "bernd", "falsch%d" % n)
    t.eq(login(s, "bernd", PASSWORD).status, 200, "after nine the tenth is welcome")
    t.eq([login(s, "bernd", "falsch").status for _ in range(10)], [401] * 10, "and ten more are heard")
    blocked = login(s, "bernd", PASSWORD)
    t.eq((blocked.status, blocked["message"], blocked["data"]), (429, "登录失败次数过多，请稍后重试", None), "then none, not even the right one")
    t.ok(800 < int(blocked["@Retry-After"]) <= 901, "until the window ends", blocked["@Retry-After"])
    t.eq(login(s, "BERND", PASSWORD).status, 429, "another spelling is the same account")
    add_user(s, "carla", 4)
    t.eq(login(s, "carla", PASSWORD).status, 200, "others are not affected")
    s.sql("UPDATE cascade_login SET since = since - INTERVAL 14 MINUTE WHERE kind = 'user'")
    t.ok(int(login(s, "bernd", PASSWORD)["@Retry-After"]) <= 61, "the window does not grow with further tries")
    s.sql("UPDATE cascade_login SET since = since - INTERVAL 1 MINUTE WHERE kind = 'user'")
    t.eq(login(s, "bernd", PASSWORD).status, 200, "when it is over he may")
    t.eq([login(s, "niemand", "x").status for _ in range(11)], [401] * 10 + [429], "a name that nobody has is limited too")
    forget(s)


def test_address_limit(s, t):
    """thirty failures of an address"""
    s.sql("UPDATE we_users SET password_hash = (SELECT password_hash FROM (SELECT * FROM we_users) u WHERE username = 'bernd')"
          " WHERE username IN ('anna', 'carla')")
    codes = [login(s, "bernd" if n % 3 == 0 else "anna" if n % 3 == 1 else "carla", "x").status for n in range(30)]
    t.eq(codes, [401] * 30, "thirty are heard")
    blocked = login(s, "leser", PASSWORD)
    t.eq((blocked.status, int(blocked["@Retry-After"]) > 800), (429, True), "then none of any account")
    forget(s)
    for _ in range(35):
        login(s, "leser", PASSWORD)
    t.eq(login(s, "leser", PASSWORD).status, 200, "successes do not count")
    t.eq(s.sql("SELECT failures FROM cascade_login WHERE failures > 0"), [], "at all")
    forget(s)


def test_at_once(s, t):
    """many at once cannot outrun the count"""
    codes, start = [], threading.Barrier(24)

    def go():
        start.wait()
        codes.append(login(s, "bernd", "falsch").status)
    threads = [threading.Thread(target=go) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.ok(set(codes) <= {401, 429} and codes.count(401) <= 10, "at most ten of 24 are compared", codes)
    t.eq(login(s, "bernd", PASSWORD).status, 429, "and the account is blocked")
    forget(s)


def test_traces(s, t):
    """what is left behind"""
    s.stop("cascade-fcgi")
    s.start("cascade-fcgi")
    found = []
    for path in glob.glob(os.path.join(s.log_dir, "*.log")):
        with open(path, errors="replace") as file:
            text = file.read()
        found += [path for word in (PASSWORD, "falsch", "access_token", "$2b$") if word in text]
    t.eq(found, [], "no password, token or hash in any log")
    s.sql("INSERT INTO cascade_login (kind, name, failures, since) VALUES ('user', 'alt', 3, NOW(3) - INTERVAL 20 MINUTE)")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_login WHERE name = 'alt'") == "0"), "cascaded removes what is over")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_idempotency"), "0", "a login is not kept under a key")


run(test_login, test_refused, test_account_limit, test_address_limit, test_at_once, test_traces, workers=2,
    env={"CASCADE_AUTH_TOKEN_TTL": "2h"})
