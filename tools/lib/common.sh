# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by the commands of tools/: where things are, how to speak, how to fail.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
me=${0##*/}

say() {
    printf '%s: %s\n' "$me" "$*" >&2
}

die() {
    say "$@"
    exit 1
}

# wait_until SECONDS COMMAND...: polls COMMAND; fails when it has not succeeded by then.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}
