#!/usr/bin/env bash
# Needs: flume
# Java classes that are asked for values, run by a real Flume 1.11 and by penstock with the same file: a config filter, and the key provider
# of a file channel. Then, in penstock alone: events that stay in the channel, a new key, a key that the class does not have, `channel`.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v curl >/dev/null || skip "no curl"
with_java_classes

agent_file() { # DIR
    mkdir -p "$1/out"
    cat <<-EOF_
	a1.configfilters = f1 f2
	a1.configfilters.f1.type = example.Vault
	a1.configfilters.f1.value.secret = the \\u00fcber secret
	a1.configfilters.f1.value.type = seq
	a1.configfilters.f1.value.empty =
	a1.configfilters.f1.value.nested = \${f1['secret']}
	a1.configfilters.f2.type = example.Vault
	a1.configfilters.f2.sealed = true
	a1.configfilters.f2.value.secret = never seen
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = \${f1["type"]}
	a1.sources.r1.totalEvents = \${f1[total]}
	a1.configfilters.f1.value.total = 1000
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1 i2 i3 i4
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i1.key = one
	a1.sources.r1.interceptors.i1.value = \${f1['secret']} and \${f1["secret"]}
	a1.sources.r1.interceptors.i2.type = static
	a1.sources.r1.interceptors.i2.key = two
	a1.sources.r1.interceptors.i2.value = \${f1['none']}|\${f1['throws']}|\${f1['secret']}
	a1.sources.r1.interceptors.i3.type = static
	a1.sources.r1.interceptors.i3.key = three
	a1.sources.r1.interceptors.i3.value = \${f2['secret']}
	a1.sources.r1.interceptors.i4.type = static
	a1.sources.r1.interceptors.i4.key = four
	a1.sources.r1.interceptors.i4.value = \${f1['nested']}
	a1.channels.c1.type = file
	a1.channels.c1.checkpointDir = $1/checkpoint
	a1.channels.c1.dataDirs = $1/data
	a1.channels.c1.encryption.activeKey = today
	a1.channels.c1.encryption.cipherProvider = AESCTRNOPADDING
	a1.channels.c1.encryption.keyProvider = example.Keys
	a1.channels.c1.encryption.keyProvider.seed = q
	a1.channels.c1.encryption.keyProvider.keys = old
	a1.channels.c1.encryption.keyProvider.keys.old.hint = x
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $1/out
	a1.sinks.k1.sink.rollInterval = 0
	a1.sinks.k1.sink.serializer = header_and_text
	a1.sinks.k1.channel = c1
	EOF_
}
arrived() { # DIR
    find "$1/out" -type f -exec cat {} + | wc -l
}
ordered() { # references have braces
    sed -E 's/[$][{](f[12]\[[^]]*\])[}]/<\1>/g' | headers_in_order
}
both 1000
same_content 'filtered values through an encrypted channel' out ordered

# ---- what check says, without and with --probe ----

checked() { # EXIT OPTION...: of the file that standard input changes
    local expected=$1 code=0
    shift
    sed -f /dev/stdin "$work/penstock.properties" >"$work/check.properties"
    "$PENSTOCK" check "$@" -n a1 -f "$work/check.properties" >"$work/check.log" 2>&1 || code=$?
    ((code == expected)) || { cat "$work/check.log" >&2; fail "check exits with $code"; }
}
says() {
    grep -qF -- "$1" "$work/check.log" || { cat "$work/check.log" >&2; fail "check does not say: $1"; }
    echo "check: $1"
}
# A type is needed to check the component, so a class that is not asked leaves it out.
sed -i "s/sources.r1.type = .*/sources.r1.type = seq/" "$work/penstock.properties"
checked 0 </dev/null
says "is asked in Java when the agent starts"
says "a1.sources.r1.totalEvents: the value is not known before the agent starts and asks the config filter"
says 'not tried without --probe: the keys of channel c1'
! grep -q 'is asked for' "$work/check.log" || fail 'check has asked the class'
checked 0 --probe </dev/null
says 'f1 is asked for secret'
says 'config filter f1: java.lang.IllegalArgumentException: oops'
says 'config filter f2: java.lang.IllegalStateException: it is sealed'
says '2 keys can be read'
checked 3 --probe <<<'s/activeKey = today/activeKey = absent/'
says 'it has no key absent'
checked 3 --probe <<<'/old.hint/d'
says 'the key provider example.Keys: java.lang.IllegalArgumentException: no hint'

# ---- events that stay, and a new key ----

dir=$work/kept
mkdir -p "$dir/out"
agent_file "$dir" >"$work/all.properties"
kept() { # until the channel has all of them
    await 60 "$PENSTOCK" channel verify --config "$work/kept.properties" --channel c1 >"$work/verify.log" 2>&1 || fail 'the channel cannot be verified'
}
sed '/sinks/d' "$work/all.properties" >"$work/kept.properties"
metrics=$(ports_reserve)
printf '#!/bin/sh\nexec "%s" "$@" -Dflume.monitoring.type=http -Dflume.monitoring.port=%s\n' "$PENSTOCK" "$metrics" >"$work/monitored"
chmod +x "$work/monitored"
has_put() { curl -s --noproxy '*' "http://127.0.0.1:$metrics/metrics" | grep -q '"EventPutSuccessCount":"1000"'; }
start "$work/kept" "$work/monitored"
await 120 has_put || fail 'the source does not put all events into the channel'
stop TERM
kept
[[ $("$PENSTOCK" channel export --config "$work/kept.properties" --channel c1 | wc -l) == 1000 ]] || fail 'not all events were kept'
! grep -rqa 'one=' "$dir/data" || fail 'the channel has plain text'
# The key of these events is only in the list now; the source has no more events.
sed -e 's/activeKey = today/activeKey = tomorrow/; s/keys = old/keys = old today/; s/\(value.total\) = 1000/\1 = 1/' "$work/all.properties" >"$work/kept.properties"
start "$work/kept" "$PENSTOCK"
await 60 has_arrived "$dir" 1001 || fail "$(arrived "$dir") of 1001 events arrived"
stop TERM
[[ $(arrived "$dir") == 1001 ]] || fail "$(arrived "$dir") of 1001 events arrived"
echo 'kept under one key, delivered with another'

# ---- what configure() of each component says ----

cat >"$work/penstock.properties" <<-EOF_
	a1.sources = r1 r2
	a1.channels = c1 c2
	a1.sinks = k1 k2
	a1.sources.r1.type = seq
	a1.sources.r1.channels = c1
	a1.sources.r1.interceptors = i1 i2
	a1.sources.r1.interceptors.i1.type = static
	a1.sources.r1.interceptors.i2.type = example.Change\$Builder
	a1.channels.c1.type = memory
	a1.sinks.k1.type = example.FileSink
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $work/none
	a1.sources.r2.type = seq
	a1.sources.r2.channels = c2
	a1.channels.c2.type = example.OwnChannel
	a1.sinks.k2.type = null
	a1.sinks.k2.channel = c2
EOF_
checked 0 </dev/null
says 'configure() of example.FileSink of sink k1'
checked 0 --probe </dev/null
says "ok      interceptor i2 of source r1: configure() of example.Change\$Builder"
says 'ok      source in-java: configure() of org.apache.flume.node.Application'
says 'ok      sink k1: configure() of example.FileSink'
[[ ! -e $work/none ]] || fail 'check has started a sink'
checked 3 --probe <<<'/k1.path/d'
says 'FAILED  sink k1: configure() of example.FileSink: java.lang.IllegalArgumentException: path is missing'
