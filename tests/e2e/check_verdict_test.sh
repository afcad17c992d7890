#!/usr/bin/env bash
# Whether `penstock check` says what the agent then does, situation by situation: it refuses to start, it starts without any source
# or sink, a component waits for what is not there, or all of it works.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
metrics=$(free_port)
listen=$(free_port)

# ---- what the situations need ----
mkdir -p "$work/files" "$work/flume/data" "$work/flume/checkpoint" "$work/spool" "$work/empty"
touch "$work/flume/data/log-1.meta" "$work/flume/checkpoint/checkpoint.meta" "$work/plain"
echo 'this is no database' >"$work/text.sqlite"

agent() { # LINES...: an agent netcat -> memory -> file_roll in which each line replaces the one of its key
    local line
    cat >"$work/base" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $listen
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/files
a1.sinks.k1.channel = c1
END
    for line in "$@"; do
        grep -vF -- "${line%%=*}=" "$work/base" >"$work/next" || true
        printf '%s\n' "$line" >>"$work/next"
        mv "$work/next" "$work/base"
    done
    mv "$work/base" "$work/agent.properties"
}

check_verdict() {
    local code=0
    "$PENSTOCK" check -n a1 -f "$work/agent.properties" >"$work/check.out" 2>&1 || code=$?
    case $code in
    0) echo works ;;
    3) echo waits ;;
    1) if grep -q 'none of its' "$work/check.out"; then echo idle; else echo refuses; fi ;;
    *) echo "exit $code" ;;
    esac
}

channel_is_open() { # one on disk opens beside the others: until then nobody knows whether it can
    ! grep -qE '^a1\.channels\.c1\.type = (file|jdbc|spillablememory)$' "$work/agent.properties" || grep -q ' channel c1: opened in ' "$work/agent.err"
}
agent_decides() { # whether the agent has ended, is ready, or says for what it waits; writes that to $work/decided
    if ! kill -0 "$agent" 2>/dev/null; then
        echo refuses >"$work/decided"
        return
    fi
    local code
    code=$(curl -s -o "$work/ready" -w '%{http_code}' "http://127.0.0.1:$metrics/readyz") || return
    if [[ $code == 200 ]]; then
        # Threads of stages still look at their files: a failure of theirs comes a moment later.
        if ! channel_is_open || ((++ready_count < 6)); then return 1; fi
        curl -s "http://127.0.0.1:$metrics/metrics" >"$work/counters" || return
        if grep -q '"SOURCE\.' "$work/counters" && grep -q '"SINK\.' "$work/counters"; then echo works; else echo idle; fi >"$work/decided"
    elif grep -q ': ' "$work/ready"; then
        echo waits >"$work/decided"
    else
        return 1
    fi
}

agent_verdict() {
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http "-Dflume.monitoring.port=$metrics" \
        -Dpenstock.monitoring.host=127.0.0.1 >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    ready_count=0
    await 'the agent neither starts nor says why' agent_decides
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" || true
    unset "children[$agent]"
}

situation() { # EXPECTED WHAT LINES...: both say EXPECTED
    local expected=$1 what=$2 checked
    shift 2
    agent "$@"
    checked=$(check_verdict)
    agent_verdict
    [[ $(<"$work/decided") == "$expected" ]] || fail "$what: the agent $(<"$work/decided"), expected: $expected"
    [[ $checked == "$expected" ]] || fail "$what: check says \"$checked\", the agent $expected:"$'\n'"$(<"$work/check.out")"
}

situation works 'all is there'
situation works 'directories that the channel makes' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c" \
    "a1.channels.c1.dataDirs = $work/new/d1,$work/new/d2"
situation works 'the same, when they are there' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c" \
    "a1.channels.c1.dataDirs = $work/new/d1,$work/new/d2"
situation refuses "data directories of Flume's file channel" 'a1.channels.c1.type = file' \
    "a1.channels.c1.checkpointDir = $work/new/c2" "a1.channels.c1.dataDirs = $work/flume/data"
grep -qF "agent.properties:13: error: a1.channels.c1.dataDirs: $work/flume/data: it has files of a Flume file channel; name another" \
    "$work/check.out" || fail "no error with line, key and cure: $(<"$work/check.out")"
situation refuses "a checkpoint directory of Flume's file channel" 'a1.channels.c1.type = file' \
    "a1.channels.c1.checkpointDir = $work/flume/checkpoint" "a1.channels.c1.dataDirs = $work/new/d3"
situation refuses "the same below a spillable memory channel" 'a1.channels.c1.type = SPILLABLEMEMORY' \
    "a1.channels.c1.checkpointDir = $work/new/c4" "a1.channels.c1.dataDirs = $work/flume/data"
situation waits 'a data directory below a file' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c5" \
    "a1.channels.c1.dataDirs = $work/plain/data"
printf 'a key' >"$work/short.key"
situation waits 'a key that cannot be used' 'a1.channels.c1.type = file' "a1.channels.c1.checkpointDir = $work/new/c6" \
    "a1.channels.c1.dataDirs = $work/new/d6" 'a1.channels.c1.encryption.cipherProvider = AESCTRNOPADDING' \
    'a1.channels.c1.encryption.keyProvider = KEYFILE' 'a1.channels.c1.encryption.activeKey = k' \
    'a1.channels.c1.encryption.keyProvider.keys = k' "a1.channels.c1.encryption.keyProvider.keys.k.keyFile = $work/short.key"
situation works 'a database that is made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/db/new.sqlite"
situation works 'the same, when it is there' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/db/new.sqlite"
situation waits 'a database that is none' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/text.sqlite"
situation waits 'no directory for the sink' "a1.sinks.k1.sink.directory = $work/none"
situation waits 'a file for the sink' "a1.sinks.k1.sink.directory = $work/plain"
situation works 'a directory to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool"
situation waits 'no directory to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/none"
situation waits 'a file to spool' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/plain"
situation works 'positions in a directory that is made' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/positions/a.json"
situation waits 'positions below a file' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/plain/a.json"
situation waits 'a directory for positions' 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' \
    "a1.sources.r1.filegroups.f = $work/.*log" "a1.sources.r1.positionFile = $work/empty"
situation works 'a tracker that is made' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/tracker"
situation waits 'a file for the tracker' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/plain"
situation waits 'no directory above the tracker' 'a1.sources.r1.type = spooldir' "a1.sources.r1.spoolDir = $work/spool" \
    "a1.sources.r1.trackerDir = $work/none/tracker"
situation waits 'a database that must not be made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:derby:$work/no-derby"
situation waits 'tables that must not be made' 'a1.channels.c1.type = jdbc' "a1.channels.c1.driver.url = jdbc:sqlite:$work/no.sqlite" \
    'a1.channels.c1.create.schema = false'
situation works 'a directory for letters that is made' "a1.sources.r1.penstock.deadletter = $work/dead/"
situation waits 'a file for letters' "a1.sources.r1.penstock.deadletter = $work/plain"
situation waits 'no directory above the one for letters' "a1.sinks.k1.penstock.deadletter = $work/none/dead"
situation idle 'the only source is dropped' 'a1.sources.r1.port = 99999'
situation idle 'the only sink is dropped' 'a1.sinks.k1.sink.pathManager = NONE'
situation refuses 'no memory' 'a1.penstock.memory.budget = 1k'
situation refuses 'a type that is not supported' 'a1.sources.r1.type = jms'

# ---- what was not tried is the last line; nothing is opened for it ----
agent
"$PENSTOCK" check -n a1 -f "$work/agent.properties" -Dflume.monitoring.type=http >"$work/check.out" || fail 'check'
[[ $(tail -n 1 "$work/check.out") == "not tried (--probe does): listen on 127.0.0.1:$listen (TCP) of source r1, the port of the metrics" ]] ||
    fail "the last line: $(<"$work/check.out")"
