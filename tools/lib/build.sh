# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Out-of-tree builds. Needs common.sh.

# build_dir: prints the build directory to use by default: $CASCADE_BUILD, the source directory where
# somebody configured there, else build/.
build_dir() {
    if [ -n "${CASCADE_BUILD:-}" ]; then
        printf '%s\n' "$CASCADE_BUILD"
    elif [ -f "$top/config.status" ]; then
        printf '%s\n' "$top"
    else
        printf '%s\n' "$top/build"
    fi
}

# build_configure DIR [ARGUMENT...]: configures DIR unless that was done with the same arguments.
build_configure() {
    local dir=$1
    shift
    mkdir -p "$dir"
    if [ ! -x "$top/configure" ]; then
        mkdir -p "$top/m4"
        (cd "$top" && autoreconf -fi) || return 1
    fi
    if [ ! -f "$dir/config.status" ] || ! cmp -s "$dir/.arguments" <(printf '%s\n' "$@"); then
        (cd "$dir" && "$top/configure" "$@") || return 1
        printf '%s\n' "$@" >"$dir/.arguments"
    fi
}

# build_programs DIR: builds DIR, one caller at a time; configures it first if it is new.
# Everything it says goes to DIR/build.log, whose end is shown on failure.
build_programs() {
    local dir=$1
    mkdir -p "$dir"
    (
        flock 9
        {
            { [ -f "$dir/config.status" ] || build_configure "$dir"; } &&
                make -C "$dir" -j"$(nproc)" 9>&-
        } >"$dir/build.log" 2>&1
    ) 9>"$dir/.lock" && return 0
    tail -n 40 "$dir/build.log" >&2
    return 1
}
