#!/usr/bin/env bash
# Reloads of an agent under load that change the keys of its file channel (another data directory, capacity, encryption begun, its key
# changed, ended), half of them cut off by SIGKILL: everything that was acknowledged is delivered.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }

port=$(free_port)
(umask 077; printf '%064d' 1 >"$work/k1"; printf '%064d' 2 >"$work/k2")
mkdir "$work/out"

configuration() { # DATA-DIRS CAPACITY ACTIVE-KEY
    cat >"$work/agent.properties" <<END
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = $port
a1.sources.r1.channels = c1
a1.channels.c1.type = file
a1.channels.c1.checkpointDir = $work/state
a1.channels.c1.dataDirs = $1
a1.channels.c1.capacity = $2
a1.channels.c1.transactionCapacity = 1000
a1.channels.c1.maxFileSize = 1048576
a1.channels.c1.minimumRequiredSpace = 1048576
a1.channels.c1.encryption.activeKey = $3
a1.channels.c1.encryption.keyProvider = KEYFILE
a1.channels.c1.encryption.keyProvider.keys = k1 k2
a1.channels.c1.encryption.keyProvider.keys.k1.keyFile = $work/k1
a1.channels.c1.encryption.keyProvider.keys.k2.keyFile = $work/k2
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = $work/out
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.channel = c1
END
}

# Sends lines without an end, each with a number of its own, and notes those that are answered with OK; connects again when it has to.
cat >"$work/client.py" <<'END'
import os, socket, sys, time
port, folder, number = int(sys.argv[1]), sys.argv[2], 0
with open(folder + "/acknowledged", "w", buffering=1) as acknowledged:
    while not os.path.exists(folder + "/enough"):
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.settimeout(20)
                answers = connection.makefile("rb")
                while not os.path.exists(folder + "/enough"):
                    lines = range(number + 1, number + 51)
                    number += 50
                    connection.sendall(b"".join(b"%d %s\n" % (n, b"x" * 100) for n in lines))
                    for n in lines:
                        answer = answers.readline()
                        if not answer:
                            raise OSError("the agent is gone")
                        if answer.strip() == b"OK":
                            acknowledged.write("%d\n" % n)
        except OSError:
            time.sleep(0.02)
END

acknowledged() { wc -l <"$work/acknowledged"; }
more_than() { [[ $(acknowledged) -gt $1 ]]; }
all_there() { # every acknowledged number was delivered
    comm -23 <(sort "$work/acknowledged") <(find "$work/out" -type f -exec cut -d ' ' -f 1 {} + | sort) >"$work/missing"
    [[ ! -s $work/missing ]]
}

configuration "$work/one, $work/two" 1000000 k1
start_agent
python3 "$work/client.py" "$port" "$work" &
client=$!
children[$client]=1
await "the client is answered" test -s "$work/acknowledged"
for ((round = 0; round < 6; round++)); do
    case $((round % 3)) in
    0) configuration "$work/one, $work/two, $work/three" 2000 k2 ;;
    1) configuration "$work/three, $work/two, $work/one" 500000 NONE ;;
    2) configuration "$work/one, $work/two, $work/three" 1000000 k1 ;;
    esac
    kill -HUP "$agent"
    if ((round % 2)); then
        sleep "0.0$round" # within the reload, before it or behind it: whatever it is, nothing is lost
        stop_agent KILL
        start_agent
    fi
    await "the client is answered in round $round" more_than "$(($(acknowledged) + 200))"
done
touch "$work/enough"
wait "$client" || true
unset "children[$client]"
await "everything that was acknowledged is delivered" all_there
stop_agent TERM
! grep -E "is not there|is damaged|are damaged|cannot be opened" "$work/agent.err" || fail "the channel is damaged"
