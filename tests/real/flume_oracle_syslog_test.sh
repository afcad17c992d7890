#!/usr/bin/env bash
# Needs: flume
# The syslog sources compared with a real Flume's: both parsers, keepFields, sizes, formats, client headers, character
# sets. Every message has its own connection: Flume's parser of a connection carries priority and version of a message
# over to later messages without them.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
export TZ=Europe/Berlin LC_ALL=C.UTF-8

base=$(ports_reserve)
single="plain all pieces cut custom who"
multi="mplain mall mpieces mlatin"
sources="$single $multi udp"
port() { # SOURCE
    local one number=$base
    for one in $sources; do
        [[ $one == "$1" ]] && { echo "$number"; return; }
        ((number += 1))
    done
}

# printf formats, one message a line.
cat >"$work/messages" <<EOF_
<13>$(date -d '-3 days' '+%b %e %H:%M:%S') host1 su: hello\n
<13>$(date -d '+20 days' '+%b %e %H:%M:%S') host1 a month ahead is this year\n
<13>$(date -d '-200 days' '+%b %e %H:%M:%S') host1 half a year ago\n
<13>$(date -d '+60 days' '+%b %e %H:%M:%S') host1 two months ahead was last year\n
<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - BOM body\n
<34>1 2003-10-11T22:14:15.003+05:30 m fraction and zone\n
<34>1 2003-10-11T22:14:15+05:30 m zone\n
<34>1 2003-10-11T22:14:15Z m UTC\n
<34>1 2003-10-11T22:14:15.123456-07:00 m microseconds\n
<165>1 2024-03-31T02:30:00+01:00 h in the gap\n
<165>1 2024-10-27T02:30:00Z h in the overlap\n
<13>1 2003-10-11T22:14:15Z h\n
<34>2 2003-10-11T22:14:15Z m another version\n
<013>Oct 11 22:14:15 h leading zero\n
<999>Oct 11 22:14:15 h facility 124\n
<13>Foo 11 22:14:15 h no month\n
<13>Oct 32 22:14:15 h no day\n
<13>Oct 11 22:14:15 h carriage return\r\n
<13>Oct 11 22:14:15 h umlaut \xc3\xa4 euro \xe2\x82\xac\n
<13>Oct 11 22:14:15 h separator \xe2\x80\xa8 here\n
<13>Oct 11 22:14:15 h:9 odd host\n
<13>Oct 11 22:14:15 h \n
<13>no stamp\n
<13>\n
no priority\n
<>nothing\n
<1234>four digits\n
<13>[11/Oct/2003:22:14:15 +02:00] ho\xc3\xb6st custom form\n
<13>Oct 11 22:14:15 h a long message that goes on beyond forty bytes and then some more\n
<13>Oct 11 22:14:15 h the last\n
EOF_
# Leaves out messages that make Flume's other parser fail.
grep -v -e '^<13>\\n' -e 'custom form' -e 'T22:14:15Z h\\n' "$work/messages" >"$work/multi"
# One parser for all datagrams: those without a priority come first.
grep -v -e '^<' "$work/messages" >"$work/datagrams"
grep -e '^<>' -e '^<1234>' -e 'no stamp' -e '^<13>\\n' "$work/messages" >>"$work/datagrams"
grep -e '^<' "$work/messages" | grep -v -e '^<>' -e '^<1234>' -e 'no stamp' -e '^<13>\\n' -e 'T22:14:15Z h\\n' -e 'odd host' -e 'carriage' -e 'separator' -e 'custom' >>"$work/datagrams"

send() {
    local source line
    for source in $sources; do
        if [[ $source == udp ]]; then
            # A datagram for a port that is not bound yet is lost, and the other sources' ports say nothing of this one.
            patient_await 120 grep -qsE "^ *[0-9]+: [0-9A-F]*$(printf ':%04X ' "$(port udp)")" /proc/net/udp /proc/net/udp6 || return
            while IFS= read -r line; do
                # shellcheck disable=SC2059 # the messages are formats
                printf "${line//%/%%}" >/dev/udp/127.0.0.1/"$(port udp)"
            done <"$work/datagrams"
            continue
        fi
        until (exec 3<>"/dev/tcp/127.0.0.1/$(port "$source")") 2>/dev/null; do sleep 0.1; done
        while IFS= read -r line; do
            # shellcheck disable=SC2059
            printf "${line//%/%%}" >"/dev/tcp/127.0.0.1/$(port "$source")"
        done <"$work/$([[ $source == m* ]] && echo multi || echo messages)"
    done
}

agent_file() {
    local source
    printf 'a1.%s = %s\n' sources "$sources" channels "$sources" sinks "$sources"
    for source in $single; do echo "a1.sources.$source.type = syslogtcp"; done
    for source in $multi; do echo "a1.sources.$source.type = multiport_syslogtcp"; done
    cat <<-EOF_
	a1.sources.udp.type = syslogudp
	a1.sources.all.keepFields = all
	a1.sources.pieces.keepFields = priority version timestamp hostname
	a1.sources.cut.eventSize = 40
	a1.sources.custom.format.regex = <(\\\\d+)>(\\\\d?)\\\\[([^\\\\]]*)\\\\] (\\\\S+) (.*)
	a1.sources.custom.format.search = ([+-]\\\\d\\\\d):
	a1.sources.custom.format.replace = \$1
	a1.sources.custom.format.dateFormat = dd/MMM/yyyy:HH:mm:ss Z
	a1.sources.who.clientIPHeader = ip
	a1.sources.who.clientHostnameHeader = name
	a1.sources.mplain.portHeader = port
	a1.sources.mplain.clientIPHeader = ip
	a1.sources.mplain.clientHostnameHeader = name
	a1.sources.mall.keepFields = true
	a1.sources.mall.eventSize = 60
	a1.sources.mpieces.keepFields = version, hostname
	a1.sources.mlatin.charset.default = ISO-8859-1
	EOF_
    for source in $sources; do
        cat <<-EOF_
		a1.sources.$source.host = 127.0.0.1
		a1.sources.$source.$([[ $source == m* ]] && echo ports || echo port) = $(port "$source")
		a1.sources.$source.channels = $source
		EOF_
        into_files "$source" "$1/$source" 1000
    done
    send >/dev/null 2>&1 &
}
messages=$(wc -l <"$work/messages")
arrived() { # DIR: 0 until each source has its last message
    local sum=0
    (($(cat "$1"/*/* 2>/dev/null | grep -ac ' the last$') < $(wc -w <<<"$sources"))) || sum=$(cat "$1"/*/* | wc -l)
    echo "$sum"
}
leaving() { # DIR: when no more events come: each message has a connection of its own, and the last one may be the first to arrive
    local before='' now
    while now=$(cat "$1"/*/* | wc -c); [[ $now != "$before" ]]; do before=$now; patient_rest 3; done
}
both $((messages * 9))
# The rest of a message that was cut has no priority of its own: only Flume's classes give it the previous one.
normal() {
    headers_in_order | sed -E '/status=Invalid/ s/, (priority|version)=[0-9]+//g' | LC_ALL=C sort
}
for source in $sources; do
    same_content "$source" "$source" normal
done
