#!/usr/bin/env bash
# Needs: flume
# Sources scribe, avroLegacy and thriftLegacy: the same bytes, from clients that are written after the protocols
# (tests/real/legacy_clients.py), into a real Flume 1.11 and into penstock: the same events, and the same results of calls.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/real/oracle.sh
source "$here/oracle.sh"
command -v python3 >/dev/null || skip "no python3"
port=$(ports_reserve) || skip "no 100 free ports in a row"

agent_file() { # DIR
    local source
    cat <<EOF_
a1.sources = s a t
a1.channels = cs ca ct
a1.sinks = ks ka kt
a1.sources.s.type = org.apache.flume.source.scribe.ScribeSource
a1.sources.s.port = $port
a1.sources.a.type = org.apache.flume.source.avroLegacy.AvroLegacySource
a1.sources.a.host = 127.0.0.1
a1.sources.a.port = $((port + 1))
a1.sources.t.type = org.apache.flume.source.thriftLegacy.ThriftLegacySource
a1.sources.t.host = 127.0.0.1
a1.sources.t.port = $((port + 2))
EOF_
    for source in s a t; do
        mkdir -p "$1/$source"
        cat <<EOF_
a1.sources.$source.channels = c$source
a1.channels.c$source.type = memory
a1.channels.c$source.capacity = 1000
a1.sinks.k$source.type = file_roll
a1.sinks.k$source.channel = c$source
a1.sinks.k$source.sink.directory = $1/$source
a1.sinks.k$source.sink.rollInterval = 0
a1.sinks.k$source.sink.serializer = header_and_text
EOF_
    done
}

send() { # NAME: waits for the ports, then sends
    python3 "$here/legacy_clients.py" "$port" >"$work/$1.results" 2>"$work/$1.client.log"
}

# run() of oracle.sh starts the agent and waits for the events: the clients wait for the agent.
with_clients() { # NAME COMMAND...
    send "$1" &
    local client=$!
    run "$1" 13 "${@:2}"
    wait "$client" || fail "the clients of $1"
}
with_clients flume "$here/flume"
with_clients penstock "$PENSTOCK"

same "results of calls" "$work/flume.results" "$work/penstock.results"
for source in s a t; do # headers in the order of their names: a HashMap has none
    for name in flume penstock; do
        content "$work/$name/$source" | python3 "$here/legacy_clients.py" sort >"$work/$name.$source"
    done
    same "events of source $source" "$work/flume.$source" "$work/penstock.$source"
done
