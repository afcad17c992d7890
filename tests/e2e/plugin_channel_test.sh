#!/usr/bin/env bash
# A channel of a plug-in in C, which keeps events in memory and has none of the engine's own functions: a reload of other components leaves
# it as it is, with its events; a reload after which its source would read them again is refused; a stop counts what was left in it.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
mkdir -p plugins/bounded_queue/penstock
cc "${flags[@]}" -O1 -shared -fPIC "$root/conf/examples/plugins/bounded_queue.c" -o plugins/bounded_queue/penstock/bounded_queue.so 2>cc.err ||
    fail "bounded_queue.c does not compile"

port=$(free_port) metrics_port=$(free_port)
agent_file() { # LINE..: the agent's file; these are more of it. No server is at the port of sink k1
    cat >agent.properties <<END
a1.sources = r1
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r1.channels = c1
a1.channels.c1.type = bounded_queue
a1.channels.c1.capacity = 4000
a1.channels.c2.type = memory
a1.sinks.k1.type = avro
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = $port
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
a1.penstock.drain.timeout = 100ms
a1.penstock.reload.timeout = 100ms
END
    printf '%s\n' "$@" >>agent.properties
}
launch() {
    "$PENSTOCK" agent -n a1 -f agent.properties --plugins-path plugins -Dflume.monitoring.type=PROMETHEUS \
        -Dflume.monitoring.port="$metrics_port" >agent.out 2>agent.err &
    agent=$!
    children[$agent]=1
}
begin() { # waits until 300 events are in the channel or with its sink
    launch
    await "300 events are put" are_put
}
metric() { # NAME COMPONENT: prints the metric's first value
    curl -s --noproxy '*' "http://127.0.0.1:$metrics_port/metrics" |
        sed -nE "s/^$1\{[^}]*component=\"$2\"[^}]*\} ([0-9.e+-]+)$/\1/p" | head -n 1
}
some_are_put() { [[ $(metric penstock_channel_events_put_total c1) -gt 0 ]]; }
are_put() { [[ $(metric penstock_channel_events_put_total c1) == 300 ]]; }
reload() { # PATTERN: sends SIGHUP and waits for the line
    local before
    before=$(wc -l <agent.err)
    kill -HUP "$agent"
    await "$1" says "$1" "$before"
}
says() { tail -n "+$(($2 + 1))" agent.err | grep -qE -- "$1"; }

# ---- a source without positions ----

agent_file 'a1.sources.r1.type = seq' 'a1.sources.r1.totalEvents = 300'
begin
sed -i 's/k2.type = null/k2.type = logger/' agent.properties
reload 'reloaded; 0 events carried over in channels; 4 of 5 components stayed as they were'
reload 'nothing changed in the configuration'
# Channel c1 gets another number in the agent: the account finds its events all the same.
sed -i 's/c2/c0/; s/a1.channels = c1 c0/a1.channels = c0 c1/' agent.properties
reload 'reloaded; .*; 3 of 5 components stayed as they were'
# Another key of the channel itself: its events would be lost.
sed -i 's/capacity = 4000/capacity = 5000/' agent.properties
reload 'the new configuration is not used; .*channel c1 cannot keep its events over this reload, because its own keys change, and ([0-9]+ events in it are not delivered|its sink has not delivered what it has taken): reload again when'
# One channel more: each gets another share of the memory, which a channel learns when it is built.
sed -i 's/capacity = 5000/capacity = 4000/; s/a1.channels = .*/& c3/; s/a1.sources = .*/& r2/; s/a1.sinks = .*/& k3/' agent.properties
printf '%s\n' a1.channels.c3.type=memory a1.sources.r2.{type=seq,totalEvents=1,channels=c3} a1.sinks.k3.{type=null,channel=c3} >>agent.properties
reload 'the new configuration is not used; .*channel c1 cannot keep its events over this reload, because the agent gets another number of channels, and with it the channel another share of the memory, and ([0-9]+ events in it are not delivered|its sink has not delivered what it has taken): reload again when'
stop_agent TERM 3
grep -q 'stopped: events accepted 300, delivered 0, .* not delivered 300, ' agent.err || fail "the account: $(grep stopped: agent.err)"

# ---- a source with positions reads them again ----

seq 300 >lines
agent_file 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' "a1.sources.r1.filegroups.f = $work/lines" \
    "a1.sources.r1.positionFile = $work/positions"
begin
sed -i 's/k2.type = null/k2.type = logger/' agent.properties
reload 'reloaded; 0 events carried over in channels; 4 of 5 components stayed as they were'
sed -i '$a a1.sources.r1.fileHeader = true' agent.properties
reload 'the new configuration is not used; .*channel c1 cannot keep its events over this reload, because sources or sinks at it change, and ([0-9]+ events in it are not delivered|its sink has not delivered what it has taken): reload again when'
stop_agent TERM 0
grep -q 'stopped: events accepted 300, delivered 0, .* not delivered 0, .* read again at the next start 300, ' agent.err ||
    fail "the account: $(grep stopped: agent.err)"

# ---- no sink takes from it ----

agent_file 'a1.sources.r1.type = seq' 'a1.sources.r1.totalEvents = 300'
sed -i 's/a1.sinks = k1 k2/a1.sinks = k2/' agent.properties
begin
stop_agent TERM 3
grep -q 'stopped: events accepted 300, delivered 0, .* not delivered 300, ' agent.err || fail "the account: $(grep stopped: agent.err)"

agent_file 'a1.sources.r1.type = taildir' 'a1.sources.r1.filegroups = f' "a1.sources.r1.filegroups.f = $work/lines" \
    "a1.sources.r1.positionFile = $work/positions"
sed -i 's/a1.sinks = k1 k2/a1.sinks = k2/' agent.properties
launch
await "events are put" some_are_put # the last batch stays open while no sink takes
stop_agent TERM 0
grep -q 'stopped: events accepted 300, delivered 0, .* not delivered 0, .* read again at the next start 300, ' agent.err ||
    fail "the account: $(grep stopped: agent.err)"
