#!/usr/bin/env bash
# Needs: kafka
# Three real brokers with three replicas, two of which must be in sync: one broker is killed under load and restarted,
# then another one is killed. No event is lost or duplicated, and the order is kept; the load continues meanwhile.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export KAFKA_HEAP=384m

step "three brokers"
kafka_start --brokers 3 --set min.insync.replicas=2
kafka_topic three 6 3

step "one broker is killed and restarted, another one is killed"
agent_file three three
agent_start three
load_start --events "$endless" --rate 40000
sleep 2
kafka_kill 2
sleep 3
kafka_start
sleep 2
kafka_kill 3
sleep 6
load_stop
check_sent three three --no-headers
(($(field partitions "$found") == 6)) || fail "not over all partitions"
