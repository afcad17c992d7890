#!/usr/bin/env bash
# penstock new: a commented agent file with any components, which `penstock check` accepts without a warning about a key.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"

made() { # COMPONENT...: check accepts the file; directories and files may be missing here
    local code=0
    "$PENSTOCK" new "$@" >new.properties 2>new.err || fail "new $*: exit $?: $(<new.err)"
    "$PENSTOCK" check -f new.properties >check.out 2>&1 || code=$?
    [[ $code == [03] ]] || fail "new $*: check exits with $code: $(<check.out)"
    ! grep -qE ': (error|dropped): |unknown key' check.out || fail "new $*: $(<check.out)"
}
names() { "$PENSTOCK" components --json "$1" | jq -r '.kinds[].components[].name'; }

made taildir file KafkaSink
grep -qx 'a1.sources.r1.type = taildir' new.properties || fail 'no taildir'
grep -qx 'a1.channels.c1.type = file' new.properties || fail 'no channel'
grep -qx 'a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink' new.properties || fail 'no Kafka sink'
grep -qx '#a1.sources.r1.batchSize = 100' new.properties || fail 'no commented default'
grep -qF 'source r1: taildir, /var/log/.*[.]log' check.out || fail "check: $(<check.out)"
made -n edge netcat netcat timestamp static avro logger
grep -qx 'edge.sources = r1 r2' new.properties || fail 'not two sources'
grep -qx 'edge.sinks = k1 k2' new.properties || fail 'not two sinks'
grep -qx 'edge.sources.r1.interceptors = i1 i2' new.properties || fail 'no interceptors'
grep -qx 'edge.channels.c1.type = memory' new.properties || fail 'no memory channel'
made kafka KafkaChannel kafka
for kind in avro thrift http; do # as they are, the sink does not send to the source of its own agent
    made "$kind" memory "$kind"
    grep -E '^a1[.]sinks[.]k1[.](hostname|endpoint) = ' new.properties | grep -vqE 'localhost|127[.]0[.]0[.]1' || fail "new $kind $kind makes a loop"
done
made source:avro channel:jdbc sink:http

# ---- every component, and a default of every key that is a comment ----
for source in $(names source); do
    [[ $source == java ]] || made "source:$source" null
done
for channel in $(names channel); do made seq "channel:$channel" null; done
for sink in $(names sink); do
    [[ $sink != java ]] || continue
    for channel in memory file spillablememory; do made seq "channel:$channel" "sink:$sink"; done # the channels with a transactionCapacity
done
made seq "sink:null"
for interceptor in $(names interceptor); do
    [[ $interceptor == rules || $interceptor == java ]] || made seq "interceptor:$interceptor" null
done

refused() { # MESSAGE WORD...
    local message=$1 code=0
    shift
    "$PENSTOCK" new "$@" >new.out 2>new.err || code=$?
    ((code == 2)) || fail "new $*: exit $code, not 2"
    [[ ! -s new.out ]] || fail "new $*: it prints a file"
    grep -qF -- "$message" new.err || fail "new $*: no word of: $message: $(<new.err)"
}
refused 'name a source, such as taildir'
refused 'name a sink after the source' taildir
refused 'there is no source, interceptor, channel or sink tialdir; did you mean taildir?' tialdir null
refused 'name only one channel; the second one is memory' seq file memory null
refused "an agent's name has no dot" -n a.b seq null
refused 'rules need a file of rules first' seq rules null
refused 'write the name of the Java class as the type of a component' seq sink:java
refused 'write the name of the Java class as the type of a component' source:java null
