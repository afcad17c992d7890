#!/usr/bin/env bash
# `penstock plugin fetch` with a Maven of our own: programs that are missing, a Maven that fails, brings too little or other bytes than penstock's
# list has, signals and kills meanwhile, a folder that is there, versions of Flume that do not go together. Whatever happens, plugins.d has what it
# had before. tests/real/plugin_fetch_test.sh fetches with the real one.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work" || exit
unset FLUME_HOME JAVA_HOME
mkdir bin empty none
printf '#!/bin/sh\n' >bin/java
cat >bin/mvn <<'EOF_'
#!/bin/bash
# -B -f POM validate: does what the file `maven` says
project=$3
echo "$$" >>"$WORK/maven.pids"
bring() { # makes a file for each jar of the project
    sed -nE 's/.*<artifactId>([^<]*)<.*<version>([^<]*)<\/version>(<classifier>([^<]*)<\/classifier>)?<outputDirectory>\$\{project.basedir\}([^<]*)<.*/\5 \1-\2 \4/p' "$project" |
        while read -r folder name classifier; do
            mkdir -p "${project%/*}$folder"
            echo bytes >"${project%/*}$folder/$name${classifier:+-$classifier}.jar"
        done
}
case $(<"$WORK/maven") in
fails) echo '[INFO] Scanning'; echo '[ERROR] Could not transfer artifact a:b:jar:1: Connection refused'; exit 1 ;;
nothing) exit 0 ;;
wrong) bring; echo 'Downloaded from there: one.jar (5 B)' ;;
waits) bring; sleep 1000 & wait ;;
slow) bring; sleep 3 ;;
deaf) trap '' TERM; bring; while :; do sleep 1; done ;;
esac
EOF_
chmod +x bin/*
export WORK=$work PATH=$work/bin:$PATH

status=0
fetch() { # ARG...: sets `status`; the output is in fetch.err
    status=0
    "$PENSTOCK" plugin fetch "$@" --plugins-path "$work/plugins.d" >fetch.err 2>&1 || status=$?
}
said() { # STATUS TEXT WHAT
    [[ $status == "$1" ]] || fail "$3: the exit status is $status, not $1"
    grep -qF -- "$2" fetch.err || fail "$3: this is missing: $2"
}
has_ended() { [[ $(ps -o stat= -p "$1") == @(|Z*) ]]; } # PID
clean() { # WHAT [NAME]...: plugins.d has these, and no process of Maven is left
    local pid what=$1
    shift
    [[ "$(find plugins.d -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort)" == "$(printf '%s\n' "$@")" ]] ||
        fail "$what: plugins.d has $(find plugins.d -mindepth 1 | head -5)"
    while read -r pid; do
        await "$what: Maven has ended" has_ended "$pid"
    done < <(cat maven.pids 2>/dev/null)
}

# ---- the command line ----

"$PENSTOCK" plugin fetch --list >list 2>fetch.err || fail "--list"
for name in morphline_solr kite jms hbase hbase2 elasticsearch twitter; do
    grep -q "^$name .*Flume 1\.[0-9]*\.[0-9]*, [0-9]* jars" list || fail "--list does not have $name"
done
fetch nonsense
# shellcheck disable=SC2016 # no command
said 2 'there is no plug-in for `nonsense`; there are: ' "an unknown name"
fetch flume_1.11.0
said 2 'there is no plug-in for' "Flume's own jars alone"
fetch
said 2 'name the plug-in, or --list' "no name"
fetch jms kite
said 2 'kite' "two names"
echo "the command line"

# ---- programs that are missing ----

PATH=$work/empty fetch jms
said 1 'apt install maven' "no mvn"
said 1 'apt install default-jre-headless' "no java"
clean "no programs"
PATH=$work/empty:$(dirname "$(command -v sort)") JAVA_HOME=$work/none fetch jms
said 1 "JAVA_HOME is $work/none, which has no bin/java" "a wrong JAVA_HOME"
echo "programs that are missing"

# ---- what Maven does ----

echo fails >maven
fetch jms
said 1 "$work/bin/mvn ended with exit code 1" "Maven fails"
said 1 'Could not transfer artifact a:b:jar:1: Connection refused' "Maven fails"
clean "Maven fails"
echo nothing >maven
fetch jms
said 1 'Maven did not bring org.apache.' "jars that do not come"
clean "jars that do not come"
echo wrong >maven
fetch org.apache.flume.source.jms.JMSSource
said 1 "is refused: its SHA-256 is $(echo bytes | sha256sum | cut -d ' ' -f 1), not " "other bytes"
clean "other bytes"
echo slow >maven
fetch jms
said 1 'jms: 0 of at most ' "progress"
clean "progress"
echo "what Maven does"

# ---- signals, kills ----

running() { # waits until Maven runs for the fetch that is in the background
    rm -f maven.pids
    "$PENSTOCK" plugin fetch jms --plugins-path "$work/plugins.d" >fetch.err 2>&1 &
    fetching=$!
    children[$fetching]=1
    await "Maven runs" test -s maven.pids
    await "Maven brings jars" test -e plugins.d/.jms.fetch/plugin/libext
}
ended() { # STATUS
    status=0
    wait "$fetching" || status=$?
    unset "children[$fetching]"
    [[ $status == "$1" ]] || fail "the exit status is $status, not $1"
}
for how in waits deaf; do
    echo $how >maven
    for signal in INT TERM; do
        [[ $how$signal != deafINT ]] || continue
        running
        kill -$signal "$fetching"
        ended 130
        clean "SIG$signal, Maven $how"
    done
done
echo waits >maven
running
echo nothing >maven
fetch jms
said 1 "another penstock plugin fetch jms runs, with the folder $work/plugins.d/.jms.fetch" "two at the same time"
kill -KILL "$fetching"
ended 137
[[ -e plugins.d/.jms.fetch ]] || fail "a killed fetch leaves nothing, so the next step tests nothing"
fetch jms
said 1 'Maven did not bring' "after a kill"
clean "after a kill"
echo "signals, kills"

# ---- what is there ----

mkdir -p plugins.d/jms/lib
echo mine >plugins.d/jms/lib/mine.jar
fetch jms
said 1 "$work/plugins.d/jms is there; --force" "a folder that is there"
for how in fails wrong nothing; do
    echo $how >maven
    fetch jms --force
    [[ $status == 1 && $(<plugins.d/jms/lib/mine.jar) == mine ]] || fail "--force and a Maven that $how"
    clean "--force and a Maven that $how" jms
done
touch plugins.d/jms/lib/flume-ng-core-1.9.0.jar
fetch hbase2
said 1 "hbase2 needs Flume 1.11.0, and $work/plugins.d/jms/lib/flume-ng-core-1.9.0.jar would be on the same class path" "two versions of Flume"
mkdir -p flume/lib
touch flume/lib/flume-ng-core-1.11.0.jar
status=0
FLUME_HOME=$work/flume "$PENSTOCK" plugin fetch kite >fetch.err 2>&1 || status=$?
said 1 "kite needs Flume 1.9.0, and $work/flume/lib/flume-ng-core-1.11.0.jar" "another Flume in FLUME_HOME"
clean "two versions of Flume" jms
echo "what is there"

# ---- check names the command ----

printf 'a1.%s\n' 'sources = r1' 'channels = c1' 'sinks = k1' 'sources.r1.type = jms' 'sources.r1.channels = c1' 'channels.c1.type = memory' \
    'sinks.k1.type = morphline_solr' 'sinks.k1.channel = c1' >agent.properties
status=0
"$PENSTOCK" check -n a1 -f agent.properties --plugins-path none >fetch.err 2>&1 || status=$?
for name in jms morphline_solr; do said "$status" "\`penstock plugin fetch $name\`" "check"; done
echo "check names the command"
