#!/usr/bin/env bash
# What `penstock plugin test` finds: examples that break a promise in one place each, and one that reads freed memory, built with a sanitizer.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/plugin_installed.sh
source "$(dirname "${BASH_SOURCE[0]}")/plugin_installed.sh"
ln -s "$root/conf/examples/plugins" examples
printf '#include <penstock/plugin.h>\n' >all.c

# A stage that breaks a promise: the suite names it. And one that reads freed memory, built with a sanitizer.
declare -A keys=([add_checksum]="--key header=sum" [hash_header]="--key header=kind" [joined_lines]="--key maxBytes=100 --read examples/traces.log"
    [bounded_queue]="--key capacity=20" [file_lines]="--fresh path --fresh positionFile --send path")
running=0 number=0
one_broken() { # FOLDER EXAMPLE TEST PATTERN SED FLAG...
    mkdir "$1"
    sed "$5" "examples/$2.c" >"$1/broken.c"
    cmp -s "$1/broken.c" "examples/$2.c" && fail "$5 changes nothing"
    cc "${flags[@]}" "${@:6}" -shared -fPIC "$1/broken.c" -o "$1/broken.so" || fail "broken.c does not compile"
    # shellcheck disable=SC2086
    "$penstock" plugin test "$1/broken.so" ${keys[$2]} --check "${3%%:*}" >"$1/err" 2>&1 && fail "$2: $3 is not found"
    grep -qE "FAILED +$3" "$1/err" || fail "$2: $3 does not fail"
    grep -qE "$4" "$1/err" || fail "$2: $3 does not say $4: $(<"$1/err")"
}
# Begins to test the example with this change: it fails this test. Four run side by side, because they wait more than they compute.
broken() { # EXAMPLE TEST PATTERN SED FLAG...
    ((running < 4)) || one_ends
    number=$((number + 1))
    one_broken "broken.$number" "$@" &
    running=$((running + 1))
}
one_ends() {
    wait -n || exit 1 # it has said why
    running=$((running - 1))
}
broken add_checksum allocates_nothing 'add_checksum allocates' 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    void *volatile kept = malloc(1);\n    free(kept);/; s/#include <stdio.h>/&\n#include <stdlib.h>/'
broken add_checksum short_of_memory 'other events when memory was short' 's/return PS_RETRY;/return PS_DONE;/'
broken add_checksum order_and_sums 'ended by signal 11' 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    *(volatile char *)8 = 0;/'
broken add_checksum order_and_sums 'the stage ended the process, with exit code 0' 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    _exit(0);/; s/#include <stdio.h>/&\n#include <unistd.h>/'
broken hash_header routes 'routed is [0-9]+, not [0-9]+' 's/ps_lease_row(lease, i)/(uint16_t)i/'
broken hash_header routes 'times\[0\] \+ times\[1\] <= 1 is false' 's/        ps_route_row(route, channel, true.*/&\n        ps_route_row(route, channel, false, ps_lease_row(lease, i));/'
broken hash_header routes 'event [0-9]+ goes [-r]+, not [-r]+' 's/ps_name_hash(value.data, value.length) %/(unsigned)rand() %/; s/#include <string.h>/&\n#include <stdlib.h>/'
while ((running > 0)); do one_ends; done
"$penstock" plugin test "broken.$number/broken.so" --key header=kind --check rutes 2>broken.err && fail "a check that the suite does not have"
grep -q 'the suite has no check rutes' broken.err || fail "the check that is not there is not named: $(<broken.err)"
"$penstock" plugin test "broken.$number/broken.so" --key header=kind --routes any >broken.err 2>&1 || fail "a selector that draws its channel"
broken joined_lines positions 'is [0-9]+, not [0-9]+' 's/input->position += taken;/input->position += taken + 1;/'
broken joined_lines pieces 'is [0-9]+, not [0-9]+|is false' 's/return PS_DESERIALIZED_WAITS;$/return PS_DESERIALIZED_ALL;/'
broken joined_lines no_memory_in_turns 'is [0-9]+, not [0-9]+|is false|other bytes' 's/return batch->full ? PS_DESERIALIZED_FULL : PS_DESERIALIZED_WAITS;/(void)0;/'
broken joined_lines fails_in_turns 'does not say that the file is bad' 's/return PS_DESERIALIZED_FAILED;/return PS_DESERIALIZED_ALL;/'
broken bounded_queue rollback 'take\(&stage, 0\) is not leases' 's/    queue->back\[consumer\] = \*lease;//' # loses what a sink gives back
broken bounded_queue rollback 'take\(&stage, 0\) is not leases' 's/    (\*lease)->next = queue->back\[consumer\];/    (*lease)->next = NULL;/' # all but the last one
broken bounded_queue accepts_refuses_and_empties 'has 21 events and accepts more; its capacity is 20' 's/queue->events >= (uint64_t)plan->capacity/queue->events >= (uint64_t)plan->capacity + 6/'
broken bounded_queue accepts_refuses_and_empties 'has 21 events and accepts more' 's/full = queue->events >= /full = (uint64_t)-1 == /' # never full
broken bounded_queue accepts_refuses_and_empties 'home_count is 0, not 1' 's/    ps_port_home(port, lease);/    (void)port, *lease = NULL;/'
broken bounded_queue accepts_refuses_and_empties 'home_count is 2, not 1' 's/    ps_port_home(port, lease);/    struct ps_lease *again = *lease;\n&\n    ps_port_home(port, \&again);/'
broken bounded_queue frees_its_memory 'bounded_queue keeps [0-9]+ bytes' 's/    free(plan->queue->back);//'
broken bounded_queue frees_its_memory 'bounded_queue keeps [0-9]{7} bytes' 's/    free(plan->queue->back);/&\n    void *volatile large = malloc(1 << 20); \/\/ mapped on its own\n    (void)large;/'
broken file_lines restarts 'event 20 is "event 40"' 's/    \.delivered = delivered,/    .accepted = delivered,/'                       # saved before the promise
broken file_lines restarts 'event 20 is "event 0"' 's/    \.delivered = delivered,//'                                                 # never saved
broken file_lines restarts 'event 20 is "event 40"' 's/batch->spans\[batch->span_count - 1\].position/state->read_to/'                # of a later batch
broken file_lines restarts 'event 20 is "event [46]0"' 's/    state->read_to += handled;/&\n    char text[32];\n    snprintf(text, sizeof text, "%020lld", (long long)state->read_to);\n    pwrite(state->position_fd, text, 20, 0);/' # per read
# A function that does not return ends the command, which names it. The limit is of an idle machine, so the other checks need not fear it.
hangs() { # EXAMPLE TEST FUNCTION SED
    broken "$1" "$2: it has not ended after 10 s \(--limit\)" "it is in the function $3 of the [a-z]* $1" "$4"
}
keys[add_checksum]+=" --limit 10" keys[bounded_queue]+=" --limit 10"
hangs add_checksum order_and_sums work 's/    char text\[CHECKSUM_BYTES + 1\];/&\n    for (;;)\n        pause();/; s/#include <stdio.h>/&\n#include <unistd.h>/'
hangs bounded_queue accepts_refuses_and_empties take 's/^static struct ps_lease \*take(void.*/&\n{\n    for (;;)\n        ;\n}\nstruct ps_lease *unused(void *plan_, unsigned consumer, struct ps_port *, const struct ps_now *);\nstruct ps_lease *unused(void *plan_, unsigned consumer, struct ps_port *, const struct ps_now *)/'
keys[add_checksum]=${keys[add_checksum]% --limit 10} keys[bounded_queue]=${keys[bounded_queue]% --limit 10} # what follows returns, however late
cc "${flags[@]}" -O1 -shared -fPIC examples/bounded_queue.c -o bounded_queue.so || fail "bounded_queue.c does not compile"
"$penstock" plugin test bounded_queue.so --key capacity=1000 >broken.err 2>&1 && fail "a capacity that the suite does not fill"
grep -q 'has a capacity of 1000 events: set a key' broken.err || fail "the suite does not say what it needs: $(<broken.err)"
if cc -fsanitize=address -shared -fPIC all.c "${flags[@]}" -o sanitized.so 2>/dev/null && grep -q 'libasan\.so\.' sanitized.so; then
    broken add_checksum order_and_sums 'AddressSanitizer: heap-use-after-free' \
        's/    char text\[CHECKSUM_BYTES + 1\];/&\n    char *volatile gone = malloc(8);\n    free(gone);\n    gone[1] = 0;/; s/#include <stdio.h>/&\n#include <stdlib.h>/' -fsanitize=address
    cc "${flags[@]}" -fsanitize=address -shared -fPIC examples/add_checksum.c -o sanitized.so || fail "the sanitized example does not compile"
    "$penstock" plugin test sanitized.so --key header=sum >sanitized.err 2>&1 || fail "the sanitized example fails"
else
    echo "SKIP PART: a plug-in with a sanitizer: cc has no libasan"
fi
while ((running > 0)); do one_ends; done
