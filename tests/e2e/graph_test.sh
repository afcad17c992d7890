#!/usr/bin/env bash
# penstock graph: what it draws, as DOT and Mermaid; hostile names; what it refuses. Graphviz reads the DOT where it is installed.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(dirname "${BASH_SOURCE[0]}")
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

lays_out=false
! has dot dot_lays_out || lays_out=true
draw() { # NAME AGENT FILE: $work/NAME.graph
    "$PENSTOCK" graph -n "$2" -f "$3" >"$work/$1.dot" 2>"$work/$1.err" || fail "graph of $3: exit $?"
    "$PENSTOCK" graph -n "$2" -f "$3" --format mermaid >"$work/$1.mermaid" 2>"$work/$1.err" || fail "mermaid of $3: exit $?"
    python3 "$here/graph_check.py" "$work/$1.dot" "$work/$1.mermaid" >"$work/$1.graph" || fail "the graph of $3 is not understood"
    if $lays_out; then
        dot -Tdot "$work/$1.dot" >"$work/$1.laid_out" 2>"$work/dot.err" || fail "dot refuses the graph of $3"
        [[ ! -s $work/dot.err ]] || fail "dot complains about the graph of $3"
    fi
}
shows() { # NAME LINE...
    local name=$1 line
    shift
    for line; do grep -qxF -- "$line" "$work/$name.graph" || fail "$name has no line: $line"$'\n'"$(cat "$work/$name.graph")"; done
}
lacks() { # NAME TEXT...
    local name=$1 text
    shift
    for text; do ! grep -F -- "$text" "$work/$name.graph" "$work/$name.dot" "$work/$name.mermaid" || fail "$name shows $text"; done
}

# ---- every kind of component, and the edges of a multiplexing selector ----
cat >"$work/all.properties" <<EOF_
a1.sources = r1 r2 x1
a1.channels = c1 c2 c3
a1.sinks = k1 k2 k3
a1.sources.r1.type = syslogtcp
a1.sources.r1.host = 0.0.0.0
a1.sources.r1.port = 5140
a1.sources.r1.penstock.workers = 2
a1.sources.r1.channels = c1 c2 c3
a1.sources.r1.interceptors = i1 i2
a1.sources.r1.interceptors.i1.type = timestamp
a1.sources.r1.interceptors.i2.type = static
a1.sources.r1.selector.type = multiplexing
a1.sources.r1.selector.header = State
a1.sources.r1.selector.mapping.CZ = c1
a1.sources.r1.selector.mapping.US = c2 c1
a1.sources.r1.selector.optional.US = c3
a1.sources.r2.type = org.apache.flume.source.kafka.KafkaSource
a1.sources.r2.kafka.bootstrap.servers = b1:9092
a1.sources.r2.kafka.topics = in,both
a1.sources.r2.batchSize = 100
a1.sources.r2.channels = c1 c3
a1.sources.r2.selector.optional = c3
a1.sources.x1.type = exec
a1.sources.x1.command = tail -F --password=hunter2 /var/log/messages
a1.sources.x1.channels = c2 c3
a1.sources.x1.selector.type = load_balancing
a1.channels.c1.type = memory
a1.channels.c1.capacity = 5000
a1.channels.c2.type = memory
a1.channels.c3.type = memory
a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k1.kafka.topic = both
a1.sinks.k1.kafka.bootstrap.servers = b1:9092
a1.sinks.k1.channel = c1
a1.sinks.k2.type = org.apache.flume.sink.kafka.KafkaSink
a1.sinks.k2.kafka.topic = logs-of-hosts
a1.sinks.k2.allowTopicOverride = false
a1.sinks.k2.kafka.bootstrap.servers = b1:9092
a1.sinks.k2.kafka.producer.sasl.jaas.config = org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="hunter2";
a1.sinks.k2.channel = c2
a1.sinks.k3.type = file_roll
a1.sinks.k3.sink.directory = $work
a1.sinks.k3.channel = c3
EOF_
draw all a1 "$work/all.properties"
shows all 'node r1 | syslogtcp | 0.0.0.0:5140 | 2 workers in source r1' 'node i1 | timestamp in source r1' \
    'node multiplexing | header State in source r1' 'node c1 | memory | 5,000 events' 'node both | b1:9092' \
    "node k3 | file_roll | $work" 'node x1 | exec in source x1' 'edge r1 -> i1' 'edge i1 -> i2' 'edge i2 -> multiplexing' \
    'edge multiplexing -> c1 "= CZ | = US"' 'edge multiplexing -> c2 "= US"' 'edge multiplexing -> c3 "optional | = US" dashed' \
    'edge multiplexing -> dropped "any other value"' 'edge in -> r2' 'edge both -> r2' 'edge replicating -> c1' \
    'edge replicating -> c3 "optional" dashed' 'edge load_balancing -> c2 "one of them"' 'edge c1 -> k1' \
    'edge k1 -> both "unless header topic"' 'edge k2 -> logs-of-hosts'
lacks all hunter2
[[ $(grep -c '^node both ' "$work/all.graph") == 1 ]] || fail 'one topic is drawn twice'

# ---- a file of rules: their names label the edges ----
printf '%s\n' 'default c2' 'rule health { when body contains "healthz" drop }' \
    'rule errors { when body contains "ERROR" route c1 route optional c3 }' \
    'rule noise { when body contains "noise" limit 5/s else route c2 route c3 }' >"$work/some.rules"
cat >"$work/rules.properties" <<EOF_
a1.sources = r1
a1.channels = c1 c2 c3
a1.sinks = k1 k2 k3
a1.sources.r1.type = seq
a1.sources.r1.channels = c1 c2 c3
a1.sources.r1.selector.type = rules
a1.sources.r1.selector.rules.file = $work/some.rules
EOF_
for n in 1 2 3; do
    printf 'a1.channels.c%d.type = memory\na1.sinks.k%d.type = null\na1.sinks.k%d.channel = c%d\n' $n $n $n $n >>"$work/rules.properties"
done
draw rules a1 "$work/rules.properties"
shows rules 'edge rules -> dropped "health"' 'edge rules -> c1 "errors"' 'edge rules -> c3 "optional | errors" dashed' \
    'edge rules -> c2 "noise, over its limit | default"' 'edge rules -> c3 "noise"'

# ---- names that are markup, many values ----
{
    cat "$work/all.properties"
    # shellcheck disable=SC2016
    printf 'a1.sources.r1.selector.mapping.%s = c1\n' '"];n0->n1' '</script><b>&amp;' '`$(id)`' '|x|}}end' 'back\\slash' '#35;' 'bell\u0007'
} >"$work/hostile.properties"
draw hostile a1 "$work/hostile.properties"
# shellcheck disable=SC2016
shows hostile 'edge multiplexing -> c1 "= CZ | = US | = "];n0->n1 | = </script><b>&amp; | = `$(id)` | = |x|}}end | = back\slash | = #35; | +1 more"'

# ---- all examples ----
for file in "$PENSTOCK_SOURCE"/conf/examples/*.properties; do
    agent=$(sed -nE 's/^([a-z0-9]+)\.sources *=.*/\1/p' "$file")
    cd "$PENSTOCK_SOURCE"
    draw example "$agent" "$file"
    grep -q '^edge .* -> ' "$work/example.graph" || fail "no edge in the graph of $file"
done

# ---- what it refuses ----
refused() { # CODE TEXT OPTION...
    local code=0 want=$1 text=$2
    shift 2
    "$PENSTOCK" graph "$@" >"$work/out" 2>"$work/refused.err" || code=$?
    ((code == want)) || fail "graph $*: exit $code, not $want"
    grep -qF -- "$text" "$work/refused.err" || fail "graph $*: no word of: $text"
    [[ ! -s $work/out ]] || fail "graph $*: it draws nevertheless"
}
refused 2 '--format is dot or mermaid, not mermade; did you mean mermaid?' -n a1 -f "$work/all.properties" --format mermade
refused 2 '--format is dot or mermaid, not ' -n a1 -f "$work/all.properties" --format=
refused 2 '--format needs a value' -n a1 -f "$work/all.properties" --format
{ cat "$work/all.properties"; sed 's/^a1[.]/b2./' "$work/all.properties"; } >"$work/two.properties"
refused 2 "the agent's name is missing: -n NAME; the files contain: a1, b2" -f "$work/two.properties"
refused 1 'agent a2 would not start; nothing is drawn' -n a2 -f "$work/all.properties"
refused 1 'nothing is drawn' -n a1 -f "$work/none.properties"
code=0
"$PENSTOCK" graph -n a1 -f "$work/all.properties" >/dev/full 2>"$work/full.err" || code=$?
((code == 2)) || fail "a full disk: exit $code"
grep -q 'cannot be written: No space left' "$work/full.err" || fail 'a full disk is not named'
"$PENSTOCK" graph --help | grep -q '^Examples:' || fail 'no examples in the help'
