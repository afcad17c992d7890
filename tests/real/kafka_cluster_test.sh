#!/usr/bin/env bash
# Needs: kafka
# Three real brokers, three copies, two of which must have it: one broker is killed under load and comes back later,
# then another. Nothing lost, nothing twice, order kept; the load goes on meanwhile.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export KAFKA_HEAP=384m

step "three brokers"
kafka_start --brokers 3 --set min.insync.replicas=2
kafka_topic three 6 3

step "one is killed, comes back, another is killed"
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
