/* The run of `penstock load` that tests begin with: a test changes in it what it is about. */
#pragma once

#include "bench/load/load.h"

/* Returns a run of one connection that sends 20,000 stamped events of this size per second to `target`, for `duration_ns`. `target` must
 * live as long as the run. */
static inline struct ps_load_config ps_test_load_config(const char *target, uint32_t event_bytes,
                                                        uint64_t duration_ns)
{
    return (struct ps_load_config){
        .target = target,
        .content = {.format = "fixed", .size_bytes = event_bytes, .stamp = true},
        .shape = {.rate = 20000, .duration_ns = duration_ns},
        .connections = 1,
        .seed = 3,
        .settle_ns = 60 * PS_NS_PER_S,
        .every_ns = PS_LIVE_EVERY_NS,
        .connect_ns = 60 * PS_NS_PER_S,
        .tolerance = 0.001,
        .run = 0x123456,
    };
}
