#!/usr/bin/env bash
# The log in a file, with the log4j2.xml that comes with Flume: its directory is made, standard error says where it is and why a start
# was refused; as JSON; and what is said of flume-env.sh.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
mkdir "$work/conf"
cat >"$work/conf/log4j2.xml" <<'END'
<Configuration status="ERROR">
  <Properties>
    <Property name="LOG_DIR">.</Property>
  </Properties>
  <Appenders>
    <Console name="Console" target="SYSTEM_ERR">
      <PatternLayout pattern="%d (%t) [%p - %l] %m%n" />
    </Console>
    <RollingFile name="LogFile" fileName="${LOG_DIR}/flume.log" filePattern="${LOG_DIR}/archive/flume.log.%d{yyyyMMdd}-%i">
      <PatternLayout pattern="%d{dd MMM yyyy HH:mm:ss,SSS} %-5p [%t] (%C.%M:%L) %equals{%x}{[]}{} - %m%n" />
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO">
      <AppenderRef ref="LogFile" />
    </Root>
  </Loggers>
</Configuration>
END
sed -i "s#>\\.</Property>#>$work/logs/deep</Property>#" "$work/conf/log4j2.xml"
write_agent() { # TYPE OF THE SOURCE [TYPE OF THE CHANNEL]
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = $1
a1.sources.r1.totalEvents = 5
a1.sources.r1.channels = c1
a1.channels.c1.type = ${2:-memory}
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
END
}
log=$work/logs/deep/flume.log
run_agent() { # CODE OPTION...: until it has ended, or has started and was stopped
    local want=$1 code=0
    shift
    rm -f "$log"
    "$PENSTOCK" agent -n a1 -c "$work/conf" -f "$work/agent.properties" "$@" >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    children[$agent]=1
    decided() { ! kill -0 "$agent" 2>/dev/null || grep -q 'flow r1 -> c1' "$log" "$work/agent.err" 2>/dev/null; }
    await 'the agent neither starts nor ends' decided
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" || code=$?
    unset "children[$agent]"
    ((code == want)) || fail "exit $code, not $want"
}
on_stderr() { grep -qF -- "$1" "$work/agent.err" || fail "standard error lacks: $1"; }

write_agent seq
run_agent 0
on_stderr "penstock agent: the log is in $log; the PatternLayout of $work/conf/log4j2.xml:10 is not used: lines are time, level, component, text"
grep -q 'INFO agent: stopped: ' "$log" || fail "the log: $(<"$log")"

write_agent jms
run_agent 1
on_stderr "agent.properties:4: error: a1.sources.r1.type: Flume's source \`jms\` is not supported"
on_stderr 'penstock agent: not started: 1 error in the configuration'
grep -q 'not started: 1 error' "$log" || fail "the log: $(<"$log")"

# What drops a component decides, too; what does not is in the log alone.
write_agent seq fil
run_agent 1
on_stderr "agent.properties:7: dropped: a1.channels.c1.type: Flume has no channel \`fil\`; did you mean file?"
on_stderr 'error: a1: the agent has no valid channel'
on_stderr 'penstock agent: not started: 1 error in the configuration'
! grep -q RollingFile "$work/agent.err" || fail "standard error: $(<"$work/agent.err")"
grep -q RollingFile "$log" || fail "the log: $(<"$log")"

# ---- a file that cannot be opened: standard error has the log, each line once, and does not name the file as the log's place ----
rm -r "$work/logs"
touch "$work/logs"
run_agent 1
on_stderr "WARN agent: cannot open log file $log: Not a directory; the log stays on standard error"
on_stderr 'ERROR agent: not started: 1 error in the configuration'
! grep -qE 'the log is in|^penstock agent: not started' "$work/agent.err" || fail "standard error: $(<"$work/agent.err")"
rm "$work/logs"

# ---- JSON ----
write_agent seq
run_agent 0 -Dpenstock.log.format=json
jq -es 'all((keys == ["component", "level", "message", "time"]) and (.level | IN("INFO", "WARN"))) and
    any(.component == "agent" and (.message | startswith("stopped: events accepted 5")))' "$log" >/dev/null || fail "no JSON: $(<"$log")"
run_agent 0 -Dpenstock.log.format=xml -Dflume.root.logger=INFO,console
on_stderr '-Dpenstock.log.format: xml is neither json nor text: the log is text; write json or text'
[[ ! -e $log ]] || fail 'a file in spite of console'

# ---- flume-env.sh: what the command line and the environment have is not asked for; what only Java reads is not advised ----
cat >"$work/conf/flume-env.sh" <<'END'
export JAVA_OPTS="-Dcom.sun.management.jmxremote -Dflume.monitoring.type=http -Dstage=prod"
export KAFKA_HOST=broker
export OTHER_HOST=other
END
KAFKA_HOST=broker "$PENSTOCK" check -n a1 -c "$work/conf" -f "$work/agent.properties" -Dflume.monitoring.type=http >"$work/check.out" ||
    fail "check: $(<"$work/check.out")"
grep -qF 'flume-env.sh:1: warning: flume-env.sh is not executed: only Java classes get -Dstage=...; start penstock with -Dstage=... of this line' "$work/check.out" ||
    fail "no warning: $(<"$work/check.out")"
grep -qF 'flume-env.sh:3: warning: flume-env.sh is not executed: OTHER_HOST is not exported' "$work/check.out" || fail "no warning: $(<"$work/check.out")"
grep -qF "note: -Dcom.sun.management.jmxremote has a meaning only for Java: components that are Java classes get it; JMX is Java's; -Dflume.monitoring.type=http serves the same counters" \
    "$work/check.out" || fail "no note: $(<"$work/check.out")"
! grep -qE 'monitoring.type=\.\.\.|KAFKA_HOST' "$work/check.out" || fail "it asks for what is set: $(<"$work/check.out")"
