#!/usr/bin/env bash
# Needs: flume
# penstock channel import against Flume's file channel itself. Flume puts, takes, commits and rolls back in several threads, over many
# logs in two directories, and is gone in the middle of it. What penstock imports is what Flume delivers from a copy: the same events in
# the same order; with the checkpoint, and without it. In the second round the channel is full and much is in hand. The last round is
# encrypted by Flume, with a key that changes; without the right keys it is refused.
#
#   PENSTOCK_SEED=n   the first seed     ROUNDS=n   default 4
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=${LC_ALL:-C.UTF-8} # Java takes its character set from it
# shellcheck source=tests/real/java_classes.sh
source "$here/java_classes.sh"
export FLUME_JAVA="-Xmx512m -XX:TieredStopAtLevel=1" # a JVM that lives for seconds spends most of its CPU time in the second compiler
skip() { echo "SKIP: $*"; exit 77; }
for program in java javac keytool mvn python3; do
    command -v $program >/dev/null || skip "no $program"
done
[[ -x $PENSTOCK ]] || skip "no program at $PENSTOCK"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; tail -n 5 "$work"/*.err >&2; exit 1; }

path=$("$here/flume" classpath)
java_classes "$work/classes" "$path" "$here/flume_channel/FlumeChannel.java"
flume() { # FOLDER [OPTION].. fill|drain ARGUMENT..: with the channel in the folder
    local folder=$1 options=()
    shift
    while [[ $1 == -* ]]; do options+=("$1"); shift; done
    FLUME_LOG=ERROR FLUME_CLASSPATH=$work/classes timeout 300 "$here/flume" run "${options[@]}" FlumeChannel "$@" \
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
flume_dropped() { # FLUMES: whether all events in the file extra are among those that Flume had no room for when it replayed from its checkpoint
    local no_room
    no_room=$(grep -c "Could not reinsert to queue" "$work/from_checkpoint.err") || return 1
    [[ $1 == "$work/from_checkpoint" && $(wc -l <"$1") == "$capacity" ]] && (($(wc -l <"$work/extra") <= no_room)) &&
        [[ -z $(comm -23 "$work/extra" <(sort "$work/all_logs")) ]] || return 1
    dropped=$((dropped + $(wc -l <"$work/extra")))
}
compare() { # NAME FLUMES DIRECTORY..: imports the directories; penstock has what Flume has delivered, which is in the file FLUMES
    local name=$1 flumes=$2
    shift 2
    "$PENSTOCK" channel import "$@" "${import_keys[@]}" --into "$work/$name" >"$work/import.out" 2>"$work/import.err" || fail "import: exit $?"
    "$PENSTOCK" channel export "$work/$name" --json | lines >"$work/ours"
    rm -r "${work:?}/$name"
    sort "$work/ours" >"$work/ours.sorted"
    sort "$flumes" >"$work/flumes.sorted"
    comm -23 "$work/ours.sorted" "$work/flumes.sorted" >"$work/extra"
    # A channel that is full when Flume is gone loses events in Flume. What a transaction had in hand at the checkpoint comes back at the end
    # of a replay (ReplayHandler.replayLog), in the order of a HashMap, also what it gave back and another transaction then delivered. There is
    # room for all that is left, but not for these, too: when the queue has as many as its capacity, FlumeEventQueue.addHead says "Could not
    # reinsert to queue" and drops one. The replay of all logs has the dropped ones, and so has the import.
    [[ ! -s $work/extra ]] || flume_dropped "$flumes" ||
        fail "seed $seed, $name: $(wc -l <"$work/extra") events that Flume does not deliver, $(comm -12 "$work/extra" <(sort "$work/all_logs") | wc -l) of them are among those of all logs; Flume has $(wc -l <"$flumes") and $(wc -l <"$work/all_logs")"
    # From a checkpoint Flume delivers once more what a transaction had in hand at the checkpoint and gave back, although another one
    # took it then. When it replays all logs it does not.
    comm -13 "$work/ours.sorted" "$work/flumes.sorted" >"$work/more"
    [[ -z $(comm -12 "$work/more" <(sort "$work/all_logs")) ]] || fail "seed $seed, $name: events that Flume delivers are missing"
    # What was in hand at the checkpoint comes first; Flume gives it back in the order of a HashMap. Six threads take at most 20 each.
    cmp <(grep -vxFf "$work/extra" "$work/ours" | tail -n +121) <(grep -vxFf "$work/more" "$flumes" | tail -n +121) || fail "seed $seed, $name: another order than Flume's"
}

# Flume's key store, of keytool's: key-0 has 128 bits, key-1 has 256; each has a password of its own.
store=$work/keys.jceks passwords=$work/passwords
(umask 077 && mkdir "$passwords" && echo storepass >"$passwords/store.password" && echo keypasskey-0 >"$passwords/key-0.password" &&
    echo keypassKey-1 >"$passwords/key-1.password")
# Java hashes a password 200,000 times for each key that it reads, here each time that it opens the channel; ten thousand times is the least.
keytool -J-XX:TieredStopAtLevel=1 -J-Djdk.jceks.iterationCount=10000 -genseckey -alias key-0 -keyalg AES -keysize 128 -storetype JCEKS -keystore "$store" \
    -storepass storepass -keypass keypasskey-0 2>"$work/keytool.err" || fail "no key-0"
keytool -J-XX:TieredStopAtLevel=1 -J-Djdk.jceks.iterationCount=10000 -genseckey -alias Key-1 -keyalg AES -keysize 256 -storetype JCEKS -keystore "$store" \
    -storepass storepass -keypass keypassKey-1 2>"$work/keytool.err" || fail "no key-1"
flume_keys=(-Dkeystore="$store" -Dpasswords="$passwords" "-Dkeys=key-0 key-1")

# shellcheck source=tests/support/seed.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/seed.sh"
seed=$(seed_of_run) rounds=${ROUNDS:-4} done=0 refused=0 events=0 dropped=0 import_keys=()
echo "PENSTOCK_SEED=$seed"
for (( ; done < rounds; seed++)); do
    rm -rf "$work/channel" "$work/copy" "$work/bare" "$work/bare.copy"
    milliseconds=$((done == 0 ? 0 : 500 + seed * 7919 % 3000)) # the first one is stopped in order
    capacity=5000 options=()
    if ((done == 1 && rounds > 2)); then
        capacity=200 options=(-Dcapacity=200 -Dslow=true)
        ((milliseconds >= 2000)) || milliseconds=$((milliseconds + 1500)) # at least one checkpoint, a second after the start
    fi
    if ((done == rounds - 1)); then
        options=("${flume_keys[@]}" -Dactive=key-1)
        import_keys=(--flume-key-store "$store" --flume-key-store-password "$passwords/store.password"
            --flume-key-password "key-0=$passwords/key-0.password" --flume-key-password "key-1=$passwords/key-1.password")
        flume "$work/channel" "${flume_keys[@]}" -Dactive=key-0 fill "$seed" 0 || fail "Flume does not fill its encrypted channel"
    fi
    flume "$work/channel" "${options[@]}" fill "$seed" $milliseconds || fail "Flume does not fill its channel"
    cp -r "$work/channel" "$work/copy"
    cp -r "$work/channel" "$work/bare"
    rm -r "$work/bare/checkpoint"
    cp -r "$work/bare" "$work/bare.copy"
    if ! flume "$work/copy" "${options[@]}" drain >"$work/from_checkpoint" || ! mv "$work/flume.err" "$work/from_checkpoint.err" || ! flume "$work/bare.copy" "${options[@]}" drain >"$work/all_logs"; then
        ((++refused < 6)) || fail "Flume does not open its own channels"
        # A record was half written: Flume wants its integrity tool then. Or a full channel has more events in all logs than fit, because
        # Flume had removed a log with their takes.
        continue
    fi
    before=$(find "$work/channel" -type f ! -name in_use.lock -exec sha256sum {} + | sort)
    compare with_checkpoint "$work/from_checkpoint" "$work/channel/d1" "$work/channel/d2" "$work/channel/checkpoint"
    [[ $(find "$work/channel" -type f ! -name in_use.lock -exec sha256sum {} + | sort) == "$before" ]] || fail "the import has changed Flume's files"
    compare without_checkpoint "$work/all_logs" "$work/bare/d1" "$work/bare/d2"
    events=$((events + $(wc -l <"$work/ours")))
    done=$((done + 1))
done

# The channel of the last round, which is encrypted.
grep -qE "of them (was|were) encrypted" "$work/import.out" || fail "the channel of the last round is not encrypted"
grep -q "the imported events are in plain text" "$work/import.err" || fail "it does not say that the events are in plain text"
refused_with() { # REASON OPTION..
    local reason=$1 code=0
    shift
    "$PENSTOCK" channel import "$work/bare/d1" "$work/bare/d2" "$@" --into "$work/refused" >"$work/import.out" 2>"$work/import.err" || code=$?
    ((code == 2)) || fail "exit $code, not 2, where \"$reason\" is expected"
    grep -qF "$reason" "$work/import.err" || fail "it does not say \"$reason\""
    [[ ! -e $work/refused ]] || fail "something was made for the refused import"
}
refused_with "the key is not there; name Flume's key store"
refused_with "the password of key key-" "${import_keys[@]:0:4}"
(umask 077 && openssl rand -hex 16 >"$work/0.key" && openssl rand -hex 32 >"$work/1.key")
refused_with "is not the key of Flume" --key "key-0=$work/0.key" --key "key-1=$work/1.key"

# With Flume's keys in the agent file they encrypt the channel that the events go to, too.
cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.channels = c1
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/c1/checkpoint
a1.channels.c1.dataDirs = $work/c1/data
a1.channels.c1.encryption.activeKey = key-1
a1.channels.c1.encryption.cipherProvider = AESCTRNOPADDING
a1.channels.c1.encryption.keyProvider = JCEKSFILE
a1.channels.c1.encryption.keyProvider.keyStoreFile = $store
a1.channels.c1.encryption.keyProvider.keyStorePasswordFile = $passwords/store.password
a1.channels.c1.encryption.keyProvider.keys = key-0 key-1
a1.channels.c1.encryption.keyProvider.keys.key-0.passwordFile = $passwords/key-0.password
a1.channels.c1.encryption.keyProvider.keys.key-1.passwordFile = $passwords/key-1.password
END
of_file=(--config "$work/agent.properties" --agent a1 --channel c1)
cp "$work/ours" "$work/ours.plain"
"$PENSTOCK" channel import "$work/bare/d1" "$work/bare/d2" "${of_file[@]}" >"$work/import.out" 2>"$work/import.err" || fail "import with --config: exit $?"
"$PENSTOCK" channel export "${of_file[@]}" --json | lines >"$work/ours"
cmp "$work/ours" "$work/ours.plain" || fail "other events are imported with --config"
"$PENSTOCK" channel inspect "${of_file[@]}" >"$work/inspect.out" || fail "inspect: exit $?"
grep -q "encrypted with key key-1" "$work/inspect.out" || fail "the events are not encrypted"
echo "ok: $events events of $rounds channels; Flume refused $refused others of its own, and dropped $dropped events"
