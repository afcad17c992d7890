/* Puts the events of a source in the Java host into batches: entries of events.h in an area of the shared
 * memory.
 *
 * The remaining entries are copied as a whole: up to 256 KiB into the batch's memory, more into a block of its
 * own, to which the batch refers. The copy is checked, and the bodies of events stay in the copy. Thread: the
 * source's worker. */
#pragma once

#include "core/flow/block.h"
#include "stages/lib/event_headers.h"
#include "stages/lib/java/exchange/events.h"

struct ps_java_entries {
    const char *memory;
    uint32_t bytes, count;
    uint32_t at, taken; /* number of bytes, and of events, that are in batches */
    struct ps_block *block;
};

enum ps_java_read {
    PS_JAVA_READ_ALL,
    PS_JAVA_READ_PART,      /* the batch is full */
    PS_JAVA_READ_NO_MEMORY, /* there is no memory: call it again later */
    PS_JAVA_READ_WRONG,     /* the host broke the protocol */
};

/* Adds the next events to the batch, with a ticket of this origin. */
enum ps_java_read ps_java_entries_read(struct ps_java_entries *entries, struct ps_batch *batch,
                                       struct ps_block_cache *blocks, struct ps_event_headers *headers,
                                       uint64_t origin);
/* Call it when the entries are in batches, or are no longer needed. */
void ps_java_entries_drop(struct ps_java_entries *entries, struct ps_block_cache *blocks);
