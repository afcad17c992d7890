#!/usr/bin/env bash
# Needs: kafka
# kafka_exactly_once_test.sh with three brokers, three replicas and two in sync: each disturbance of an agent is followed by
# the death of a broker, which is the coordinator of some transactions and of the group in turn.
export BROKERS=3 KILLS=${KILLS:-3} RECORDS=${RECORDS:-200000}
exec bash "$(dirname "${BASH_SOURCE[0]}")/kafka_exactly_once_test.sh"
