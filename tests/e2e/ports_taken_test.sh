#!/usr/bin/env bash
# The port of every listening source is in use: the log and /readyz say where, why and the cure, in one line that names
# the component once; when the ports are free again the sources open.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

metrics_port=$(free_port)
url="http://127.0.0.1:$metrics_port"

# Takes TCP and UDP of two ports until it is ended, and prints them.
python3 -u -c '
import socket, time
held = []
while len(held) < 4:
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    tcp.bind(("127.0.0.1", 0))
    try:
        udp.bind(tcp.getsockname())
    except OSError:
        continue
    tcp.listen()
    held += [tcp, udp]
print(held[0].getsockname()[1], held[2].getsockname()[1])
time.sleep(300)
' >"$work/ports" &
holder=$!
children[$holder]=1
has_ports() { [[ -s $work/ports ]]; }
await "two ports are taken" has_ports
read -r one two <"$work/ports"

cat >"$work/agent.properties" <<END
a1.sources = net sys multi udp sysudp
a1.channels = c1
a1.sinks = k1
a1.sources.net.type = netcat
a1.sources.net.bind = 127.0.0.1
a1.sources.net.port = $one
a1.sources.net.channels = c1
a1.sources.sys.type = syslogtcp
a1.sources.sys.host = 127.0.0.1
a1.sources.sys.port = $two
a1.sources.sys.channels = c1
a1.sources.multi.type = multiport_syslogtcp
a1.sources.multi.host = 127.0.0.1
a1.sources.multi.ports = $one $two
a1.sources.multi.channels = c1
a1.sources.udp.type = netcatudp
a1.sources.udp.bind = 127.0.0.1
a1.sources.udp.port = $one
a1.sources.udp.channels = c1
a1.sources.sysudp.type = syslogudp
a1.sources.sysudp.host = 127.0.0.1
a1.sources.sysudp.port = $two
a1.sources.sysudp.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1

cure="the port is in use: stop the other process .ss -lnp shows it. or choose another port"
names=(net sys multi udp sysudp)
all_shown() {
    curl -s "$url/readyz" >"$work/ready.txt" || return 1
    local name
    for name in "${names[@]}"; do grep -q "^source $name " "$work/ready.txt" || return 1; done
}
await "/readyz shows the five sources" all_shown
(($(wc -l <"$work/ready.txt") == ${#names[@]})) || fail "/readyz has more than a line of each source: $(<"$work/ready.txt")"
for name in "${names[@]}"; do
    grep -qE "^source $name is (closed|not open): cannot listen on 127\.0\.0\.1:[0-9]+ .*: $cure \\(since [-0-9]+T[0-9:]+Z\\)\$" "$work/ready.txt" ||
        fail "/readyz of $name: $(<"$work/ready.txt")"
    await "the log does not name $name" grep -q "ERROR source $name: .*every 3 s\$" "$work/agent.err"
    grep "ERROR source $name: " "$work/agent.err" >"$work/said" || fail "the log does not name $name"
    if grep -v "ERROR source $name: cannot listen on 127.0.0.1:.*: $cure; retrying every 3 s\$" "$work/said"; then
        fail "the log of $name"
    fi
done
# Each port of a source with several is said, and once.
both_ports() { (($(grep -c 'ERROR source multi: .*every 3 s$' "$work/agent.err") >= 2)); }
await "the log does not name two ports of multi" both_ports
grep -F 'ERROR source multi: ' "$work/agent.err" | head -n 2 | paste -sd' ' >"$work/first"
grep -q ":$one .*:$two " "$work/first" || fail "the ports of multi: $(<"$work/first")"

kill "$holder"
wait "$holder" || true
unset "children[$holder]"
sed -i "s/^a1.sources = .*/a1.sources = net sys udp sysudp/" "$work/agent.properties" # multi has the same ports
kill -HUP "$agent"
ready() { curl -sf "$url/readyz" -o "$work/ready.txt"; }
await "the sources open" ready
kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
