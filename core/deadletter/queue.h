/* The destination of an open stage's dead letters: a directory (core/deadletter/writer.h) or a channel
 * (core/engine/dead_letter_channel.h). Stages and the engine use both through this interface.
 *
 * Letters are numbered from 1, and are promised in this order. `written` is the number of the last promised letter:
 * it is synced in a file, or the channel has promised it. Only then may the stage settle the event. A letter is a
 * copy: the stage may give the event back while the letter waits, but it must not count the event as settled. Thread:
 * the queue's, which is the worker of its stage. */
#pragma once

#include "core/deadletter/dead_letter.h"

struct ps_dead_letter_queue;

struct ps_dead_letter_queue_ops {
    uint64_t (*put)(struct ps_dead_letter_queue *queue, const struct ps_dead_letter *letter);
    bool (*has_room)(const struct ps_dead_letter_queue *queue);
    uint64_t (*written)(const struct ps_dead_letter_queue *queue);
    void (*close)(struct ps_dead_letter_queue *queue);
    /* The destination counts the dead letters (`deadletter`) itself when they are promised, because some may be
     * withdrawn before. */
    bool counts;
};

struct ps_dead_letter_queue {
    const struct ps_dead_letter_queue_ops *ops;
    uint64_t sent; /* number of the last letter that was put */
};

/* Copies the letter; sets its agent and time. Returns its number; 0: no memory, and no letter was put. Takes a letter
 * even when the queue is full: call ps_dead_letter_queue_has_room before. */
static inline uint64_t ps_dead_letter_queue_put(struct ps_dead_letter_queue *queue,
                                                const struct ps_dead_letter *letter)
{
    return queue->ops->put(queue, letter);
}

/* Returns whether there is room for one more letter. */
static inline bool ps_dead_letter_queue_has_room(const struct ps_dead_letter_queue *queue)
{
    return queue->ops->has_room(queue);
}

/* Returns the number of the last promised letter; those before it are promised as well. */
static inline uint64_t ps_dead_letter_queue_written(const struct ps_dead_letter_queue *queue)
{
    return queue->ops->written(queue);
}

/* Returns the number of the last letter that was put. */
static inline uint64_t ps_dead_letter_queue_sent(const struct ps_dead_letter_queue *queue)
{
    return queue->sent;
}

/* Closes the queue. Waiting letters are still written. NULL: does nothing. */
static inline void ps_dead_letter_queue_close(struct ps_dead_letter_queue *queue)
{
    if (queue != NULL)
        queue->ops->close(queue);
}
