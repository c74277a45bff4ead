# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The Debian 12 packages that each job needs, and how to get the missing ones.
# Servers come as -core packages (Apache as -bin) where Debian has them: nothing is started system-wide.

# shellcheck disable=SC2034 # each command picks its lists
packages_build=(autoconf autoconf-archive automake gcc libc6-dev make pkg-config
    libcmocka-dev libconfig-dev libcrypt-dev libcurl4-openssl-dev libfcgi-dev libjson-c-dev
    libmariadb-dev libsqlite3-dev libssl-dev libxml2-dev libyaml-dev python3-yaml zlib1g-dev)
# shellcheck disable=SC2034
packages_run=(curl mariadb-client-core mariadb-server-core nginx openssl python3 tzdata)
# shellcheck disable=SC2034
packages_check=(apache2-bin clang clang-format git libapache2-mod-fcgid mandoc procps python3-croniter
    python3-jsonschema shellcheck valgrind)
# shellcheck disable=SC2034
packages_bench=(gnuplot-nox linux-perf)
# shellcheck disable=SC2034
packages_full=(cppcheck libclang-rt-14-dev)

# missing_packages NAME...: prints those that are not installed.
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        grep -qx "installed $package" <<<"$installed" || printf '%s\n' "$package"
    done
}

# install_packages NAME...: installs what is missing; touches nothing when all are there.
install_packages() {
    local missing as_root=()
    command -v dpkg-query >/dev/null || die "this is not Debian: install the like of $*, then build by hand"
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "needs these packages, and there is no sudo: ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -qq -y --no-install-recommends "${missing[@]}")
    # An old package index is the usual reason to fail, and the only reason to fetch a new one.
    "${install[@]}" >&2 </dev/null && return 0
    "${as_root[@]}" apt-get update -qq >&2
    "${install[@]}" >&2 </dev/null || die "could not install ${missing[*]}"
}

# take_program PACKAGE PATH FILE: takes one program out of a package into FILE, and installs nothing: a
# package may start what it brings.
take_program() {
    local dir
    dir=$(mktemp -d) || return 1
    (
        cd "$dir" || exit 1
        apt-get -qq download "$1" || exit 1
        dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./$2" >program
    ) && [ -s "$dir/program" ] && install "$dir/program" "$3"
    local status=$?
    rm -rf "$dir"
    return "$status"
}
