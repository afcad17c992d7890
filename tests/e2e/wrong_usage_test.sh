#!/usr/bin/env bash
# Command lines as users mistype them: exit 2, nothing on standard output, and the last line says what is wrong and the cure.
# shellcheck source=tests/e2e/lib.sh
# shellcheck disable=SC2016 # backquotes are part of the messages
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
first=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/conf/examples/netcat-to-logger.properties
cd "$work"
# with two agents, of which -n has to name one
{ cat "$first"; sed 's/^a1[.]/b2./' "$first"; } >two.properties

refuses() { # LAST-LINE WORD...
    local expected=$1 code=0
    shift
    patient_limit 20 "$PENSTOCK" "$@" >out 2>err </dev/null || code=$?
    ((code == 2)) || fail "penstock $*: exit $code, not 2"
    [[ ! -s out ]] || fail "penstock $*: standard output has $(head -n 1 out)"
    [[ $(tail -n 1 err) == *"$expected"* ]] || fail "penstock $*: the last line is \"$(tail -n 1 err)\", not \"$expected\""
}

refuses 'did you mean `check`?' chekc -f "$first"
refuses "the agent's name is missing: -n NAME; the files contain: a1, b2" check -f two.properties
refuses 'the configuration is missing: -f FILE' check -n a1
refuses 'unexpected "extra"; name files with -f' check -n a1 -f "$first" extra
refuses 'unknown option --strickt; did you mean --strict?' check -n a1 -f "$first" --strickt
refuses '-D a=b: write it without the blank: -Da=b' check -n a1 -f "$first" -D a=b
refuses '-Xmx12z: not a heap size; write for example -Xmx512m' agent -n a1 -f "$first" -Xmx12z
refuses '--conf-file needs a value' agent -n a1 --conf-file
refuses 'use -f FILE or -u URI' check -n a1 --zkConnString x
missing="the agent's name is missing: -n NAME; the files contain: a1, b2"
refuses "$missing" graph -f two.properties
refuses "$missing" plan -f two.properties
refuses '`penstock rules check --help` tells more' rules check -f two.properties
grep -q -- "$missing" err || fail "rules check of two agents: $(<err)"
# without -n, what is wrong with the files comes before the name
printf 'a1.sources = r1\n' >none.properties
printf 'a1.channels = c1\n' | iconv -f UTF-8 -t UTF-16 >wide.properties
for row in 'nowhere.properties|cannot read nowhere.properties: No such file or directory; the path is relative' \
    '.|cannot read .: it is a directory' \
    'none.properties|none.properties contains no agent; an agent has a line `NAME.channels = ..`' \
    'wide.properties|is UTF-16, of which neither'; do
    refuses "${row#*|}" check -f "${row%%|*}"
done
# an error of one line hides neither the name nor the other problems
printf 'a1.channels = c1\na1.x = \\u12\n' >java.properties
code=0
"$PENSTOCK" check -f java.properties >out 2>&1 || code=$?
((code == 1)) || fail "check of a broken escape: exit $code, not 1"
grep -qF 'java.properties:2: error: a1.x: \u is not followed by four hexadecimal digits' out || fail "$(<out)"
grep -qF 'channel "c1" is listed, but has no keys' out || fail "$(<out)"
for command in graph plan 'agent --dry-run'; do
    # shellcheck disable=SC2086 # two words
    refuses 'cannot read nowhere.properties: ' $command -f nowhere.properties
done
refuses '--help` tells more' channel inspect --config two.properties --channel c1
grep -qF "the agent's name is missing: --agent NAME; the files contain: a1, b2" err || fail "channel of two agents: $(<err)"
refuses '--help` tells more' channel inspect --config "$first"
grep -qF -- '--config FILE and --channel NAME go together; --agent NAME needs both' err || fail "channel without --channel: $(<err)"
for command in 'channel inspect --channel c1 --config' 'rules check -f'; do
    # shellcheck disable=SC2086 # several words
    refuses '--help` tells more' $command nowhere.properties
    grep -qF 'cannot read nowhere.properties: ' err || fail "$command nowhere.properties: $(<err)"
done
refuses "the agent's name is missing: -n NAME; /dev/fd/" check -f <(cat "$first")
"$PENSTOCK" check -n a1 -f <(cat "$first") >out 2>err || fail "check -n a1 of a pipe: $(<out)"
refuses 'the files contain no agent' check -f none.properties -f none.properties
# with one the name may be left out
for command in check graph 'agent --dry-run' 'rules check'; do
    # shellcheck disable=SC2086 # two words
    "$PENSTOCK" $command -f "$first" >out 2>err || [[ $command == rules* ]] || fail "$command without -n: $(<err)"
    ! grep -q 'missing' err || fail "$command without -n: $(<err)"
done
grep -q 'no source of agent a1 has valid rules' err || fail "rules check without -n: $(<err)"
refuses 'name the source: --host and --port, or --rpcProps' avro-client
refuses 'name the source: --host and --port, or --rpcProps' avro-client -H localhost
refuses 'a port is a number from 1 to 65535' avro-client -H localhost -p http
refuses '--filename and --dirname cannot be used together' avro-client -H localhost -p 1 -F a --dirname b
refuses 'name a file with -F' avro-client -H localhost -p 1 lines
refuses 'nowhere: No such file or directory' avro-client -H localhost -p 1 -F nowhere
refuses 'Directory does not exist: nowhere' avro-client -H localhost -p 1 --dirname nowhere
refuses 'nowhere' avro-client -H localhost -p 1 -R nowhere
refuses 'name a component; `penstock top --once` lists them' tail
refuses 'name one component, not 2' tail c1 c2
refuses '`penstock channel --help` tells more.' channel
refuses 'did you mean `inspect`?' channel inspekt x
refuses '`penstock channel --help` tells more.' channel inspect
refuses '`penstock channel --help` tells more.' channel verify x --into y
grep -qxF 'penstock channel: --into is an option of import only' err || fail "--into of verify: $(<err)"
refuses '`penstock channel --help` tells more.' channel inspect x --dry-run
grep -qxF 'penstock channel: --dry-run is an option of repair and import only' err || fail "--dry-run of inspect: $(<err)"
refuses 'there is no directory nowhere/checkpoint' channel verify nowhere
refuses 'nowhere: there is no such directory' channel import nowhere --into here
refuses '--target is missing' load
refuses 'write for example 1000, 50k or 1.5M' load --rate ten --target tcp://127.0.0.1:1
refuses 'tcp://HOST:PORT' load --rate 10 --target tcp:/127.0.0.1:1
refuses 'did you mean tcp://127.0.0.1:5140?' plan --target 127.0.0.1:5140 --from tcp-listen://127.0.0.1:1
refuses 'penstock plan: name the subject: an agent file (-n, -f), or --target and --from' plan
refuses 'write a latency goal as p99<20ms' plan --goal p99 -n a1 -f "$first"
refuses 'did you mean `check`?' rules chek web.rules
refuses '--rate: `x` is not a whole number' demo --rate x
refuses 'there is no option --connection-count; `penstock demo --help` lists the options' demo --connection-count 3
refuses 'did you mean --connections?' demo --conections 3
refuses 'unexpected "x"; see --help' demo x
refuses '--connections 4: more than --rate' demo --rate 3
refuses 'bash, zsh and fish have one' completion tcsh
refuses 'is not a whole number' mock-broker --port x
