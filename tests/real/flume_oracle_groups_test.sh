#!/usr/bin/env bash
# Needs: flume
# Sink groups compared with a real Flume's: the same file, the same sinks that die and come back at the same points. A
# file_roll sink dies when its directory goes: it cannot open its next file. Which sink gets which events must be the same
# with failover. With load_balance Flume takes a turn when there is no event, too, and gives one sink all that has arrived
# while it slept: there every event must come out once, and none in a dead sink. The scenes mostly wait, so all of them play
# at the same time, each with a port of its own.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
port=$(ports_reserve) # of the next agent
sinks='k1 k2 k3'
plays=()
end_plays() {
    local code=$?
    set +e
    ((${#plays[@]} == 0)) || kill "${plays[@]}" 2>/dev/null
    return $code
}
trap 'code=$?; end_plays || true; finish $code' EXIT

agent_file() { # DIR; $processor: its lines, $batch: events that a sink takes at a time
    local sink
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = $sinks
	a1.sources.r1.type = netcat
	a1.sources.r1.bind = 127.0.0.1
	a1.sources.r1.port = $port
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 1000
	a1.channels.c1.transactionCapacity = 1000
	a1.sinkgroups = g1
	a1.sinkgroups.g1.sinks = $sinks
	$processor
	EOF_
    for sink in $sinks; do
        mkdir -p "$1/$sink"
        cat <<-EOF_
		a1.sinks.$sink.type = file_roll
		a1.sinks.$sink.channel = c1
		a1.sinks.$sink.sink.directory = $1/$sink
		a1.sinks.$sink.sink.rollInterval = 1
		a1.sinks.$sink.sink.batchSize = $batch
	EOF_
    done
}

send() { # PREFIX COUNT: one line after the other, each answered
    local i
    exec {lines}<>"/dev/tcp/127.0.0.1/$port" || fail "nobody listens"
    for ((i = 1; i <= $2; i++)); do
        echo "$1-$i" >&"$lines"
        read -r -t 60 -u "$lines" || fail "no answer to $1-$i"
    done
    exec {lines}>&-
}
await_lines() { # DIR PREFIX COUNT: until so many events have come out
    await 60 has_events "$@" || fail "$1: $(count_events "$1" "$2") events $2, not $3"
}
count_events() { find "$1" -type f -exec cat {} + 2>/dev/null | grep -c "^$2-" || true; } # DIR PREFIX
has_events() { (($(count_events "$1" "$2") >= $3)); }
has_closed() { # DIR SINK...: whether the agent has none of their files open
    local dir=$1 sink
    shift
    for sink; do ! find "/proc/$agent/fd" -lname "$dir/$sink.gone/*" 2>/dev/null | grep -q . || return 1; done
}
dies() { # DIR SINK...: from now on it cannot open its next file
    local dir=$1 sink
    shift
    for sink; do mv "$dir/$sink" "$dir/$sink.gone"; done
    patient_rest 2 # its file ends
    [[ $engine == penstock && ${ENGINE:-} != java ]] || return 0 # Flume's class closes it when it is asked for the next event
    await 60 has_closed "$dir" "$@" || fail "$dir: the files of $* do not end"
}
comes_back() { # DIR SINK
    mv "$1/$2.gone" "$1/$2"
}

probes=0 # lines w of this play
probe() { # DIR SINK: sends a line w; whether this sink took it
    local before
    before=$(content "$1/$2" | grep -c '^w-' || true)
    send w 1
    await_lines "$1" w $((probes += 1))
    patient_tenth
    (($(content "$1/$2" | grep -c '^w-' || true) > before))
}
# Sends lines w until this sink has taken one.
await_sink() { # DIR SINK
    local deadline=$((SECONDS + 300))
    until probe "$1" "$2"; do
        ((SECONDS < deadline)) || fail "$1: $2 takes nothing any more"
    done
}
# Sends lines w until this sink has taken four in a row, and all lines of 4 s: its own penalty is over (2 s at most), and so are those of the sinks that show
# with one batch that they work.
revive() { # DIR SINK
    local deadline=$((SECONDS + 300)) since=$SECONDS in_a_row=0
    while ((SECONDS - since < 4 || in_a_row < 4)); do
        ((SECONDS < deadline)) || fail "$1: $2 does not take all"
        if probe "$1" "$2"; then
            in_a_row=$((in_a_row + 1))
        else
            since=$SECONDS in_a_row=0
        fi
    done
}

# Starts an agent, and plays the scene with it; what the sinks have written is in $work/NAME/ENGINE.SINK. In a process of its own.
play() { # NAME ENGINE SCENE
    local name=$1 engine=$2 scene=$3 dir=$work/$1/$2 file=$work/$1.$2 command sink
    if [[ $engine == flume ]]; then command=$here/flume; else command=$PENSTOCK; fi
    mkdir -p "$dir"
    agent_file "$dir" | with_engine "$engine" >"$file.properties"
    "$command" agent -n a1 -f "$file.properties" >"$file.log" 2>&1 </dev/null &
    agent=$!
    trap 'kill -KILL "$agent" 2>/dev/null || true' EXIT
    await 60 listens "$port" || fail "$name: $engine does not listen"
    "$scene" "$dir"
    kill -TERM "$agent"
    wait "$agent" || true
    for sink in $sinks; do
        [[ ! -d $dir/$sink.gone ]] || comes_back "$dir" "$sink"
        content "$dir/$sink" >"$dir.$sink"
    done
}

play_both() { # NAME SCENE; $processor: its lines
    local engine
    for engine in flume penstock; do
        play "$1" "$engine" "$2" &
        plays+=($!)
        port=$((port + 1))
    done
}

# ---- failover ----
failover() { # DIR
    local i
    send a 10
    await_lines "$1" a 10
    dies "$1" k2
    send b 10
    await_lines "$1" b 10
    dies "$1" k1
    send c 10
    await_lines "$1" c 10
    comes_back "$1" k1
    revive "$1" k1 # its penalty ends: at most 2 s, and Flume looks again every 5 s
    send d 10
    await_lines "$1" d 10
    dies "$1" k1 k3
    send e 10 # nobody can take them
    sleep 1
    comes_back "$1" k2
    await_lines "$1" e 10
    comes_back "$1" k1
    comes_back "$1" k3
    patient_rest 9
    # Each sink that was down shows with one batch that it works. Flume's has all that waits, ours what one line made.
    for i in 1 2 3 4; do
        send x 1
        await_lines "$1" x $i
    done
    revive "$1" k2 # on a busy machine Flume has not asked it again yet
    send f 10
    await_lines "$1" f 10
}
# k1 has priority 5, k2 10; k3 has none: -1. Flume lets a sink that failed recover only with a full batch: one that gave less than batchSize asked for
# stays in the list of failed sinks, is asked before every live sink, and takes turns with those that failed in the same millisecond.
batch=1
processor="a1.sinkgroups.g1.processor.type = failover
a1.sinkgroups.g1.processor.priority.k1 = 5
a1.sinkgroups.g1.processor.priority.k2 = 10
a1.sinkgroups.g1.processor.maxpenalty = 2000"
play_both failover failover

# ---- load_balance ----
load_balance() { # DIR
    local i
    for ((i = 0; i < 60; i++)); do
        send a 1
        sleep 0.03
    done
    await_lines "$1" a 60
    dies "$1" k2
    for ((i = 0; i < 30; i++)); do
        send b 1
        sleep 0.03
    done
    await_lines "$1" b 30
    comes_back "$1" k2
    await_sink "$1" k2
    for ((i = 0; i < 60; i++)); do
        send c 1
        sleep 0.03
    done
    await_lines "$1" c 60
}
batch=100
for selector in round_robin random; do
    processor="a1.sinkgroups.g1.processor.type = load_balance
a1.sinkgroups.g1.processor.selector = $selector
a1.sinkgroups.g1.processor.backoff = true
a1.sinkgroups.g1.processor.selector.maxTimeOut = 2000"
    play_both "$selector" load_balance
done

failed=0
for one in "${plays[@]}"; do wait "$one" || failed=1; done
plays=()
((failed == 0)) || exit 1 # it has said why

# ---- what came out ----
for sink in $sinks; do
    for engine in flume penstock; do sed -i '/^[wx]-/d' "$work/failover/$engine.$sink"; done
done
(($(cat "$work"/failover/penstock.k? | wc -l) == 60)) || fail 'failover: not every event once'
for sink in $sinks; do
    same "failover, sink $sink" "$work/failover/flume.$sink" "$work/failover/penstock.$sink"
    [[ -s $work/failover/penstock.$sink ]] || fail "failover: $sink got nothing"
done
for selector in round_robin random; do
    for engine in flume penstock; do
        for letter in a b c; do
            echo "$letter: $(cat "$work/$selector/$engine".k? | grep -c "^$letter-")"
        done >"$work/$engine.text"
        echo "b in k2: $(grep -c '^b-' "$work/$selector/$engine.k2" || true)" >>"$work/$engine.text"
    done
    same "load_balance, $selector" "$work/flume.text" "$work/penstock.text"
    printf 'a: 60\nb: 30\nc: 60\nb in k2: 0\n' >"$work/expected.text"
    same 'events, each once, none in the dead sink' "$work/expected.text" "$work/penstock.text"
    for sink in $sinks; do [[ -s $work/$selector/penstock.$sink ]] || fail "load_balance: $sink got nothing"; done
done
