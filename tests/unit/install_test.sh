#!/usr/bin/env bash
# The installation and the tarball are complete, and the programs in them run from any place.
set -euo pipefail

build=$(dirname "$PENSTOCK")
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

complete() { # PREFIX
    local file
    for file in bin/penstock bin/flume-ng conf/examples/quickstart.properties docs/OPERATIONS.md docs/LICENSE \
        share/man/man1/penstock.1 share/man/man1/flume-ng.1 share/man/man7/penstock-components.7 lib/systemd/system/penstock.service; do
        [[ -e $1/$file ]] || fail "$file is missing in $1"
    done
    for file in conf/packages.txt conf/bind.c docs/decisions docs/man; do
        [[ ! -e $1/$file ]] || fail "$file should not be in $1"
    done
}

runs() { # PREFIX
    local version
    version=$("$1/bin/penstock" version) || fail "penstock version: exit $?"
    [[ $version == *penstock* ]] || fail "penstock version says: $version"
    [[ $("$1/bin/flume-ng" version) == "$version" ]] || fail "flume-ng version differs"
    "$1/bin/flume-ng" help | grep -q 'run an agent' || fail "flume-ng help"
    ln -sf "$1/bin/flume-ng" "$work/linked"
    [[ $("$work/linked" version) == "$version" ]] || fail "flume-ng through a link"
    local word
    for word in avro-client tool nonsense; do
        if "$1/bin/flume-ng" $word >"$work/out" 2>&1; then fail "flume-ng $word: exit 0"; fi
        grep -q "$word" "$work/out" || fail "flume-ng $word: the message does not name it: $(cat "$work/out")"
    done
}

cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || fail "install: $(tail -5 "$work/log")"
complete "$work/prefix"
runs "$work/prefix"

(cd "$build" && cpack -B "$work/pack" >"$work/log" 2>&1) || fail "cpack: $(tail -5 "$work/log")"
tarball=("$work"/pack/penstock-*.tar.gz)
[[ -e ${tarball[0]} ]] || fail "no tarball"
tar -xzf "${tarball[0]}" -C "$work"
top=("$work"/penstock-*)
[[ -d ${top[0]} && ${#top[@]} == 1 ]] || fail "more than one folder in the tarball: ${top[*]}"
complete "${top[0]}"
runs "${top[0]}"

# The man pages and the systemd unit, if their checkers are installed.
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$work"/prefix/share/man/man*/*.[17] || fail "man pages"
fi
if command -v systemd-analyze >/dev/null; then
    unit=$work/penstock.service
    sed "s|^ExecStart=[^ ]*|ExecStart=$work/prefix/bin/penstock|" "$work/prefix/lib/systemd/system/penstock.service" >"$unit"
    systemd-analyze verify --man=no "$unit" >"$work/log" 2>&1 || true
    if grep -E '^[^ ]*penstock\.service' "$work/log"; then fail "systemd-analyze verify complains"; fi
    if systemd-analyze security --offline=true "$unit" >"$work/log" 2>&1; then
        grep -E 'Overall exposure' "$work/log"
        grep -qE 'Overall exposure.* (OK|SAFE|PERFECT)' "$work/log" || fail "the unit's sandbox is rated as weak"
    fi
fi
