/* The last bytes of a slot of a sink: how far the class has committed the events of the slot's batch. The host writes them
 * before a commit returns, and sends the messages about commits later, several at a time. The reasons are in
 * docs/decisions/0137. Thread: the sink's worker. */
#pragma once

#include "stages/lib/java/exchange/message.h"
#include "stages/lib/java/exchange/region.h"

#define PS_JAVA_COMMITS_BYTES ((uint32_t)sizeof(struct ps_java_committed))

/* Nothing is committed: a new batch is in the slot. */
void ps_java_commits_begin(const struct ps_java_area *slot);

/* Returns how many of the batch's events, from the first one on, the host says are committed. The host may be alive, and the
 * number may be any. */
uint64_t ps_java_commits_count(const struct ps_java_area *slot);
