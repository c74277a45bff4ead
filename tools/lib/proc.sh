# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The processes of a stack: started with its directory $dir as working directory, each leading a
# session of its own, its pid in $pids/NAME.pid. Whatever is ended is checked for that first, so a pid
# that the system has given to somebody else is left alone. Needs common.sh, $dir, $pids, $logs.

# is_ours PID: the process lives and belongs to the stack.
is_ours() {
    local cwd
    cwd=$(readlink "/proc/$1/cwd" 2>/dev/null) || return 1
    case $cwd/ in
    "$dir"/*) return 0 ;;
    esac
    # A read can fail: the process may end at any time.
    { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null | grep -qF -- "$dir/"
}

# pid_of NAME: prints the pid if that process lives; fails otherwise.
pid_of() {
    local pid
    pid=$(cat "$pids/$1.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && is_ours "$pid" && printf '%s\n' "$pid"
}

gone() {
    ! is_ours "$1"
}

# session_of PID: prints the processes of the session that PID led. They outlive a leader that was killed.
session_of() {
    local stat pid fields
    for stat in /proc/[0-9]*/stat; do
        # pid (name) state ppid pgrp session: the name may contain anything.
        { read -r fields <"$stat"; } 2>/dev/null || continue
        pid=${fields%% *}
        read -r _ _ _ fields _ <<<"${fields##*) }"
        [ "$fields" = "$1" ] && printf '%s\n' "$pid"
    done
}

# spawn NAME COMMAND...: starts it in the background, output to its log.
spawn() {
    local name=$1
    shift
    (cd "$dir" && exec setsid "$@" >>"$logs/$name.log" 2>&1 </dev/null) &
    printf '%s\n' "$!" >"$pids/$name.pid"
}

# stop NAME SECONDS: asks it to end, waits, then ends whatever is left of its session.
stop() {
    local pid rest
    pid=$(cat "$pids/$1.pid" 2>/dev/null) || return 0
    [[ $pid =~ ^[0-9]+$ ]] || return 0
    if is_ours "$pid"; then
        kill -TERM "$pid" 2>/dev/null || true
        wait_until "$2" gone "$pid" || say "$1 ($pid) did not end within $2 s"
    fi
    for rest in $(session_of "$pid"); do
        is_ours "$rest" || continue
        kill -KILL "$rest" 2>/dev/null || true
        wait_until 5 gone "$rest" || say "$1 ($rest) cannot be ended"
    done
    rm -f "$pids/$1.pid"
}
