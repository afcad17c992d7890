#!/usr/bin/env bash
# tests/support/patience.sh: a command that ends at once, again and again, leaves the script's EXIT trap alone; one that goes on is ended.
# No sanitizer: it runs scripts.
set -euo pipefail
# shellcheck source=tests/support/patience.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/patience.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

for ((i = 0; i < 300; i++)); do
    patient_limit 20 true || fail "the code of a command that succeeds is $?"
    [[ -d $work ]] || fail "after $i commands the EXIT trap has run"
done
# shellcheck disable=SC2016 # the text of the trap
[[ $(trap -p EXIT) == *'rm -rf "$work"'* ]] || fail "the EXIT trap is $(trap -p EXIT)"
code=0
patient_limit 20 bash -c 'exit 3' || code=$?
((code == 3)) || fail "the code is $code, not 3"
code=0
patient_limit 1 sleep 600 || code=$?
((code == 143)) || fail "the code of a command that was ended is $code, not 143"
