/* Heads of messages (all bytes before the body) whose events are in the batch, each with the list of headers of its event. An event
 * whose message has the same head gets the same list (ps_batch.lists_shared), and its head is not read again. Thread: the worker of
 * the parser. Inline: a call would cost the usual message 5 % of its instructions. */
#pragma once

#include "core/flow/batch.h"
#include "stages/lib/syslog/time.h"
#include "stages/lib/text/scan.h"

#include <string.h>

#define PS_SYSLOG_HEADS 8U /* one for each severity */
#define PS_SYSLOG_HEAD_BYTES 64U
#define PS_SYSLOG_HEAD_BYTES_MIN 4U /* of a message that may have a head */

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
    unsigned set;                 /* bit n: items[n] is valid */
    struct ps_syslog_head items[PS_SYSLOG_HEADS];
};

#define PS_SYSLOG_HEADS_INLINE static inline __attribute__((always_inline))

/* Returns where the head of a message is kept: for a number of three digits, the priority modulo PS_SYSLOG_HEADS. */
PS_SYSLOG_HEADS_INLINE unsigned ps_syslog_heads_place(const char *line)
{
    return (4U * (uint8_t)line[1] + 2U * (uint8_t)line[2] + (uint8_t)line[3]) % PS_SYSLOG_HEADS;
}

/* Returns the head of an earlier event of the batch if the message has it, some bytes behind it, and the head still means the same
 * time; or NULL. */
PS_SYSLOG_HEADS_INLINE const struct ps_syslog_head *ps_syslog_heads_find(const struct ps_syslog_heads *heads,
                                                                         const struct ps_syslog_time *time,
                                                                         const struct ps_batch *batch,
                                                                         const char *line, uint32_t length)
{
    if (batch != heads->batch || batch->count == 0 || length < PS_SYSLOG_HEAD_BYTES_MIN)
        return NULL;
    unsigned place = ps_syslog_heads_place(line);
    const struct ps_syslog_head *head = &heads->items[place];
    bool fits = (heads->set >> place & 1U) != 0 && length > head->length && head->now_s == time->now_s &&
                head->into_second == time->into_second && memcmp(line, head->text, head->length) == 0;
    return fits ? head : NULL;
}

/* Called for each message that is read: forgets the heads of an earlier batch. */
PS_SYSLOG_HEADS_INLINE void ps_syslog_heads_begin(struct ps_syslog_heads *heads, const struct ps_batch *batch)
{
    if (batch->count == 0 || batch != heads->batch)
        heads->set = 0;
    heads->batch = batch;
}

/* Adds an event with the head's list of headers. Its body is what stands behind the head, or the `whole` message. Returns false
 * when the batch is full. */
PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_add(const struct ps_syslog_head *head, struct ps_batch *batch,
                                                char *line, uint32_t length, bool whole)
{
    uint32_t begin = whole ? 0 : head->length;
    struct ps_event *event = ps_batch_add(batch, line + begin, length - begin);
    if (event == NULL)
        return false;
    event->headers = head->headers;
    event->mask = head->mask;
    batch->lists_shared = true;
    return true;
}

/* Adds the event of a line of plain text that has a kept head and ends within size_max bytes. Sets *used, or returns false: the line is
 * another one, or there is no room. */
PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_add_line(const struct ps_syslog_heads *heads,
                                                     const struct ps_syslog_time *time,
                                                     struct ps_batch *batch, char *line, uint32_t length,
                                                     uint32_t size_max, bool whole, uint32_t *used)
{
    bool plain;
    const struct ps_syslog_head *head = ps_syslog_heads_find(heads, time, batch, line, length);
    if (head == NULL)
        return false;
    const char *newline =
        ps_text_find_newline(line, head->length, length < size_max ? length : size_max, &plain);
    if (newline == NULL || !plain || newline == line + head->length)
        return false;
    *used = (uint32_t)(newline - line) + 1;
    return ps_syslog_heads_add(head, batch, line, *used - 1, whole);
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
}
