/* The blocks a target was given, oldest first: completed events, then events that were handed on and not
 * answered, then events still to be handed on. For targets whose answers come in the order of the events
 * (netcat, HTTP, Avro, UDP).
 *
 * Thread: the lane's sender. No allocation. */
#pragma once

#include "bench/load/target/target.h"

struct ps_block_queue {
    struct ps_lane *lane;
    struct ps_load_block *head, *tail;
    /* The block of the next event to hand on; NULL when there is none. */
    struct ps_load_block *next;
    uint32_t next_event; /* index of the next event in block `next` */
    uint64_t in_flight;  /* events handed on and not completed */
};

static inline void ps_block_queue_init(struct ps_block_queue *queue, struct ps_lane *lane)
{
    *queue = (struct ps_block_queue){.lane = lane};
}

static inline bool ps_block_queue_is_empty(const struct ps_block_queue *queue)
{
    return queue->head == NULL;
}

/* For ps_target_ops: `queue` is the first member of the target's state. The target has finished when the queue is empty. */
void ps_block_queue_give(void *queue, struct ps_load_block *block);
bool ps_block_queue_finish(void *queue, uint64_t now_ns);

/* These return the offset at which event `at` of a block begins, and the event's length, both with framing. */
static inline uint32_t ps_block_begin(const struct ps_load_block *block, uint32_t at)
{
    return at == 0 ? 0 : block->ends[at - 1];
}

static inline uint32_t ps_block_length(const struct ps_load_block *block, uint32_t at)
{
    return block->ends[at] - ps_block_begin(block, at);
}

/* Returns the number of events that can be handed on from block `next` without touching the following block. */
static inline uint32_t ps_block_queue_ready(const struct ps_block_queue *queue)
{
    return queue->next != NULL ? queue->next->count - queue->next_event : 0;
}

/* Notes that the next `count` <= ps_block_queue_ready() events were handed on. */
void ps_block_queue_advance(struct ps_block_queue *queue, uint32_t count);

/* Notes that the oldest `count` <= in_flight events have arrived; they may span blocks. */
void ps_block_queue_complete(struct ps_block_queue *queue, uint64_t count, uint64_t now_ns);
/* Notes that the oldest `count` events were refused for good. */
void ps_block_queue_fail(struct ps_block_queue *queue, uint64_t count, const char *reason);

/* Makes everything in flight due to be handed on again, from the first event that is not completed. */
void ps_block_queue_rewind(struct ps_block_queue *queue);
