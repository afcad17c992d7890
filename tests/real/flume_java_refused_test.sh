#!/usr/bin/env bash
# Needs: flume
# A sink in Java that can never write some events, and throws at them or rolls back and returns BACKOFF. With dead letters they go aside, wherever they are
# in a transaction, and the others arrive in order; the last one waits until another event shows that the far end takes some. While it takes none, nothing
# is judged, but with penstock.retry.max. Without dead letters the event waits, as in Flume, and the log names the reason.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_classes

port=$(ports_reserve)
mkdir "$work/far"
refuses() { # NAME LINE...: starts an agent whose sink has these keys
    {
        printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1'
        printf 'a1.sources.r1.%s\n' 'type = netcat' 'bind = 127.0.0.1' "port = $port" 'channels = c1'
        printf 'a1.channels.c1.%s\n' 'type = memory'
        printf 'a1.sinks.k1.%s\n' 'type = example.RefusesSome' 'channel = c1' "folder = $work/far" penstock.retry.backoff{,.max}' = 20' "${@:2}"
    } >"$work/$1.properties"
    log=$work/$1.log
    start "$work/$1" "$PENSTOCK"
    connect "$port"
}
say() { # WORD...: one line for each
    local answer
    printf '%s\n' "$@" >&"$connection"
    for _; do
        read -r -t 120 -u "$connection" answer || fail "there is no answer"
        [[ $answer == OK ]] || fail "the answer is $answer"
    done
}
out() { [[ $(xargs <"$work/far/out") == "$1" ]]; }
has_all() { [[ $(sort -n "$work/far/out" | xargs) == "$1" ]]; }
letters() { "$PENSTOCK" deadletter show "$work/dead" --reason "$1" --json >"$work/letters.json" 2>/dev/null; }
has_letters() { letters "$1" && [[ $(sed -n 's/.*"body":"\([^"]*\)".*/\1/p' "$work/letters.json" | xargs) == "$2" ]]; } # REASON BODIES
has_tried() { (($(wc -l <"$work/far/tries") >= $1)); }

for quiet in false true; do
    rm -rf "$work/far" "$work/dead"
    mkdir "$work/far"
    refuses "quiet-$quiet" "quiet = $quiet" "penstock.deadletter = $work/dead"
    say bad1 2 3 4 bad5 bad6 7 8 9 10 11 12
    await 60 has_letters request-refused 'bad1 bad5 bad6' || fail "quiet = $quiet: letters: $(<"$work/letters.json")"
    await 60 out '2 3 4 7 8 9 10 11 12' || fail "quiet = $quiet: $(xargs <"$work/far/out")"
    say bad13 # nothing is behind it that would show that the far end works
    : >"$work/far/down"
    say 14 15
    tries=$(wc -l <"$work/far/tries")
    await 60 has_tried $((tries + 12)) || fail "quiet = $quiet: it is not tried"
    has_letters request-refused 'bad1 bad5 bad6' || fail "quiet = $quiet: an event is judged while the far end is down: $(<"$work/letters.json")"
    rm "$work/far/down"
    await 60 has_letters request-refused 'bad1 bad5 bad6 bad13' || fail "quiet = $quiet: letters: $(<"$work/letters.json")"
    # 15 may be the one that shows that the far end works again: then it comes before 14
    await 60 has_all '2 3 4 7 8 9 10 11 12 14 15' || fail "quiet = $quiet: $(xargs <"$work/far/out")"
    exec {connection}>&-
    stop TERM
    grep -q 'stopped: events accepted 15, delivered 11, .*not delivered 0, .*dead letters 4$' "$log" || fail "quiet = $quiet: the account is wrong"
    [[ $quiet == true ]] || grep -q '"text":"[^"]*the far end refuses bad5' "$work/letters.json" || fail "the letter has no reason: $(<"$work/letters.json")"
    echo "quiet = $quiet: events that it can never write are dead letters"
done

# ---- with a number of attempts: all while the far end is down ----
rm -rf "$work/far" "$work/dead"
mkdir "$work/far"
: >"$work/far/down"
refuses attempts "penstock.deadletter = $work/dead" 'penstock.retry.max = 2'
say 1 2 3
await 60 has_letters attempts-exhausted '1 2 3' || fail "letters: $(<"$work/letters.json")"
exec {connection}>&-
stop TERM
echo "penstock.retry.max counts for a sink in Java"

# ---- without dead letters ----
rm -rf "$work/far"
mkdir "$work/far"
refuses waits
say 1 bad2 3
await 60 grep -q 'ERROR sink k1: .*the far end refuses bad2' "$log" || fail "the log does not name it"
exec {connection}>&-
stop TERM
grep -q 'stopped: .* not delivered [23],' "$log" || fail "it did not wait"
echo "without dead letters it waits"
