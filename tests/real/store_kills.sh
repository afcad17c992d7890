# The agent of a file channel is killed again and again while its sink writes to a store. Tests of stores source this after java_server.sh.
#
#   store_kills WORDS   the keys of the sink k1 come from the standard input; WORDS is a function that prints the first word of each event in the
#                       store, and may fail while the store does not answer; KILLS=N says how many kills (default 5)
#
# A client sends numbered lines to the source netcat, which says OK when the channel has them on its disk. It sends each line once, also one that was
# not answered. So every line with an answer must be in the store, and none twice. In the middle the store stands still for a while.
#
# Trouble that passes, behind a file channel:
#
#   trouble_begin NAME       starts the agent $work/NAME, with the keys of the sink k1 from the standard input: a file -> taildir -> file channel -> k1
#   trouble_lines COUNT      adds so many lines "NAME-N is here" to the file
#   trouble_holds PATTERN    expects the pattern in the log, beyond what the last call saw, and that the store lacks lines
#   trouble_ends             expects that the store has each line once
#   trouble_words            the script's: prints the first word of each event in the store, and may fail
#   trouble_login NAME PORT AUTHORIZATION   the whole story of an agent that reaches the server of that port through a proxy with TLS, on localhost:$trouble_port,
#                            which wants this header; trouble_sink CA, the script's, prints the sink's keys with an authority's file
# shellcheck shell=bash disable=SC2154

store_flow() { # NAME SOURCE_KEY...: the agent's file; the sink's keys come from the standard input
    printf 'a1.%s\n' "sources = r1" "channels = c1" "sinks = k1" "sources.r1.channels = c1" "channels.c1.type = file" \
        "channels.c1.checkpointDir = $work/$1/checkpoint" "channels.c1.dataDirs = $work/$1/data" "channels.c1.capacity = 200000" \
        "channels.c1.transactionCapacity = 1000" "sinks.k1.channel = c1"
    printf 'a1.sources.r1.%s\n' "${@:2}"
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
    store_flow store "type = netcat" "bind = 127.0.0.1" "port = $((server_port + 50))" "max-line-length = 2000" >"$work/store.properties"
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

# ---- trouble that passes ----

trouble_flow() {
    store_flow "$trouble" "type = taildir" "filegroups = g" "filegroups.g = $work/$trouble/logs/.*" "positionFile = $work/$trouble/positions.json" \
        >"$work/$trouble.properties"
}
trouble_begin() { # NAME
    trouble=$1 trouble_count=0 trouble_seen=1
    mkdir -p "$work/$trouble/logs"
    trouble_flow
    start "$work/$trouble" "$PENSTOCK"
}
trouble_lines() { # COUNT
    seq -f "$trouble-%.0f is here" $((trouble_count + 1)) $((trouble_count + $1)) | tee -a "$work/$trouble/logs/a" | cut -d ' ' -f 1 >>"$work/$trouble/expected"
    ((trouble_count += $1))
}
trouble_came() { trouble_words | sort >"$work/$trouble/came" && sort "$work/$trouble/expected" | cmp -s - "$work/$trouble/came"; }
trouble_says() { tail -n "+$trouble_seen" "$work/$trouble.log" | grep -qE -- "$1"; } # PATTERN
trouble_holds() { # PATTERN
    await 60 trouble_says "$1" || fail "$trouble: the log does not say: $1"
    echo "$trouble: $(tail -n "+$trouble_seen" "$work/$trouble.log" | grep -m 1 -E -- "$1" | cut -d ' ' -f 2- | cut -c 1-200)"
    ! trouble_came || fail "$trouble: the store has all $trouble_count lines in spite of: $1"
    trouble_seen=$(($(wc -l <"$work/$trouble.log") + 1))
}
trouble_ends() {
    await 60 trouble_came || fail "$trouble: the store has $(wc -l <"$work/$trouble/came") lines of $trouble_count, or a line twice"
    trouble_seen=$(($(wc -l <"$work/$trouble.log") + 1))
}

# Runs NAME's agent into an authority that did not sign the server's certificate, a login that the server does not know, and a certificate that has
# expired; each is mended, the first by a reload.
trouble_login() { # NAME PORT AUTHORIZATION
    local folder=$work/$1 name
    mkdir -p "$folder"
    for name in ca other; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" -keyout "$folder/$name.key" -out "$folder/$name.pem"
    done 2>"$folder.openssl.log"
    trouble_certificate "$folder" good 30
    trouble_certificate "$folder" expired -1
    cp "$folder/good.pem" "$folder/server.pem"
    echo 'Basic bm9ib2R5Om5vYm9keQ==' >"$folder/login"
    trouble_port=$(ports_reserve)
    python3 "$here/tls_proxy.py" "$trouble_port" "$2" "$folder" 2>"$folder.proxy.log" &
    children+=($!)
    await 60 listens "$trouble_port" || fail "the proxy does not listen"
    trouble_begin "$1" < <(trouble_sink "$folder/other.pem")
    trouble_lines 50
    trouble_holds 'certificate problem: unable to get local issuer'
    trouble_flow < <(trouble_sink "$folder/ca.pem")
    send_signal "$agent" HUP
    trouble_holds '401.*the server wants another login'
    echo "$3" >"$folder/login"
    trouble_ends
    mv "$folder/expired.pem" "$folder/server.pem"
    trouble_lines 50
    trouble_holds 'certificate has expired'
    mv "$folder/good.pem" "$folder/server.pem"
    trouble_ends
    stop TERM
}
trouble_certificate() { # FOLDER NAME DAYS: of localhost, with its key
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$1/$2.key" -out "$1/$2.csr"
    openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -days "$3" -copy_extensions copy -out "$1/$2.crt"
    cat "$1/$2.crt" "$1/$2.key" >"$1/$2.pem"
} 2>>"$work/openssl.log"
