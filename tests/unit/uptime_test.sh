#!/usr/bin/env bash
# tests/isolated.c gives a test the time since the machine's start that PENSTOCK_UPTIME_S asks for, also within another one, and else draws it
# from PENSTOCK_SEED_BASE and the command.
# No sanitizer: shell and a program that is built without one.
set -euo pipefail
unset PENSTOCK_UPTIME_S PENSTOCK_SEED_BASE
isolated=$(dirname "$PENSTOCK")/tests/isolated

uptime_in() { # ENVIRONMENT... -- COMMAND...: the whole seconds that the command sees
    env "$@" cat /proc/uptime 2>/dev/null | sed 's/[. ].*//'
}
fail() { echo "FAILED: $1"; exit 1; }
is_near() { (($1 >= $2 && $1 < $2 + 60)); } # a busy machine may take its time

seen=$(uptime_in PENSTOCK_UPTIME_S=5000000 "$isolated")
((seen >= 5000000)) || { echo "SKIP: the kernel gives no time namespace"; exit 77; }
is_near "$seen" 5000000 || fail "5000000 s asked for, $seen seen"
seen=$(uptime_in PENSTOCK_UPTIME_S=7 "$isolated")
is_near "$seen" 7 || fail "7 s asked for, $seen seen"
seen=$(uptime_in PENSTOCK_UPTIME_S=5000000 "$isolated" env PENSTOCK_UPTIME_S=7000 "$isolated")
is_near "$seen" 7000 || fail "7000 s asked for within 5000000 s, $seen seen"
own=$(uptime_in env)
for environment in PENSTOCK_UPTIME_S=0 UNUSED=1; do
    seen=$(uptime_in "$environment" "$isolated")
    is_near "$seen" "$own" || fail "$environment: the machine has been up for $own s, $seen seen"
done

# Of twenty seeds some draw one, some leave the machine's; a seed draws the same again.
drawn=0
for base in {1..20}; do
    first=$(PENSTOCK_SEED_BASE=$base "$isolated" true 2>&1)
    again=$(PENSTOCK_SEED_BASE=$base "$isolated" true 2>&1)
    [[ $first == "$again" ]] || fail "seed base $base: '$first', then '$again'"
    [[ ! $first ]] || drawn=$((drawn + 1))
done
((drawn > 2 && drawn < 18)) || fail "$drawn of 20 seeds draw a time"
