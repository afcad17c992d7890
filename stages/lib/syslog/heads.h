/* Heads of messages (all bytes before the body) whose events are in the batch, each with the list of headers of its event. An event
 * whose message has the same head has the same list (ps_batch.lists_shared), and its head is not read again: many messages of a
 * second differ in the body alone. Thread: the worker of the parser. The functions are inline, because a call would cost the usual
 * message 5 % of its instructions. */
#pragma once

#include "core/flow/batch.h"
#include "stages/lib/syslog/time.h"

#include <string.h>

#define PS_SYSLOG_HEADS 8U /* one for each severity */
#define PS_SYSLOG_HEAD_BYTES 64U

struct ps_syslog_head {
    char text[PS_SYSLOG_HEAD_BYTES];
    uint32_t length;
    struct ps_header *headers;
    uint64_t mask;
    /* the message was read after the start of second `now_s`, not at it; see struct ps_syslog_time */
    bool into_second;
    int64_t now_s;
};

struct ps_syslog_heads {
    const struct ps_batch *batch; /* its memory has the headers */
    unsigned set;                 /* bit n: items[n] is valid; n is the priority modulo PS_SYSLOG_HEADS */
    struct ps_syslog_head items[PS_SYSLOG_HEADS];
    const struct ps_syslog_head *last; /* of the last event of `batch`; NULL: its head is not kept */
};

#define PS_SYSLOG_HEADS_INLINE static inline __attribute__((always_inline))

/* Returns whether the message has this head, some bytes behind it, and the head still means the same time. */
PS_SYSLOG_HEADS_INLINE bool ps_syslog_head_fits(const struct ps_syslog_head *head,
                                                const struct ps_syslog_time *time, const char *line,
                                                uint32_t length)
{
    return length > head->length && head->now_s == time->now_s && head->into_second == time->into_second &&
           memcmp(line, head->text, head->length) == 0;
}

/* Returns the head of the batch's last event if the message has it, or NULL. */
PS_SYSLOG_HEADS_INLINE const struct ps_syslog_head *ps_syslog_heads_last(const struct ps_syslog_heads *heads,
                                                                         const struct ps_syslog_time *time,
                                                                         const struct ps_batch *batch,
                                                                         const char *line, uint32_t length)
{
    const struct ps_syslog_head *last = heads->last;
    return last != NULL && batch == heads->batch && batch->count > 0 &&
                   ps_syslog_head_fits(last, time, line, length)
               ? last
               : NULL;
}

/* Called for each message that is not like the last one: forgets the heads of an earlier batch. */
PS_SYSLOG_HEADS_INLINE void ps_syslog_heads_begin(struct ps_syslog_heads *heads, const struct ps_batch *batch)
{
    if (batch->count == 0 || batch != heads->batch)
        heads->set = 0;
    heads->batch = batch;
    heads->last = NULL;
}

PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_has(const struct ps_syslog_heads *heads,
                                                const struct ps_syslog_head *head)
{
    return (heads->set >> (unsigned)(head - heads->items) & 1U) != 0;
}

/* Adds an event with the head's list of headers. Its body is what stands behind the head, or the `whole` message. Returns false
 * when the batch is full. */
PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_add(struct ps_syslog_heads *heads,
                                                const struct ps_syslog_head *head, struct ps_batch *batch,
                                                char *line, uint32_t length, bool whole)
{
    uint32_t begin = whole ? 0 : head->length;
    struct ps_event *event = ps_batch_add(batch, line + begin, length - begin);
    if (event == NULL)
        return false;
    event->headers = head->headers;
    event->mask = head->mask;
    batch->lists_shared = true;
    heads->last = head;
    return true;
}

/* Keeps the text of a head. Called before the message's event is added, which writes the time over the stamp. Returns
 * false if it is too long. */
static inline bool ps_syslog_heads_keep(struct ps_syslog_heads *heads, struct ps_syslog_head *head,
                                        const struct ps_syslog_time *time, const char *line, const char *body)
{
    if (body - line > (ptrdiff_t)sizeof head->text)
        return false;
    heads->set &= ~(1U << (unsigned)(head - heads->items));
    head->length = (uint32_t)(body - line);
    memcpy(head->text, line, head->length);
    head->now_s = time->now_s;
    head->into_second = time->into_second;
    return true;
}

/* Keeps the headers of the event that was added last. */
static inline void ps_syslog_heads_kept(struct ps_syslog_heads *heads, struct ps_syslog_head *head,
                                        const struct ps_batch *batch)
{
    const struct ps_event *event = &batch->events[batch->count - 1];
    head->headers = event->headers;
    head->mask = event->mask;
    heads->set |= 1U << (unsigned)(head - heads->items);
    heads->last = head;
}
