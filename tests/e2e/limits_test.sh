#!/usr/bin/env bash
# Closed standard descriptors are not given to other files.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$work"
port=$(free_port)
config() { # MORE: the agent's file
    cat >fresh <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = null
a1.sinks.k1.channel = c1
$1
END
    mv fresh agent.properties
}
says() { grep -qE -- "$1" agent.err; }

# ---- standard descriptors ----

config ""
"$PENSTOCK" agent -n a1 -f agent.properties <&- >&- 2>&- &
agent=$!
children[$agent]=1
all_null() { [[ $(readlink /proc/$agent/fd/0 /proc/$agent/fd/1 /proc/$agent/fd/2 | sort -u) == /dev/null ]]; }
listens() { (exec 6<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
await "an agent without standard descriptors listens" listens
all_null || fail "files have the numbers of standard descriptors: $(ls -l /proc/$agent/fd)"
stop_agent TERM 0
code=0
"$PENSTOCK" components >&- 2>components.err || code=$?
[[ $code == 2 ]] || fail "lost output is not told: exit status $code"
