#!/bin/sh
# SPDX-License-Identifier: MIT
# An executor for tests: does what its first argument names.
set -u

article() {
    printf '{"type":"article","article":{"id":"%s","mp_id":"F1","title":"%s"}}\n' "$1" "$1"
}
result() {
    printf '{"type":"result","feed_id":"F1","success":true,"article_count":%d}\n' "$1"
}
say() {
    printf '{"type":"log","message":"%s"}\n' "$1"
}

case $1 in
done)
    cmp -s - package.json && say 'the package is standard input'
    [ "$PWD" = "$CASCADE_WORK_DIR" ] && say 'at home'
    say "$CASCADE_ALLOCATION_ID/$CASCADE_ATTEMPT/$CASCADE_TASK_ID"
    echo 'progress' >&2
    article a
    result 1
    ;;
environment)
    env | sed 's/=.*//' | sort | grep -v -e '^_$' -e '^PWD$' -e '^OLDPWD$' -e '^SHLVL$' | tr '\n' ' ' >&2
    ;;
descriptors) exec python3 -c '
import os, sys
for fd in os.listdir("/proc/self/fd"):
    if int(fd) > 2 and os.path.exists("/proc/self/fd/" + fd):
        print(fd, "is open", file=sys.stderr)
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn")):
        # Python itself ignores SIGPIPE (13) and SIGXFSZ (25); nobody can reset what the C library keeps to itself (32, 33)
        name, mask = line.split()
        print(name, "%x" % (int(mask, 16) & ~0x181001000), file=sys.stderr)
' ;;
exit)
    article before
    echo 'first' >&2
    echo 'the last words' >&2
    exit "$2"
    ;;
signal) kill -SEGV $$ ;;
hang)
    trap '' TERM
    article before
    while :; do sleep 1; done
    ;;
polite)
    trap 'article after; exit 0' TERM
    article before
    while :; do sleep 0.05; done
    ;;
grandchild)
    sleep 1000 &
    echo $! >&2
    article a
    ;;
escaped)
    setsid sh -c ': >escaped; exec sleep 1000' &
    echo $! >&2
    while [ ! -e escaped ]; do sleep 0.02; done
    article a
    ;;
broken)
    article a
    echo 'this is no JSON'
    echo '{"type":"future","x":1}'
    article b
    printf '{"type":"article","article":{"id":"c"'
    exit 3
    ;;
flood) exec python3 -c '
import sys
for i in range(20000):
    print("{\"type\":\"article\",\"article\":{\"id\":\"%d\",\"mp_id\":\"F1\",\"content\":\"%s\"}}" % (i, "x" * 500))
    print("noise %d" % i, file=sys.stderr)
print("noise 甲乙丙", file=sys.stderr)
' ;;
memory) exec python3 -c 'b = bytearray(1 << 30)' ;;
processor) while :; do :; done ;;
mess)
    mkdir -p locked/deeper && : >locked/deeper/file && chmod 0 locked/deeper
    chmod 500 locked
    ;;
esac
