#!/usr/bin/env bash
# Two sources that listen on one port, and a source on the metrics server's port, as `penstock check` names them; and
# ports that only look alike. Each kind of source that listens takes part.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
# shellcheck source=tests/conf/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
file="$work/agent.properties"

# TYPE HOST PORT of r1, of r2; "-": no host; "_" in a list of ports: a blank. The key of r2's port is on line 9.
sources() {
    cat <<END
a1.sources = r1 r2
a1.channels = c1
a1.sinks = k1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.sources.r1.channels = c1
a1.sources.r2.channels = c1
$(a_source r2 "${@:4}")
$(a_source r1 "$1" "$2" "$3")
END
}
a_source() { # NAME TYPE HOST PORT
    local host=host port=port
    [[ $2 != netcat* ]] || host=bind
    [[ $2 != multiport* ]] || port=ports
    echo "a1.sources.$1.$port = ${4//_/ }"
    echo "a1.sources.$1.type = $2"
    [[ $3 == - ]] || echo "a1.sources.$1.$host = $3"
}

check() { "$PENSTOCK" check -n a1 -f "$file" "$@" >"$work/out" 2>&1; }
clashes() { # the agent would start, and is told that a port is wanted twice
    local code=0
    check "$@" || code=$?
    [[ $code == 3 ]]
}

# SOURCES | the key and the text about r2
while IFS='|' read -r words said; do
    # shellcheck disable=SC2086
    sources $words >"$file"
    clashes || fail "$words: not exit 3"
    grep -qF "$file:9: warning: a1.sources.r2.${said/FILE/$file}" "$work/out" || fail "$words: not named"
    grep -qx "a1: 1 warning; the agent would start" "$work/out" || fail "$words: not one warning"
    ! check --strict || fail "$words: --strict"
done <<'END'
syslogtcp 127.0.0.1 5140 syslogtcp 127.0.0.1 5140|port: listens on 127.0.0.1:5140 (TCP), as source r1 does; set another port or address for one of the two (source r1: FILE:12)
syslogtcp 127.0.0.1 5140 netcat 0.0.0.0 5140|port: listens on 0.0.0.0:5140 (TCP), as source r1 does; set
netcat :: 5140 syslogtcp collector.example 5140|port: listens on collector.example:5140 (TCP), as source r1 does
netcat collector.example 5140 syslogtcp Collector.example 5140|port: listens on Collector.example:5140 (TCP), as source r1 does
syslogtcp localhost 5140 netcat 127.0.0.1 5140|port: listens on 127.0.0.1:5140 (TCP), as source r1 does
syslogtcp ::1 5140 netcat [0:0:0:0:0:0:0:1] 5140|port: listens on [0:0:0:0:0:0:0:1]:5140 (TCP), as source r1 does
syslogtcp 127.0.0.1 5140 netcat ::ffff:127.0.0.1 5140|port: listens on ::ffff:127.0.0.1:5140 (TCP), as source r1 does
syslogudp - 5140 netcatudp 10.0.0.1 5140|port: listens on 10.0.0.1:5140 (UDP), as source r1 does
netcatudp 10.0.0.1 5140 syslogudp - 5140|port: listens on *:5140 (UDP), as source r1 does
multiport_syslogtcp - 5139_5140 syslogtcp 127.0.0.1 5140|port: listens on 127.0.0.1:5140 (TCP), as source r1 does
syslogtcp 127.0.0.1 5140 multiport_syslogtcp - 5141_5140_5142|ports: listens on *:5140 (TCP), as source r1 does
netcat 127.0.0.1 5139 multiport_syslogtcp - 5141_5140_5141|ports: listens on *:5141 (TCP), as it does already; name each port once
END

while read -r words; do
    # shellcheck disable=SC2086
    sources $words >"$file"
    check --strict || fail "$words: not well"
done <<'END'
syslogtcp 127.0.0.1 5140 syslogtcp 127.0.0.1 5141
syslogtcp 127.0.0.1 5140 syslogtcp 127.0.0.2 5140
syslogtcp 127.0.0.1 5140 syslogtcp ::1 5140
syslogtcp 127.0.0.1 5140 syslogtcp collector.example 5140
syslogtcp 127.0.0.1 5140 syslogudp 127.0.0.1 5140
syslogtcp 127.0.0.1 0 netcat 127.0.0.1 0
multiport_syslogtcp - 5139_0_0 multiport_syslogtcp - 5140_5141_0
END

# Workers of one source share its port.
sources syslogtcp 127.0.0.1 5140 syslogudp 127.0.0.1 5140 >"$file"
echo "a1.sources.r1.penstock.workers = 2" >>"$file"
check --strict || fail "two workers: not well"

# The metrics server, on its default port and on another one.
sources syslogudp - 41414 netcat 127.0.0.1 41414 >"$file"
said="$file:9: warning: a1.sources.r2.port: listens on 127.0.0.1:41414 (TCP), as the metrics server (-Dflume.monitoring.port) does"
check --strict || fail "no metrics server"
clashes -Dflume.monitoring.type=http || fail "check with metrics: not exit 3"
grep -qF "$said" "$work/out" || fail "the metrics server's default port"
check --strict -Dflume.monitoring.type=http -Dflume.monitoring.port=41415 || fail "the metrics server has another port"
check --strict -Dflume.monitoring.type=http -Dpenstock.monitoring.host=127.0.0.2 || fail "the metrics server has another host"
sed -i 's/41414/41415/' "$file"
clashes -Dflume.monitoring.type=http -Dflume.monitoring.port=41415 || fail "check with metrics on 41415: not exit 3"
grep -qF "${said//41414/41415}" "$work/out" ||
    fail "the metrics server's other port"

# A source with a port that is not among those above: it may lack `listens` (core/stage.h).
if command -v python3 >/dev/null; then
    "$PENSTOCK" components --json | python3 -c '
import json, sys
sources = next(kind["components"] for kind in json.load(sys.stdin)["kinds"] if kind["kind"] == "source")
print(*sorted(s["name"] for s in sources if {"port", "ports"} & {o["key"] for o in s["options"]}))' >"$work/out"
    [[ $(<"$work/out") == "avro avrolegacy http multiport_syslogtcp netcat netcatudp scribe syslogtcp syslogudp thrift thriftlegacy" ]] || fail "other sources that listen"
fi
exit $failed
