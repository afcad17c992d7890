#include "tests/support/lane_event.h"

#include <inttypes.h>
#include <stdio.h>

uint32_t ps_test_lane_event(uint64_t sequence, struct ps_test_event_size size, enum ps_framing framing,
                            char *to)
{
    uint32_t spread = size.high > size.low ? size.high - size.low + 1 : 1;
    uint32_t want = size.low + (uint32_t)(sequence * UINT64_C(2654435761) % spread);
    if (framing == PS_FRAMING_NEWLINE && want > 0)
        want--;
    uint32_t length = (uint32_t)sprintf(to, "e %" PRIu64 " ", sequence);
    for (; length < want; length++)
        to[length] = (char)('a' + (length + sequence) % 26);
    return length;
}
