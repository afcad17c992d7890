#!/usr/bin/env bash
# A hundred kills of agents with a file channel, as tests/crash/run does them, from a new seed each time; PENSTOCK_SEED repeats
# one. The folder of a case that fails stays in $TMPDIR.
set -euo pipefail
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
[[ -x $PENSTOCK ]] || { echo "SKIP: no program at $PENSTOCK"; exit 77; }
for helper in crash_kill_at.so crash_topic_lines; do
    [[ -e $PENSTOCK_TOOLS/$helper ]] || { echo "SKIP: no $helper in $PENSTOCK_TOOLS: build real_tools"; exit 77; }
done
exec "$(dirname "${BASH_SOURCE[0]}")/run" --cycles "${CRASH_CYCLES:-100}" ${PENSTOCK_SEED:+--seed "$PENSTOCK_SEED"}
