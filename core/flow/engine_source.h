/* The functions of penstock's own sources, in addition to those of every source (struct ps_source_ops in
 * core/stage.h). A source that is not part of penstock has none of them. */
#pragma once

#include "core/clock.h"

struct ps_engine_source_ops {
    /* For a source that answers its clients before it puts their events: the engine keeps room for them in all
     * channels of the source, which then take a batch with `promised` although they are full (`reserve` in
     * core/flow/engine_channel.h). Both functions are called one after the other at the end of each cycle. Either
     * both are NULL, or neither. Thread: the source's worker. */
    /* Returns the number of events that need room: the events that are promised and not put yet, plus the events that
     * the source wants to promise next. */
    uint64_t (*reserves)(const void *plan, const void *state);
    /* Tells the source the number of events for which there is room: at least the number of promised events, as long
     * as the channels stay the same; 0 if a channel keeps no room. */
    void (*reserved)(const void *plan, void *state, uint64_t events, const struct ps_now *now);
    /* If the source yields its positions (ps_source_ops.yields_positions), the sink keeps them as records. The
     * source's first batch has one span, with a name of system "file", a group that names the source (a random number
     * that the source keeps) and no name. When this batch is delivered, core/flow/sink_positions.h has the positions
     * from which the source starts. The names of its later spans have a `detail`; their position is the one to start
     * from, or -1 for a stream that no longer exists. */
    bool starts_from_records;
    /* Called between `check` and `build` if a sink reads the identities of this source's events (conf/validate/identities.c):
     * the source gives its events identities, although that costs it something. NULL: it always gives them, or never. Thread:
     * control. */
    void (*gives_identities)(void *plan);
};
