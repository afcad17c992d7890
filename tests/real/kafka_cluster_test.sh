#!/usr/bin/env bash
# Needs: kafka
# Three real brokers with three replicas, two of which must be in sync, under load: brokers are killed and restarted, and, if
# FAULTS says so, leaders are moved, all brokers restarted one after the other, one of them frozen, the controller killed. No
# event is lost or duplicated, and the order is kept; the load continues meanwhile.
#
#   FAULTS="kill move roll freeze controller"   what is done, in this order (default: kill)
#   STALL_S=20     how long the broker is frozen      RATE=40000   events a second
#   EVENTS=N       the load has so many events (of 120 bytes; default: as many as are sent while the faults last). It must outlast the faults.
#
# A long run: EVENTS=10000000 RATE=100000 FAULTS=roll
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/real/kafka_faults.sh
source "$(dirname "${BASH_SOURCE[0]}")/kafka_faults.sh"
command -v kcat >/dev/null || skip "no kcat"
export KAFKA_HEAP=${KAFKA_HEAP:-384m}
[[ $KAFKA_HEAP != 512m ]] || KAFKA_HEAP=384m
budget_mib=64

step "three brokers"
kafka_start --brokers 3 --set min.insync.replicas=2
kafka_topic three 6 3 --set message.timestamp.type=LogAppendTime
agent_file three three penstock.memory.budget=${budget_mib}m
agent_start three
await_log three 'listening on'
memory_begins three
load_start --events "${EVENTS:-$endless}" --rate "${RATE:-40000}"
sleep 2
for name in ${FAULTS:-kill}; do
    fault "$name" three 6
    sleep 1
done
if [[ ${EVENTS:-} ]]; then
    ! is_gone "$load" || fail "the load ended before the faults: more EVENTS, or a lower RATE"
    step "the rest of the load"
    load_wait
else
    load_stop
fi
memory_ends three
check_sent three three --no-headers
(($(field partitions "$found") == 6)) || fail "not over all partitions"
step "longest pauses: $(kcat -C -q -e -b "$brokers" -t three -o beginning -f '%T\n' | sort -nu | pauses)"
memory_is_right "$budget_mib"
