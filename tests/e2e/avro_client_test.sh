#!/usr/bin/env bash
# penstock avro-client -> avro source -> file_roll: bodies and headers are those that were sent, from a file, standard input
# and a directory, plain, compressed and with failover. A dead source, one that refuses, one that is no avro source, and bad
# files end with an exit status and the number of acknowledged events.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
plain=$(free_port) deflate=$(free_port) full=$(free_port) dead=$(free_port) netcat=$(free_port) thrift=$(free_port)
mkdir out

# c2 has no sink: it is full for ever after 20 events.
cat >agent.properties <<EOF_
a1.sources = r1 r2 r3 r4 r5
a1.channels = c1 c2
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $plain
a1.sources.r1.channels = c1
a1.sources.r2.type = avro
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = $deflate
a1.sources.r2.compression-type = deflate
a1.sources.r2.channels = c1
a1.sources.r3.type = avro
a1.sources.r3.bind = 127.0.0.1
a1.sources.r3.port = $full
a1.sources.r3.channels = c2
a1.sources.r4.type = netcat
a1.sources.r4.bind = 127.0.0.1
a1.sources.r4.port = $netcat
a1.sources.r4.channels = c1
a1.sources.r5.type = thrift
a1.sources.r5.bind = 127.0.0.1
a1.sources.r5.port = $thrift
a1.sources.r5.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 10000
a1.channels.c1.transactionCapacity = 1000
a1.channels.c2.type = memory
a1.channels.c2.capacity = 20
a1.channels.c2.transactionCapacity = 10
a1.channels.c2.keep-alive = 0
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
EOF_
"$PENSTOCK" agent -n a1 -f agent.properties >agent.out 2>agent.err &
children[$!]=1
for port in "$plain" "$deflate" "$full" "$netcat" "$thrift"; do
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" agent.err
done

client() { # STATUS OPTION...: runs it; what it prints is in client.out and client.err
    local expected=$1 code=0
    shift
    patient_limit 60 "$PENSTOCK" avro-client "$@" >client.out 2>client.err || code=$?
    ((code == expected)) || fail "avro-client $*: exit $code, not $expected: $(<client.err)"
}
says() { grep -qF -- "$1" client.out client.err || fail "avro-client does not say \"$1\": $(cat client.out client.err)"; }
# The bodies of events with the header run=NAME. Only this script sends, so the last line alone may be on its way.
arrived() { cat out/* | sed -n "s/^{\([^}]*, \)\?run=$1\(, [^}]*\)\?} //p"; }
arrive() { (($(arrived "$1" | wc -l) >= $2)); } # NAME COUNT
same_bodies() { arrived "$1" | diff "$2" - >diff.err; }
bodies_are() { await "the bodies of $1 are those of $2" same_bodies "$1" "$2"; } # NAME FILE
header() { echo "run = $1" >"$1.headers"; }

# ---- a file; its last line has no newline; an empty line; \r\n and \r end lines, as in Java ----
header file
printf 'color = dark\\u0020gr\\u00fcn\n! a comment\nempty =\n' >>file.headers
printf 'one\r\ntwo\rthree\n\nfünf: %s\nlast' "$(head -c 100000 /dev/zero | tr '\0' x)" >lines
printf 'one\ntwo\nthree\n\nfünf: %s\nlast\n' "$(head -c 100000 /dev/zero | tr '\0' x)" >want
client 0 --conf /nowhere -H 127.0.0.1 -p "$plain" -F lines -R file.headers
says '6 events are acknowledged'
bodies_are file want
for entry in 'color=dark grün' 'empty=' 'run=file'; do
    (($(grep -cE "^\{(.*, )?$entry(, .*)?\} ?" out/*) == 6)) || fail "no header $entry: $(grep -m 1 run=file out/* | cut -c 1-200)"
done

# ---- standard input: more than one batch, and a pause ----
header stdin
seq 1 203 >numbers
client 0 --host localhost --port "$plain" --headerFile stdin.headers <numbers
says '203 events are acknowledged'
bodies_are stdin numbers
header pause
mkfifo pipe
patient_limit 60 "$PENSTOCK" avro-client -H 127.0.0.1 -p "$plain" -R pause.headers <pipe >pause.out 2>pause.err &
pausing=$!
children[$pausing]=1
exec 3>pipe
printf '1\n2\n' >&3
await "what is there is sent when the input pauses" arrive pause 2
printf '3\n' >&3
exec 3>&-
wait "$pausing" || fail "avro-client of a pipe ends with $?"
unset "children[$pausing]"
seq 1 3 >want
bodies_are pause want
client 0 -H 127.0.0.1 -p "$plain" </dev/null
says '0 events are acknowledged'

# ---- a directory: each file once, renamed; long lines are split as the source spooldir does ----
header directory
mkdir spool
seq 1 12 >spool/a
touch -d '2020-01-01' spool/a
printf '13\n%s\n14\n' "$(head -c 3000 /dev/zero | tr '\0' y)" >spool/b
touch -d '2020-01-02' spool/b
: >spool/empty
touch spool/.hidden
{ seq 1 13; head -c 2048 /dev/zero | tr '\0' y; echo; head -c 952 /dev/zero | tr '\0' y; echo; echo 14; } >want
client 0 -H 127.0.0.1 -p "$plain" --dirname spool -R directory.headers
says '16 events are acknowledged'
bodies_are directory want
[[ $(find spool -type f -printf '%f\n' | sort | grep -v meta | paste -sd ' ') == '.hidden a.COMPLETED b.COMPLETED empty.COMPLETED' ]] ||
    fail "the directory has $(find spool -type f -printf '%f ')"
client 0 -H 127.0.0.1 -p "$plain" --dirname spool
says '0 events are acknowledged'

# ---- a source whose channel is full after 20 events ----
client 1 -H 127.0.0.1 -p "$full" -F numbers
says "127.0.0.1:$full: the source answers FAILED: its channel is full"
says '20 events are acknowledged, up to line 20 of numbers'

# ---- Flume's RPC client properties ----
rpc() { printf '%s\n' "$@" >rpc.properties; }
header compressed
rpc 'hosts = h1' "hosts.h1 = 127.0.0.1:$deflate" 'batch-size = 50' 'compression-type = deflate' 'connect-timeout = 60000' 'maxIoWorkers = 3'
client 0 -P rpc.properties -F numbers -R compressed.headers
bodies_are compressed numbers
header failover
rpc 'client.type = default_failover' 'hosts = h1 h2 h3' "hosts.h1 = 127.0.0.1:$dead" "hosts.h2=127.0.0.1:$full" "hosts.h3 = 127.0.0.1:$plain" 'batch-size = 100'
client 0 --rpcProps rpc.properties -F numbers -R failover.headers
says '203 events are acknowledged'
says "127.0.0.1:$full: the source answers FAILED"
bodies_are failover numbers
header balanced
rpc 'client.type = DEFAULT_LOADBALANCE' 'hosts = h1 h2 h3' "hosts.h1 = 127.0.0.1:$dead" "hosts.h2 = localhost:$plain" "hosts.h3 = 127.0.0.1:$plain" 'batch-size = 10' \
    'backoff = true' 'host-selector = random'
client 0 --rpcProps rpc.properties -F numbers -R balanced.headers
says '203 events are acknowledged'
bodies_are balanced numbers
for kind in compact binary; do
    header $kind
    rpc 'client.type = org.apache.flume.api.ThriftRpcClient' 'hosts = h1' "hosts.h1 = 127.0.0.1:$thrift" 'batch-size = 10' "protocol = $kind" 'compression-type = deflate'
    client 0 --rpcProps rpc.properties -F numbers -R $kind.headers
    says '203 events are acknowledged'
    says 'a thrift source does not compress'
    bodies_are $kind numbers
done
rpc 'client.type = thrift' 'hosts = h1' "hosts.h1 = 127.0.0.1:$plain" 'request-timeout = 5000'
client 1 -P rpc.properties -F numbers
rpc 'hosts = h1' "hosts.h1 = 127.0.0.1:$thrift" 'request-timeout = 5000'
client 1 -P rpc.properties -F numbers
refuses() { # TEXT PROPERTY...
    local text=$1
    shift
    rpc "$@"
    client 2 -P rpc.properties -F numbers
    says "$text"
    [[ ! -s client.out ]] || fail "output: $(<client.out)"
}
refuses 'load balancing needs at least two hosts' 'client.type = default_loadbalance' 'hosts = h1' 'hosts.h1 = a:1'
refuses 'write round_robin or random' 'client.type = default_loadbalance' 'hosts = h1 h2' 'hosts.h1 = a:1' 'hosts.h2 = a:1' 'host-selector = org.example.Mine'
refuses 'has no Kerberos' 'client.type = THRIFT' 'hosts = h1' 'hosts.h1 = a:1' 'kerberos = true'
refuses 'did you mean default_failover?' 'client.type = default_failver' 'hosts = h1' 'hosts.h1 = a:1'
refuses 'hosts.h2 = HOST:PORT' 'hosts = h2' 'hosts.h1 = a:1'
refuses 'write HOST:PORT' 'hosts = h1' 'hosts.h1 = a'
refuses 'hosts' 'batch-size = 7'
refuses 'truststore' 'hosts = h1' 'hosts.h1 = a:1' 'ssl = true' 'truststore = nowhere.jks'

# ---- sources that do not take events ----
client 1 -H 127.0.0.1 -p "$dead" -F numbers
says "127.0.0.1:$dead: Connection refused; 0 events are acknowledged"
rpc 'hosts = h1' "hosts.h1 = 127.0.0.1:$dead" 'batch-size = many' # Flume's client uses the default, too
client 1 -P rpc.properties -F numbers
says 'batch-size: "many" is not a whole number: the default 100 is used'
mkdir again
seq 1 30 >again/numbers
client 1 -H 127.0.0.1 -p "$full" --dirname again
says '0 events are acknowledged'
[[ -e again/numbers ]] || fail "a file that was not acknowledged is renamed"
header again
client 0 -H 127.0.0.1 -p "$plain" --dirname again -R again.headers
seq 1 30 >want
bodies_are again want
rpc 'hosts = h1' "hosts.h1 = 127.0.0.1:$netcat" 'request-timeout = 5000'
client 1 -P rpc.properties -F numbers
says '0 events are acknowledged'
rpc 'hosts = h1' "hosts.h1 = 127.0.0.1:$plain" 'ssl = true' 'trust-all-certs = true'
client 1 -P rpc.properties -F numbers

# ---- hostile files ----
printf 'good = 1\nbad = \\u12g4\n' >bad.headers
client 2 -H 127.0.0.1 -p "$plain" -F numbers -R bad.headers
says 'bad.headers:2'
client 2 -H 127.0.0.1 -p "$plain" -F numbers -R spool
says 'spool'
client 2 -H 127.0.0.1 -p "$plain" -F spool
says 'is a directory; use --dirname to send its files'
header many
seq -f 'h%g = 1' 1 5000 >>many.headers
client 1 -H 127.0.0.1 -p "$plain" -F numbers -R many.headers
says '0 events are acknowledged'
header odd
printf '\xe4\xff\\u0000 = \\uD800\n = no name\nrun2:%s\n' "$(head -c 70000 /dev/zero | tr '\0' z)" >>odd.headers
client 0 -H 127.0.0.1 -p "$plain" -F want -R odd.headers
await "the events with odd headers" arrive odd 30
client 0 -H 127.0.0.1 -p "$plain" -F want -R numbers # names without values
says '30 events are acknowledged'

# ---- an interrupt ----
header interrupted
"$PENSTOCK" avro-client -H 127.0.0.1 -p "$plain" -F pipe -R interrupted.headers >interrupted.out 2>interrupted.err &
waiting=$!
children[$waiting]=1
exec 3>pipe
echo 1 >&3
await "the event before the interrupt" arrive interrupted 1
kill -TERM "$waiting"
code=0
wait "$waiting" || code=$?
exec 3>&-
unset "children[$waiting]"
((code == 1)) || fail "an interrupt: exit $code"
grep -qE 'interrupted; (1 event is|0 events are) acknowledged' interrupted.err || fail "an interrupt is not told: $(<interrupted.err)"
echo "avro-client: as expected"
