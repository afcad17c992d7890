#!/usr/bin/env bash
# Needs: flume
# flume-ng tool fcintegritytool beside Flume's own on the same directories: whole ones, and ones with damaged bodies in both data
# directories. Both name the same places; Flume marks the records, and penstock reads what it left behind.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v python3 >/dev/null || skip "no python3, which writes a channel"

mkdir "$work/bin"
cp "$here/../../cmake/packaging/bin/flume-ng" "$work/bin/"
ln -s "$(realpath "$PENSTOCK")" "$work/bin/penstock"
events=$(python3 "$here/../e2e/flume_channel.py" "$work/channel" 100 | wc -l)
cp -r "$work/channel" "$work/torn"
sed -i 's/event 11/event XX/; s/event 31/event 3X/' "$work/torn/d2/log-2"
sed -i 's/event 16/eXent 16/' "$work/torn/d1/log-1"

flumes_tool() { # DIRECTORY: of the channel; writes flume.log
    "$here/flume" run org.apache.flume.tools.FlumeToolsMain fcintegritytool -l "$1/d1,$1/d2" >"$work/flume.log" 2>&1 || fail "Flume's tool: exit $?"
}
our_tool() { # STATUS EVENTS DIRECTORY
    local code=0
    "$work/bin/flume-ng" tool fcintegritytool -l "$3/d1,$3/d2" >"$work/penstock.log" 2>&1 || code=$?
    ((code == $1)) || fail "exit $code, not $1"
    grep -q "^$2 events, .* can be imported; nothing was changed" "$work/penstock.log" || fail "not $2 events"
}
flumes_tool "$work/channel"
grep -qx "Number of Corrupt Events = 0" "$work/flume.log" || fail "Flume's tool finds damage in a whole channel"
our_tool 0 "$events" "$work/channel"

our_tool 1 $((events - 3)) "$work/torn"
grep -qx "3 places of the logs are damaged: left out" "$work/penstock.log" || fail "not three places"
sed -nE 's/.*channel import: ([^,]*), byte ([0-9]+), .*/\1 \2/p' "$work/penstock.log" | sort >"$work/penstock.places"
flumes_tool "$work/torn"
grep -qx "Number of Corrupt Events = 3" "$work/flume.log" || fail "Flume's tool finds something else"
sed -nE 's/.*Corruption found in (.*) at ([0-9]+)$/\1 \2/p' "$work/flume.log" | sort >"$work/flume.places"
same "places" "$work/flume.places" "$work/penstock.places"

our_tool 0 $((events - 3)) "$work/torn" # what Flume's tool has marked is no damage any more
