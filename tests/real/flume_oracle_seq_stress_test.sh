#!/usr/bin/env bash
# Needs: flume
# Sources seq and stress compared with a real Flume's: the number of events and their bytes.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

agent_file() {
    local source
    cat <<-EOF_
	a1.sources = s1 s2 t1 t2 t3 t4
	a1.channels = s1 s2 t1 t2 t3 t4
	a1.sinks = s1 s2 t1 t2 t3 t4
	a1.sources.s1.type = seq
	a1.sources.s1.totalEvents = 2500
	a1.sources.s1.batchSize = 7
	a1.sources.s2.type = seq
	a1.sources.s2.totalEvents = 12
	a1.sources.t1.maxTotalEvents = 35
	a1.sources.t1.batchSize = 10
	a1.sources.t2.maxSuccessfulEvents = 35
	a1.sources.t2.batchSize = 10
	a1.sources.t2.size = 33
	a1.sources.t3.maxTotalEvents = 17
	a1.sources.t3.maxSuccessfulEvents = 100
	a1.sources.t3.size = 0
	a1.sources.t4.maxTotalEvents = 20
	a1.sources.t4.maxEventsPerSecond = 10
	a1.sources.t4.size = 5
	EOF_
    for source in s1 s2 t1 t2 t3 t4; do
        mkdir -p "$1/$source"
        [[ $source == s? ]] || echo "a1.sources.$source.type = org.apache.flume.source.StressSource"
        cat <<-EOF_
		a1.sources.$source.channels = $source
		a1.channels.$source.type = memory
		a1.channels.$source.capacity = 10000
		a1.channels.$source.transactionCapacity = 1000
		a1.sinks.$source.type = file_roll
		a1.sinks.$source.channel = $source
		a1.sinks.$source.sink.directory = $1/$source
		a1.sinks.$source.sink.rollInterval = 0
		EOF_
    done
}
SETTLE=1 both $((2500 + 12 + 35 + 40 + 17 + 20))
for source in s1 s2 t1 t2 t3 t4; do same_content "source $source" $source; done
