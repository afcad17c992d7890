#!/usr/bin/env bash
# Needs: flume
# Flows with drawn keys and inputs, in a real Flume and in penstock, one agent each for all of them: the sources netcat, netcatudp, multiport_syslogtcp,
# http with both BLOB handlers, spooldir and taildir, the sink file_roll, and chains of interceptors, selectors and channels.
#
#   PENSTOCK_SEED   the seed to replay                 DRAWS   flows of each kind (default 6), FIRST the number of the first (0)
#   ONLY="A B"      these kinds only (flows.py)         KEEP=1  keep files, outputs and logs
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
command -v python3 >/dev/null || skip "no python3"
export FLUME_JAVA="${FLUME_JAVA/-Xmx512m/-Xmx2g} -XX:+UseSerialGC"
seed=$(seed_of_run)
echo "seed $seed (PENSTOCK_SEED=$seed replays it)"
# shellcheck disable=SC2086
python3 "$here/flume_draws/agents.py" "$work" "$seed" "${FIRST:-0}" "${DRAWS:-6}" \
    ${ONLY:-netcat netcatudp multiport blob spooldir taildir file_roll chain} -- "$here/flume" -- "$PENSTOCK" || fail "flows differ"
