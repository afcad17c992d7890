#!/usr/bin/env bash
# Needs: flume
# Thrift RPC with a real Flume 1.11: its Thrift sinks into our source, and our sinks into its sources, compact and binary, plain and over
# TLS; the clients of both, with the same properties, into Flume's sources. What arrives must be what the sender's own file_roll sink wrote of the same events, headers included.
# shellcheck source=tests/real/rpc.sh
source "$(dirname "${BASH_SOURCE[0]}")/rpc.sh"

# shellcheck disable=SC2034
protocol=thrift
base=$(ports_reserve)
ways=(compact binary tls both)
options=([compact]="" [binary]="protocol=binary" [tls]="ssl=true" [both]="ssl=true protocol=binary")
ports "$base" "${ways[@]}"
events=2000

# ---- Flume's sinks into our sources ----

source_file p "${ways[@]}" >"$work/p.properties"
sink_file f "${trust[@]}" >"$work/f.properties"
start_ours p
await_sources p "listening on" ${#ways[@]}
flume_into_ours
stop_ours
accepted $((4 * events))

# ---- our sinks into Flume's sources ----

ports $((base + 10)) "${ways[@]}" # Flume's sources have other ports, on which nothing listened before
source_file f "${ways[@]}" >"$work/back.properties"
sink_file p "${trust[@]}" >"$work/forth.properties"
start_flume back
await_sources back "Started Thrift source" ${#ways[@]}
# Thrift makes its maps of another size than Flume does, and Java's order of a map's entries depends on it.
ours_into_flume 's/^\{(timestamp=[0-9]+), (host name=.*)\} /{\2, \1} /'
stop_ours

# ---- Flume's RPC client and ours, with the same properties, into Flume's sources ----

for name in "${ways[@]}"; do
    {
        printf 'client.type = thrift\nhosts = h1\nhosts.h1 = 127.0.0.1:%s\nbatch-size = 20\n' "${port[$name]}"
        tr ' ' '\n' <<<"${options[$name]}"
        [[ ${options[$name]} != *ssl* ]] || printf '%s\n' "${trust[@]}"
    } >"$work/rpc.properties"
    client_into_flume "$PENSTOCK" "$name" $((events + 203))
    [[ $name != compact ]] || client_into_flume "$here/flume" "$name" $((events + 406)) # once is enough for a JVM
done
echo "ok"
