#!/usr/bin/env bash
# Needs: flume
# Java classes that components use inside of them, run by a real Flume 1.11 and by penstock with the same file and the same input: the
# handler of a source http, the deserializer of a source spooldir, the serializers of an interceptor and of a sink file_roll; interceptors that know the events of
# their source by class. And components of Flume's own that `penstock.engine = java` runs in Java, beside native ones.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes
for program in curl python3; do command -v $program >/dev/null || skip "no $program"; done

base=$(ports_reserve)
lines=1001
agent_file() { # DIR
    local port=$base
    mkdir -p "$1/spool" "$1/framed"
    seq 1 $lines | sed 's/.*/line & of the file äöü/' >"$1/spool/input"
    cat <<-EOF_
	a1.sources = web spool native count own
	a1.channels = web spool native count own
	a1.sinks = web spool native count own
	a1.sources.web.type = http
	a1.sources.web.bind = 127.0.0.1
	a1.sources.web.port = $port
	a1.sources.web.handler = example.LinesHandler
	a1.sources.web.handler.refuse = refuse me
	a1.sources.web.handler.fail = fail
	a1.sources.web.channels = web
	a1.sources.web.interceptors = i1 i2
	a1.sources.web.interceptors.i1.type = regex_extractor
	a1.sources.web.interceptors.i1.regex = ^(\\\\w+) (\\\\w+)
	a1.sources.web.interceptors.i1.serializers = s1 s2
	a1.sources.web.interceptors.i1.serializers.s1.name = one
	a1.sources.web.interceptors.i1.serializers.s2.name = two
	a1.sources.web.interceptors.i1.serializers.s2.type = example.MarkedGroup
	a1.sources.web.interceptors.i1.serializers.s2.mark = +
	a1.sources.web.interceptors.i2.type = static
	a1.sources.web.interceptors.i2.key = where
	a1.sources.web.interceptors.i2.value = here
	a1.sources.spool.type = spooldir
	a1.sources.spool.spoolDir = $1/spool
	a1.sources.spool.deserializer = example.PairDeserializer\$Builder
	a1.sources.spool.deserializer.between = \\u0020and\\u0020
	a1.sources.spool.channels = spool
	a1.sources.native.type = http
	a1.sources.native.bind = 127.0.0.1
	a1.sources.native.port = $((port + 1))
	a1.sources.native.channels = native
	a1.sources.count.type = seq
	a1.sources.count.penstock.engine = java
	a1.sources.count.totalEvents = 500
	a1.sources.count.channels = count
	a1.sources.own.type = example.OwnEvents
	a1.sources.own.events = 100
	a1.sources.own.channels = own
	a1.sources.own.interceptors = i1 i2 i3
	a1.sources.own.interceptors.i1.type = static
	a1.sources.own.interceptors.i1.key = first
	a1.sources.own.interceptors.i1.value = 1
	a1.sources.own.interceptors.i2.type = example.OwnEvents\$Recognize\$Builder
	a1.sources.own.interceptors.i3.type = static
	a1.sources.own.interceptors.i3.key = last
	a1.sources.own.interceptors.i3.value = 3
	a1.sinks.own.channel = own
	a1.sinks.web.channel = web
	a1.sinks.spool.channel = spool
	a1.sinks.native.channel = native
	a1.sinks.count.channel = count
	EOF_
    for flow in web spool native count own; do into_files $flow "$1/$flow" 4000 1000; done | sed '/sinks.spool.sink/d; /sinks.spool.type/d'
    cat <<-EOF_
	a1.sinks.spool.type = file_roll
	a1.sinks.spool.sink.directory = $1/spooled
	a1.sinks.spool.sink.rollInterval = 0
	a1.sinks.spool.sink.serializer = example.FramedSerializer\$Builder
	a1.sinks.spool.sink.serializer.mark = ###
	a1.sinks.count.penstock.engine = java
	EOF_
    mkdir -p "$1/spooled"
    player "$1.answers" >"$1.player" 2>&1 &
}
post() { # PORT BODY
    curl -s -o /dev/null -w '%{http_code}\n' -H 'X-Agent: test' -H 'Content-Type: application/json' --data-binary "$2" "http://127.0.0.1:$1/a/path"
}
both_answer() { curl -s -o /dev/null "http://127.0.0.1:$base/" && curl -s -o /dev/null "http://127.0.0.1:$((base + 1))/"; }
player() { # FILE
    patient_await 60 both_answer || return
    {
        post "$base" $'first second\nother words here\nweiß\n'
        post "$base" $'good\nrefuse me\n'
        post "$base" $'good\nfail\n'
        post "$base" ''
        post "$base" "$(seq -s $'\n' 1 900)"
        post $((base + 1)) '[{"headers":{"a":"b"},"body":"native one"}]'
        post $((base + 1)) 'no json'
        post "$base" 'the end'
    } >"$1"
}
leaving() { # DIR: the last answer, and the new name of the file, come behind the events
    await 60 has_lines "$1.answers" 8 || fail "$1: not all calls have answers"
    await 60 test -e "$1/spool/input.COMPLETED" || fail "$1: the file was not marked"
}
arrived() { # DIR
    cat "$1"/{web,native,count,own}/* "$1"/spooled/* 2>/dev/null | grep -c .
}
both $((904 + 1 + 500 + (lines + 1) / 2 + 1 + 85))
same 'answers of the handler' "$work/flume.answers" "$work/penstock.answers"
for flow in web native count spooled own; do same_content "$flow" $flow headers_in_order; done
[[ $(cat "$work/penstock.answers") == $'200\n400\n500\n200\n200\n200\n400\n200' ]] || fail "answers: $(tr '\n' ' ' <"$work/penstock.answers")"
content "$work/penstock/spooled" | tail -1 | grep -qx '### ends after 501' || fail "the serializer was not ended"
grep -qx '{first=1, last=3, number=99} event 99' <(content "$work/penstock/own" | headers_in_order) || fail "the source's interceptor did not get its own events"
[[ -e $work/penstock/spool/input.COMPLETED ]] || fail "the file was not marked"
for text in 'source web (java) runs the class org.apache.flume.source.http.HTTPSource in Java' 'source native (http)' \
    'source own (java) runs the class example.OwnEvents in Java, with its interceptors i1 and i2' \
    'source spool (java) runs the class org.apache.flume.source.SpoolDirectorySource in Java' \
    'sink spool (java) runs the class org.apache.flume.sink.RollingFileSink in Java' 'sink web (file_roll)'; do
    grep -qF -- "$text" "$work/penstock.log" || fail "the log lacks: $text"
done

# ---- what check says ----

says() { # TEXT: of the file that standard input changes
    sed -f /dev/stdin "$work/penstock.properties" >"$work/check.properties"
    "$PENSTOCK" check -n a1 -f "$work/check.properties" >"$work/check.log" 2>&1 || true
    grep -qF -- "$1" "$work/check.log" || { cat "$work/check.log" >&2; fail "check does not say: $1"; }
    echo "check: $1"
}
says "a1.sources.web.handler: Flume has no handler \`example.LinesHandlr\`" <<<'s/LinesHandler/LinesHandlr/'
says 'put its jar into plugins.d/NAME/lib' <<<'s/LinesHandler/LinesHandlr/'
says 'cannot be used as the handler: it does not implement org.apache.flume.source.http.HTTPSourceHandler' <<<'s/LinesHandler/FileSink/'
says "write example.FramedSerializer\$Builder" <<<"s/FramedSerializer.Builder/FramedSerializer/"
says 'source count: java, runs the class org.apache.flume.source.SequenceGeneratorSource in Java' <<<''
says 'one of: native, java' <<<'s/sources.count.penstock.engine = java/sources.count.penstock.engine = jvm/'
