#!/usr/bin/env bash
# Needs: flume
# A class of Flume's runs in Java in an agent of an installation, in both layouts: one folder, and the places of a distribution with the
# package penstock-java. Without that package, the message names it.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
with_java_host
build=$(dirname "$PENSTOCK")
FLUME_CLASSPATH=$("$here/flume" classpath)
export FLUME_CLASSPATH

mkdir "$work/out"
cat >"$work/agent.properties" <<-EOF_
	a1.sources = r1
	a1.channels = c1
	a1.sinks = k1
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = 1000
	a1.sources.r1.channels = c1
	a1.channels.c1.type = memory
	a1.sinks.k1.type = file_roll
	a1.sinks.k1.sink.directory = $work/out
	a1.sinks.k1.penstock.engine = java
	a1.sinks.k1.channel = c1
EOF_
runs() { # PROGRAM
    "$1" check --probe -n a1 -f "$work/agent.properties" >"$work/check.log" 2>&1 || fail "check --probe: exit $?"
    rm -rf "$work/out" && mkdir "$work/out"
    start "$work/agent" "$1"
    await 120 has_arrived "$work/out" 1000 || fail "$(arrived "$work/out") events arrived, not 1000"
    stop TERM
}

DESTDIR=$work/staged cmake --install "$build" --prefix /opt/penstock >"$work/install.log" 2>&1 || fail "install"
runs "$work/staged/opt/penstock/bin/penstock"
echo "one folder"

DESTDIR=$work/root cmake --install "$build" --prefix / --component system >"$work/install.log" 2>&1 || fail "install of the system's layout"
if "$work/root/usr/bin/penstock" check -n a1 -f "$work/agent.properties" >"$work/check.log" 2>&1; then fail "check finds a Java host without its package"; fi
grep -qF 'install the package penstock-java' "$work/check.log" || fail "check does not name the package"
DESTDIR=$work/root cmake --install "$build" --prefix / --component java >"$work/install.log" 2>&1 || fail "install of penstock-java"
runs "$work/root/usr/bin/penstock"
echo "the places of a distribution, with and without the package penstock-java"
