# Shared by tests/e2e/*_test.sh, which source it first: a working folder, child processes that end with the script,
# waiting for a condition, free ports.
# shellcheck shell=bash
set -euo pipefail
for program in jq curl; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }

work=$(mktemp -d)
export STATE_DIRECTORY=$work # of systemd; agents keep what their next life needs there (penstock.state.dir)
declare -A children=()
finish() {
    local code=$?
    [[ $BASHPID == "$$" ]] || exit "$code" # a subshell that was killed before it had begun
    end_children
    rm -rf "$work"
    exit $code
}
trap finish EXIT

fail() { # WHAT: prints it and the last lines of each output, and ends the script
    echo "FAILED: $*" >&2
    tail -n 15 "$work"/*.err "$work"/*.json 2>/dev/null | cut -c 1-600 >&2 || true
    exit 1
}

# What curl -o FILE -w '%{http_code}' does, for looks that a script repeats: curl takes 13 ms of CPU, this one two.
http_get() ( # PORT PATH FILE: prints the status
    { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
    read -r _ status _ <&3 || exit 1
    while read -r line <&3 && [[ $line != $'\r' ]]; do :; done
    cat <&3 >"$3"
    echo "$status"
)

grouped() { # NUMBER: prints it as the program does in texts for people: 1,234,567
    sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"
}

has() { # PROGRAM PART: whether the program is there; if not, ./test.sh counts PART as skipped
    command -v "$1" >/dev/null && return
    echo "SKIP PART: $2: no $1"
    return 1
}

# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"
# shellcheck source=tests/support/signals.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/signals.sh"
await() { # WHAT COMMAND...: repeats the command until it succeeds; fails with WHAT after 60 s of the patient clock
    patient_await 60 "${@:2}" || fail "$1"
}

# probe_agent FILE CODE OPTION... [-- PATTERN...]: check --probe of its agent a1 exits with this code, and prints a line of each pattern, into $work/out.
# Each step of a probe waits for 5 s at most, which a busy machine may need for an answer or for a refusal: a probe that took so long and says something
# else is repeated. One that was faster is not.
probe_agent() {
    local file=$1 want=$2 options=()
    shift 2
    while (($# > 0)) && [[ $1 != -- ]]; do options+=("$1"); shift; done
    patient_await 60 probed_or_wrong "${@:2}" || wrong="in vain for 60 s: $wrong"
    [[ ! $wrong ]] || fail "check --probe ${options[*]}: $wrong"$'\n'"$(<"$work/out")"
}
probed_or_wrong() { # PATTERN...: sets wrong; the other arguments are those of probe_agent
    local code=0 pattern began=$EPOCHREALTIME
    "$PENSTOCK" check -n a1 -f "$file" --probe "${options[@]}" >"$work/out" 2>"$work/check.err" || code=$?
    wrong=''
    ((code == want)) || wrong="exit $code, not $want"
    for pattern; do grep -qE -- "$pattern" "$work/out" || wrong="no line like \"$pattern\""; done
    [[ ! $wrong ]] || ((${EPOCHREALTIME/[.,]/} - ${began/[.,]/} < 5000000))
}

# shellcheck source=tests/support/seed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/seed.sh"
# shellcheck source=tests/support/ports.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/ports.sh"
ports_first=$(ports_reserve)
free_port() { # prints a port that no earlier call printed
    local next=0
    [[ ! -e $work/next_port ]] || next=$(<"$work/next_port")
    echo $((next + 1)) >"$work/next_port"
    echo $((ports_first + next))
}

# For tests of an agent a1 with a durable channel and a source at $port, in $work/agent.properties. $agent is its process.
start_agent() { # waits until it listens and its channel is open
    : >"$work/agent.err"
    "$PENSTOCK" agent -n a1 -f "$work/agent.properties" >"$work/agent.out" 2>>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    # shellcheck disable=SC2154
    await "the agent listens" grep -q "listening on 127.0.0.1:$port" "$work/agent.err"
    await "the channel is open" grep -qE "events? (is|are) waiting" "$work/agent.err"
}
stop_agent() { # SIGNAL [STATUS]: waits until it has ended, with this exit status if one is given
    local code=0
    send_signal "$agent" "$1"
    wait "$agent" || code=$?
    [[ -z ${2-} || $code == "$2" ]] || fail "exit status $code, not $2: $(grep stopped: "$work/agent.err")"
    unset "children[$agent]"
}

netcat_flow() { # LINES...: prints the file of an agent from netcat at $port by c1 to k1; these are the types of c1 and k1, and others
    cat <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.sinks.k1.channel = c1
END
    printf '%s\n' "$@"
}

# For tests of a durable channel c1: from netcat at $port into files of $work/out.
numbers_agent() { # LINES...: the agent's file; these are the channel's, and others
    netcat_flow "a1.sinks.k1.type = file_roll" "a1.sinks.k1.sink.directory = $work/out" "a1.sinks.k1.sink.rollInterval = 0" "$@" >"$work/agent.properties"
}
