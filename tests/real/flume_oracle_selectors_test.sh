#!/usr/bin/env bash
# Needs: flume
# Selectors compared with a real Flume's: the channels of events with different headers. (load_balancing is not compared:
# Flume 1.11 documents it and drops the source.)
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"

values="CZ US XX NO none"
channels="c1 c2 c3 c4"

agent_file() {
    local value channel
    printf 'a1.sources = %s all\na1.channels = %s\na1.sinks = %s\n' "$values" "$channels" "$channels"
    for value in $values; do
        cat <<-EOF_
		a1.sources.$value.type = exec
		a1.sources.$value.shell = /bin/sh -c
		a1.sources.$value.command = for i in 1 2 3 4 5 6 7 8 9; do echo $value \$i; done
		a1.sources.$value.channels = $channels
		a1.sources.$value.interceptors = i1 i2
		a1.sources.$value.interceptors.i1.type = static
		a1.sources.$value.interceptors.i1.key = $([[ $value == none ]] && echo other || echo state)
		a1.sources.$value.interceptors.i1.value = $value
		a1.sources.$value.interceptors.i2.type = static
		a1.sources.$value.interceptors.i2.key = state2
		a1.sources.$value.selector.type = multiplexing
		a1.sources.$value.selector.header = state
		a1.sources.$value.selector.mapping.CZ = c1
		a1.sources.$value.selector.mapping.US = c2 c3
		a1.sources.$value.selector.optional.US = c3 c1
		a1.sources.$value.selector.optional.XX = c4 c2
		a1.sources.$value.selector.default = c4
		EOF_
    done
    cat <<-EOF_
	a1.sources.all.type = exec
	a1.sources.all.command = printf all\\\\n
	a1.sources.all.channels = $channels
	a1.sources.all.selector.type = replicating
	a1.sources.all.selector.optional = c2 c9
	EOF_
    for channel in $channels; do
        into_files "$channel" "$1/$channel" 1000
    done
}
# c1: CZ, US (optional); c2: US, XX (optional); c3: US; c4: XX, NO, none; `all` to each.
both $((9 * 2 + 9 * 2 + 9 + 9 * 3 + 4))
for channel in $channels; do same_content "channel $channel" "$channel" sort; done
