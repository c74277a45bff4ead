#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The administrator's command."""
import json
import os
import re
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SOURCE, run  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt

PROGRAM = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascadectl")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")


def write(s, name, text):
    path = os.path.join(s.dir, name)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def good(s, t, *arguments, stdin=""):
    """What the command prints; a check that it succeeds in silence."""
    done = s.ctl(*arguments, stdin=stdin)
    t.ok(done.returncode == 0 and not done.stderr, "cascadectl " + " ".join(arguments)[:70], repr(done))
    return done.stdout


def good_json(s, t, *arguments, stdin=""):
    return json.loads(good(s, t, "--json", *arguments, stdin=stdin))


def bad(s, t, status, words, *arguments, stdin=""):
    """A check that it fails with STATUS, says WORDS and prints nothing."""
    done = s.ctl(*arguments, stdin=stdin)
    said = done.stderr.startswith("cascadectl: ") and words in done.stderr
    t.ok(done.returncode == status and said and not done.stdout,
         "cascadectl %s: %d, %s" % (" ".join(arguments)[:70], status, words), repr(done))


def commands(s):
    """The names of all commands, of the help."""
    lines = s.ctl("help").stdout.split("commands:\n")[1].split("\n\n")[0].splitlines()
    return [re.match(r"  ([\w-]+(?: [a-z]+)?)", line).group(1) for line in lines]


def test_usage(s, t):
    """the command line"""
    t.eq(good(s, t, "--version").split()[0], "cascadectl", "version")
    t.ok(good(s, t, "--help") == good(s, t, "help"), "--help is help")
    t.ok(len(commands(s)) > 30, "help lists the commands", s.ctl("help").stdout)
    good(s, t, "--check-config")
    printed = good(s, t, "--print-config")
    t.ok("jwt_secret" in printed and s.token not in printed, "the configuration in force")
    for arguments, words in (
            ([], "a command is missing"), (["nix"], "unknown command: nix"), (["node", "nix"], "unknown command"),
            (["node"], "usage: cascadectl node add NAME"), (["status", "--nix"], "unknown option: --nix"),
            (["status", "-x"], "unknown option: -x"), (["status", "--limit", "3"], "--limit does not belong"),
            (["node", "show"], "usage: cascadectl node show ID"), (["node", "show", "a", "b"], "too many: b"),
            (["token", "--user"], "--user needs a value"), (["status", "--json=yes"], "takes no value"),
            (["help", "nix"], "unknown command"), (["task", "set", "x"], "nothing to change")):
        bad(s, t, 64, words, *arguments)
    for arguments in (["feed", "list", "--limit", "0"], ["feed", "list", "--limit=1x"], ["token", "--ttl", "5"],
                      ["allocations", "--status", "assigned"], ["user", "add", "x", "--role", "root"],
                      ["node", "add", "x", "--api-url", "ftp://x"], ["node", "add", "x", "--id", ""],
                      ["--lang", "fr", "status"]):
        bad(s, t, 65, "--", *arguments)
    t.ok("usage" in good(s, t, "node", "add", "--help"), "--help of a command")


def test_manual(s, t):
    """the manual page knows every command and option"""
    with open(os.path.join(SOURCE, "man", "cascadectl.1")) as file:
        page = file.read().replace("\\-", "-")
    for name in commands(s):
        t.ok(re.search(r"^\.It Cm %s\b" % name, page, re.M), name)
    options = set()
    for noun in {name.split()[0] for name in commands(s)} | {""}:
        options |= set(re.findall(r"--[a-z-]+", s.ctl("help", *noun.split()).stdout))
    missing = [o for o in options if "Fl -" + o[2:] not in page]
    t.eq(missing, [], "every option of %d" % len(options))


def test_language(s, t):
    """Chinese and English"""
    def said(**env):
        clean = {k: v for k, v in s.env.items() if k != "LANG" and not k.startswith("LC_")}
        return subprocess.run([PROGRAM, "nix"], env=dict(clean, **env), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True).stderr.splitlines()[0]

    chinese, english = "cascadectl: 未知命令：nix", "cascadectl: unknown command: nix"
    t.eq((said(), said(LANG="C.UTF-8")), (chinese, chinese), "Chinese without a locale")
    t.eq((said(LANG="zh_CN.UTF-8"), said(LANG="en_GB.UTF-8")), (chinese, english), "LANG")
    t.eq(said(LANG="zh_CN.UTF-8", LC_MESSAGES="en_US"), english, "LC_MESSAGES over LANG")
    t.eq(said(LC_ALL="zh_TW", LC_MESSAGES="en"), chinese, "LC_ALL over both")
    t.ok("未知命令" in s.ctl("--lang", "zh", "nix").stderr, "--lang over all of them")
    t.ok("命令" in good(s, t, "--lang=zh", "help"), "help too")


def test_schema(s, t):
    """schema"""
    version = max(int(f[:3]) for f in os.listdir(os.path.join(SOURCE, "sql")) if f.endswith(".sql"))
    state = good_json(s, t, "schema", "status", "--dir", os.path.join(SOURCE, "sql"))
    t.eq(state, {"version": version, "wanted": version, "changed_file": None}, "status")
    t.eq(good_json(s, t, "schema", "check")["version"], version, "check")
    again = good(s, t, "schema", "install", "--dir", os.path.join(SOURCE, "sql"))
    t.eq(len(again.splitlines()), 1, "to install again applies nothing", again)
    bad(s, t, 74, "nowhere", "schema", "install", "--dir", os.path.join(s.dir, "nowhere"))
    s.sql("RENAME TABLE cascade_schema TO put_away")
    bad(s, t, 78, "schema install", "status")
    bad(s, t, 78, "schema install", "schema", "check")
    s.sql("RENAME TABLE put_away TO cascade_schema")


def test_users(s, t):
    """users and tokens"""
    secret = write(s, "password", "correct horse 电池\nsecond line\n")
    made = good_json(s, t, "user", "add", "张三", "--role", "user", "--nickname", "小张", "--password-file", secret)
    t.ok(UUID.match(made["user_id"]) and "password" not in made, "made with the password of a file", repr(made))
    stored = s.sql("SELECT * FROM we_users WHERE username = '张三'")[0]
    t.ok(stored["password_hash"].startswith("$2b$12$"), "bcrypt")
    t.eq(crypt.crypt("correct horse 电池", stored["password_hash"]), stored["password_hash"], "of the first line")
    t.eq((stored["role"], stored["nickname"], stored["is_active"]), ("user", "小张", "1"), "role, nickname, active")
    made = good_json(s, t, "user", "add", "random")
    stored = s.value("SELECT password_hash FROM we_users WHERE username = 'random'")
    t.ok(len(made["password"]) == 20 and crypt.crypt(made["password"], stored) == stored, "a random password")
    t.eq(made["role"], "admin", "the role by default")
    changed = good_json(s, t, "user", "passwd", "random")
    now = s.value("SELECT password_hash FROM we_users WHERE username = 'random'")
    t.ok(crypt.crypt(changed["password"], now) == now != stored, "another one")
    good(s, t, "user", "passwd", "random", "--password-file", "-", stdin="from standard input")
    now = s.value("SELECT password_hash FROM we_users WHERE username = 'random'")
    t.eq(crypt.crypt("from standard input", now), now, "a password from standard input")
    bad(s, t, 75, "exists", "user", "add", "张三")
    bad(s, t, 65, "NAME", "user", "add", "x" * 51)
    bad(s, t, 65, "--password-file", "user", "add", "short", "--password-file", "-", stdin="1234567\n")
    bad(s, t, 65, "--password-file", "user", "add", "long", "--password-file", "-", stdin="x" * 73)
    bad(s, t, 74, "cannot read", "user", "add", "none", "--password-file", os.path.join(s.dir, "none"))
    bad(s, t, 69, "no such user: nobody", "user", "passwd", "nobody")
    t.eq([(u["username"], u["role"], u["is_active"]) for u in good_json(s, t, "user", "list")],
         [("admin", "admin", True), ("random", "admin", True), ("张三", "user", True)], "list")

    token = good(s, t, "token", "--user", "张三", "--ttl", "1h").strip()
    t.eq(s.bearer(token).get("/nodes").status, 200, "a token of a reader reads")
    t.eq(s.bearer(token).post("/dispatch-task").status, 403, "and changes nothing")
    token = good_json(s, t, "token")["token"]
    t.eq(s.bearer(token).post("/dispatch-task").status, 200, "admin's is the one by default")
    token = good(s, t, "token", "--user", "random").strip()
    t.ok("random" in good(s, t, "user", "disable", "random"), "disabling says so")
    t.eq(s.bearer(token).get("/nodes").status, 401, "a disabled user's token is refused")
    bad(s, t, 77, "disabled", "token", "--user", "random")
    bad(s, t, 69, "no such user", "token", "--user", "nobody")
    good(s, t, "user", "enable", "random")
    t.eq(s.bearer(token).get("/nodes").status, 200, "enabled again it is accepted")


def test_keys(s, t):
    """access keys"""
    made = good_json(s, t, "key", "add", "张三", "--name", "ci", "--ttl", "1h")
    t.ok(re.match(r"^WK[\w-]{32}$", made["key"]) and re.match(r"^SK[\w-]{32}$", made["secret"]), "made", repr(made))
    client = s.node(made["key"], made["secret"])
    t.eq(client.get("/nodes").status, 200, "it is accepted")
    listed = good_json(s, t, "key", "list")[0]
    t.eq((listed["key"], listed["username"], listed["name"]), (made["key"], "张三", "ci"), "listed")
    t.ok(TIME.match(listed["expires_at"]), "with its end")
    t.ok(made["secret"] not in good(s, t, "key", "list"), "but never its secret")
    s.sql("UPDATE we_access_keys SET expires_at = UTC_TIMESTAMP() - INTERVAL 1 SECOND")
    t.eq(client.get("/nodes").status, 401, "an expired one is refused")
    good(s, t, "key", "rm", made["key"])
    t.eq(good_json(s, t, "key", "list"), [], "removed")
    bad(s, t, 69, "access key", "key", "rm", made["key"])
    bad(s, t, 69, "no such user", "key", "add", "nobody")


def test_feeds(s, t):
    """feeds"""
    text = ('\ufeffid,mp_name,faker_id,mp_cover,mp_intro,status,created_at\r\n'
            'MP_WXS_1,"公众号,""一""",f1,http://c/1,"两行\r\n简介",1,x\r\n\r\nMP_WXS_2,二,,,,,\r\nMP_WXS_3,三,,,,0,')
    t.eq(good_json(s, t, "feed", "import", write(s, "feeds.csv", text))["imported"], 3, "a CSV file")
    feeds = good_json(s, t, "feed", "list")
    t.eq([(f["id"], f["mp_name"], f["mp_intro"], f["status"]) for f in feeds],
         [("MP_WXS_1", '公众号,"一"', "两行\r\n简介", 1), ("MP_WXS_2", "二", "", 1), ("MP_WXS_3", "三", "", 0)], "list")
    served = s.admin().get("/feeds")
    if served.status == 200:
        good(s, t, "feed", "import", "-", stdin=served.body.decode())
        # all but the time of the change, which is now
        again, first = ([{k: v for k, v in f.items() if k != "updated_at"} for f in data]
                        for data in (s.admin().get("/feeds").data, served.data))
        t.eq(again, first, "what GET /feeds answers can be imported")
    good(s, t, "feed", "import", "-", stdin='[{"id": "MP_WXS_2", "mp_cover": "c", "mp_name": null}, {"id": "MP_WXS_4"}]')
    feeds = good_json(s, t, "feed", "list")
    t.eq([(f["id"], f["mp_name"], f["mp_cover"]) for f in feeds[1:]],
         [("MP_WXS_2", "二", "c"), ("MP_WXS_3", "三", ""), ("MP_WXS_4", "", "")], "what is left out stays")
    before = s.value("SELECT COUNT(*) FROM we_feeds")
    for data, words in (
            (b"id,mp_name\nN1,a,b\n", ":2: has 3 fields"), (b"mp_name\nx\n", ":1: id: "), (b"id,nix\n", ":1: nix: "),
            (b"id,id\n", ":1: id: "), (b"id,status\nN1,1\nN2,x\n", ":3: status: "), (b'id\n"N', "unclosed"),
            (b'id\nN"\n', ":2: has a misplaced"), (b'id\n"N1"x\n', ":2: has a misplaced"), (b"", ":1: "),
            (b"id,mp_name\nN1,\xb9\xab\n", ":2: mp_name: is not valid UTF-8"), (b"id\nN\0\n", "NUL"),
            (b'id,mp_name\n"N\n\n1",c\nN2,' + b"x" * 256, ":5: mp_name: "), (b"id,mp_name\n,x\n", ":2: id: ")):
        bad(s, t, 65, words, "feed", "import", write(s, "bad.csv", data))
    for data, words in (
            ('[{"id": "N1"}, {"mp_name": "x"}]', "[1].id: "), ('[{"id": ""}]', "[0].id: "), ("[1]", "[0]: "),
            ('[{"id": "N1", "status": "1"}]', "[0].status: "), ('{"a": 1}', "array of feeds"), ('[{"id":', "JSON")):
        bad(s, t, 65, words, "feed", "import", "-", stdin=data)
    t.eq(s.value("SELECT COUNT(*) FROM we_feeds"), before, "nothing of a bad file is stored")
    bad(s, t, 74, "cannot read", "feed", "import", os.path.join(s.dir, "none"))
    many = "id,mp_name\n" + "".join("B%05d,批量%d\n" % (i, i) for i in range(20000))
    t.eq(good_json(s, t, "feed", "import", "-", stdin=many)["imported"], 20000, "20,000 at once")
    t.eq(len(good_json(s, t, "feed", "list", "--limit", "7")), 7, "--limit")
    s.sql("DELETE FROM we_feeds WHERE id LIKE 'B%'")
    good(s, t, "feed", "enable", "MP_WXS_3")
    good(s, t, "feed", "disable", "MP_WXS_4")
    t.eq([f["status"] for f in good_json(s, t, "feed", "list")], [1, 1, 1, 0], "enabled and disabled")
    bad(s, t, 69, "no such feed", "feed", "enable", "nix")


def test_tasks(s, t):
    """tasks"""
    template = write(s, "template", "模板 {{x}}\n")
    made = good(s, t, "task", "add", "每日更新", "--cron", "0 9 * * *", "--feeds", "mp_wxs_1,MP_WXS_2",
                "--template-file", template, "--web-hook-url", "https://h/x", "--message-type", "1",
                "--feeds-per-allocation", "2", "--max-attempts", "4", "--priority", "-3").strip()
    t.ok(UUID.match(made), "prints its id", made)
    task = good_json(s, t, "task", "show", made)
    t.eq({k: task[k] for k in ("name", "cron_exp", "message_template", "web_hook_url", "message_type", "status",
                               "feeds_per_allocation", "max_attempts", "priority")},
         {"name": "每日更新", "cron_exp": "0 9 * * *", "message_template": "模板 {{x}}\n", "web_hook_url": "https://h/x",
          "message_type": 1, "status": 1, "feeds_per_allocation": 2, "max_attempts": 4, "priority": -3}, "as given")
    t.eq(json.loads(task["mps_id"]), [{"id": "MP_WXS_1", "mp_name": '公众号,"一"'}, {"id": "MP_WXS_2", "mp_name": "二"}],
         "its feeds, as they are stored")
    t.eq(good(s, t, "task", "add", "全部", "--id", "all", "--disabled").strip(), "all", "with an id of one's own")
    task = good_json(s, t, "task", "show", "all")
    t.eq((task["status"], task["mps_id"], task["cron_exp"], task["feeds_per_allocation"], task["max_attempts"]),
         (0, "[]", "", 1, None), "everything by default")
    good(s, t, "task", "set", made, "--name", "改名", "--all-feeds", "--max-attempts", "0", "--priority=2")
    task = good_json(s, t, "task", "show", made)
    t.eq((task["name"], task["mps_id"], task["max_attempts"], task["priority"], task["cron_exp"],
          task["feeds_per_allocation"]), ("改名", "[]", None, 2, "0 9 * * *", 2), "changed, the rest kept")
    good(s, t, "task", "enable", "all")
    good(s, t, "task", "disable", made)
    t.eq([(x["id"], x["status"]) for x in good_json(s, t, "task", "list")], [(made, 0), ("all", 1)], "list")
    bad(s, t, 75, "all", "task", "add", "x", "--id", "all")
    bad(s, t, 65, "--feeds: nix", "task", "add", "x", "--feeds", "MP_WXS_1,nix")
    bad(s, t, 65, "--feeds", "task", "add", "x", "--feeds", "MP_WXS_1,")
    bad(s, t, 64, "exclude", "task", "add", "x", "--feeds", "MP_WXS_1", "--all-feeds")
    bad(s, t, 65, "--cron", "task", "add", "x", "--cron", "* * * *")
    bad(s, t, 65, "NAME", "task", "add", "x" * 101)
    bad(s, t, 65, "--name", "task", "set", "all", "--name", "x" * 101)
    for arguments in (["show"], ["enable"], ["rm"], ["set", "--name", "x"]):
        bad(s, t, 69, "no such task", "task", arguments[0], "nix", *arguments[1:])
    t.eq(len(good_json(s, t, "task", "list")), 2, "no bad one was stored")
    good(s, t, "task", "rm", made)
    t.eq([x["id"] for x in good_json(s, t, "task", "list")], ["all"], "removed")


def test_nodes(s, t):
    """nodes"""
    made = good_json(s, t, "node", "add", "节点一", "--capacity", "20", "--quota", "MP_WXS_1=5", "--quota", "a=b=1",
                     "--description", "d", "--api-url", "http://h/", "--credentials")
    client = s.node(made["api_key"], made["api_secret"])
    t.eq(client.post("/heartbeat").status, 200, "its credential is accepted")
    node = good_json(s, t, "node", "show", made["node_id"])
    t.eq((node["name"], node["node_type"], node["max_capacity"], node["online"], node["description"]),
         ("节点一", 1, 20, True, "d"), "as given, online")
    t.eq(node["sync_config"], {"max_capacity": 20, "feed_quota": {"MP_WXS_1": 5, "a=b": 1}}, "its quotas")
    good(s, t, "node", "set", made["node_id"], "--quota", "MP_WXS_1=0", "--quota", "MP_WXS_2=3", "--name", "改名")
    node = s.admin().get("/nodes/" + made["node_id"]).data
    t.eq((node["name"], node["sync_config"]),
         ("改名", {"max_capacity": 20, "feed_quota": {"a=b": 1, "MP_WXS_2": 3}}), "changed, the rest kept")
    good(s, t, "node", "set", made["node_id"], "--capacity", "7")
    t.eq(s.admin().get("/nodes/" + made["node_id"])["data.max_capacity"], 7, "another capacity")
    good(s, t, "node", "set", made["node_id"], "--active", "no")
    t.eq(client.post("/heartbeat").status, 401, "a deactivated one is refused")
    good(s, t, "node", "set", made["node_id"], "--active", "yes")
    rotated = good_json(s, t, "node", "rotate", made["node_id"])
    t.eq(client.post("/heartbeat").status, 401, "so is a former credential")
    t.eq(s.node(rotated["api_key"], rotated["api_secret"]).post("/heartbeat").status, 200, "the new one is not")
    t.eq(good(s, t, "node", "add", "父", "--id", "p-1", "--parent").strip(), "p-1", "a parent with an id of one's own")
    t.eq(good_json(s, t, "node", "show", "p-1")["node_type"], 0, "is one")
    bad(s, t, 75, "p-1", "node", "add", "x", "--id", "p-1")
    bad(s, t, 64, "exclude", "node", "add", "x", "--parent", "--credentials")
    for quota in ("x", "x=", "=1", "x=-1", "x=1.5"):
        bad(s, t, 65, "--quota", "node", "add", "x", "--quota", quota)
    bad(s, t, 65, "", "node", "rotate", "p-1")
    for arguments in (["show"], ["rotate"], ["rm"], ["set", "--name", "x"]):
        bad(s, t, 69, "no such node", "node", arguments[0], "nix", *arguments[1:])
    t.eq(sorted(n["name"] for n in good_json(s, t, "node", "list")), ["改名", "父"], "list")
    good(s, t, "node", "rm", "p-1")
    good(s, t, "node", "rm", made["node_id"])
    t.eq(good_json(s, t, "node", "list"), [], "removed")


def test_allocations(s, t):
    """dispatch, allocations, status"""
    t.eq(good_json(s, t, "dispatch"), [
        {"id": "all", "name": "全部", "mp_count": 3, "allocations_created": 3, "skipped_open": 0, "skipped_feeds": 0,
         "cancelled": 0, "error": None}], "every enabled task is dispatched")
    again = good_json(s, t, "dispatch", "--task", "all")[0]
    t.eq((again["allocations_created"], again["skipped_open"]), (0, 3), "what is open is not dispatched again")
    forced = good_json(s, t, "dispatch", "--task", "all", "--force")[0]
    t.eq((forced["allocations_created"], forced["cancelled"]), (3, 3), "but with --force")
    bad(s, t, 69, "no such task", "dispatch", "--task", "nix")
    node = s.new_node("工人")
    package = node.post("/claim-task").data
    listed = good_json(s, t, "allocations", "--node", node.id, "--status", "claimed")
    t.eq([row["id"] for row in listed], [package["allocation_id"]], "what the node holds")
    api = s.admin().get("/allocations/" + package["allocation_id"])
    t.eq(good_json(s, t, "allocation", "show", package["allocation_id"]), api.data, "the same as the API shows")
    t.eq([r["id"] for r in good_json(s, t, "allocations", "--limit", "4")],
         [r["id"] for r in s.admin().get("/allocations?limit=4").data["list"]], "the same list too")
    state = good_json(s, t, "status")
    counts = s.admin().get("/pending-allocations").data
    t.eq({k: state[k] for k in counts}, counts, "the same counts")
    t.eq((state["nodes"], state["current_tasks"], state["capacity"]), (1, 1, 10), "nodes and their load", repr(state))
    t.ok(state["oldest_waiting_s"] >= 0 and UUID.match(state["oldest_waiting"]), "the oldest that waits", repr(state))
    good(s, t, "allocation", "cancel", package["allocation_id"])
    row = good_json(s, t, "allocation", "show", package["allocation_id"])
    t.eq((row["status"], row["error_message"]), ("cancelled", "已由 cascadectl 取消"), "cancelled")
    t.eq(node.put("/task-status", {"allocation_id": row["id"], "status": "executing"}).status, 409, "for its node too")
    good(s, t, "allocation", "cancel", package["allocation_id"])
    s.sql("UPDATE we_cascade_task_allocations SET status = 'completed' WHERE id = '%s'" % row["id"])
    bad(s, t, 75, "has ended", "allocation", "cancel", row["id"])
    bad(s, t, 69, "no such allocation", "allocation", "cancel", "nix")
    bad(s, t, 69, "no such allocation", "allocation", "show", "nix")
    s.sql("UPDATE we_message_tasks SET mps_id = 'broken' WHERE id = 'all'")
    t.ok("mps_id" in good_json(s, t, "dispatch")[0]["error"], "a task that cannot be read fails alone")
    bad(s, t, 65, "mps_id", "dispatch", "--task", "all")


def test_tables(s, t):
    """what people see"""
    for arguments in (["node", "list"], ["user", "list"], ["feed", "list"], ["task", "list"], ["allocations"],
                      ["status"], ["task", "show", "all"]):
        good(s, t, "--lang", "zh", *arguments)
    lines = good(s, t, "--lang", "zh", "user", "list").splitlines()
    t.eq(lines[0].split(), ["用户", "角色", "名称", "启用", "创建时间"], "titles")
    wide = re.compile("[\u2e80-\uffef]")
    column = [len(wide.sub("xx", line.split("20")[0] if "20" in line else line.split("创建")[0])) for line in lines]
    t.eq(len(set(column)), 1, "columns stand below each other", *lines)
    s.sql("INSERT INTO we_feeds (id, mp_name, status) VALUES ('evil', '\x1b[2J\n\u202e%s', 1)" % ("长" * 60))
    shown = good(s, t, "feed", "list")
    t.ok("\x1b" not in shown and "\u202e" not in shown, "nothing moves the terminal's cursor", shown)
    t.ok("…" in shown and "长" * 60 not in shown, "long cells are cut")
    t.eq(good(s, t, "--lang", "zh", "key", "list").strip(), "（无）", "an empty list")


def test_trouble(s, t):
    """what goes wrong"""
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "--config", s.conf, "user", "list"], stdout=full, stderr=subprocess.PIPE,
                              env=s.env, text=True)
    t.eq(done.returncode, 74, "standard output that is full", done.stderr)
    bad(s, t, 78, "configuration", "--config", os.path.join(s.dir, "none.conf"), "status")
    conf = write(s, "bad.conf", "database: { nix = 1; };\n")
    bad(s, t, 78, "bad.conf", "--config", conf, "status")
    bad(s, t, 78, "bad.conf", "--config", conf, "--check-config")
    s.stop("mariadbd")
    bad(s, t, 69, "database", "status")
    s.start("mariadbd")


run(test_usage, test_manual, test_language, test_schema, test_users, test_keys, test_feeds, test_tasks, test_nodes,
    test_allocations, test_tables, test_trouble, workers=2, cascaded=False)
