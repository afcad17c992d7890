#!/usr/bin/env bash
# Needs: flume
# Where Java classes are found, with Flume's own jars: check names the jar, and the agent's Java process has the class path of
# bin/flume-ng, entry by entry. FLUME_NG=FILE is that script, which is not in the jars; without it the path is compared with the expected one alone.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
for program in javac jar pgrep; do command -v $program >/dev/null || skip "no $program"; done
[[ -r ${PENSTOCK%/*}/penstock-java.jar ]] || skip "no penstock-java.jar beside $PENSTOCK"
unset FLUME_HOME FLUME_CLASSPATH FLUME_JAVA_OPTS JAVA_OPTS FLUME_JAVA_LIBRARY_PATH HADOOP_HOME HADOOP_PREFIX HBASE_HOME HIVE_HOME HCAT_HOME

# ---- a home of Flume's, with plug-ins ----

jars=$("$here/flume" classpath)
home=$work/home
mkdir -p "$home"/plugins.d/{own/{lib,libext,native},other/lib} "$work"/{conf,classes,etc,none,hive/lib,{hadoop,hbase}/bin}
tool() { # NAME VARIABLE CLASS_PATH LIBRARIES: a command of that name, with Hadoop's or HBase's answers; it runs the class that Flume names
    cat >"$work/$1/bin/$1" <<-EOF_
	#!/bin/bash
	[[ \$1 != classpath ]] || { echo "$3:\$$2"; exit; }
	exec java -Djava.library.path=$4 -cp "/none:\$$2" "\$@"
	EOF_
    chmod +x "$work/$1/bin/$1"
}
tool hadoop HADOOP_CLASSPATH "$work/hadoop/etc:$work/hadoop/share/*" /opt/hadoop/native
tool hbase HBASE_CLASSPATH "$work/hbase/a.jar:$work/hbase/b.jar" /opt/hbase/native
export HADOOP_CLASSPATH=/none/of/it HADOOP_HOME=$work/hadoop # the latter not in the script's file
ln -s "${jars%%/\**}" "$home/lib"
java_compile "$work/classes" "$jars" "$here"/java_host/FileSink.java
jar cf "$home/plugins.d/own/lib/own.jar" -C "$work/classes" .
cat >"$work/conf/flume-env.sh" <<-EOF_
	# Settings of the service
	export FLUME_HOME="$home"
	if [ -z "\$JAVA_HOME" ]; then
	  unused=1
	fi
	JAVA_OPTS="-Xms16m"
	JAVA_OPTS="\$JAVA_OPTS -Xmx256m -XX:TieredStopAtLevel=1"
	FLUME_CLASSPATH=\${FLUME_CLASSPATH:-$work/absent.jar}:\$FLUME_HOME/../etc   # a folder
	FLUME_JAVA_LIBRARY_PATH='/opt/native'
	HIVE_HOME=$work/hive
	HBASE_HOME=$work/hbase
EOF_
agent_file() { # TYPE
    cat <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = 1000
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.channels.c1.capacity = 2000
	a1.sinks.k1.type = $1
	a1.sinks.k1.channel = c1
	a1.sinks.k1.path = $work/out
EOF_
}

# ---- check ----

says() { # TYPE TEXT [OPTION]...
    local type=$1 text=$2
    shift 2
    agent_file "$type" >"$work/check.properties"
    "$PENSTOCK" check -n a1 -f "$work/check.properties" -c "$work/conf" "$@" >"$work/check.log" 2>&1 || true
    grep -qF -- "$text" "$work/check.log" || { cat "$work/check.log" >&2; fail "$type: check does not say: $text"; }
    echo "check: $type: $text"
}
says example.FileSink "the class \`example.FileSink\` of $home/plugins.d/own/lib/own.jar runs in Java, with -Xmx256m"
says example.FileSink "of $work/classes runs in Java" -C "$work/classes" # before plugins.d
says example.FileSink "has it; put its jar into plugins.d/NAME/lib" --plugins-path "$work/none"
says example.FileSink "note: hadoop: the output of \`$work/hadoop/bin/hadoop classpath\` is appended to Flume's class path"
says example.FileSnik 'did you mean example.FileSink?'
says $'hbase2\na1.sinks.k1.penstock.engine = java' "the class \`org.apache.flume.sink.hbase2.HBase2Sink\` of $home/lib/flume-ng-hbase2-sink-1.11.0.jar runs in Java"
says org.apache.flume.sink.AbstractSink 'is abstract'
says org.apache.flume.source.SyslogParser 'cannot be used as the sink'
says org.apache.flume.channel.kafka.KafkaChannel 'it is another kind: channel'
says example.FileSink 'set FLUME_HOME to the folder of Flume' -c "$work/none" -C "$work/classes"
JAVA_HOME=/nonexistent says example.FileSink 'error: a1.sinks.k1.type: the class'
JAVA_HOME=/nonexistent says example.FileSink 'JAVA_HOME is /nonexistent, which has no bin/java; install a Java runtime (package default-jre-headless)'

# ---- the agent's Java process ----

agent_file example.FileSink >"$work/agent.properties"
options=(-c "$work/conf" -C "$work/first.jar:$work/classes/*" --plugins-path "$home/plugins.d:$work/none" -Dfrom=command)
"$PENSTOCK" agent -n a1 -f "$work/agent.properties" "${options[@]}" >"$work/agent.log" 2>&1 </dev/null &
agent=$!
events() { [[ -e $work/out ]] && wc -l <"$work/out" || echo 0; }
for ((i = 0; i < 600 && $(events) < 1000; i++)); do patient_tenth; done
(($(events) == 1000)) || fail "$(events) events arrived, not 1000"
java=$(pgrep -P "$agent" java) || fail "no Java process"
mapfile -d '' -t words <"/proc/$java/cmdline"
mapfile -d '' -t variables <"/proc/$java/environ"
stop TERM
class_path='' own_words=()
for ((i = 1; i < ${#words[@]}; i++)); do
    if [[ ${words[i]} == -cp ]]; then class_path=${words[++i]}; else own_words+=("${words[i]}"); fi
done
[[ ${class_path%%:*} == */penstock-java.jar ]] || fail "penstock-java.jar is not first: $class_path"
echo "${class_path#*:}" | tr : '\n' >"$work/penstock.path"
[[ " ${own_words[*]} " == *" -Xms16m -Xmx256m -XX:TieredStopAtLevel=1 -Dfrom=command "* ]] || fail "the options are ${own_words[*]}"
libraries=/opt/native:$home/plugins.d/own/native:/opt/hadoop/native:/opt/hbase/native
[[ " ${own_words[*]} " == *" -Djava.library.path=$libraries "* ]] || fail "the native libraries are in ${own_words[*]}"
[[ " ${variables[*]} " == *" LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}:$libraries "* ]] || fail "native libraries do not find each other: ${variables[*]}"
printf '%s\n' "$work/conf" "$home/lib/*" "$work/first.jar" "$work/classes/*" "$work/absent.jar" "$home/../etc" \
    "$home/plugins.d/other/lib/*" "$home/plugins.d/own/lib/*" "$home/plugins.d/own/libext/*" \
    "$work/hadoop/etc" "$work/hadoop/share/*" '' "$work/hbase/a.jar" "$work/hbase/b.jar" '' "$work/hbase/conf" "$work/hive/lib/*" >"$work/expected.path"
same 'class path' "$work/expected.path" "$work/penstock.path"

if [[ ! ${FLUME_NG:-} ]]; then
    echo "SKIP PART: no FLUME_NG=FILE, bin/flume-ng of Flume"
    exit 0
fi
java_home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
env -i PATH=/usr/bin:/bin LC_ALL=C JAVA_HOME="$java_home" HADOOP_HOME="$HADOOP_HOME" HADOOP_CLASSPATH="$HADOOP_CLASSPATH" bash "$FLUME_NG" agent -n a1 -f x "${options[@]}" -d >"$work/flume_ng.words" 2>"$work/flume_ng.log"
sed -E 's/.* -cp ([^ ]+) .*/\1/' "$work/flume_ng.words" | tr : '\n' >"$work/flume_ng.path"
same 'class path of bin/flume-ng' "$work/flume_ng.path" "$work/penstock.path"
for word in -Xms16m -Xmx256m -Dfrom=command "-Djava.library.path=$libraries"; do
    [[ " $(<"$work/flume_ng.words") " == *" $word "* ]] || fail "bin/flume-ng has no $word"
done
