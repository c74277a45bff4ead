#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Alerts: what is told, to whom and how often; that nothing is lost or told twice, whoever dies."""
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SLOW, SOURCE, run, wait_for  # noqa: E402
from listener import Listener  # noqa: E402
from prom import Page  # noqa: E402
from work import complete, dispatch, make_feeds, make_task, status, taken  # noqa: E402

OK = (200, '{"errcode": 0, "errmsg": "ok"}')
SECRET = "SECalertsecret0000000000001"
listener = Listener({"/ding": OK, "/wecom": OK, "/feishu": (200, '{"code": 0, "msg": "success", "data": {}}')})


def configure(s, *targets):
    """The receivers: (path, format, more) each."""
    with open(s.conf) as file:
        text = re.sub(r"\nalerts = \(.*?\);\n", "", file.read(), flags=re.S)
    groups = ",\n".join('  { url = "%s"; format = "%s"; %s }' % (listener.url(path), kind, more)
                        for path, kind, more in targets)
    with open(s.conf, "w") as file:
        file.write(text + "\nalerts = (\n%s );\n" % groups)
    reloads = log_of(s).count("event=reload")
    s.kill("cascaded", signal.SIGHUP)
    assert wait_for(lambda: log_of(s).count("event=reload") > reloads, 20)


def log_of(s):
    with open(os.path.join(s.log_dir, "cascaded.log"), errors="replace") as file:
        return file.read()


def events(path, event=None, subject=None):
    """What the JSON receiver at PATH was told."""
    found = [e for call in listener.to(path) for e in call.json["events"]]
    return [e for e in found if event in (None, e["event"]) and subject in (None, e["subject"])]


def alive(s, *ids):
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) + INTERVAL 1 HOUR WHERE node_id IN ('%s')" % "', '".join(ids))
    wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_node WHERE NOT online AND node_id IN ('%s')"
                             % "', '".join(ids)) == "0")


def silent(s, *ids):
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) - INTERVAL 60 SECOND WHERE node_id IN ('%s')" % "', '".join(ids))


def base64_hmac(key, text):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def test_formats(s, t):
    """each robot, as it takes messages"""
    configure(s, ("/ding?access_token=abc", "dingtalk", 'secret = "%s";' % SECRET),
              ("/feishu", "feishu", 'secret = "%s";' % SECRET), ("/wecom?key=abc", "wecom", ""),
              ("/json", "json", 'secret = "%s";' % SECRET), ("/deaf", "json", 'events = [ "database" ];'))
    node = s.new_node("北京一号")
    alive(s, node.id)
    time.sleep(2)
    t.eq(listener.calls, [], "a node that is well is no news")
    silent(s, node.id)
    paths = ("/ding", "/feishu", "/wecom", "/json")
    t.ok(wait_for(lambda: all(listener.to(p) for p in paths), 15), "one that goes offline is told to all")
    ding, feishu, wecom, own = (listener.to(p)[0] for p in paths)
    text = ding.json["text"]["content"]
    t.ok("Cascade 告警：节点离线" in text and "北京一号" in text and node.id in text and "处理：" in text,
         "what, which, and what to do", text)
    t.ok(re.search(r"最后一次联系：\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text), "and since when", text)
    t.eq(ding.json, {"msgtype": "text", "text": {"content": text}}, "dingtalk")
    query = urllib.parse.parse_qs(ding.path.split("?")[1])
    t.eq(query["access_token"], ["abc"], "at its address")
    stamp = query["timestamp"][0]
    t.ok(abs(int(stamp) / 1000 - time.time()) < 60, "in milliseconds", stamp)
    t.eq(query["sign"], [base64_hmac(SECRET, "%s\n%s" % (stamp, SECRET))], "signed in the query")
    stamp = feishu.json["timestamp"]
    t.eq(feishu.json, {"timestamp": stamp, "sign": base64_hmac("%s\n%s" % (stamp, SECRET), ""), "msg_type": "text",
                       "content": {"text": text}}, "feishu, signed in the body")
    t.ok(abs(int(stamp) - time.time()) < 60, "in seconds", stamp)
    t.eq(wecom.json, {"msgtype": "text", "text": {"content": text}}, "wecom")
    t.eq(own.json["text"], text, "json")
    t.eq([(e["event"], e["recovered"], e["subject"]) for e in own.json["events"]], [("node_offline", False, node.id)],
         "with what happened as data")
    found = re.fullmatch(r"t=(\d+),v1=(\w+)", own.headers["X-Cascade-Signature"])
    t.eq(found and found[2], hmac.new(SECRET.encode(), found[1].encode() + b"." + own.body, hashlib.sha256).hexdigest(),
         "signed in a header")
    alive(s, node.id)
    t.ok(wait_for(lambda: all(len(listener.to(p)) > 1 for p in paths), 15), "that it is back is told too")
    t.ok("Cascade 恢复：节点重新上线" in listener.to("/wecom")[1].json["text"]["content"], "as such")
    t.eq([e["recovered"] for e in events("/json")], [False, True], "and marked")
    t.eq(listener.to("/deaf"), [], "who does not want to know is not told")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_alert_out") == "0"), "nothing is left on its way")


def test_refusals(s, t):
    """robots that answer 200 and mean no"""
    answers = [(200, '{"errcode": 45009, "errmsg": "api freq out of limit"}'), OK]
    listener.answers["/limited"] = lambda call: answers.pop(0) if len(answers) > 1 else answers[0]
    listener.answers["/dead"] = (500, "no")
    configure(s, ("/limited", "wecom", 'name = "ops";'), ("/dead", "json", ""), ("/hang", "json", ""), ("/ok", "json", ""))
    node = s.new_node("refused")
    alive(s, node.id)
    silent(s, node.id)
    t.ok(wait_for(lambda: events("/ok"), 15), "one that answers is told")
    t.ok(wait_for(lambda: len(listener.to("/limited")) == 2, 45), "one that refuses is told until it takes it")
    at = [c.at for c in listener.to("/limited")]
    t.ok(at[1] - at[0] > 3.5, "not at once", *at)
    t.eq(len({c.body for c in listener.to("/limited")}), 1, "the same")
    t.eq(len(events("/ok")), 1, "which is nothing to the others")
    t.ok(wait_for(lambda: len(listener.to("/dead")) >= 3, 45), "and so are others that fail")
    at = [c.at for c in listener.to("/dead")]
    t.ok(at[2] - at[1] > (at[1] - at[0]) * 1.1, "at growing intervals", *at)
    t.ok(wait_for(lambda: len(listener.to("/hang")) >= 2, 45), "or hang")
    log = log_of(s)
    t.ok('target=ops' in log and 'reason="errcode 45009: api freq out of limit"' in log, "the log says why")
    t.ok("HTTP 500" in log and "no answer in time" in log, "of each")
    t.ok(SECRET not in log and "access_token" not in log and "key=abc" not in log, "and holds no secret")
    t.ok(wait_for(lambda: s.sql("SELECT DISTINCT target FROM cascade_alert_out ORDER BY 1") ==
                  [{"target": "json-2"}, {"target": "json-3"}], 10), "what was not delivered waits")
    page = Page(s.http("GET", "/metrics").body.decode())
    count = {o: page.value("cascade_alert_messages_total", outcome=o) for o in ("delivered", "failed", "dropped")}
    t.ok(count["delivered"] >= 9 and count["failed"] >= 4 and count["dropped"] == 0, "all is counted", count)
    t.ok(page.value("cascade_alerts_total", event="node_offline") >= 2, "alerts too")
    s.sql("UPDATE cascade_alert_out SET created_at = NOW() - INTERVAL 2 DAY, held_until = NULL, holder = NULL")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_alert_out") == "0", 15), "until it is too old")
    t.ok("event=alert_dropped" in log_of(s), "which is logged")
    alive(s, node.id)


def test_silence(s, t):
    """a node that comes and goes, and many at once"""
    configure(s, ("/silence", "json", ""), ("/storm", "wecom", ""))
    listener.answers["/storm"] = OK
    node = s.new_node("flaps")
    alive(s, node.id)
    silent(s, node.id)
    t.ok(wait_for(lambda: len(events("/silence", subject=node.id)) == 1, 15), "offline is told")
    first = time.monotonic()
    alive(s, node.id)
    t.ok(wait_for(lambda: len(events("/silence", subject=node.id)) == 2, 15), "its end is told")
    silent(s, node.id)
    t.ok(wait_for(lambda: s.value("SELECT online FROM cascade_node WHERE node_id = '%s'" % node.id) == "0"), "again offline")
    ids = [s.new_node("storm%02d" % i).id for i in range(40)]
    alive(s, *ids)
    silent(s, *ids)
    t.ok(wait_for(lambda: len({e["subject"] for e in events("/silence", "node_offline") if e["subject"] in ids}) == 40, 20),
         "forty nodes go at once")
    t.eq(len(events("/silence", subject=node.id)), 2, "within its silence the first is not told again")
    cut = wait_for(lambda: any("另有" in c.json["text"]["content"] for c in listener.to("/storm")))
    sizes = [len(c.json["text"]["content"].encode()) for c in listener.to("/storm")]
    t.ok(len(sizes) <= 3, "it is few messages", sizes)
    t.ok(cut and max(sizes) <= 2048, "that a robot takes, and that say how many more", sizes)
    t.ok(wait_for(lambda: len(events("/silence", subject=node.id)) == 3, 40), "but after it, since it is still offline")
    t.ok(time.monotonic() - first > 11, "and not before")
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id IN ('%s')" % "', '".join(ids))
    alive(s, node.id)
    t.ok(wait_for(lambda: len(events("/silence", subject=node.id)) == 4, 15), "its end is told again")


def test_tasks(s, t):
    """work that fails for good, and tasks that never succeed"""
    configure(s, ("/tasks", "json", 'events = [ "dead_letter", "no_success" ];'))
    node = s.new_node("works", sync_config={"max_capacity": 50})
    alive(s, node.id)
    make_task(s, "bad", make_feeds(s, 4), name="坏任务")
    make_task(s, "good", make_feeds(s, 2, first=100), name="好任务")

    def one_run(task, fail):
        dispatch(s, task)
        for i in range(4 if task == "bad" else 2):
            package = taken(node)
            if fail and (task == "bad" or i == 0):
                status(node, package, "failed", error_message="账号需要登录")
            else:
                complete(node, package)
        alive(s, node.id)

    for _ in range(3):
        one_run("bad", True)
        one_run("good", True)
    t.ok(wait_for(lambda: events("/tasks", "dead_letter", "bad") and events("/tasks", "dead_letter", "good"), 40),
         "allocations that failed for good are told, by task")
    told = events("/tasks", "dead_letter", "bad")[0]["text"]
    t.ok("坏任务（bad）" in told and "账号需要登录" in told and "cascadectl" in told, "which, why and what to do", told)
    t.ok(wait_for(lambda: events("/tasks", "no_success"), 40), "three dispatches without a success are told")
    t.ok("次数：3" in events("/tasks", "no_success")[0]["text"], "and is counted", events("/tasks", "no_success")[0]["text"])
    counted = sum(int(re.search(r"数量：(\d+)", e["text"])[1]) for e in events("/tasks", "dead_letter", "bad"))
    waiting = int(s.value("SELECT fresh FROM cascade_alert WHERE event = 'dead_letter' AND subject = 'bad'"))
    t.eq(counted + waiting, 12, "each failed allocation is counted once")
    t.eq(events("/tasks", "no_success", "good"), [], "a task that succeeds in part is not meant")
    one_run("bad", False)
    t.ok(wait_for(lambda: [e for e in events("/tasks", "no_success", "bad") if e["recovered"]], 40), "its end is told")


def test_database(s, t):
    """the database goes and comes"""
    configure(s, ("/db", "json", 'events = [ "database" ];'))
    s.stop("mariadbd")
    t.ok(wait_for(lambda: events("/db"), 30), "it is told while it is away")
    time.sleep(3)
    t.eq([(e["event"], e["recovered"]) for e in events("/db")], [("database", False)], "once")
    t.ok("cascaded" in events("/db")[0]["text"] and "处理：" in events("/db")[0]["text"], "by whom, and what to do")
    s.start("mariadbd")
    t.ok(wait_for(lambda: len(events("/db")) == 2, 30), "and that it is back")
    t.eq(events("/db")[1]["recovered"], True, "as such")
    t.ok(wait_for(lambda: Page(s.http("GET", "/metrics").body.decode())
                  .value("cascade_alerts_total", event="database") == 1, 20), "it is counted when it is back")


def test_several_daemons(s, t):
    """three daemons, and the death of the one that leads with a message under way"""
    configure(s, ("/once", "json", ""), ("/hang-first", "json", ""))
    node, other = s.new_node("several"), s.new_node("others")
    alive(s, node.id, other.id)
    program = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascaded")
    log = open(os.path.join(s.log_dir, "cascaded-more.log"), "w")
    more = [subprocess.Popen([program, "--config", s.conf], env=s.env, stdout=log, stderr=log) for _ in range(2)]
    try:
        silent(s, node.id)
        t.ok(wait_for(lambda: events("/once") and listener.to("/hang-first"), 15), "one daemon tells it")
        t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_alert_out WHERE target = 'json-1'") == "0"),
             "one message is noted as delivered")
        s.kill("cascaded")
        silent(s, other.id)
        t.ok(wait_for(lambda: events("/once", subject=other.id), 40), "after kill -9 the next one goes on")
        t.ok(wait_for(lambda: len(listener.to("/hang-first")) > 1, 60), "with what was under way: at least once")
        t.eq(len(events("/once", subject=node.id)), 1, "what was delivered is not told again")
        time.sleep(3)
        t.eq(len(events("/once", subject=other.id)), 1, "nor is anything else")
    finally:
        for process in more:
            process.terminate()
        t.eq([process.wait(20) for process in more], [0, 0], "they end well")
        log.close()
    starts = log_of(s).count("event=start")
    s.start("cascaded")
    wait_for(lambda: log_of(s).count("event=start") > starts)


def test_command(s, t):
    """cascadectl alert test"""
    listener.answers["/refuses"] = (200, '{"code": 19021, "msg": "sign match fail"}')
    configure(s, ("/ding?access_token=abc", "dingtalk", 'name = "ops"; secret = "%s";' % SECRET),
              ("/refuses", "feishu", ""), ("/hang", "json", ""))
    before = len(listener.to("/ding"))
    done = s.ctl("--lang", "en", "alert", "test", "--json")
    rows = json.loads(done.stdout)
    t.eq([(r["name"], r["format"], r["delivered"], r["error"]) for r in rows],
         [("ops", "dingtalk", True, None), ("feishu-2", "feishu", False, "code 19021: sign match fail"),
          ("json-3", "json", False, "no answer in time")], "what each answered")
    t.eq(done.returncode, 65, "some failed")
    t.ok("测试" in listener.to("/ding")[before].json["text"]["content"], "what was sent")
    key = os.path.join(s.dir, "robot")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-keyout", key + ".key", "-out", key + ".crt"], check=True, capture_output=True)
    stranger = Listener(certificate=(key + ".crt", key + ".key"))
    conf = os.path.join(s.dir, "stranger.conf")
    with open(conf, "w") as file:
        file.write('alerts = ( { url = "%s"; } );\n' % stranger.url("/x"))
    done = s.ctl("--lang", "en", "--config", conf, "alert", "test", "--json")
    t.ok("certificate" in json.loads(done.stdout)[0]["error"], "whoever has no certificate that counts", done.stdout)
    t.eq(stranger.calls, [], "is sent nothing")
    stranger.close()
    done = s.ctl("alert", "test", "ops")
    t.eq((done.returncode, SECRET in done.stdout + done.stderr), (0, False), "one alone")
    t.ok("ops" in done.stdout, "for people", done.stdout)
    t.eq(s.ctl("alert", "test", "nix").returncode != 0, True, "one that is not there")
    printed = s.ctl("--print-config").stdout
    t.ok("alerts = (" in printed and SECRET not in printed and "access_token" not in printed, "its secrets are not printed")


run(test_formats, test_refusals, test_silence, test_tasks, test_database, test_several_daemons, test_command, workers=2,
    env={"CASCADE_NODE_OFFLINE_AFTER": "5s", "CASCADE_CASCADED_REFRESH": "1s", "CASCADE_ALERT_TIMEOUT": "3s",
         "CASCADE_ALERT_NODE_OFFLINE_SILENCE": "12s", "CASCADE_ALERT_DEAD_LETTER_SILENCE": "5s",
         "CASCADE_ALERT_DATABASE_AFTER": "2s", "CASCADE_RETRY_MAX_ATTEMPTS": "1", "CASCADE_RETRY_BACKOFF": "0"})
