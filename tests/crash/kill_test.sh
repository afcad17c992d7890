#!/usr/bin/env bash
# A hundred kills of agents with a file channel, as tests/crash/run does them. PENSTOCK_SEED repeats a run. The folder of a case that fails stays in $TMPDIR.
set -euo pipefail
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
for helper in crash_kill_at.so crash_topic_lines; do
    [[ -e $PENSTOCK_TOOLS/$helper ]] || { echo "SKIP: no $helper in $PENSTOCK_TOOLS: build real_tools"; exit 77; }
done
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/support/seed.sh
source "$here/../support/seed.sh"
exec "$here/run" --cycles "${CRASH_CYCLES:-100}" --seed "$(seed_of_run)"
