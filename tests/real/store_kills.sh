# The agent of a file channel is killed again and again while its sink writes to a store. Tests of stores source this after java_server.sh.
#
#   store_kills WORDS   the keys of the sink k1 come from the standard input; WORDS is a function that prints the first word of each event in the
#                       store, and may fail while the store does not answer; KILLS=N says how many kills (default 5)
#
# A client sends numbered lines to the source netcat, which says OK when the channel has them on its disk. It sends each line once, also one that was
# not answered. So every line with an answer must be in the store, and none twice. In the middle the store stands still for a while.
# shellcheck shell=bash disable=SC2154

store_flow() { # the agent's file, without the sink's keys
    printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.type = netcat" "sources.r1.channels = c1" \
        "sources.r1.bind = 127.0.0.1" "sources.r1.port = $((server_port + 50))" "sources.r1.max-line-length = 2000" "channels.c1.type = file" \
        "channels.c1.checkpointDir = $work/store/checkpoint" "channels.c1.dataDirs = $work/store/data" "channels.c1.capacity = 200000" \
        "channels.c1.transactionCapacity = 1000" "sinks.k1.channel = c1"
    sed 's/^/a1.sinks.k1./'
}
store_start() {
    [[ ! -e $work/store.log ]] || cat "$work/store.log" >>"$work/store.lives"
    start "$work/store" "$PENSTOCK"
}
store_words() { "$1" >"$work/store/words" && sort "$work/store/words" >"$work/store/came"; } # WORDS
store_has_all() { # WORDS
    store_words "$1" && [[ ! $(sort "$work/store/acked.w" | comm -23 - "$work/store/came" | head -n 1) ]]
}
store_kills() { # WORDS
    local words=$1 kill count=${KILLS:-5} client pids lost twice before
    mkdir -p "$work/store"
    store_flow >"$work/store.properties"
    python3 "$here/numbered_client.py" $((server_port + 50)) w "$work/store" netcat 2000 2>"$work/client.log" &
    client=$!
    children+=("$client")
    mapfile -t pids < <(ask pids)
    for ((kill = 1; kill <= count; kill++)); do
        store_start
        sleep "0.$((RANDOM % 9 + 1))"
        if ((kill == (count + 1) / 2)); then
            kill -STOP "${pids[@]}"
            sleep 3
            kill -CONT "${pids[@]}"
        fi
        stop KILL
    done
    touch "$work/store/stop"
    wait $client || fail "the client ends with $?"
    await 60 store_words "$words" || fail "the store does not answer"
    before=$(wc -l <"$work/store/came")
    store_start
    await 300 store_has_all "$words" || true
    stop TERM
    await 60 store_words "$words" || fail "the store does not answer"
    lost=$(sort "$work/store/acked.w" | comm -23 - "$work/store/came" | wc -l)
    twice=$(uniq -d "$work/store/came" | wc -l)
    echo "behind a file channel, $count kills of the agent: $(wc -l <"$work/store/acked.w") lines acknowledged, $(wc -l <"$work/store/came") in the store" \
        "($before of them before the last start), $lost lost, $twice there twice"
    ((lost == 0)) || fail "lost: $(sort "$work/store/acked.w" | comm -23 - "$work/store/came" | head -n 5 | paste -sd ' ')"
    ((twice == 0)) || fail "twice: $(uniq -d "$work/store/came" | head -n 5 | paste -sd ' ')"
}
