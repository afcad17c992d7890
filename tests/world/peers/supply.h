/* What the peers of a run may send: each life has its share, so that each of them has something to do. */
#pragma once

#include "tests/world/shared.h"

struct supply {
    uint32_t left;       /* events that may still be sent before the next life */
    uint64_t pause_ns;   /* for which a peer rests at most between two bursts */
    uint32_t rest_share; /* of 65536 times, after how many it rests; else it goes on at once */
    bool ends;           /* there is no next life */
};

/* Gives the peers of a run their events until the next life begins. Thread: the runner's. */
void supply_begin(struct supply supply);
/* Returns how many events a peer sends next: at most `most`, 0 if there are none before the next life. */
uint32_t supply_take(uint32_t most);
/* Returns whether nothing more is to be sent in this run. */
bool supply_is_over(void);
/* Returns when a peer looks for its next events. */
uint64_t supply_next_ns(void);
