#!/usr/bin/env bash
# Tests what the agent logs when its surroundings fail: one line, once, without secrets.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
agents=()
logged() { await "$1 lacks: $2" grep -qsF -- "$2" "$work/$1.err"; } # LOG TEXT: waits until it is there
vanished() { grep -c "no longer exists" "$work/log1.err" || true; }

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
port=$(free_port)
sed -i "s/PORT/$port/" "$work/one.properties"
cp "$work/one.properties" "$work/two.properties"

# The first agent's file vanishes: it says so once, although it looks every second.
"$PENSTOCK" agent -n a1 -f "$work/one.properties" -i 1 >"$work/log1.err" 2>&1 &
agents+=($!)
children[$!]=1
logged log1 "starts agent a1"
logged log1 "listening on"
# The second one finds the port taken.
"$PENSTOCK" agent -n a1 -f "$work/two.properties" >"$work/log2.err" 2>&1 &
agents+=($!)
children[$!]=1
logged log2 "in use"
grep -qF '\n' "$work/log2.err" && fail "a message has a literal \\n"
rm "$work/one.properties"
logged log1 "no longer exists"
sleep 3.5
[[ $(vanished) == 1 ]] || fail "the file that vanished was reported $(vanished) times"
again() { # there for more than a second, then gone; a busy agent may not have looked meanwhile
    cp "$work/two.properties" "$work/one.properties"
    sleep 1.5
    rm "$work/one.properties"
    sleep 1.5
    (($(vanished) > 1))
}
await "the file that vanished a second time was not reported" again

# Nesting in a file that is read again does not end the agent.
# shellcheck disable=SC2016
{ printf 'a1.sources.r1.x = '; for ((i = 0; i < 13000; i++)); do printf '${'; done
  for ((i = 0; i < 13000; i++)); do printf '}'; done; echo; cat "$work/two.properties"; } >"$work/fresh"
mv "$work/fresh" "$work/one.properties"
kill -HUP "${agents[0]}"
logged log1 "nested too deeply"
logged log1 "the new configuration is not used"
kill -0 "${agents[0]}" || fail "the agent ended at the reload"
for agent in "${agents[@]}"; do
    kill -TERM "$agent"
    wait "$agent" || fail "exit $?"
    unset "children[$agent]"
done
