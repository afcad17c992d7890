/* The last bytes of a slot of a sink: how far the class has committed the events of the slot's batch. The host writes them
 * before a commit returns, and sends the messages about commits later, several at a time. The reasons are in
 * docs/decisions/0092. Thread: the sink's worker. */
#pragma once

#include "rings/word.h"
#include "stages/lib/java/exchange/message.h"
#include "stages/lib/java/exchange/region.h"

#define PS_JAVA_COMMITS_BYTES ((uint32_t)sizeof(struct ps_java_committed))

static inline struct ps_java_committed *ps_java_commits(const struct ps_java_area *slot)
{
    return (struct ps_java_committed *)(void *)(slot->memory + slot->size - PS_JAVA_COMMITS_BYTES);
}

/* Called when a new batch is in the slot: notes that none of its events is committed. */
static inline void ps_java_commits_begin(const struct ps_java_area *slot)
{
    ps_word_set(&ps_java_commits(slot)->count, 0);
}

/* Returns the number of the batch's events, from the first one on, that the host says it has committed. The
 * host may be writing this number now, and may write any number. */
static inline uint64_t ps_java_commits_count(const struct ps_java_area *slot)
{
    return ps_word_get(&ps_java_commits(slot)->count);
}
