/* The functions of a channel that puts all its events into a durable queue. The channel's plan begins with a
 * struct ps_queue_channel; the channel's stage has rows, `check`, `build` and `outline` of its own:
 *
 *   options    write channel.capacity
 *   build      ps_queue_channel_build
 *   teardown   ps_queue_channel_teardown
 *   channel    &ps_queue_channel_ops, or &ps_queue_log_channel_ops if the store is a log: its events have identities */
#pragma once

#include "stages/lib/queue/queue.h"

struct ps_queue_channel {
    struct ps_queue *queue; /* NULL: not built */
    int64_t capacity;       /* events; 0 or less: unlimited */
    uint64_t keep_alive_ms; /* how long a source that can refuse waits for room, in ms */
};

extern const struct ps_channel_ops ps_queue_channel_ops, ps_queue_log_channel_ops;

/* Makes the queue. The caller has set the store and the settings of syncs; this function sets all others from
 * the channel and the context. Thread: control. */
void ps_queue_channel_build(struct ps_queue_channel *channel, const struct ps_context *context,
                            struct ps_queue_settings settings, uint64_t keep_alive_ms);
void ps_queue_channel_teardown(void *plan);
