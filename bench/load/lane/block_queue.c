#include "bench/load/lane/block_queue.h"

void ps_block_queue_give(void *state, struct ps_load_block *block)
{
    struct ps_block_queue *queue = state;
    PS_ASSERT(block->count > 0 && block->completed == 0);
    block->next = NULL;
    block->cursor = 0;
    if (queue->tail != NULL)
        queue->tail->next = block;
    else
        queue->head = block;
    queue->tail = block;
    if (queue->next == NULL) {
        queue->next = block;
        queue->next_event = 0;
    }
}

bool ps_block_queue_finish(void *queue, uint64_t)
{
    return ps_block_queue_is_empty(queue);
}

void ps_block_queue_advance(struct ps_block_queue *queue, uint32_t count)
{
    PS_ASSERT(count <= ps_block_queue_ready(queue));
    queue->in_flight += count;
    queue->next_event += count;
    if (queue->next != NULL && queue->next_event == queue->next->count) {
        queue->next = queue->next->next;
        queue->next_event = 0;
    }
}

/* Takes up to `count` events of one block off the front and returns how many. Removes the block from the
 * queue when these were its last events. */
static uint32_t take_front(struct ps_block_queue *queue, uint64_t count, struct ps_load_block **block)
{
    struct ps_load_block *head = queue->head;
    PS_ASSERT(head != NULL && count <= queue->in_flight);
    uint32_t left = head->count - head->completed;
    uint32_t taken = count < left ? (uint32_t)count : left;
    if (taken == left) {
        queue->head = head->next;
        if (queue->head == NULL)
            queue->tail = NULL;
    }
    queue->in_flight -= taken;
    *block = head;
    return taken;
}

void ps_block_queue_complete(struct ps_block_queue *queue, uint64_t count, uint64_t now_ns)
{
    while (count > 0) {
        struct ps_load_block *block;
        uint32_t taken = take_front(queue, count, &block);
        count -= taken;
        ps_lane_completed(queue->lane, block, taken, now_ns);
    }
}

void ps_block_queue_fail(struct ps_block_queue *queue, uint64_t count, const char *reason)
{
    while (count > 0) {
        struct ps_load_block *block;
        uint32_t taken = take_front(queue, count, &block);
        count -= taken;
        ps_lane_failed(queue->lane, block, taken, reason);
    }
}

void ps_block_queue_rewind(struct ps_block_queue *queue)
{
    queue->next = queue->head;
    queue->next_event = queue->head != NULL ? queue->head->completed : 0;
    queue->in_flight = 0;
}
