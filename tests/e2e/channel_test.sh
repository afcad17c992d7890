#!/usr/bin/env bash
# penstock channel with the channel of a real agent: refused while the agent has it open; after SIGKILL it shows, checks and
# exports what was acknowledged; what is damaged is named, repaired, and the agent delivers the rest. A channel of Flume's is
# imported once and delivered.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

port=$(free_port)
channel() { "$PENSTOCK" channel "$@"; }

configuration() { # DIRECTORY: an agent with the channel that is there
    numbers_agent "a1.channels.c1.type = file" "a1.channels.c1.checkpointDir = $1/checkpoint" "a1.channels.c1.dataDirs = $1/data" \
        "a1.channels.c1.maxFileSize = 1048576" "a1.channels.c1.minimumRequiredSpace = 1048576"
}



status() { # EXPECTED COMMAND...: what it prints goes to $work/out.txt and $work/command.err
    local expected=$1 code=0
    shift
    "$@" >"$work/out.txt" 2>"$work/command.err" || code=$?
    ((code == expected)) || fail "$*: exit $code, not $expected: $(tail -n 3 "$work/out.txt")"
}

says() { grep -qF -- "$1" "$work/out.txt" "$work/command.err" || fail "it does not say \"$1\""; }
delivered() { find "$work/out" -type f -exec cat {} + 2>/dev/null; }
has_delivered() { [[ $(delivered | wc -l) -ge $1 ]]; }

echo "== the agent has the channel open"
configuration "$work/c1"
start_agent
python3 - "$port" >"$work/answers" <<'END'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.settimeout(300)
    connection.sendall(b"".join(b"%06d %s\n" % (n, b"x" * 100) for n in range(1, 20001)))
    answers = connection.makefile("rb")
    for _ in range(20000):
        print(answers.readline().decode().strip())
END
[[ $(sort "$work/answers" | uniq -c | xargs) == "20000 OK" ]] || fail "not all were acknowledged"
for command in inspect verify export repair; do
    status 2 channel $command "$work/c1"
    says "is in use by process $agent"
done
rm "$work/c1/checkpoint/lock"
for command in inspect repair; do
    status 2 channel $command "$work/c1"
    says "whose file lock was removed"
done
stop_agent KILL

echo "== after SIGKILL"
status 0 channel inspect "$work/c1" --json
[[ $(jq .undelivered_events "$work/out.txt") == 20000 ]] || fail "inspect: $(cut -c 1-300 "$work/out.txt")"
(($(jq '.segments | length' "$work/out.txt") >= 2)) || fail "there is one segment only"
status 0 channel inspect --config "$work/agent.properties" --agent a1 --channel c1
says "20,000 events"
before=$(find "$work/c1" -type f -exec sha256sum {} + | sort)
status 0 channel verify "$work/c1"
says "all of it can be read"
status 0 channel export --checkpoint-dir "$work/c1/checkpoint" --data-dirs "$work/c1/data"
diff <(cut -d ' ' -f 1 "$work/out.txt") <(seq -f %06g 20000) >"$work/diff.err" || fail "export"
status 0 channel repair "$work/c1" --dry-run
[[ $(find "$work/c1" -type f -exec sha256sum {} + | sort) == "$before" ]] || fail "the channel has changed"

echo "== a segment that is gone, and one that is there twice"
newest=$(find "$work/c1/data" -name '*.segment' | sort | tail -n 1)
mv "$newest" "$work/newest"
status 1 channel verify "$work/c1"
says "$newest, byte 0, 0 bytes: the file is missing, although the channel had acknowledged frames in it"
mv "$work/newest" "$newest"
mkdir "$work/c1/second"
cp "$newest" "$work/c1/second"
both=(--checkpoint-dir "$work/c1/checkpoint" --data-dirs "$work/c1/data,$work/c1/second")
status 1 channel verify "${both[@]}"
says "$work/c1/second/$(basename "$newest"), byte 0, 0 bytes: another file also has the number of this segment"
status 0 channel repair "${both[@]}"
says "$work/c1/second/$(basename "$newest"): another file also has its number, and is read; moved to"
status 0 channel verify "${both[@]}"
rm -r "$work/c1/second"

echo "== the state is gone"
mv "$work/c1/checkpoint/state" "$work/state"
status 1 channel verify "$work/c1"
says "$work/c1/checkpoint/state, byte 0, 131072 bytes: the state is not there, or is empty"
mv "$work/state" "$work/c1/checkpoint/state"
status 0 channel verify "$work/c1"

echo "== a damaged event, a damaged head"
first=$(find "$work/c1/data" -name '*.segment' | sort | head -n 1)
offset=$(LC_ALL=C grep -abo -m 1 '000100 xxx' "$first" | head -n 1 | cut -d : -f 1)
printf 'Y' | dd of="$first" bs=1 seek=$((offset + 20)) conv=notrunc status=none
status 1 channel verify "$work/c1" --json
[[ $(jq '.damaged | length' "$work/out.txt") == 1 ]] || fail "not one damaged record"
jq -e --arg file "$first" --argjson at $((offset + 20)) \
    '.damaged[0] | .file == $file and .byte <= $at and $at < .byte + .bytes' "$work/out.txt" >/dev/null || fail "another record is named"
status 1 channel export "$work/c1"
lost=$((20000 - $(wc -l <"$work/out.txt")))
((lost >= 1 && lost <= 1024)) || fail "$lost events are lost"
second=$(find "$work/c1/data" -name '*.segment' | sort | sed -n 2p)
behind=$({ channel inspect "$work/c1" --json || true; } | jq --arg file "$second" '[.segments[] | select(.file == $file) | .undelivered_events] | add')
byte=$(od -An -tu1 -j 30 -N 1 "$second")
printf '%b' "\\x$(printf %x $((byte ^ 1)))" | dd of="$second" bs=1 seek=30 conv=notrunc status=none # 'Y' may stand there already
status 1 channel verify "$work/c1"
says "the head of the segment is damaged"
says "$second"
status 1 channel repair "$work/c1" --dry-run
says "would be moved"
[[ -e $second ]] || fail "a dry run has moved it"
status 0 channel repair "$work/c1"
says "its head is damaged; moved to $work/c1/data/damaged-"
[[ ! -e $second && -e $(echo "$work"/c1/data/damaged-*/"$(basename "$second")") ]] || fail "it was not moved"
mkdir "$work/out"
start_agent
await "the rest is delivered" has_delivered $((20000 - lost - behind))
stop_agent TERM
[[ $(delivered | wc -l) == $((20000 - lost - behind)) ]] || fail "$(delivered | wc -l) were delivered; $lost and $behind are lost"
[[ $(delivered | sort -u | wc -l) == $((20000 - lost - behind)) ]] || fail "some were delivered twice"
status 0 channel export "$work/c1"
[[ ! -s $work/out.txt ]] || fail "there is something left"
rm -r "$work/out"

echo "== a channel of Flume's is imported"
mkdir "$work/flume"
python3 "$here/flume_channel.py" "$work/flume" 5000 >"$work/expected"
before=$(find "$work/flume" -type f -exec sha256sum {} + | sort)
status 2 channel inspect "$work/flume/d1"
says "penstock channel import"
status 2 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/flume/d2"
says "has a file channel of Flume"
status 2 channel import "$work/flume/d1" --into "$work/c2" --flume-key-store "$work/keys"
says "--flume-key-store FILE and --flume-key-store-password FILE go together"
status 2 channel import "$work/flume/d1" --into "$work/c2" --flume-key-password key-0
says "--flume-key-password is NAME=FILE, not key-0"
status 2 channel export "$work/c1" --flume-key-store "$work/keys" --flume-key-store-password "$work/password"
says '--flume-key-store is an option of import only'
python3 - "$work/flume/d2/in_use.lock" "$work/locked" <<'END' &
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
open(sys.argv[2], "w").close()
time.sleep(60)
END
locker=$!
children[$locker]=1
await "the lock is held" test -e "$work/locked"
status 2 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2"
says "is in use by process $locker"
kill "$locker"
wait "$locker" || true
unset "children[$locker]"
rm "$work/flume/d2/in_use.lock"
status 0 channel import "$work/flume/d1" "$work/flume/d2" --dry-run --into "$work/c2"
says "$(grouped "$(wc -l <"$work/expected")") events"
says "nothing was changed"
[[ ! -e $work/c2 ]] || fail "import --dry-run has made the channel"
status 2 channel import "$work/flume/d1" "$work/flume/d2"
status 0 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2"
says "$(grouped "$(wc -l <"$work/expected")") events"
status 2 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2"
says "was imported before"
two_disks=(--checkpoint-dir "$work/c3/checkpoint" --data-dirs "$work/c3/data,$work/c3/disk/data")
status 0 channel import "$work/flume/d1" "$work/flume/d2" "${two_disks[@]}"
mv "$work/c3/disk" "$work/c3/away"
status 2 channel import "$work/flume/d1" "$work/flume/d2" --again "${two_disks[@]}"
says "$work/c3/disk/data does not exist, and segment 1, which has acknowledged events, is missing: mount the file system"
[[ ! -e $work/c3/disk ]] || fail "import has made a directory that may be on a disk which is not mounted"
mv "$work/c3/away" "$work/c3/disk"
status 0 channel import "$work/flume/d1" "$work/flume/d2" --again "${two_disks[@]}"
status 0 channel export "${two_disks[@]}" --json
[[ $(wc -l <"$work/out.txt") == $((2 * $(wc -l <"$work/expected"))) ]] || fail "an import beside an earlier one has lost events"
mv "$work/c2/checkpoint/imported" "$work/imported"
mkdir "$work/c2/checkpoint/imported" # a read of it fails: nobody knows what was imported
status 2 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2"
says "imported cannot be read: Is a directory"
rmdir "$work/c2/checkpoint/imported"
mv "$work/imported" "$work/c2/checkpoint/imported"
[[ $(find "$work/flume" -type f -exec sha256sum {} + | sort) == "$before" ]] || fail "Flume's files have changed"
status 0 channel verify "$work/c2"
status 0 channel export "$work/c2" --json
diff <(jq -r .body "$work/out.txt") "$work/expected" >"$work/diff.err" || fail "other events were imported"
jq -e -s 'all(.[]; .headers == {number: (.body | ltrimstr("event ")), host: "wäb"})' "$work/out.txt" >/dev/null || fail "other headers were imported"
configuration "$work/c2"
mkdir "$work/out"
start_agent
status 2 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2" --again
says "is in use by process $agent"
await "the imported events are delivered" has_delivered "$(wc -l <"$work/expected")"
stop_agent TERM
diff <(delivered) "$work/expected" >"$work/diff.err" || fail "other events were delivered"

echo "== a damaged log of Flume's, imported once more"
offset=$(LC_ALL=C grep -abo 'event 4999' "$work/flume/d2/log-2" | head -n 1 | cut -d : -f 1)
printf 'X' | dd of="$work/flume/d2/log-2" bs=1 seek="$offset" conv=notrunc status=none
status 1 channel import "$work/flume/d1" "$work/flume/d2" --into "$work/c2" --again
says "log-2, byte"
says "wrong checksum"
status 0 channel export "$work/c2"
diff "$work/out.txt" <(grep -vx 'event 4999' "$work/expected") >"$work/diff.err" || fail "not all but the damaged one"
echo ok
