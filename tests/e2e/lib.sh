# Shared by tests/e2e/*_test.sh, which source it first: a folder, children that end with the script, waiting, a free port.
# shellcheck shell=bash
set -euo pipefail
for program in jq curl; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }

work=$(mktemp -d)
declare -A children=()
finish() {
    local code=$? child
    for child in "${!children[@]}"; do kill -KILL "$child" 2>/dev/null || true; done
    rm -rf "$work"
    exit $code
}
trap finish EXIT

fail() { # WHAT: and the last that was said
    echo "FAILED: $*" >&2
    tail -n 15 "$work"/*.err "$work"/*.json 2>/dev/null | cut -c 1-600 >&2 || true
    exit 1
}

await() { # WHAT COMMAND...: until it succeeds, 30 s at most
    local what=$1 i
    shift
    for ((i = 0; i < 300; i++)); do
        "$@" && return
        sleep 0.1
    done
    fail "$what"
}

port_is_free() {
    local hex
    printf -v hex ':%04X ' "$1"
    ! grep -qs "^ *[0-9]*: [0-9A-F]*${hex}" /proc/net/tcp /proc/net/tcp6
}
free_port() { # prints one
    local port
    for (( ; ; )); do
        port=$((20000 + RANDOM % 10000))
        ! port_is_free $port || break
    done
    echo $port
}
