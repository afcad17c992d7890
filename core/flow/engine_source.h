/* The functions of the engine's own sources, in addition to those of every source (struct ps_source_ops in
 * core/stage.h). A source that is not part of penstock leaves it out. */
#pragma once

#include "core/clock.h"

/* For a source that answers its clients before it puts their events: the engine keeps room for them in all channels of the
 * source, which then take a batch with `promised` although they are full (`reserve` in core/flow/engine_channel.h). Both
 * functions are called one after the other at the end of each cycle. Thread: the source's worker. */
struct ps_engine_source_ops {
    /* Returns the number of events that need room: those that are promised and not put yet, and those to be
     * promised. */
    uint64_t (*reserves)(const void *plan, const void *state);
    /* Tells the source the number of events for which there is room: not fewer than the promised ones, as long as
     * the channels stay the same; 0 if a channel keeps no room. */
    void (*reserved)(const void *plan, void *state, uint64_t events, const struct ps_now *now);
};
