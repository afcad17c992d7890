#!/usr/bin/env bash
# Needs: kafka
# Three real brokers with three replicas, two of which must be in sync, under load: brokers are killed and restarted, and, if
# FAULTS says so, leaders are moved, all brokers restarted one after the other, one of them frozen, the controller killed. No
# event is lost or duplicated, and the order is kept; the load continues meanwhile.
#
#   FAULTS="kill move roll freeze controller"   what is done, in this order (default: kill)
#   STALL_S=20     how long the broker is frozen      RATE=40000   events a second
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export KAFKA_HEAP=${KAFKA_HEAP:-384m}
[[ $KAFKA_HEAP != 512m ]] || KAFKA_HEAP=384m
stall_s=${STALL_S:-20}

tool() { # CLASS ARG...: one of Kafka's own tools
    "$kafka" run "$@" >>"$work/tools.log" 2>&1 || fail "$1 ends with $?"
}

kill_brokers() {
    kafka_kill 2
    sleep 3
    kafka_start
    sleep 2
    kafka_kill 3
    sleep 6
    kafka_start
}

# Every partition gets its replicas in another order, and the first of them leads.
move_leaders() {
    local p list=''
    for p in {0..5}; do
        list+=${list:+,}'{"topic":"three","partition":'$p',"replicas":['$((p % 3 + 1)),$(((p + 1) % 3 + 1)),$(((p + 2) % 3 + 1))']}'
    done
    for _ in 1 2 3; do
        echo '{"version":1,"partitions":['"$list"']}' >"$work/plan.json"
        tool org.apache.kafka.tools.reassign.ReassignPartitionsCommand --bootstrap-server "$brokers" --reassignment-json-file "$work/plan.json" --execute
        await 60 "$kafka" run org.apache.kafka.tools.reassign.ReassignPartitionsCommand --bootstrap-server "$brokers" \
            --reassignment-json-file "$work/plan.json" --verify >/dev/null 2>&1 || fail "the replicas do not move"
        "$kafka" run org.apache.kafka.tools.LeaderElectionCommand --bootstrap-server "$brokers" --election-type preferred --all-topic-partitions \
            >>"$work/tools.log" 2>&1 || true # it complains when a leader is the preferred one already
        list=$(sed -E 's/"replicas":\[([0-9]),([0-9]),([0-9])\]/"replicas":[\2,\3,\1]/g' <<<"$list")
    done
}

restart_one_after_the_other() {
    local node pid
    for node in 1 2 3; do
        pid=$(<"$work/kafka/$node/pid")
        kill -TERM "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
        sleep 1
        kafka_start
    done
}

freeze() {
    local pid
    pid=$(<"$work/kafka/2/pid")
    kill -STOP "$pid"
    sleep "$stall_s"
    kill -CONT "$pid"
    sleep 3
}

kill_controller() {
    local node
    node=$("$kafka" run org.apache.kafka.tools.MetadataQuorumCommand --bootstrap-server "$brokers" describe --status 2>/dev/null |
        sed -nE 's/^LeaderId:[[:space:]]*([0-9]+).*/\1/p')
    [[ $node ]] || fail "no controller is named"
    kafka_kill "$node"
    sleep 6
    kafka_start
}

step "three brokers"
kafka_start --brokers 3 --set min.insync.replicas=2
kafka_topic three 6 3
agent_file three three
agent_start three
load_start --events "$endless" --rate "${RATE:-40000}"
sleep 2
for fault in ${FAULTS:-kill}; do
    step "$fault"
    case $fault in
    kill) kill_brokers ;;
    move) move_leaders ;;
    roll) restart_one_after_the_other ;;
    freeze) freeze ;;
    controller) kill_controller ;;
    *) fail "FAULTS: no fault is named $fault" ;;
    esac
    sleep 1
done
load_stop
check_sent three three --no-headers
(($(field partitions "$found") == 6)) || fail "not over all partitions"
