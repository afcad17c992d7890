#!/usr/bin/env bash
# Two tiers of agents that are killed while the logs are rotated, as tests/crash/tiers does it.
# PENSTOCK_SEED repeats a run. Arguments are passed on (--seconds 1200). The folder of a run that fails stays in $TMPDIR.
set -euo pipefail
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
[[ -x $PENSTOCK_TOOLS/crash_topic_lines ]] || { echo "SKIP: no crash_topic_lines in $PENSTOCK_TOOLS: build real_tools"; exit 77; }
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/support/ports.sh
source "$here/../support/ports.sh"
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
"$here/tiers" --port "$(ports_reserve)" --seed "$(seed_of_run)" "$@"
