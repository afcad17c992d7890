#!/usr/bin/env bash
# penstock mock-broker --round-trip: everything arrives, later by that time; wrong times are refused.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refused() { # TEXT TIME
    local code=0
    patient_limit 20 "$PENSTOCK" mock-broker --round-trip "$2" >"$work/out" 2>"$work/err" || code=$?
    ((code == 2)) || fail "--round-trip $2: exit $code, not 2"
    grep -qF -- "$1" "$work/err" || fail "--round-trip $2: no word of \"$1\""
    [[ ! -s $work/out ]] || fail "--round-trip $2: an address nevertheless"
}
refused '--round-trip' 5x
refused '--round-trip' -1s
refused 'at most 1 min' 2m

"$PENSTOCK" mock-broker --topic t:2 --round-trip 300ms >"$work/address" 2>"$work/broker.err" &
children[$!]=1
has_address() { [[ -s $work/address ]]; }
await 'no address' has_address
target=kafka://$(<"$work/address")/t
"$PENSTOCK" load --wait --events 100 --target "$target" --manifest "$work/manifest" --json >"$work/load.json" 2>"$work/load.err" || fail "load: exit $?"
"$PENSTOCK" verify --from "$target" --manifest "$work/manifest" --idle 60s --json >"$work/verify.json" 2>"$work/verify.err" || fail "verify: exit $?"
jq -es 'map(select(.type == "summary"))[-1] | .completed == 100 and .latency_ns.p50 >= 300000000' "$work/load.json" >"$work/jq" ||
    fail 'confirmed sooner than 300 ms'
