# SPDX-License-Identifier: MIT
"""
What WeRSS brings along: its tables as it lays them out on MySQL, without anything of ours; rows in
each of them, inserted as it inserts them; and its tokens.
"""
import base64
import hashlib
import hmac
import json
import os
import time

from work import insert

# Table, columns, indexes: WeRSS on MySQL, where its text is MEDIUMTEXT.
LAYOUT = {
    "we_cascade_nodes": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, node_type INT NOT NULL, name VARCHAR(255) NOT NULL,"
        " description MEDIUMTEXT, api_url VARCHAR(500), callback_url VARCHAR(500), api_key VARCHAR(100),"
        " api_secret_hash VARCHAR(64), parent_id VARCHAR(255), status INT, sync_config MEDIUMTEXT,"
        " last_sync_at DATETIME, last_heartbeat_at DATETIME, is_active BOOL, created_at DATETIME, updated_at DATETIME"),
    "we_cascade_sync_logs": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, node_id VARCHAR(255) NOT NULL, operation VARCHAR(50) NOT NULL,"
        " direction VARCHAR(20) NOT NULL, status INT, data_count INT, error_message MEDIUMTEXT,"
        " extra_data MEDIUMTEXT, started_at DATETIME, completed_at DATETIME"),
    "we_cascade_task_allocations": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, task_id VARCHAR(255) NOT NULL, task_name VARCHAR(255),"
        " cron_exp VARCHAR(100), node_id VARCHAR(255), feed_ids MEDIUMTEXT NOT NULL, status VARCHAR(20),"
        " result_summary MEDIUMTEXT, error_message MEDIUMTEXT, dispatched_at DATETIME, claimed_at DATETIME,"
        " started_at DATETIME, completed_at DATETIME, schedule_run_id VARCHAR(255), article_count INT,"
        " new_article_count INT, created_at DATETIME, updated_at DATETIME,"
        " KEY ix_we_cascade_task_allocations_task_id (task_id), KEY ix_we_cascade_task_allocations_node_id (node_id),"
        " KEY ix_we_cascade_task_allocations_status (status),"
        " KEY ix_we_cascade_task_allocations_schedule_run_id (schedule_run_id)"),
    "we_message_tasks": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, message_type INT NOT NULL, name VARCHAR(100) NOT NULL,"
        " message_template MEDIUMTEXT NOT NULL, web_hook_url VARCHAR(500) NOT NULL, headers MEDIUMTEXT,"
        " cookies MEDIUMTEXT, mps_id MEDIUMTEXT NOT NULL, cron_exp VARCHAR(100) NOT NULL, status INT,"
        " created_at DATETIME, updated_at DATETIME"),
    "we_feeds": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, mp_name VARCHAR(255), mp_cover VARCHAR(255), mp_intro VARCHAR(255),"
        " status INT, sync_time INT, update_time INT, created_at DATETIME, updated_at DATETIME, faker_id VARCHAR(255)"),
    "we_articles": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, mp_id VARCHAR(255), title VARCHAR(1000), pic_url VARCHAR(500),"
        " url VARCHAR(500), description MEDIUMTEXT, extinfo MEDIUMTEXT, status INT, publish_time INT,"
        " created_at DATETIME, updated_at DATETIME, updated_at_millis BIGINT, is_export INT, is_read INT,"
        " content MEDIUMTEXT, content_html MEDIUMTEXT, content_markdown MEDIUMTEXT,"
        " KEY ix_we_articles_publish_time (publish_time), KEY ix_we_articles_updated_at_millis (updated_at_millis)"),
    "we_users": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, username VARCHAR(50) NOT NULL, password_hash VARCHAR(255) NOT NULL,"
        " is_active BOOL, role VARCHAR(20), permissions MEDIUMTEXT, nickname VARCHAR(50), avatar VARCHAR(255),"
        " email VARCHAR(50), created_at DATETIME, updated_at DATETIME, UNIQUE KEY ix_we_users_username (username)"),
    "we_access_keys": (
        "id VARCHAR(255) NOT NULL PRIMARY KEY, user_id VARCHAR(255) NOT NULL, `key` VARCHAR(64) NOT NULL,"
        " secret VARCHAR(64) NOT NULL, name VARCHAR(255) NOT NULL, description MEDIUMTEXT, permissions MEDIUMTEXT,"
        " is_active BOOL, last_used_at DATETIME, created_at DATETIME, updated_at DATETIME, expires_at DATETIME,"
        " UNIQUE KEY ix_we_access_keys_key (`key`)"),
}

NODE_KEY, NODE_SECRET = "CNwerss%025d", "CSwerss%025d"
USER_KEY, USER_SECRET = "WKwerss%025d", "SKwerss%025d"
BCRYPT = "$2b$12$9sAo0uS99hXguD6WSI3ibuhRDmAO61PKCb7p1JbHotHk.cjXliJ/u"
THEN = "2025-11-30 23:59:59"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def layout(s, collation="utf8mb4_general_ci"):
    """WeRSS's tables in the database of S."""
    s.sql(";".join("CREATE TABLE %s (%s) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE %s"
                   % (table, columns, collation) for table, columns in LAYOUT.items()))


def _allocations(first, count):
    states = ("pending", "claimed", "executing", "completed", "failed", "timeout")
    for n in range(first, first + count):
        state = states[n % len(states)]
        yield {"id": "wa-%04d" % n, "task_id": "wt-%d" % (1 + n % 3), "task_name": "任务", "cron_exp": "0 * * * *",
               "node_id": None if state == "pending" else "wn-1", "feed_ids": '["MP_WXS_%d"]' % (4000 + n),
               "status": state, "result_summary": '[{"ok": "✓"}]' if state == "completed" else None,
               "error_message": "超时" if state == "timeout" else None, "dispatched_at": THEN,
               "completed_at": THEN if n % 6 > 2 else None, "schedule_run_id": "wr-1", "article_count": n % 5,
               "new_article_count": 0, "created_at": THEN, "updated_at": THEN}


def fill(s, first=1, count=12):
    """COUNT rows and more in every table, numbered from FIRST on; 'admin' is among the first users."""
    numbers = range(first, first + count)
    insert(s, "we_cascade_nodes", [
        {"id": "wn-%d" % n, "node_type": 1 if n > 2 else n % 2, "name": "节点😀%d" % n, "description": "",
         "api_url": "http://10.0.0.%d" % n, "callback_url": None, "api_key": NODE_KEY % n,
         "api_secret_hash": sha256(NODE_SECRET % n), "status": n % 3, "is_active": int(n != 4),
         "sync_config": ('{"max_capacity": 7, "feed_quota": {"MP_WXS_4001": 2}}', "", None, "{}")[n % 4],
         "last_heartbeat_at": THEN, "created_at": THEN, "updated_at": THEN} for n in numbers])
    insert(s, "we_cascade_sync_logs", [
        {"id": "wl-%d" % n, "node_id": "wn-1", "operation": "claim_task", "direction": "pull", "status": 1,
         "data_count": n, "error_message": None, "extra_data": '{"任务": %d}' % n, "started_at": THEN,
         "completed_at": THEN} for n in numbers])
    insert(s, "we_message_tasks", [
        {"id": "wt-%d" % n, "message_type": n % 2, "name": "任务%d" % n, "message_template": "{{ 'x' }}\n\t\\",
         "web_hook_url": "", "headers": None, "cookies": "", "cron_exp": "0 0 31 2 *", "status": int(n != 3),
         "mps_id": json.dumps([{"id": "MP_WXS_%d" % (4000 + i), "mp_name": "公众号"} for i in range(n, n + 3)],
                              ensure_ascii=False), "created_at": THEN, "updated_at": THEN} for n in numbers])
    insert(s, "we_feeds", [
        {"id": "MP_WXS_%d" % (4000 + n), "mp_name": "公众号%d" % n, "mp_cover": "https://c/%d" % n, "mp_intro": "简介",
         "status": int(n % 4 != 0), "sync_time": 0, "update_time": 1767225600, "created_at": THEN,
         "updated_at": THEN, "faker_id": "MzA%d" % n} for n in numbers])
    insert(s, "we_articles", [
        {"id": "%d-224748_%d" % (4000 + n, i), "mp_id": "MP_WXS_%d" % (4000 + n), "title": "标题😀" * 9,
         "pic_url": "https://p/" + "x" * 480, "url": "https://u/" + "x" * 480, "description": None, "extinfo": None,
         "status": 1, "publish_time": 1700000000 + i, "created_at": THEN, "updated_at": THEN,
         "updated_at_millis": 1767225600000 + i, "is_export": 0, "is_read": n % 2, "content": "<p>正文\\</p>" * 50,
         "content_html": None, "content_markdown": "正文"} for n in numbers for i in range(20)])
    insert(s, "we_users", [
        {"id": "wu-%d" % n, "username": "admin" if n == 1 else "用户%d" % n, "password_hash": BCRYPT,
         "is_active": int(n != 3), "role": ("user", "admin")[n % 2], "permissions": "[]", "nickname": "昵称",
         "avatar": "/a.png", "email": "a@example.org", "created_at": THEN, "updated_at": THEN} for n in numbers])
    insert(s, "we_access_keys", [
        {"id": "wk-%d" % n, "user_id": "wu-%d" % n, "key": USER_KEY % n, "secret": sha256(USER_SECRET % n),
         "name": "key", "description": "", "permissions": "[]", "is_active": int(n != 5), "created_at": THEN,
         "updated_at": THEN, "expires_at": (None, "2125-01-01 00:00:00", THEN)[n % 3]} for n in numbers])
    insert(s, "we_cascade_task_allocations", list(_allocations(first, count)))


def rows(s):
    """Every row of WeRSS's tables, by the columns that WeRSS knows."""
    return {table: s.sql("SELECT %s FROM %s ORDER BY id" % (", ".join(
        "`%s`" % part.split()[0].strip("`") for part in columns.split(", ")
        if not part.startswith(("KEY ", "UNIQUE KEY "))), table)) for table, columns in LAYOUT.items()}


# Tokens

def _part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_secret(s):
    with open(os.path.join(os.path.dirname(s.conf), "jwt_secret")) as file:
        return file.readline().rstrip("\n")


def token(secret, claims, alg="HS256"):
    """A token as WeRSS mints them; any other ALG goes into the header but does not change the signature."""
    text = "%s.%s" % (_part({"alg": alg, "typ": "JWT"}), _part(claims))
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return "%s.%s" % (text, _part(signature) if alg != "none" else "")


def claims(username, lifetime_s=3600):
    return {"sub": username, "exp": int(time.time()) + lifetime_s}
