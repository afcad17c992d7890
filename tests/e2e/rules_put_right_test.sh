#!/usr/bin/env bash
# A rules file that vanishes or breaks, and is put right: a reload that was refused because of it succeeds at the next poll
# without SIGHUP; /readyz names a file that is not used, by a selector and an interceptor, until it is put right. A directory that is missing refuses
# a reload once.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metrics_port=$(free_port)
file="$work/agent.properties"
rules="$work/route.rules"
url="http://127.0.0.1:$metrics_port"

good_rules() { printf 'default c1\nrule a { when body ~ /never/ drop }\n' >"$rules"; }
good_marks() { printf 'rule m { when true set header.mark = "1" }\n' >"$work/marks.rules"; }
good_rules
good_marks
cat >"$file" <<EOF_
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.totalEvents = 10
a1.sources.r1.channels = c1
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $rules
a1.sources.r1.selector.rules.settle = 20
a1.sources.r1.selector.rules.cache = none
a1.sources.r1.interceptors = i1
a1.sources.r1.interceptors.i1.type = rules
a1.sources.r1.interceptors.i1.rules.file = $work/marks.rules
a1.sources.r1.interceptors.i1.rules.settle = 20
a1.sources.r1.interceptors.i1.rules.cache = none
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
EOF_
setsid "$PENSTOCK" agent -n a1 -f "$file" -i 1 -Dflume.monitoring.type=http -Dflume.monitoring.port="$metrics_port" \
    -Dpenstock.monitoring.host=127.0.0.1 2>"$work/agent.err" &
agent=$!
children[$agent]=1

ready() { curl -sf "$url/readyz" >/dev/null; }
says() { curl -s "$url/readyz" | grep -qF "$1"; } # TEXT
reloads_failed() { curl -sf "$url/metrics/prometheus" | awk '$1 == "penstock_reloads_total{result=\"failed\"}" { print $2 }'; }
await "it starts" ready

# Missing at SIGHUP, then back.
rm "$rules"
kill -HUP "$agent"
await "a missing rules file refuses the reload" says "the last reload failed"
says "$rules" || fail "/readyz does not name the file: $(curl -s "$url/readyz")"
sleep 2.5
[[ $(reloads_failed) == 1 ]] || fail "$(reloads_failed) reloads failed: the same refusal is repeated at every poll"
good_rules
await "the file is back: ready without SIGHUP" ready

# Another reason, then none.
rm "$rules"
kill -HUP "$agent"
await "missing again" says "the last reload failed"
printf 'default c1\nrule a { when body ~ /never/ drip }\n' >"$rules"
await "the new reason" says "drip"
good_rules
await "put right: ready without SIGHUP" ready

# Without SIGHUP: the rules that run stay, and /readyz says so.
active="; the rules before it stay active"
failed=$(reloads_failed)
printf 'default c1\nrule a { when body ~ /never/ drip }\n' >"$rules"
await "a broken file" says "selector r1: $rules:2:"
says "$active" || fail "/readyz: $(curl -s "$url/readyz")"
[[ $(curl -s "$url/livez") == ok ]] || fail "/livez"
good_rules
await "the selector's file is put right" ready
rm "$rules"
await "a file that vanished" says "selector r1: $rules: error: cannot read"
good_rules
await "the selector's file is back" ready
printf 'rule m { when sometimes set header.mark = "1" }\n' >"$work/marks.rules"
await "the interceptor's file" says "interceptor r1/i1: $work/marks.rules:1:"
good_marks
await "the interceptor's file is put right" ready
[[ $(reloads_failed) == "$failed" ]] || fail "a broken rules file counts as a reload of the configuration"

# A directory that is missing: tried again at each poll, and said once.
sed "s|^a1.sinks.k1.type = null|a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = $work/none/out|" "$file" >"$file.new"
mv "$file.new" "$file"
await "refused for the directory" says "$work/none/out"
failed=$(reloads_failed)
tried() { (($(reloads_failed) >= failed + 2)); }
await "tried again, twice" tried
kept='the new configuration is not used; the agent keeps the old one: .*none/out'
[[ $(grep -c "$kept" "$work/agent.err") == 1 ]] || fail "the same refusal is logged at every poll"
reads=$(grep -c 'reading the configuration again' "$work/agent.err")
mkdir -p "$work/none/out"
await "the directory is there: ready without SIGHUP" ready
grep -q 'reload: .*k1' "$work/agent.err" || fail "the log does not say what the reload changes"
[[ $(grep -c 'reading the configuration again' "$work/agent.err") == "$reads" ]] || fail "each attempt is logged"

kill -TERM "$agent"
wait "$agent" || fail "exit status $?"
unset "children[$agent]"
echo "ok"
