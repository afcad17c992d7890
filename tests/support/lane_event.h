/* The text of the events that tests of targets and of lanes send. */
#pragma once

#include "bench/load/target/target.h"

struct ps_test_event_size {
    uint32_t low, high; /* bytes, framing included */
};

/* Writes the text of event `sequence`, without framing, into `to` and returns its length: "e <sequence> xxx.." of about the requested
 * size. */
uint32_t ps_test_lane_event(uint64_t sequence, struct ps_test_event_size size, enum ps_framing framing,
                            char *to);
