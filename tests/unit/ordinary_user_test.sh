#!/usr/bin/env bash
# Runs tests as an ordinary user without a home, capabilities or groups: what works only because the tests run as root, or
# because there is a home to write to, fails here; tests that skip for root run here. Chosen are the tests of parts, and
# those of the whole program that need no far end.
# No sanitizer: the tests that it runs ran as root.
set -euo pipefail

build=$(dirname "$PENSTOCK")
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
((EUID == 0)) || { echo "SKIP: the tests run as an ordinary user already: uid $EUID"; exit 77; }
for program in setpriv jq ctest; do
    command -v $program >/dev/null || { echo "SKIP: no $program"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
user=65534
mkdir "$work/tmp"
chmod 755 "$work"
chown $user "$work/tmp"

as_user() { # COMMAND...
    setpriv --reuid=$user --regid=$user --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
        env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C.UTF-8 "TMPDIR=$work/tmp" "$@"
}
as_user test -x "$PENSTOCK" -a -r "$PENSTOCK_SOURCE/CMakeLists.txt" ||
    { echo "SKIP: an ordinary user cannot reach $PENSTOCK or the sources"; exit 77; }

# name <tab> time-out <tab> environment and command, quoted for the shell
ctest --test-dir "$build" --show-only=json-v1 >"$work/tests.json"
# Threads, memory, drawn cases, and far ends that misbehave, know nothing of the user; they are the long ones.
without='^rings_|^core_(flow|text)_|_lib_rules_(regex|set|counters)|_(compile|property|keystore|kafka|native|librdkafka|round_trip|allocations|drawn|faults|many|schedule|outcomes|windows|answers)$'
jq -r --arg without "$without" '.tests[] | (.properties | map({(.name): .value}) | add) as $p
    | select(.name | test("^(core|rings|stages_(sources|sinks|channels|lib_(net|http|process|rules))|conf_(bind|check|load))_?|^e2e_(service|signals)$"))
    | select(.name | test($without) | not)
    | [.name, ($p.TIMEOUT | floor), (($p.ENVIRONMENT + .command) | @sh)] | @tsv' "$work/tests.json" >"$work/chosen"
(($(wc -l <"$work/chosen") > 50)) || { echo "FAILED: only $(wc -l <"$work/chosen") tests are chosen"; exit 1; }

one() { # NAME TIME-OUT WORDS
    local code=0 words word
    eval "words=($3)"
    for word in "${words[@]}"; do
        [[ $word != "$build"/tests/* || -x $word ]] || { echo "skipped $1: not built"; return; }
    done
    cd "$work/tmp"
    as_user timeout "$2" env "${words[@]}" >"$work/$1.log" 2>&1 </dev/null || code=$?
    case $code in
    0) echo "passed $1" ;;
    77) echo "skipped $1: $(grep -m1 -o 'SKIP: .*' "$work/$1.log")" ;;
    *)
        echo "FAILED $1: exit $code"
        tail -15 "$work/$1.log" | sed 's/^/    /'
        ;;
    esac
}
while IFS=$'\t' read -r name limit words; do
    one "$name" "$limit" "$words" >"$work/$name.result" &
    while (($(jobs -rp | wc -l) >= 2 * $(nproc))); do wait -n || true; done
done <"$work/chosen"
wait
grep -hv '^passed' "$work"/*.result || true
echo "as uid $user without a home: $(cat "$work"/*.result | grep -c '^passed') passed, $(cat "$work"/*.result | grep -c '^skipped') skipped"
! grep -q '^FAILED' "$work"/*.result || exit 1
grep -q '^passed core' "$work"/*.result || { echo "SKIP: the programs of the tests are not built"; exit 77; }
