#!/usr/bin/env bash
# Needs: flume
# Flows with drawn keys and inputs, in a real Flume and in penstock, one agent each for all of them: the sources netcat, netcatudp, multiport_syslogtcp,
# http with both BLOB handlers, spooldir and taildir, the sink file_roll, and chains of interceptors, selectors and channels.
#
#   PENSTOCK_SEED   the seed to replay                 DRAWS   flows of each kind (default 6; 40 in one pair of agents)
#   ONLY="A B"      these kinds only (flows.py)         KEEP=1  keep files, outputs and logs
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
command -v python3 >/dev/null || skip "no python3"
export FLUME_JAVA="${FLUME_JAVA/-Xmx512m/-Xmx900m}"
seed=$(seed_of_run)
echo "seed $seed (PENSTOCK_SEED=$seed replays it)"
draws=${DRAWS:-6} most=40 failures=0
for ((first = 0; first < draws; first += most)); do
    # shellcheck disable=SC2086
    python3 "$here/flume_draws/agents.py" "$work/from$first" "$seed" "$first" $((draws - first < most ? draws - first : most)) \
        ${ONLY:-netcat netcatudp multiport blob spooldir taildir file_roll chain} -- "$here/flume" -- "$PENSTOCK" || ((++failures))
    [[ ${KEEP:-} ]] || rm -rf "$work/from$first"
done
((failures == 0)) || fail "flows differ"
