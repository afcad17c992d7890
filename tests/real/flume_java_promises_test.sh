#!/usr/bin/env bash
# Needs: flume
# A source that is a Java class, whose calls return within room that memory channels keep in advance. A channel that is full refuses calls, and
# has each event once. The Java process is killed under load: every event whose call has returned comes out, in order. With file channels
# the Java process (the source, an interceptor and the sink) and the agent are killed in turn. The last part does that with a source, an
# interceptor, a sink, a serializer and a channel in Java; there clients also count the lines that were answered.
#
# KILLS=N: how often the Java process ends in each of the last three parts (default 2): by SIGKILL, System.exit or an OutOfMemoryError, sometimes
# after SIGSTOP, or SIGSTOP and SIGCONT. LIMIT_S=S: no more ends after S seconds. PART=full, memory, file or kinds: only that part. PENSTOCK_SEED
# repeats the moments. With 20 ends or more the classes are in an archive, with which Java starts in half the time, and a process ends within
# 400 ms after its first event.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
with_java_classes
kills=${KILLS:-2} ended=0
longest_ms=900 # from the first event of a process to its end
seed=$(seed_of_run)
RANDOM=$((seed % 32768))
echo "seed $seed (PENSTOCK_SEED)"

source_keys() { # NAME DIR THREADS BATCH [LIMIT]
    printf "a1.sources.$1.%s\n" 'type = example.Promises' 'channels = c1' "directory = $2" "threads = $3" "batchSize = $4" ${5:+"limit = $5"}
}
account() { # DIR FILE...
    python3 "$here/java_host/promises.py" "$@" || fail "not every event has come out as promised"
}

# ---- an archive of classes, for many kills ----

make_archive() {
    local java list=$work/archive
    mkdir -p "$list/promised"
    jar -cf "$work/classes.jar" -C "$work/classes" . # Java archives no classes of a folder
    export FLUME_CLASSPATH=$work/classes.jar:${FLUME_CLASSPATH#*:}
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
        source_keys r1 "$list/promised" 2 1 500
        printf 'a1.sources.r1.%s\n' 'interceptors = i1' "interceptors.i1.type = example.Change\$Builder"
        printf 'a1.channels.c1.%s\n' 'type = memory'
        printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $list/out" 'batchSize = 60'
    } >"$list.properties"
    JAVA_OPTS="$JAVA_OPTS -XX:+RecordDynamicDumpInfo" start "$list" "$PENSTOCK"
    await 120 has_lines "$list/out" 1000 || fail "no 1000 events arrive"
    java=$(pgrep -P "$agent" java | head -1)
    jcmd "$java" VM.cds dynamic_dump "$work/classes.jsa" >/dev/null || fail "no archive of classes"
    stop TERM
    JAVA_OPTS+=" -XX:SharedArchiveFile=$work/classes.jsa -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off"
}

# ---- a channel that is full most of the time ----

full_channel() {
    mkdir -p "$work/full/promised"
    {
        printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1' 'sinks = k1'
        source_keys r1 "$work/full/promised" 3 1 3000
        source_keys r2 "$work/full/promised" 1 10 3000
        printf 'a1.channels.c1.%s\n' 'type = memory' 'capacity = 60' 'transactionCapacity = 60' 'keep-alive = 0'
        printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $work/full/out" 'batchSize = 60' 'delayMs = 20'
    } >"$work/full.properties"
    start "$work/full" "$PENSTOCK"
    await 120 has_lines "$work/full/out" 12000 || fail "not all of 12000 events came out"
    stop TERM
    account "$work/full/promised" "$work/full/out"
    (($(wc -l <"$work/full/out") == 12000)) || fail "$(wc -l <"$work/full/out") events came out, not 12000"
    grep -Eo 'stops after [1-9][0-9]* refusals' "$work/full.log" || fail "the channel was never full"
}

# ---- kills ----

file_account() { python3 "$here/java_host/promises.py" "$work/file/promised" "$work/file/out"; }
# Ends the Java process: most often by a signal, else by System.exit, an OutOfMemoryError, or while a signal has stopped it.
end_java() { # NAME
    local java i order=exit
    java=$(pgrep -P "$agent" java | head -1) || java='' # it has obeyed an order that came late
    case $((RANDOM % 8)) in
    0) ;;
    1) order=memory ;;
    2)
        pkill -STOP -P "$agent" java || true
        sleep 0.2
        kill_java
        return
        ;;
    3)
        pkill -STOP -P "$agent" java || true
        sleep "0.$(printf %03d $((RANDOM % 1000)))"
        pkill -CONT -P "$agent" java || true
        sleep "0.$(printf %03d $((RANDOM % 300)))"
        kill_java
        return
        ;;
    *)
        kill_java
        return
        ;;
    esac
    echo $order >"$work/$1/fresh"
    mv "$work/$1/fresh" "$work/$1/promised.order"
    patient_await 30 has_obeyed "$java" || kill_java # it has not got so far that it obeys
}
has_obeyed() { # PID, or nothing
    [[ ! $1 || ! -d /proc/$1 ]]
}
# Prints how many threads have put events, in all lives; those of the source that has the fewest.
threads_with_events() { # DIR [SOURCE]...
    local source
    for source in "${@:2}"; do find "$1" -type f -size +0 -name "$source-*" | wc -l; done | sort -n | head -1
}
has_put() { (($(threads_with_events "${begun[@]}") != before)); } # in kill_often
# The agent is ended by the signal. A Java process is ended once any source has put events or, if sources are named, once each of them has.
kill_often() { # NAME SIGNAL [SOURCE]...
    local kill before=0
    local since=$SECONDS signal=$2
    local -a begun=("$work/$1/promised" "${@:3}")
    ((${#begun[@]} > 1)) || begun+=('*')
    ended=0
    for ((kill = 1; kill <= kills && SECONDS - since < ${LIMIT_S:-1000000}; kill++)); do
        await 120 has_put || fail "the sources put nothing after $((kill - 1)) kills"
        sleep "0.$(printf %03d $((RANDOM % longest_ms + 10)))"
        before=$(threads_with_events "${begun[@]}")
        end_java "$1"
        ended=$kill
        ((kill % 2 == 0)) || continue # the next start would be 4 s away; a new agent begins with 1 s
        stop "$signal"
        cat "$work/$1.log" >>"$work/earlier.logs"
        start "$work/$1" "$PENSTOCK"
    done
}

memory_channel() {
    mkdir -p "$work/memory/promised" "$work/memory/out"
    {
        printf 'a1.%s\n' 'sources = r1 r2 r3' 'channels = c1' 'sinks = k1'
        source_keys r1 "$work/memory/promised" 1 1
        source_keys r2 "$work/memory/promised" 3 1
        source_keys r3 "$work/memory/promised" 2 50
        printf 'a1.channels.c1.%s\n' 'type = memory' 'capacity = 20000' 'transactionCapacity = 1000'
        printf 'a1.sinks.k1.%s\n' 'type = file_roll' 'channel = c1' "sink.directory = $work/memory/out" 'sink.rollInterval = 0'
    } >"$work/memory.properties"
    start "$work/memory" "$PENSTOCK"
    kill_often memory TERM
    stop TERM
    echo "memory channel, Java ended $ended times:"
    account "$work/memory/promised" "$work"/memory/out/*
}

file_channel() {
    mkdir -p "$work/file/promised"
    {
        printf 'a1.%s\n' 'sources = r1 r2' 'channels = c1' 'sinks = k1'
        source_keys r1 "$work/file/promised" 4 1
        source_keys r2 "$work/file/promised" 2 50
        printf 'a1.sources.r2.%s\n' 'interceptors = i1' "interceptors.i1.type = example.Change\$Builder"
        printf 'a1.channels.c1.%s\n' 'type = file' "checkpointDir = $work/file/checkpoint" "dataDirs = $work/file/data"
        printf 'a1.sinks.k1.%s\n' 'type = example.FileSink' 'channel = c1' "path = $work/file/out" 'batchSize = 200'
    } >"$work/file.properties"
    start "$work/file" "$PENSTOCK"
    kill_often file KILL
    stop TERM
    sed '/sources/d' "$work/file.properties" >"$work/rest.properties"
    start "$work/rest" "$PENSTOCK" # what the channel still has: without sources, which would go on
    await 60 file_account >/dev/null || true # it is asked again below
    stop TERM
    echo "file channel, Java ended $ended times, the agent $((ended / 2)) times:"
    file_account || fail "an event is missing"
}

# ---- one component of each kind ----

clients=()
end_clients() {
    local code=$?
    ((${#clients[@]} == 0)) || kill -KILL "${clients[@]}" 2>/dev/null || true
    finish "$code"
}
file_keys() { # CHANNEL DIR
    printf "a1.channels.$1.%s\n" 'type = file' "checkpointDir = $2/$1.checkpoint" "dataDirs = $2/$1.data" 'transactionCapacity = 1000'
}
netcat_keys() { # SOURCE CHANNEL PORT
    printf "a1.sources.$1.%s\n" 'type = netcat' 'bind = 127.0.0.1' "port = $3" "channels = $2" 'max-line-length = 2000'
}
kinds_file() { # DIR PORT
    local sink
    printf 'a1.%s\n' 'sources = n1 n2 r3 r4' 'channels = c1 c2 c3 c4' 'sinks = k1 k2 k3 k4'
    netcat_keys n1 c1 "$2"
    printf 'a1.sources.n1.%s\n' 'interceptors = i1' "interceptors.i1.type = example.Change\$Builder"
    netcat_keys n2 c2 $(($2 + 1))
    for sink in 3 4; do source_keys r$sink "$1/promised" 2 $((sink == 3 ? 1 : 20)) | sed "s/channels = .*/channels = c$sink/"; done
    printf 'a1.sources.%s\n' 'r3.pauseMs = 1' 'r4.pauseMs = 10'
    for sink in 1 2 3 4; do
        file_keys c$sink "$1"
        echo "a1.sinks.k$sink.channel = c$sink"
    done
    echo 'a1.channels.c3.penstock.engine = java' # with r3 and k3
    for sink in 1 2; do
        mkdir -p "$1/out$sink"
        printf "a1.sinks.k$sink.%s\n" 'type = file_roll' "sink.directory = $1/out$sink" "sink.rollInterval = $((sink - 1))"
    done
    printf 'a1.sinks.k2.%s\n' "sink.serializer = example.FramedSerializer\$Builder"
    for sink in 3 4; do printf "a1.sinks.k$sink.%s\n" 'type = example.FileSink' "path = $1/out$sink" 'batchSize = 50'; done
}
# Prints the names of whole lines in the client's form, NAME xx.. NAME, behind headers or without them.
whole_lines() { # DIR
    find "$1" -type f -exec cat {} + |
        LC_ALL=C awk '$NF ~ /^n[12]-[0-9]+$/ && ($(NF - 1) == $NF || ($(NF - 1) ~ /^x+$/ && $(NF - 2) == $NF)) { print $NF }'
}
answered_are_there() { # NAME: returns whether each line that was answered is there; writes the account
    local missing
    whole_lines "$work/kinds/out${1#n}" >"$work/came.$1"
    missing=$(LC_ALL=C comm -23 <(LC_ALL=C sort -u "$work/acked.$1") <(LC_ALL=C sort -u "$work/came.$1") | wc -l)
    echo "client $1: $(wc -l <"$work/acked.$1") lines answered, $missing lost, $(($(wc -l <"$work/came.$1") - $(LC_ALL=C sort -u "$work/came.$1" | wc -l))) came again"
    ((missing == 0))
}
kinds_account() {
    local name ok=1
    for name in n1 n2; do answered_are_there $name || ok=0; done
    python3 "$here/java_host/promises.py" "$work/kinds/promised" "$work"/kinds/out[34] || ok=0
    ((ok))
}
writes_kinds_account() { kinds_account >"$work/kinds.account"; } # each time anew
kinds_channel() {
    local port name i
    port=$(ports_reserve)
    mkdir -p "$work/kinds/promised"
    kinds_file "$work/kinds" "$port" >"$work/kinds.properties"
    start "$work/kinds" "$PENSTOCK"
    trap end_clients EXIT
    for name in n1 n2; do
        python3 "$here/numbered_client.py" $((port + ${name#n} - 1)) $name "$work" netcat 1000 2>"$work/client.$name.log" &
        clients+=($!)
    done
    kill_often kinds KILL r3 r4
    for name in n1 n2; do await 120 has_lines "$work/acked.$name" 1 || fail "client $name had no answer"; done
    touch "$work/stop"
    for i in "${clients[@]}"; do wait "$i" || fail "a client ends with $?"; done
    clients=()
    stop TERM
    sed '/sources/d' "$work/kinds.properties" >"$work/rest.properties"
    start "$work/rest" "$PENSTOCK"
    local whole=1
    await 60 writes_kinds_account || whole=''
    stop TERM
    echo "one component of each kind, Java ended $ended times, the agent $((ended / 2)) times:"
    cat "$work/kinds.account"
    [[ $whole ]] || fail "an event is missing"
}

if ((kills >= 20)) && command -v jcmd >/dev/null; then
    longest_ms=400
    make_archive
fi
for part in ${PART:-full memory file kinds}; do "${part}_channel"; done
