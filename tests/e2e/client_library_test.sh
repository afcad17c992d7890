#!/usr/bin/env bash
# libpenstock-client as it is installed: the header alone in C89 and C++, shared and static with what pkg-config says, no names but its
# own; the example of conf/examples and a hundred threads into an agent's avro sources, plain, compressed and over TLS, and its
# thrift source.
# No sanitizer: the library is not built there; tests/commands/client has the parts.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
for program in cc c++ pkg-config nm openssl; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
thrift=$(free_port) plain=$(free_port) deflate=$(free_port) tls=$(free_port)
mkdir out

# ---- what is installed ----

DESTDIR=$work/staged cmake --install "$(dirname "$PENSTOCK")" --prefix /opt/penstock --component client >install.err 2>&1 || fail "install"
root=$work/staged/opt/penstock
export PKG_CONFIG_PATH=$root/lib/pkgconfig LD_LIBRARY_PATH=$root/lib
[[ $(cd "$root" && find . -type f -o -type l | sort | paste -sd' ') == './include/penstock/client.h ./lib/libpenstock-client.a '* ]] ||
    fail "installed: $(cd "$root" && find . -type f)"
names() { sed -E 's/@.*//' | sort; }
grep -oE '\bpenstock_client_[a-z_]+\(' "$root/include/penstock/client.h" | tr -d '(' | sort -u | grep -vxE 'penstock_client_(error|event)' >declared.err
nm -D --defined-only "$root/lib/libpenstock-client.so" | awk '$2 == "T" { print $3 }' | names | diff declared.err - >names.err || fail "the shared library has other names than the header"
nm -g --defined-only "$root/lib/libpenstock-client.a" | awk 'NF == 3 { print $3 }' | names | diff declared.err - >names.err || fail "the static library has other names than the header"
readelf -d "$root/lib/libpenstock-client.so" >dynamic.err
grep -q 'SONAME.*\[libpenstock-client\.so\.1\]' dynamic.err || fail "no soname"
! grep 'NEEDED' dynamic.err | grep -vE '\[(libz|libssl|libcrypto|libm|libc)\.so' || fail "the library needs more than libssl and zlib"

strict=(-Wall -Wextra -Wpedantic -Werror)
read -ra flags <<<"$(pkg-config --cflags --libs penstock-client)"
read -ra static <<<"$(pkg-config --cflags --libs --static penstock-client | sed 's/-lpenstock-client/-l:libpenstock-client.a/')"
printf '#include <penstock/client.h>\nint main() { return penstock_client_version() == 0; }\n' >header.cc
c++ -std=c++98 "${strict[@]}" header.cc "${flags[@]}" -o header || fail "the header is not C++98"
./header || fail "a program in C++ ends with $?"
example=$PENSTOCK_SOURCE/conf/examples/client.c
cc -std=c89 "${strict[@]}" "$example" "${flags[@]}" -o client || fail "the example does not compile as C89"
cc -std=c11 "${strict[@]}" "$example" "${static[@]}" -o client_static || fail "the example does not link with the static library"
cc "${strict[@]}" -pthread "$PENSTOCK_SOURCE/tests/e2e/client_threads.c" "${flags[@]}" -o client_threads || fail "client_threads does not compile"

# ---- an agent ----

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=penstock.test >openssl.err 2>&1 || fail "no certificate"
cat key.pem cert.pem >store.pem
source_at() { # NAME PORT LINE...
    local type=avro
    [[ $1 != r4 ]] || type=thrift
    printf "a1.sources.%s.type = $type\\n"'a1.sources.%s.bind = 127.0.0.1\na1.sources.%s.port = %s\na1.sources.%s.channels = c1\n' "$1" "$1" "$1" "$2" "$1"
    local name=$1
    shift 2
    for line; do echo "a1.sources.$name.$line"; done
}
{
    printf 'a1.sources = r1 r2 r3 r4\na1.channels = c1\na1.sinks = k1\n'
    source_at r1 "$plain"
    source_at r2 "$deflate" 'compression-type = deflate'
    source_at r3 "$tls" 'ssl = true' "keystore = $work/store.pem" 'keystore-type = PEM' 'keystore-password = secret'
    source_at r4 "$thrift"
    cat <<EOF_
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 1000
a1.sinks.k1.type = file_roll
a1.sinks.k1.channel = c1
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = header_and_text
EOF_
} >agent.properties
"$PENSTOCK" agent -n a1 -f agent.properties >agent.out 2>agent.err &
agent=$!
children[$agent]=1
for port in "$plain" "$deflate" "$tls" "$thrift"; do
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" agent.err
done

# ---- the example ----

has_line() { cat out/* | grep -qxF -- "$1"; }
runs() { # PROGRAM ARGUMENT...
    patient_limit 60 "$@" >client.out 2>client.err || fail "$*: exit $?"
}
runs ./client 127.0.0.1 "$plain" hello 'a second one'
await "the example's events" has_line '{origin=client.c} a second one'
has_line '{origin=client.c} hello' || fail "the first event is missing"
printf 'hosts = h1\nhosts.h1 = localhost:%s\ncompression-type = deflate\n' "$deflate" >deflate.properties
printf 'hosts = h1\nhosts.h1 = 127.0.0.1:%s\nssl = true\ntruststore = %s\nunknown = 1\n' "$tls" "$work/cert.pem" >tls.properties
printf 'one\ntwo\n' >lines
for name in deflate tls; do
    runs ./client_static $name.properties <lines
done
grep -q 'client: .*unknown' client.err || fail "an unknown property is not told: $(<client.err)"
await "events of files" has_line '{origin=client.c} two'
code=0
patient_limit 60 ./client 127.0.0.1 "$(free_port)" nobody >client.out 2>client.err || code=$?
((code == 1)) || fail "nobody listens: exit $code"
grep -q 'Connection refused' client.err || fail "nobody listens: $(<client.err)"

# ---- a hundred threads ----

threads() { # PROPERTIES SHARED
    local acknowledged
    acknowledged=$(patient_limit 120 ./client_threads "$1" 100 60 "$2") || fail "client_threads $*: exit $?"
    ((acknowledged == 6000)) || fail "client_threads $*: $acknowledged acknowledged"
    sent=$((sent + 6000))
}
sent=0
printf 'hosts = h1\nhosts.h1 = 127.0.0.1:%s\n' "$plain" >plain.properties
printf 'client.type = default_loadbalance\nhosts = h1 h2\nhosts.h1 = 127.0.0.1:%s\nhosts.h2 = localhost:%s\nmaxConnections = 2\n' "$plain" "$plain" >balance.properties
threads plain.properties shared
threads plain.properties own
threads balance.properties shared
threads tls.properties shared
printf 'client.type = thrift\nhosts = h1\nhosts.h1 = 127.0.0.1:%s\n' "$thrift" >thrift.properties
threads thrift.properties shared
arrived() { cat out/* | grep -cxE '\{(origin=client_threads, empty=|empty=, origin=client_threads)\} [0-9]+\.[0-9]+' || true; }
all_arrived() { (($(arrived) >= sent)); }
await "all events of the threads" all_arrived
kill -TERM "$agent"
wait "$agent" || fail "the agent ends with $?"
unset "children[$agent]"
(($(arrived) == sent)) || fail "$(arrived) events, not $sent"
cat out/* | sed -nE 's/^\{.*client_threads.*\} //p' | sort | uniq -c | awk '$1 != 5 { bad = 1 } END { exit bad || NR != 6000 }' || fail "not each event once a run"
echo "libpenstock-client: as expected"
