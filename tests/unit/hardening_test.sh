#!/usr/bin/env bash
# The installed program of an optimized build is hardened (cmake/hardening.cmake), and a process that reads passwords is
# closed to core dumps and to debuggers of its user.
set -euo pipefail
# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"

build=$(dirname "$PENSTOCK")
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
for program in readelf objdump setpriv; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
work=$(mktemp -d)
agent=''
finish() {
    [[ -z $agent ]] || kill -KILL "$agent" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
failures=0
wrong() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# ---- the program ----

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; } # VARIABLE of the build
hardened() {
    [[ $(cached PS_HARDEN) == ON && -z $(cached PS_SANITIZE) && $(cached PS_COVERAGE) == OFF && $(cached CMAKE_BUILD_TYPE) != Debug ]]
}
program_is_hardened() { # PROGRAM
    local calls
    # Whole files, because grep -q that ends early breaks the pipe.
    readelf -hlW "$1" >"$work/headers"
    readelf -dW "$1" >"$work/dynamic"
    readelf -W --dyn-syms "$1" >"$work/symbols"
    grep -q 'Type: *DYN (Position-Independent Executable' "$work/headers" || wrong "not position-independent"
    grep -q ' GNU_RELRO ' "$work/headers" || wrong "no RELRO"
    grep -qE 'FLAGS.*\bNOW\b' "$work/dynamic" || wrong "RELRO is partial: symbols are not bound at the start"
    grep -qE ' GNU_STACK .* RW ' "$work/headers" || wrong "the stack is executable"
    ! grep -qE 'LOAD .* RWE ' "$work/headers" || wrong "a segment is both writable and executable"
    grep -q '__stack_chk_fail' "$work/symbols" || wrong "no stack protector"
    calls=$(grep -cE '__(memcpy|snprintf|vsnprintf|read|printf|fprintf)_chk' "$work/symbols" || true)
    ((calls >= 3)) || wrong "_FORTIFY_SOURCE: $calls checked functions"
    if [[ $(uname -m) == x86_64 ]]; then
        # The note in the program (IBT, SHSTK) needs start-up files of the C library that have it; the code shows the flag.
        objdump -d --no-show-raw-insn --disassemble=ps_conf_load "$1" >"$work/code"
        sed -n '/<ps_conf_load>:$/,$p' "$work/code" | sed -n 2p | grep -q endbr64 || wrong "no control-flow protection"
    fi
}
if hardened; then
    cmake --install "$build" --prefix "$work/prefix" >"$work/log" 2>&1 || { tail -5 "$work/log"; exit 1; }
    program_is_hardened "$work/prefix/bin/penstock"
    echo "the installed program is hardened"
    # The program does not show the level: the compiler's flags do.
    if [[ $(cached PS_HAS_FORTIFY_3) == 1 ]]; then
        grep -q -- '-D_FORTIFY_SOURCE=3' "$build/compile_commands.json" || wrong "_FORTIFY_SOURCE is below 3"
    fi
else
    echo "not a hardened build (debug, a sanitizer, coverage): the program is not looked at"
fi

# ---- the process ----

# proc(5): the files of a process that is not dumpable belong to root, otherwise to its user. Root's own do not show it.
user=()
if ((EUID == 0)); then
    chmod 755 "$work"
    user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    if ! "${user[@]}" test -x "$PENSTOCK"; then
        echo "SKIP: an ordinary user cannot run $PENSTOCK; the process is not looked at"
        exit $((failures > 0 ? 1 : 77))
    fi
fi
cat >"$work/agent.properties" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 1
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
chmod 644 "$work/agent.properties"

await() { # COMMAND...
    ! patient_await 60 "$@" || return 0
    echo "FAILED: not within 60 s: $*"
    cat "$work/log"
    exit 1
}
logged() { grep -qF -- "$1" "$work/log"; }
belongs_to() { [[ $(stat -c %u "/proc/$1/environ") == "$2" ]]; } # PID UID
start() { # OPTION...
    : >"$work/log" # the shell in the background may do this later than the first look
    "${user[@]}" "$PENSTOCK" agent -n a1 -f "$work/agent.properties" "$@" 2>"$work/log" &
    agent=$!
    await logged 'starts agent a1'
}
stop() {
    kill "$agent"
    wait "$agent" || wrong "the agent ends with $?"
    agent=''
}
own=65534
((EUID == 0)) || own=$EUID

start
belongs_to "$agent" 0 || wrong "the agent is dumpable"
stop
start -Dpenstock.core.dumps=true
belongs_to "$agent" "$own" || wrong "the agent is not dumpable with -Dpenstock.core.dumps=true"
stop
FLUME_JAVA_OPTS=-Dpenstock.core.dumps=TRUE start
belongs_to "$agent" "$own" || wrong "the agent is not dumpable with the property in FLUME_JAVA_OPTS"
stop
start -Dpenstock.core.dumps=yes
belongs_to "$agent" 0 || wrong "penstock.core.dumps=yes: the agent is dumpable"
logged 'yes is neither true nor false: there are no core dumps' || wrong "penstock.core.dumps=yes: no warning"
stop

# check starts the command of a configuration filter, which looks at its parent.
cat >"$work/filter" <<'EOF_'
#!/bin/sh
stat -c %u "/proc/$PPID/environ"
EOF_
chmod 755 "$work/filter"
cat >>"$work/agent.properties" <<EOF_
a1.configfilters = f1
a1.configfilters.f1.type = external
a1.configfilters.f1.command = $work/filter
a1.sources.r1.totalEvents = \${f1['any']}x
EOF_
"${user[@]}" "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/log" 2>&1 || true
logged '"0x" is not a whole number' || wrong "check is dumpable: $(cat "$work/log")"

((failures == 0))
