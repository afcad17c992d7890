#!/usr/bin/env bash
# Tests penstock check and penstock components as a user runs them: exit codes, text, JSON, the examples,
# docs/OPTIONS.md.
# No sanitizer: conf_corpus, conf_corpus_company and the whole outputs of commands read such files there, without a process for each.
set -uo pipefail
[[ -x ${PENSTOCK:-} ]] || { echo "SKIP: the program is not built"; exit 77; }
cd "$PENSTOCK_SOURCE" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
export HOME=$work/home # Flume's defaults are below it
mkdir "$HOME"

fail() { echo "FAILED: $*"; failed=1; }

run() { # CODE WORDS...: runs penstock, keeps its output in $work/out, compares the exit code
    local want=$1 code; shift
    "$PENSTOCK" "$@" >"$work/out" 2>&1; code=$?
    [[ $code == "$want" ]] || { fail "$* ended with $code, not $want:"; cat "$work/out"; }
}
says() { grep -qF -- "$1" "$work/out" || { fail "the output lacks: $1"; cat "$work/out"; }; }

cat >"$work/good.properties" <<'END'
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = seq
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
sed 's/type = seq/type = jms/' "$work/good.properties" >"$work/unsupported.properties"
{ cat "$work/good.properties"; echo "a1.sources.r1.bachSize = 5"; } >"$work/warning.properties"
sed 's/^a1.sinks = k1/& k2/' "$work/good.properties" >"$work/dropped.properties"
{ cat "$work/good.properties"; echo "a1.penstock.memory.budget = 1k"; } >"$work/budget.properties"

run 0 check -n a1 -f "$work/good.properties"
says "source r1: seq"; says "memory budget "; says "a1: fine"
grep -q $'\033' "$work/out" && fail "colours although this is no terminal"
run 1 check -n a1 -f "$work/unsupported.properties"
says "unsupported.properties:4: error: a1.sources.r1.type: Flume's source \`jms\` is not supported by penstock: JMS is an interface of Java"
run 0 check -n a1 -f "$work/warning.properties"
says "warning.properties:9: warning: a1.sources.r1.bachSize: unknown key, ignored; did you mean batchSize?"
run 1 check -n a1 -f "$work/warning.properties" --strict
run 0 check -n a1 -f "$work/dropped.properties"
says "a1: 1 dropped; the agent would start"
run 1 check -n a1 -f "$work/dropped.properties" --strict
# A stage that reports an error and then a warning has said what is wrong: nothing is added.
{
    cat "$work/good.properties"
    echo 'a1.sources.r1.interceptors = i1'
    echo 'a1.sources.r1.interceptors.i1.type = regex_extractor'
    echo 'a1.sources.r1.interceptors.i1.regex = (a)'
    echo 'a1.sources.r1.interceptors.i1.serializers = s1'
    echo 'a1.sources.r1.interceptors.i1.serializers.s1.typo = x'
} >"$work/extractor.properties"
run 1 check -n a1 -f "$work/extractor.properties"
says "a1: 1 dropped, 2 warnings; the agent would start without any of its sources: no event comes in"
says "is missing: the header that the group becomes"
says "unknown key, ignored"
! grep -q 'refused its configuration' "$work/out" || fail "more than the stage's own error: $(cat "$work/out")"
run 1 check -n a1 -f "$work/budget.properties"
says "penstock.memory.budget"
run 1 check -n a1 -f "$work/nothing.properties"
says "No such file"
run 0 check -f "$work/good.properties" # the only agent
says "a1: fine"
{ cat "$work/good.properties"; echo 'a2.channels = c1'; } >"$work/several.properties"
run 2 check -f "$work/several.properties"
says "-n NAME; the files contain: a1, a2"
run 2 check --nonsense
run 2 avro-client --nonsense
says 'penstock avro-client: there is no option --nonsense'
run 0 check --help
says "Examples:"
run 0 check -n a1 -f "$work/good.properties" --json
says '"starts": true'
if command -v python3 >/dev/null; then # each component says where its type stands
    python3 -c 'import json, sys
agent = json.load(sys.stdin)
found = sorted((part["name"], part["line"]) for kind in ("sources", "channels", "sinks") for part in agent[kind])
sys.exit(found != [("c1", 6), ("k1", 7), ("r1", 4)])' <"$work/out" || fail "lines of components: $(cat "$work/out")"
fi
run 1 check -n a1 -f "$work/unsupported.properties" --json
says '"severity": "error"'; says '"line": 4'; says '"starts": false'
if command -v python3 >/dev/null; then
    python3 -m json.tool <"$work/out" >/dev/null || fail "--json is not JSON"
fi
# check writes nothing, not even the backup that the agent would write.
run 0 check -n a1 -f "$work/good.properties" -b "$work/backup"
[[ -e $work/backup ]] && fail "check wrote a backup"

# A directory that is not there is named; a password in a URI is not.
run 0 check -n a1 -f "$work/good.properties" -c "$work/nodir"
says "warning: -c: the configuration directory $work/nodir cannot be used: No such file or directory"
run 1 check -n a1 -u http://flume:hunter2@127.0.0.1:1/a1.properties
says "http://flume:***@127.0.0.1:1/a1.properties"
grep -q hunter2 "$work/out" && fail "check shows the password of a URI"
run 2 check -n a1 http://flume:hunter2@127.0.0.1:1/a1.properties
grep -q hunter2 "$work/out" && fail "check shows the password of a word"
# A command that only follows a file: the lines to write instead, which are good, and no warning.
exec_file() { # COMMAND LINES...: the good file with a source exec
    sed "s#type = seq#type = exec\\na1.sources.r1.command = $1#" "$work/good.properties"
    shift
    printf '%s\n' "$@"
}
exec_file 'tail -n 0 -F /var/log/app.1.log' 'a1.sources.r1.restart = true' >"$work/exec.properties"
run 0 check -n a1 -f "$work/exec.properties" --strict
says "exec.properties:5: note: a1.sources.r1.command: lines that tail has read or missed when the agent stops are lost"
sed -n 's/.*write instead of the keys of exec: //p' "$work/out" | sed 's/; /\n/g' >"$work/advice"
cat >"$work/advised" <<'END'
a1.sources.r1.type = taildir
a1.sources.r1.filegroups = f
a1.sources.r1.filegroups.f = /var/log/app[.]1[.]log
a1.sources.r1.positionFile = /var/lib/penstock/a1-r1.json
a1.sources.r1.skipToEnd = true
END
cmp "$work/advice" "$work/advised" || { fail "other lines"; cat "$work/out"; }
{ grep -v 'r1.type' "$work/good.properties"; sed "s|/var/lib|$work|" "$work/advice"; } >"$work/taildir.properties"
run 0 check -n a1 -f "$work/taildir.properties" --strict
says "/var/log/app[.]1[.]log, positions in $work/penstock/a1-r1.json"
exec_file 'tail -n +1 -F /var/log/app.log' 'a1.sources.r1.shell = /bin/sh -c' >"$work/exec.properties"
run 0 check -n a1 -f "$work/exec.properties" --json
says "a1.sources.r1.filegroups.f = /var/log/app[.]log"
! grep -q skipToEnd "$work/out" || fail "the file's lines would be left out"
exec_file 'tail -F /var/log/app.log | grep -v debug' 'a1.sources.r1.shell = /bin/sh -c' >"$work/exec.properties"
run 0 check -n a1 -f "$work/exec.properties"
! grep -q taildir "$work/out" || fail "taildir cannot do that: $(cat "$work/out")"
# A value that cannot be used hides nothing of what the stage itself finds.
source_file() { # LINES...: the good file with another source, each line without "a1.sources.r1."
    grep -v 'r1.type' "$work/good.properties"
    printf 'a1.sources.r1.%s\n' "$@"
}
source_file 'type = spooldir' 'spoolDir = /nonexistent' 'consumeOrder = newest' 'trackingPolicy = foo' \
    'deserializer = XML' 'inputCharset = latin99' 'includePattern = (' >"$work/all.properties"
run 1 check -n a1 -f "$work/all.properties" --strict
says "r1.consumeOrder:"; says "r1.trackingPolicy:"; says "r1.deserializer:"; says "r1.inputCharset:"
says "r1.includePattern:"; says "a1: 5 dropped"
source_file 'type = http' 'port = 99999' 'handler = com.example.Foo' 'ssl = true' \
    'SslContextFactory.needClientAuth = true' >"$work/all.properties"
run 1 check -n a1 -f "$work/all.properties" --strict
says "r1.port:"; says "r1.handler:"; says "r1.ssl:"; says "needClientAuth:"; says "a1: 4 dropped"
# Beside a missing value the stage's own check finds more.
source_file 'type = spooldir' 'trackingPolicy = foo' >"$work/all.properties"
run 1 check -n a1 -f "$work/all.properties" --strict
says "spoolDir: is required and missing"; says "trackingPolicy: foo is neither"; says "a1: 2 dropped"
# Groups of taildir.
source_file 'type = taildir' 'batchSize = 0' 'filegroups = web apps apps db dir' 'filegroups.web = /var/log/[' \
    'filegroups.apps = /var/log/app.*' 'filegroups.app = /var/log/x' 'filegroups.dir = /var/log/' 'headers.wep.k = v' \
    'headers.zzz.k = v' 'headers.web.k = v' >"$work/all.properties"
run 1 check -n a1 -f "$work/all.properties" --strict
says "r1.batchSize: 0 is out of range"; says "r1.filegroups.web:"
says "r1.filegroups: the group apps is named twice: it counts once"
says "r1.filegroups.db: not set: the group has no files"
says "r1.filegroups.app: filegroups does not name the group app: its files are not read; did you mean apps?"
says "r1.filegroups.dir: /var/log/ has no expression and matches no file: write <directory>/<expression>, such as /var/log/.*"
says "r1.headers.wep.k: filegroups does not name the group wep: no event gets the header; did you mean web?"
says "r1.headers.zzz.k: filegroups does not name the group zzz: no event gets the header"
says "a1: 3 dropped"
# Two sources with one position file, or one directory.
two_sources() { # LINES...: the good file with sources r1 and r2, the lines for both
    sed 's/^a1.sources = r1/& r2/; /r1.type/d' "$work/good.properties"
    echo 'a1.sources.r2.channels = c1'
    printf 'a1.sources.r1.%s\n' "$@"
    printf 'a1.sources.r2.%s\n' "$@"
}
two_warn() { # TEXT: one warning, which names both
    run 3 check -n a1 -f "$work/two.properties"
    says "$1"; says "as source r1 does; set another"; says "a1: 1 warning"; says "(source r1: $work/two.properties:"
    says "a1: 1 component needs a resource that another component uses"
    run 1 check -n a1 -f "$work/two.properties" --strict
}
two_sources 'type = taildir' 'filegroups = f' 'filegroups.f = /var/log/x' "positionFile = $work/r.json" >"$work/two.properties"
two_warn "a1.sources.r2.positionFile: source r2 keeps its positions in $(realpath -m "$work/r.json")"
sed -i "s#^a1.sources.r2.positionFile.*#a1.sources.r2.positionFile = $work/r2.json#" "$work/two.properties"
run 0 check -n a1 -f "$work/two.properties" --strict
sed -i "s#^a1.sources.r2.positionFile.*#a1.sources.r2.positionFile = $work/r.json.identities#" "$work/two.properties"
two_warn "a1.sources.r2.positionFile: source r2 keeps its positions in $(realpath -m "$work/r.json.identities")" # it is beside r.json
two_channels() { # LINES OF THE SECOND ONE...: both have a sink, c1 the directories c and d
    printf 'a1.%s\n' "sources = r1" "channels = c1 c2" "sinks = k1 k2" "sources.r1.type = seq" "sources.r1.channels = c1 c2" \
        "sinks.k1.type = null" "sinks.k1.channel = c1" "sinks.k2.type = null" "sinks.k2.channel = c2" "channels.c1.type = file" \
        "channels.c1.checkpointDir = $work/c" "channels.c1.dataDirs = $work/d" "${@/#/channels.c2.}" >"$work/two.properties"
}
channels_warn() { # TEXT: one warning, which names both
    run 3 check -n a1 -f "$work/two.properties"
    says "(channel c1: $work/two.properties:"
    says "$1"; says "as channel c1 does; give each channel directories of its own"
    run 1 check -n a1 -f "$work/two.properties" --strict
}
two_channels 'type = file' "checkpointDir = $work/c" "dataDirs = $work/e"
channels_warn "two.properties:14: warning: a1.channels.c2.checkpointDir: channel c2 keeps its events in $(realpath -m "$work/c"), "
two_channels 'type = SPILLABLEMEMORY' "checkpointDir = $work/b" "dataDirs = $work/e, $work//d"
channels_warn "two.properties:15: warning: a1.channels.c2.dataDirs: channel c2 keeps its events in $(realpath -m "$work/d"), "
sed -i '/Dir/d' "$work/two.properties" # Flume's defaults, of both
channels_warn "channel c2 keeps its events in "
two_channels 'type = file' "checkpointDir = $work/b" "dataDirs = $work/e"
run 0 check -n a1 -f "$work/two.properties"
mkdir "$work/e"
ln -s e "$work/e2"
for twice in "$work/e" "$work/./e/" "$work/e2"; do # the channel would be locked against itself
    two_channels 'type = file' "checkpointDir = $work/b" "dataDirs = $work/e, $twice"
    run 1 check -n a1 -f "$work/two.properties"
    says "two.properties:15: error: a1.channels.c2.dataDirs: channel c2 names $(realpath "$work/e") twice, perhaps by a link; name it once"
done
mkdir "$work/spool"
real=$(realpath "$work")
ln -s spool "$work/link"
two_sources 'type = spooldir' "spoolDir = $work/spool" >"$work/two.properties"
two_warn "a1.sources.r2.spoolDir: source r2 reads the files of $real/spool, "
sed -i "s#^a1.sources.r2.spoolDir.*#a1.sources.r2.spoolDir = $work//link/#" "$work/two.properties"
two_warn "two.properties:$(grep -n r2.spoolDir "$work/two.properties" | cut -d: -f1): warning: a1.sources.r2.spoolDir: "
echo 'a1.sources.r2.includePattern = .*[.]gz' >>"$work/two.properties"
two_warn "a1.sources.r2.trackerDir: source r2 keeps its position in $real/spool/.flumespool, "
echo 'a1.sources.r2.trackerDir = .flumespool2' >>"$work/two.properties"
run 0 check -n a1 -f "$work/two.properties" --strict
two_sources 'type = spooldir' "spoolDir = $work/nodir/x" >"$work/two.properties"
sed -i "s#^a1.sources.r2.spoolDir.*#a1.sources.r2.spoolDir = $work/nodir//x//#" "$work/two.properties"
run 3 check -n a1 -f "$work/two.properties"
says "a1.sources.r2.spoolDir: source r2 reads the files of $real/nodir/x, "
says "two.properties:10: warning: a1.sources.r1.spoolDir: directory $work/nodir/x: No such file or directory; make the directory"
says "a1: 3 warnings"; says "a1: 2 required resources are unavailable"
# Nesting that used up the stack.
levels=$(seq 13000)
# shellcheck disable=SC2016,SC2086
{ printf 'a1.sources.r1.x = '; printf '${%.0s' $levels; printf '}%.0s' $levels; echo; } >"$work/nested.properties"
cat "$work/good.properties" >>"$work/nested.properties"
run 1 check -n a1 -f "$work/nested.properties"
says "nested.properties:1: error: a1.sources.r1.x: "; says "nested too deeply"
# The consequence comes after its cause.
sed 's/c1.type = memory/c1.type = nothing/' "$work/good.properties" >"$work/nothing_left.properties"
run 1 check -n a1 -f "$work/nothing_left.properties"
tail -n 2 "$work/out" | head -n 1 | grep -q "no valid channel" || { fail "the consequence is not last"; cat "$work/out"; }

# The program's own words.
for help in help --help -h; do
    run 0 "$help" check
    says "Usage: penstock check"
done
run 0 help
says "usage: penstock COMMAND"
run 2 help chekc
run 2 chekc
[[ $(tail -n 1 "$work/out") == "penstock: there is no command \`chekc\`; did you mean \`check\`?" ]] ||
    fail "the error is not the last line: $(tail -n 1 "$work/out")"
for version in version -V --version; do
    run 0 "$version"
    for word in "penstock " "build: " "libraries: librdkafka " "CPU: "; do says "$word"; done
done

# The examples name directories below /var, which an ordinary user must not make: /var is ours here.
cp -r conf/examples "$work/examples"
mkdir -p "$work"/var/{log/app,lib,spool,tmp}
sed -i "s|/var/|$work/var/|g" "$work"/examples/*.properties
for example in "$work"/examples/*.properties; do
    agent=$(grep -m1 -oE '^[A-Za-z0-9_]+' "$example") # the agent of the first key
    run 0 check -n "$agent" -f "$example" --strict
done

run 0 components
says "syslogtcp"
run 0 components memory
says "transactionCapacity"
run 0 components org.apache.flume.channel.memorychannel
says "capacity"
run 0 components sources
says "source seq"
run 1 components memroy
says "did you mean memory?"
run 1 components jms
says "not supported by penstock yet"
run 2 components a b
run 0 components --man
says ".SS The agent"
run 0 components --markdown
cmp -s "$work/out" docs/OPTIONS.md || fail "docs/OPTIONS.md is out of date: run docs/generate $PENSTOCK"
exit $failed
