#include "core/counters.h"

#define COUNTER_TEXT(name) [PS_COUNTER_##name] = #name,

static const char *const names[PS_COUNTER_COUNT] = {
    PS_SOURCE_COUNTERS(COUNTER_TEXT) PS_SINK_COUNTERS(COUNTER_TEXT) PS_CHANNEL_COUNTERS(COUNTER_TEXT)
        COUNTER_TEXT(bytes) COUNTER_TEXT(batches) COUNTER_TEXT(dropped) COUNTER_TEXT(malformed)
            COUNTER_TEXT(discarded) COUNTER_TEXT(kernel_dropped) COUNTER_TEXT(retried) COUNTER_TEXT(refused)
                COUNTER_TEXT(duplicated) COUNTER_TEXT(blocked_ns) COUNTER_TEXT(deadletter)};

const char *ps_counter_name(enum ps_counter counter)
{
    PS_ASSERT(counter < PS_COUNTER_COUNT);
    return names[counter];
}
