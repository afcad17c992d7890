/* Remembers what was said about which sender, so that the log says it once for each. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/fnv.h"

#define PS_SENDERS_MAX 256U /* when there are more the oldest is forgotten, and may be named again */

struct ps_senders {
    uint64_t said[PS_SENDERS_MAX]; /* hashes of sender and subject; 0: none */
    uint32_t next;
};

/* Returns whether this is the first call for the sender and the subject. */
static inline bool ps_senders_first(struct ps_senders *senders, const char *sender, char subject)
{
    uint64_t hash = ps_fnv64(ps_fnv64(PS_FNV64, sender, strlen(sender)), &subject, 1) | 1;
    for (uint32_t i = 0; i < PS_SENDERS_MAX; i++) {
        if (senders->said[i] == hash)
            return false;
    }
    senders->said[senders->next] = hash;
    senders->next = (senders->next + 1) % PS_SENDERS_MAX;
    return true;
}
