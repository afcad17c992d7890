# Shared by kafka_cluster_test.sh and kafka_exactly_once_test.sh, which source it after lib.sh: what happens to a cluster of three brokers under
# load, and the account of it.
# shellcheck shell=bash
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
move_leaders() { # TOPIC PARTITIONS
    local p list=''
    for ((p = 0; p < $2; p++)); do
        list+=${list:+,}'{"topic":"'$1'","partition":'$p',"replicas":['$((p % 3 + 1)),$(((p + 1) % 3 + 1)),$(((p + 2) % 3 + 1))']}'
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

fault() { # NAME TOPIC PARTITIONS: partitions of this topic are moved
    step "$1 (at $(date +%s))"
    case $1 in
    kill) kill_brokers ;;
    move) move_leaders "$2" "$3" ;;
    roll) restart_one_after_the_other ;;
    freeze) freeze ;;
    controller) kill_controller ;;
    *) fail "FAULTS: no fault is named $1" ;;
    esac
}

# The three longest times in which nothing was appended to a topic, all its partitions together: standard input has the sorted times of its
# records in ms, which are the broker's (message.timestamp.type=LogAppendTime).
pauses() {
    awk 'last && $1 > last {print $1 - last, "ms before", int($1 / 1000)} {last = $1}' | sort -rn | head -3 | paste -sd ';'
}

# Memory that agents take. highest_mib is kept over the lives of agents that are killed.
highest_mib=0 base_mib=0
memory_begins() { # AGENT: after its start
    base_mib=$(memory_mib "$1" VmRSS)
}
memory_ends() { # AGENT: before its end
    local high
    high=$(memory_mib "$1" VmHWM) || return 0
    ((high <= highest_mib)) || highest_mib=$high
}
memory_is_right() { # BUDGET in MiB: 8 MiB more are code and buffers of connections, as in kafka_delivery_test.sh
    step "memory: $highest_mib MiB at most, $base_mib MiB at the start, budget $1 MiB"
    ((highest_mib <= base_mib + $1 + 8)) || fail "$highest_mib MiB with a budget of $1 MiB; $base_mib MiB at the start"
}
