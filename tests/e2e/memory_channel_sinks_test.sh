#!/usr/bin/env bash
# Two sinks on one memory channel, one of which cannot write: what it took and gave back is delivered by the other, through one worker and through two.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"
own_mounts "$@"

small_disk 64k
mkdir "$work/out"
delivered() { cat "$work"/out/* 2>/dev/null | sort -n | uniq; }
all_are_delivered() { [[ $(delivered | wc -l) == "$lines" ]]; }
for workers in 1 2; do
    port=$(free_port) lines=20000
    rm -f "$work"/out/* "$work"/disk/*
    cat >"$work/agent.properties" <<END
a1.penstock.workers = $workers
a1.sources = r1
a1.channels = c1
a1.sinks = k1 k2
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.ack-every-event = false
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/disk
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
a1.sinks.k2.type = file_roll
a1.sinks.k2.sink.directory = $work/out
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.channel = c1
END
    fill_disk() { ! head -c 1000000 /dev/zero >>"$work/disk/filler" 2>/dev/null; }
    fill_disk || fail "the disk of k1 is not full"
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
    seq $lines | nc -N 127.0.0.1 "$port"
    await "the sink that can write has every line ($workers workers)" all_are_delivered
    stop_agent TERM
    grep -q "No space left" "$work/agent.err" || fail "k1 never failed"
done
