#!/usr/bin/env bash
# Needs: kafka
# netcat -> file channel -> Kafka with penstock.guarantee = exactly-once and a real broker: the agent is killed with SIGKILL
# again and again (KILLS=n) while clients send. A line that the agent confirmed is in the channel: readers of committed records
# (kcat, and Java's consumer) see it once; a line whose confirmation was lost is seen once or never.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kcat >/dev/null || skip "no kcat"
command -v python3 >/dev/null || skip "no python3"

kills=${KILLS:-4}
begin_draws
step "a broker"
kafka_share
kafka_topic channel-out 4

exactly_once_file a1 channel-out channel-positions 20 sources.r1.type=netcat sources.r1.host= sources.r1.bind=127.0.0.1 \
    channels.c1.type=file channels.c1.checkpointDir="$work/channel/checkpoint" channels.c1.dataDirs="$work/channel/data" \
    channels.c1.capacity=10000000 channels.c1.transactionCapacity=

# Sends numbered lines, 100 at a time, and writes the numbers of those that the agent confirmed. It goes on with new numbers
# when a connection breaks, until the file `stop` is there.
cat >"$work/client.py" <<'EOF_'
import os, socket, sys, time
port, first, confirmed, stop = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "a", buffering=1), sys.argv[4]
number = first
while not os.path.exists(stop):
    try:
        with socket.create_connection(("127.0.0.1", port), 300) as connection:
            answers = connection.makefile("rb")
            while not os.path.exists(stop):
                batch = range(number, number + 100)
                number += 100
                connection.sendall(b"".join(b"%d\n" % n for n in batch))
                for n in batch:
                    if answers.readline() != b"OK\n":
                        raise OSError
                    confirmed.write("%d\n" % n)
    except OSError:
        time.sleep(0.02)
EOF_

confirmed() { cat "$work"/confirmed.* | wc -l; }
is_confirmed() { (($(confirmed) >= $1)); }
look() { # sets total, unique
    kcat -C -q -e -b "$brokers" -t channel-out -o beginning -X isolation.level=read_committed -f '%p %s\n' >"$work/records"
    cut -d' ' -f2 "$work/records" >"$work/out"
    total=$(wc -l <"$work/out")
    unique=$(sort -un "$work/out" | wc -l)
}
# While transactions end all the time, kcat -e does not find an end: it is asked where the log ends, aborted records included.
written() { kcat -Q -b "$brokers" -t channel-out:0:-1 -t channel-out:1:-1 -t channel-out:2:-1 -t channel-out:3:-1 | awk '{n += $NF} END {print n}'; }
has_written() { (($(written || true) + 0 >= $1)); }
is_complete() { # each confirmed line is there
    look
    ! comm -23 <(sort "$work"/confirmed.*) <(sort -u "$work/out") | grep -q .
}

agent_start a1
clients=()
for client in 1 2 3; do
    : >"$work/confirmed.$client"
    python3 "$work/client.py" "$load_port" $((client * 100000000)) "$work/confirmed.$client" "$work/stop" 2>"$work/client$client.log" &
    clients+=($!)
    children[$!]=client
done
await 60 has_written 1000 || fail "no lines arrive"

step "$kills kills"
for ((kill = 1; kill <= kills; kill++)); do
    before=$(confirmed)
    await 60 is_confirmed $((before + 500 * (kill % 4))) || fail "no line is confirmed"
    # Sometimes soon after the start: before the positions are read, or while they are.
    sleep "0.$((RANDOM % 8))$((RANDOM % 10))"
    agent_kill a1
    agent_start a1
    ((kill % 10 != 0)) || step "kill $kill: $(confirmed) lines confirmed, $(written) records in the topic"
done
touch "$work/stop"
wait "${clients[@]}" || fail "a client ends with $?"
await 120 is_complete || { look; fail "confirmed $(confirmed), committed $unique"; }
agent_stop a1
look
step "confirmed $(confirmed), committed $total, twice $((total - unique))"
((total == unique)) || fail "lines are there twice"
is_complete || fail "lines are lost"
awk '{stream = $1 " " int($2 / 100000000)} $2 <= last[stream] {print "partition " $1 ": " $2 " after " last[stream]; exit 1} {last[stream] = $2}' \
    "$work/records" || fail "the order changed"

java_reads_committed channel-out "$total"
diff -q <(sort -n "$work/out") <(sort -n "$work/java") >/dev/null || fail "Java's consumer reads something else"

step "the topic of positions is compacted"
"$kafka" run kafka.admin.ConfigCommand --bootstrap-server "$brokers" --describe --entity-type topics --entity-name channel-positions \
    >"$work/config" 2>&1 || fail "$(tail -2 "$work/config")"
grep -q 'cleanup.policy=compact' "$work/config" || fail "$(cat "$work/config")"

step "a topic whose positions would be deleted is refused, with the cure"
kafka_topic channel-deleted 1
sed -e 's/channel-positions/channel-deleted/' -e "s,$work/channel/,$work/other/," "$work/a1.properties" >"$work/deleted.properties"
agent_start deleted
echo one | { await 30 python3 -c "import socket,sys; socket.create_connection(('127.0.0.1', $load_port)).sendall(b'one\n')" || true; }
await_log deleted 'channel-deleted of positions has cleanup.policy=delete.*--add-config cleanup.policy=compact'
agent_kill deleted
