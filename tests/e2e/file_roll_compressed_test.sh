#!/usr/bin/env bash
# The sink file_roll with penstock.compression, through SIGKILL: gzip(1) and zstd(1) read all lines from the files, also from those
# that a kill cut; the file of an agent that was stopped is whole.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v zstd >/dev/null || { echo "SKIP: no zstd"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

lines=300000
metrics_port=$(free_port)

unpack() { # TOOL: the text of all files. A kill may cut a write in two, and so the last line of a file.
    local file
    for file in "$work"/out/*; do
        "$1" -dc <"$file" 2>/dev/null || true
        echo
    done
}
has_lines() { (($(unpack "$1" | wc -l) >= $2)); }

for compression in gzip zstd; do
    suffix=gz
    [[ $compression == gzip ]] || suffix=zst
    rm -rf "$spool" "$work/out"
    mkdir -p "$spool" "$work/out"
    spool_agent memory 2000 "a1.sinks.k1.sink.rollInterval = 1" "a1.sinks.k1.sink.pathManager.extension = log" \
        "a1.sinks.k1.penstock.compression = $compression"
    python3 -c 'import sys; sys.stdout.writelines(f"line {i} {i * 7919 % 104729} {i * 104729 % 7919}\n" for i in range(int(sys.argv[1])))' \
        $lines >"$spool/.one"
    mv "$spool/.one" "$spool/one"
    for kill_at in 1000 40000 100000; do
        start_spool_agent
        await "$compression: $kill_at lines" has_lines $compression $kill_at
        kill -KILL "$agent"
        wait "$agent" 2>/dev/null || true
        unset "children[$agent]"
    done
    # The agent may have delivered all of it before the last kill: the one that is stopped has a file of its own.
    echo "the last line" >"$spool/.two"
    mv "$spool/.two" "$spool/two"
    start_spool_agent
    await "$compression: the file is delivered" test -e "$spool/one.COMPLETED"
    await "$compression: the last line is delivered" test -e "$spool/two.COMPLETED"
    stop_agent TERM 0
    last=$(find "$work/out" -name "*.log.$suffix" -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
    [[ $last ]] || fail "no file ends with .log.$suffix"
    "$compression" -t "$last" || fail "the last file is not whole"
    unpack $compression | sort -u >"$work/found"
    sort "$spool/one.COMPLETED" "$spool/two.COMPLETED" >"$work/expected"
    lost=$(comm -13 "$work/found" "$work/expected" | wc -l)
    ((lost == 0)) || fail "$compression: $lost lines are lost"
    packed=$(cat "$work"/out/* | wc -c)
    plain=$(unpack $compression | wc -c)
    ((packed * 2 < plain)) || fail "$compression: $packed bytes for $plain"
    echo "$compression: $plain bytes in $packed"
done
