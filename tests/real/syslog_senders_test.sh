#!/usr/bin/env bash
# Needs: rsyslog
# The sources syslogtcp and multiport_syslogtcp beside those who send octet-counted messages (RFC 6587) and lines in the field: logger(1), and
# Debian's rsyslog and syslog-ng, whose packages are unpacked into a cache. Every message arrives once, is one event, and has its host.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PENSTOCK_SOURCE=${PENSTOCK_SOURCE:-$(cd "$here/../.." && pwd)}
PENSTOCK=${PENSTOCK:-$here/../../build/release/penstock}
skip() { echo "SKIP: $*"; exit 77; }
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
logger --help 2>&1 | grep -q octet-count || skip "no logger with --octet-count"
work=$(mktemp -d)
declare -A children=()
finish() {
    local code=$?
    end_children
    rm -rf "$work"
    exit $code
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}
# shellcheck source=tests/support/patience.sh
source "$PENSTOCK_SOURCE/tests/support/patience.sh"
# shellcheck source=tests/support/signals.sh
source "$PENSTOCK_SOURCE/tests/support/signals.sh"
await() { # WHAT COMMAND...: repeats the command until it succeeds; fails with WHAT after 120 s
    patient_await 120 "${@:2}" || fail "$1"
}
# shellcheck source=tests/support/ports.sh
source "$PENSTOCK_SOURCE/tests/support/ports.sh"
port=$(ports_reserve) || skip "no 100 free ports in a row"

mkdir "$work/out"
cat >"$work/agent.properties" <<EOF_
a1.sources = r1 r2
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sources.r2.type = multiport_syslogtcp
a1.sources.r2.host = 127.0.0.1
a1.sources.r2.ports = $((port + 1))
a1.sources.r2.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
EOF_
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.log" 2>&1 &
children[$!]=1
await "r2 listens" grep -q "r2: listening on" "$work/agent.log"
await "r1 listens" grep -q "r1: listening on" "$work/agent.log"

events=1000
seq -f 'message %g of the test, with sixty more bytes so that frames have three digits' $events >"$work/messages"
ends() { cat "$work"/out/* | grep -oE "message [0-9]+ of the test, with sixty more bytes so that frames have three digits$"; }
sender=
arrived() { # EVENTS: also when the sender has ended too early
    [[ ! $sender ]] || kill -0 "$sender" 2>/dev/null || fail "the sender has ended: $(ends | wc -l) of $1 events"
    (($(ends | wc -l) >= $1))
}
total=0
expect() { # WHAT: events more than before, each once, with a host and without a status
    total=$((total + events))
    await "$1: $(ends | wc -l) of $total events" arrived $total
    ends | sort | uniq -c | awk -v times=$((total / events)) '$1 != times { wrong++ } END { exit NR != '$events' || wrong }' ||
        fail "$1: lost or twice"
    ! grep -aE 'flume.syslog.status' "$work"/out/* || fail "$1: an event has a status"
    (($(cat "$work"/out/* | grep -c '[{ ]host=[^,}]') == total)) || fail "$1: an event has no host"
    echo "    $1: $events"
}

for to in $port $((port + 1)); do
    for form in --octet-count "--octet-count --rfc3164" "--rfc5424 --prio-prefix" --rfc3164; do
        # shellcheck disable=SC2086 # several options
        logger -T -n 127.0.0.1 -P "$to" --id=1 -t app $form -f "$work/messages"
        expect "logger $form"
    done
done

if root=$("$here/extras" packages rsyslog 2>"$work/fetch.log"); then
    lib=usr/lib/x86_64-linux-gnu
    for to in $port $((port + 1)); do
        for form in octet-counted traditional; do
            cat >"$work/rsyslog.conf" <<-EOF_
	global(workDirectory="$work")
	module(load="imfile")
	input(type="imfile" file="$work/messages" tag="app" freshStartTail="off")
	action(type="omfwd" target="127.0.0.1" port="$to" protocol="tcp" TCP_Framing="$form" template="RSYSLOG_SyslogProtocol23Format")
	EOF_
            rm -f "$work"/imfile-state*
            LD_LIBRARY_PATH=$root/$lib:$root/lib/x86_64-linux-gnu "$root/usr/sbin/rsyslogd" -n -f "$work/rsyslog.conf" \
                -i "$work/rsyslog.pid" -M "$root/$lib/rsyslog" >"$work/rsyslog.log" 2>&1 </dev/null &
            sender=$!
            children[$sender]=1
            expect "rsyslog $form"
            kill -TERM "$sender"
            wait "$sender" || true
            unset "children[$sender]"
            sender=
        done
    done
else
    echo "SKIP PART: rsyslog: $(tail -n 1 "$work/fetch.log")"
fi

if root=$("$here/extras" packages syslog-ng 2>"$work/fetch.log"); then
    lib=usr/lib/x86_64-linux-gnu
    version=$(basename "$(echo "$root"/usr/lib/syslog-ng/3.*)")
    for to in $port $((port + 1)); do
        for form in "syslog(\"127.0.0.1\" port($to))" "network(\"127.0.0.1\" port($to))"; do
            cat >"$work/syslog-ng.conf" <<-EOF_
	@version: 3.38
	options { flush-lines(100); };
	source s { file("$work/messages" flags(no-parse) program-override("app") follow-freq(0.1)); };
	destination d { $form; };
	log { source(s); destination(d); flags(flow-control); };
	EOF_
            rm -f "$work/syslog-ng.persist"
            LD_LIBRARY_PATH=$root/usr/lib/syslog-ng:$root/$lib:$root/lib/x86_64-linux-gnu "$root/usr/sbin/syslog-ng" -F \
                -f "$work/syslog-ng.conf" -R "$work/syslog-ng.persist" -p "$work/syslog-ng.pid" -c "$work/syslog-ng.ctl" \
                --module-path="$root/usr/lib/syslog-ng/$version" >"$work/syslog-ng.log" 2>&1 </dev/null &
            sender=$!
            children[$sender]=1
            expect "syslog-ng ${form%%(*}"
            kill -TERM "$sender"
            wait "$sender" || true
            unset "children[$sender]"
            sender=
        done
    done
else
    echo "SKIP PART: syslog-ng: $(tail -n 1 "$work/fetch.log")"
fi
# A connection for each message, whose lines begin as messages do.
heads() { cat "$work"/out/* | grep -c '[{ ]host=[^,}]'; }
whole() { (($(cat "$work"/out/* | grep -c '^<4>\[ 1.2\] last$') == 20)); }
for to in $port $((port + 1)); do
    for _ in {1..10}; do
        logger -T -n 127.0.0.1 -P "$to" --octet-count --id=1 -t app $'kernel log\n<6>[ 0.1] usb 1-1\n12 <13>foo\n<4>[ 1.2] last'
    done
done
await "logger, several lines: the last ones of 20" whole
(($(heads) == total + 20)) || fail "logger, several lines: $(($(heads) - total)) events of 20"
! grep -E "WARN|ERROR" "$work/agent.log" || fail "the agent complains"
