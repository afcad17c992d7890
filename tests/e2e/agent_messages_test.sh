#!/usr/bin/env bash
# Tests what the agent logs when its surroundings fail: one line, once, without secrets.
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
work=$(mktemp -d)
agents=()
# shellcheck disable=SC2317
finish() {
    for agent in "${agents[@]}"; do kill -KILL "$agent" 2>/dev/null; done
    rm -rf "$work"
}
trap finish EXIT
failed=0

fail() { echo "FAILED: $*"; failed=1; cat "$work"/log*; }

await() { # FILE TEXT: up to 20 s
    for ((i = 0; i < 200; i++)); do
        grep -qF -- "$2" "$1" 2>/dev/null && return 0
        sleep 0.1
    done
    fail "$1 lacks: $2"
}

cat >"$work/one.properties" <<'END'
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = PORT
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
port=$((20000 + RANDOM % 10000))
sed -i "s/PORT/$port/" "$work/one.properties"
cp "$work/one.properties" "$work/two.properties"

# The first agent's file vanishes: it says so once, although it looks every second.
"$PENSTOCK" agent -n a1 -f "$work/one.properties" -i 1 >"$work/log1" 2>&1 &
agents+=($!)
await "$work/log1" "starts agent a1"
# The second one finds the port taken.
"$PENSTOCK" agent -n a1 -f "$work/two.properties" >"$work/log2" 2>&1 &
agents+=($!)
await "$work/log2" "in use"
grep -qF '\n' "$work/log2" && fail "a message has a literal \\n"
rm "$work/one.properties"
await "$work/log1" "is not there any more"
sleep 3.5
count=$(grep -c "is not there any more" "$work/log1")
[[ $count == 1 ]] || fail "the file that vanished was reported $count times"
cp "$work/two.properties" "$work/one.properties"
sleep 1.5
rm "$work/one.properties"
for ((i = 0; i < 200; i++)); do
    [[ $(grep -c "is not there any more" "$work/log1") == 2 ]] && break
    sleep 0.1
done
[[ $i -lt 200 ]] || fail "the file that vanished a second time was not reported"

# Nesting in a file that is read again does not end the agent.
# shellcheck disable=SC2016
{ printf 'a1.sources.r1.x = '; for ((i = 0; i < 13000; i++)); do printf '${'; done
  for ((i = 0; i < 13000; i++)); do printf '}'; done; echo; cat "$work/two.properties"; } >"$work/fresh"
mv "$work/fresh" "$work/one.properties"
kill -HUP "${agents[0]}"
await "$work/log1" "nested too deeply"
await "$work/log1" "the new configuration is not used"
kill -0 "${agents[0]}" || fail "the agent ended at the reload"
for agent in "${agents[@]}"; do kill -TERM "$agent"; wait "$agent"; done
exit $failed
