#!/usr/bin/env bash
# Needs: flume
# Nothing acknowledged is lost on the way through four agents, each with a file channel, that are killed with SIGKILL and started again at
# random times while events flow:
#
#   penstock load -> Flume (avro source, sink) -> penstock (source, sink) -> Flume (source, sink) -> penstock (source, file_roll)
#
# So Flume's sink meets our source, and our sink Flume's source, with either side killed. The connections are avro, plain, compressed, over TLS,
# or both, or thrift, compact, binary or over TLS: another way each in every round. Events that come twice are counted.
#
#   flume_rpc_kill_test.sh [--seconds N] [--seed N]     how long events flow (default 20), in rounds of at most 60 s
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in keytool jq; do
    command -v $program >/dev/null || skip "no $program"
done

# shellcheck source=tests/support/seed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/seed.sh"
seconds=20 seed=$(seed_of_run)
while (($#)); do
    case $1 in
    --seconds) seconds=$2 ;;
    --seed) seed=$2 ;;
    *) echo "usage: $0 [--seconds N] [--seed N]" >&2; exit 2 ;;
    esac
    shift 2
done
echo "--seed $seed"
RANDOM=$seed # bash's sequence of numbers, the same for the same seed

base=$(ports_reserve)
rate=3000
agents=(a b c d) # in the order in which events pass them
declare -A engine=([a]=flume [b]=penstock [c]=flume [d]=penstock) port next=([a]=b [b]=c [c]=d) pid kills
for i in "${!agents[@]}"; do port[${agents[i]}]=$((base + i)); done

keytool -J-XX:TieredStopAtLevel=1 -genkeypair -keystore "$work/store.p12" -storetype PKCS12 -storepass secret -alias a -keyalg RSA -keysize 2048 \
    -dname CN=penstock.test -ext san=dns:penstock.test,ip:127.0.0.1 -validity 2 >/dev/null 2>&1 || skip "keytool makes no certificate"

end_all() {
    local name
    for name in "${!pid[@]}"; do kill -KILL "${pid[$name]}" 2>/dev/null || true; done
}
trap 'code=$?; end_all; finish $code' EXIT
fail() {
    echo "FAILED: $* (--seed $seed)" >&2
    tail -n 12 "$work"/*.log | cut -c 1-400 >&2
    exit 1
}

# ---- agents ----

ways=(type=avro "type=avro compression-type=deflate" "type=avro ssl=true" "type=avro ssl=true compression-type=deflate"
    type=thrift "type=thrift protocol=binary" "type=thrift ssl=true")
declare -A way # of the connection into an agent
keys() { # COMPONENT AGENT: the options of the connection into this agent
    local pair
    for pair in ${way[$2]}; do echo "$1.${pair%%=*} = ${pair#*=}"; done
}

agent_file() { # AGENT: below $round
    local name=$1
    cat <<-EOF_
	a1.sources = in
	a1.channels = c
	a1.sinks = out
	a1.sources.in.bind = 127.0.0.1
	a1.sources.in.port = ${port[$name]}
	a1.sources.in.channels = c
	a1.channels.c.type = file
	a1.channels.c.checkpointDir = $round/$name/checkpoint
	a1.channels.c.dataDirs = $round/$name/data
	a1.channels.c.capacity = 500000
	a1.channels.c.transactionCapacity = 1000
	a1.channels.c.checkpointInterval = 3000
	a1.sinks.out.channel = c
	EOF_
    keys a1.sources.in "$name"
    [[ ${way[$name]} != *ssl* ]] || cat <<-EOF_
	a1.sources.in.keystore = $work/store.p12
	a1.sources.in.keystore-password = secret
	a1.sources.in.keystore-type = PKCS12
	EOF_
    if [[ $name == d ]]; then
        mkdir -p "$round/arrived"
        cat <<-EOF_
	a1.sinks.out.type = file_roll
	a1.sinks.out.sink.directory = $round/arrived
	a1.sinks.out.sink.rollInterval = 7
	EOF_
        return
    fi
    cat <<-EOF_
	a1.sinks.out.hostname = 127.0.0.1
	a1.sinks.out.port = ${port[${next[$name]}]}
	a1.sinks.out.batch-size = 200
	a1.sinks.out.connect-timeout = 3000
	a1.sinks.out.request-timeout = 20000
	EOF_
    keys a1.sinks.out "${next[$name]}"
    [[ ${way[${next[$name]}]} != *ssl* ]] || cat <<-EOF_
	a1.sinks.out.truststore = $work/store.p12
	a1.sinks.out.truststore-password = secret
	a1.sinks.out.truststore-type = PKCS12
	EOF_
}

start() { # AGENT
    local command=$PENSTOCK
    [[ ${engine[$1]} != flume ]] || command=$here/flume
    "$command" agent -n a1 -f "$round/$1.properties" >>"$work/$1.log" 2>&1 </dev/null &
    pid[$1]=$!
    disown # so that the shell does not report each kill
}

restart() { # AGENT: after SIGKILL
    kill -0 "${pid[$1]}" 2>/dev/null || fail "agent $1 ended by itself"
    kill -KILL "${pid[$1]}"
    wait "${pid[$1]}" 2>/dev/null || true
    kills[$1]=$((${kills[$1]:-0} + 1))
    start "$1"
}

# ---- a round ----

summary() { # NAME: the last line of its JSON
    tail -n 1 "$work/$1.json"
}

# Removes what a killed file_roll has left: a line without an end, which comes once more whole in the next file.
cut_lines() { # DIRECTORY
    local file
    for file in "$1"/*; do
        [[ ! -s $file || -z $(tail -c 1 "$file" | tr -d '\n') ]] || sed -i '$d' "$file"
    done
}

run_round() { # NUMBER SECONDS
    local name victims loader verified i began=$SECONDS code=0
    round=$work/$1
    kills=()
    mkdir -p "$round"
    for name in "${agents[@]}"; do
        way[$name]=${ways[RANDOM % ${#ways[@]}]}
        : >"$work/$name.log"
    done
    way[a]=type=avro # penstock load speaks it
    [[ ${way[c]} == type=avro* ]] || way[c]=type=avro
    for name in "${agents[@]}"; do
        agent_file "$name" >"$round/$name.properties"
        start "$name"
    done
    await 90 listens "${port[a]}" || fail "the first agent does not listen"
    : >"$work/load.json" # what the load of an earlier round has acknowledged does not count
    "$PENSTOCK" load --wait --target "avro://127.0.0.1:${port[a]}?batch=100&timeout=20s" --connections 2 --rate $rate --duration "$2s" --pace sleep \
        --format rfc3164 --json --settle 600s --tolerance 1 --manifest "$work/manifest" >"$work/load.json" 2>"$work/load.log" &
    loader=$!
    pid[load]=$loader
    await 90 grep -q '"completed":[1-9]' "$work/load.json" || fail "nothing is acknowledged"
    began=$SECONDS
    while ((SECONDS - began < $2)); do # every agent once, in another order each time
        mapfile -t victims < <(for name in "${agents[@]}"; do echo "$RANDOM $name"; done | sort -n)
        for name in "${victims[@]}"; do
            ((SECONDS - began < $2)) || break
            sleep "$((RANDOM % 3)).$((RANDOM % 10))$((RANDOM % 10))"
            restart "${name#* }"
        done
    done
    wait $loader || fail "load: exit $?: $(summary load | cut -c 1-600)"
    unset 'pid[load]'
    "$PENSTOCK" verify --from "file://$round/arrived?follow=true" --manifest "$work/manifest" --idle 300s --json >"$work/verify.json" \
        2>"$work/verify.log" || true # it ends when all is there
    for name in "${agents[@]}"; do
        kill -0 "${pid[$name]}" 2>/dev/null || fail "agent $name ended by itself"
    done
    end_all
    cut_lines "$round/arrived"
    "$PENSTOCK" verify --from "file://$round/arrived" --manifest "$work/manifest" --json >"$work/verify.json" 2>"$work/verify.log" || code=$?
    verified=$(summary verify)
    echo "round $1: into b ${way[b]}, c ${way[c]}, d ${way[d]}; killed:$(for name in "${agents[@]}"; do echo -n " $name ${kills[$name]:-0}"; done);" \
        "$(jq -r '"sent \(.sent), lost \(.lost), twice \(.duplicated), out of order \(.reordered)"' <<<"$verified")"
    jq -e '.lost == 0 and .complete and .corrupted == 0 and .cut == 0 and .broken == 0 and .foreign == 0' <<<"$verified" >/dev/null ||
        fail "round $1: verify exits with $code: $(jq -c 'del(.histogram)' <<<"$verified" | cut -c 1-900)"
    jq -e '.failed == 0' >/dev/null <<<"$(summary load)" || fail "load: $(summary load | cut -c 1-600)"
    [[ ${KEEP:-} ]] || rm -rf "$round"
}

rounds=$(((seconds + 59) / 60))
for ((number = 1; number <= rounds; number++)); do run_round $number $((seconds / rounds)); done
echo "ok"
