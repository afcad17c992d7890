#!/usr/bin/env bash
# Needs: flume
# penstock channel import against Flume's file channel itself. Flume puts, takes, commits and rolls back in several threads, over many
# logs in two directories, and is gone in the middle of it. What penstock imports is what Flume delivers from a copy: the same events in
# the same order; with the checkpoint, and without it. Encrypted logs are refused.
#
#   PENSTOCK_SEED=n   the first seed     ROUNDS=n   default 4
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it
skip() { echo "SKIP: $*"; exit 77; }
for program in java javac keytool mvn python3; do
    command -v $program >/dev/null || skip "no $program"
done
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; tail -n 5 "$work"/*.err >&2; exit 1; }

path=$("$here/flume" classpath)
javac -cp "$path" -d "$work/classes" "$here/flume_channel/FlumeChannel.java"
flume() { # FOLDER [OPTION].. fill|drain ARGUMENT..: with the channel in the folder
    local folder=$1 options=()
    shift
    while [[ $1 == -* ]]; do options+=("$1"); shift; done
    timeout 60 java -XX:TieredStopAtLevel=1 "${options[@]}" -cp "$work/classes:$path" -Dlog4j2.level=ERROR FlumeChannel "$@" \
        "$folder/checkpoint" "$folder/d1,$folder/d2" 2>"$work/flume.err"
}
lines() { # events as FlumeChannel prints them, of penstock's on standard input
    python3 -c '
import base64, json, sys
for line in sys.stdin:
    event = json.loads(line)
    headers = {name.encode(): value.encode() for name, value in event["headers"].items()}
    body = base64.b64decode(event["body_base64"]) if "body_base64" in event else event["body"].encode()
    print("".join(f"{name.hex()}={headers[name].hex()} " for name in sorted(headers)) + "\t" + body.hex())'
}
compare() { # NAME FLUMES DIRECTORY..: imports the directories; penstock has what Flume has delivered, which is in the file FLUMES
    local name=$1 flumes=$2
    shift 2
    "$PENSTOCK" channel import "$@" --into "$work/$name" >"$work/import.out" 2>"$work/import.err" || fail "import: exit $?"
    "$PENSTOCK" channel export "$work/$name" --json | lines >"$work/ours"
    rm -r "${work:?}/$name"
    sort "$work/ours" >"$work/ours.sorted"
    sort "$flumes" >"$work/flumes.sorted"
    [[ -z $(comm -23 "$work/ours.sorted" "$work/flumes.sorted") ]] || fail "seed $seed, $name: events that Flume does not deliver"
    # From a checkpoint Flume delivers once more what a transaction had in hand at the checkpoint and gave back, although another one
    # took it then. When it replays all logs it does not.
    comm -13 "$work/ours.sorted" "$work/flumes.sorted" >"$work/more"
    [[ -z $(comm -12 "$work/more" <(sort "$work/all_logs")) ]] || fail "seed $seed, $name: events that Flume delivers are missing"
    # What was in hand at the checkpoint comes first; Flume gives it back in the order of a HashMap. Six threads take at most 20 each.
    cmp <(tail -n +121 "$work/ours") <(grep -vxFf "$work/more" "$flumes" | tail -n +121) || fail "seed $seed, $name: another order than Flume's"
}

# shellcheck source=tests/support/seed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/seed.sh"
seed=$(seed_of_run) rounds=${ROUNDS:-4} done=0 refused=0 events=0
echo "PENSTOCK_SEED=$seed"
for (( ; done < rounds; seed++)); do
    rm -rf "$work/channel" "$work/copy" "$work/bare" "$work/bare.copy"
    milliseconds=$((done == 0 ? 0 : 500 + seed * 7919 % 3000)) # the first one is stopped in order
    flume "$work/channel" fill "$seed" $milliseconds || fail "Flume does not fill its channel"
    cp -r "$work/channel" "$work/copy"
    cp -r "$work/channel" "$work/bare"
    rm -r "$work/bare/checkpoint"
    cp -r "$work/bare" "$work/bare.copy"
    if ! flume "$work/copy" drain >"$work/from_checkpoint" || ! flume "$work/bare.copy" drain >"$work/all_logs"; then
        ((++refused < 4)) || fail "Flume does not open its own channels"
        continue # a record was half written: Flume wants its integrity tool then
    fi
    before=$(find "$work/channel" -type f ! -name in_use.lock -exec sha256sum {} + | sort)
    compare with_checkpoint "$work/from_checkpoint" "$work/channel/d1" "$work/channel/d2" "$work/channel/checkpoint"
    [[ $(find "$work/channel" -type f ! -name in_use.lock -exec sha256sum {} + | sort) == "$before" ]] || fail "the import has changed Flume's files"
    compare without_checkpoint "$work/all_logs" "$work/bare/d1" "$work/bare/d2"
    events=$((events + $(wc -l <"$work/ours")))
    done=$((done + 1))
done

echo secret >"$work/keys.password"
keytool -genseckey -alias key-0 -keyalg AES -keysize 128 -keystore "$work/keys" -storetype jceks -storepass secret -keypass secret 2>"$work/keytool.err"
printf secret >"$work/keys.password"
flume "$work/secret" -Dkeystore="$work/keys" fill 1 0 || fail "Flume does not fill an encrypted channel"
code=0
"$PENSTOCK" channel import "$work/secret/d1" "$work/secret/d2" "$work/secret/checkpoint" --into "$work/plain" 2>"$work/import.err" || code=$?
((code == 2)) || fail "an encrypted channel: exit $code"
grep -q "the log is encrypted (AESCTRNOPADDING, key key-0)" "$work/import.err" || fail "$(<"$work/import.err")"
[[ ! -e $work/plain ]] || fail "something was made for the refused import"
echo "ok: $events events of $rounds channels; Flume refused $refused others of its own"
