#!/usr/bin/env bash
# Needs: flume
# Avro RPC with a real Flume 1.11: its Avro sinks and its avro-client into our source, and our sink and our avro-client into its sources,
# plain, compressed, over TLS, and both; properties with failover and load balancing, which Flume's client and ours read alike, and a hundred
# threads over libpenstock-client into its sources. What arrives must be what Flume's own file_roll sink wrote of the same events, headers included.
# shellcheck source=tests/real/rpc.sh
source "$(dirname "${BASH_SOURCE[0]}")/rpc.sh"

# shellcheck disable=SC2034
protocol=avro
base=$(ports_reserve)
back=$((base + 20)) # the first port of Flume's sources
ways=(plain zlib tls both)
options=([plain]="" [zlib]="compression-type=deflate" [tls]="ssl=true" [both]="ssl=true compression-type=deflate" [client]="")
ports "$base" "${ways[@]}" client
events=2000

source_file p "${ways[@]}" client >"$work/p.properties"
sink_file f "trust-all-certs = true" >"$work/f.properties"
start_ours p
await_sources p "listening on" 5
flume_into_ours

# The SDK's client: batches of 5, headers from a file.
"$here/flume" avro-client -H 127.0.0.1 -p "${port[client]}" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
    fail "avro-client ends with $?"
await_lines p-client 203
sed 's/.*} //' "$work"/p-client/* | diff - "$work/lines" >/dev/null || fail "avro-client: other bodies"
(($(grep -cF "one=1" <(cat "$work"/p-client/*)) == 203)) || fail "avro-client: other headers: $(head -n 1 "$work"/p-client/*)"
echo "same: Flume's avro-client into our source"
stop_ours
accepted $((4 * events + 203))

# ---- the other direction: our numbers, into Flume's sources ----

ports "$back" "${ways[@]}"
source_file f "${ways[@]}" >"$work/back.properties"
sink_file p "${trust[@]:0:2}" >"$work/forth.properties"
start_flume back
await_sources back "Avro source .* started" ${#ways[@]}
ours_into_flume ''
for name in "${ways[@]}"; do
    {
        printf 'hosts = h1\nhosts.h1 = 127.0.0.1:%d\n' "${port[$name]}"
        tr ' ' '\n' <<<"${options[$name]}"
        [[ ${options[$name]} != *ssl* ]] || printf '%s\n' "${trust[@]:0:2}"
    } >"$work/rpc.properties"
    client_into_flume "$PENSTOCK" "$name" $((events + 203))
done
stop_ours

# ---- several hosts: the same properties for Flume's client and ours ----

dead=$((base + 30))
several() { # KIND HOST_PORT...
    local kind=$1 i=0 listed=''
    shift
    for host; do
        i=$((i + 1)) listed+=" h$i"
        echo "hosts.h$i = $host"
    done
    printf 'hosts =%s\nclient.type = %s\nbatch-size = 20\n' "$listed" "$kind"
}
reached=$((events + 203)) # in Flume's plain source
reach() { # WHAT COUNT: so many more lines have arrived; they are in $work/arrived
    reached=$((reached + $2))
    await_lines f-plain $reached
    tail -q -n +1 "$work"/f-plain/* | tail -n "$2" >"$work/arrived"
}
for kind in default_failover DEFAULT_LOADBALANCE; do
    several $kind "127.0.0.1:$dead" "127.0.0.1:$back" "localhost:$back" >"$work/rpc.properties"
    for client in "$here/flume" "$PENSTOCK"; do
        "$client" avro-client -P "$work/rpc.properties" -F "$work/lines" -R "$work/headers" >"$work/client.log" 2>&1 </dev/null ||
            fail "${client##*/} avro-client ($kind) ends with $?"
        reach "$kind" 203
        sed 's/.*} //' "$work/arrived" | sort | diff - <(sort "$work/lines") >/dev/null || fail "${client##*/} avro-client ($kind): other bodies"
        echo "same: ${client##*/} avro-client ($kind) into Flume's source"
    done
done

cmake --install "$(dirname "$PENSTOCK")" --prefix "$work/installed" --component client >"$work/install.log" 2>&1
if [[ -e $work/installed/lib/libpenstock-client.a ]]; then # a build with a sanitizer has none
    cc -pthread -I "$work/installed/include" "$here/../e2e/client_threads.c" "$work/installed/lib/libpenstock-client.a" -lssl -lcrypto -lz -lm \
        -o "$work/client_threads"
    several default_loadbalance "127.0.0.1:$back" "localhost:$back" >"$work/rpc.properties"
    acknowledged=$("$work/client_threads" "$work/rpc.properties" 100 30 shared)
    ((acknowledged == 3000)) || fail "threads: $acknowledged acknowledged"
    reach threads 3000
    (($(sed 's/.*} //' "$work/arrived" | sort -u | wc -l) == 3000)) || fail "threads: other bodies"
    echo "same: a hundred threads into Flume's source"
fi
echo "ok"
