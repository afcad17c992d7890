/* Heads of messages (all bytes before the body), so that a head is read once in a second, and its headers are made once in a batch: an
 * event whose message has the head of an earlier event of the batch gets its list of headers (ps_batch.lists_shared). Thread: the
 * worker of the parser. Inline: a call would cost the usual message 5 % of its instructions. */
#pragma once

#include "core/flow/batch.h"
#include "stages/lib/syslog/text.h"
#include "stages/lib/syslog/time.h"
#include "stages/lib/text/scan.h"

#include <string.h>

#define PS_SYSLOG_HEADS_BITS 10U
#define PS_SYSLOG_HEADS (1U << PS_SYSLOG_HEADS_BITS) /* as many as a batch has events */
#define PS_SYSLOG_HEAD_BYTES 64U
#define PS_SYSLOG_STEMS 192U /* the priorities of RFC 5424 */

/* A part of a message: begins `at` this byte. */
struct ps_syslog_part {
    uint8_t at, length;
};

/* The contents of a head. */
struct ps_syslog_parts {
    struct ps_syslog_part priority, version, stamp, host;
    int number; /* the priority */
    int64_t ms; /* the time */
};

struct ps_syslog_head {
    uint64_t epoch, generation; /* the parts, the headers are valid if these are those of `heads` */
    struct ps_header *headers;
    uint64_t mask;
    uint32_t length;
    struct ps_syslog_parts parts;
    char text[PS_SYSLOG_HEAD_BYTES];
};

/* The headers of an event without its host: they end the lists of all events of a batch with this priority, version and time. */
struct ps_syslog_stem {
    uint64_t generation;
    int64_t ms;
    /* With these the text of a priority is the same, too: it may begin with a sign or zeros. */
    uint32_t priority_length;
    char priority_first;
    char version; /* '\0': none */
    struct ps_header *headers;
    uint64_t mask;
};

struct ps_syslog_heads {
    const struct ps_batch *batch; /* its memory has the headers */
    uint64_t epoch, generation;   /* other ones for each time at which stamps are read, and for each batch */
    /* the messages were read after the start of second `now_s`, not at it; see struct ps_syslog_time */
    bool into_second;
    int64_t now_s;
    /* The message that was looked for last: its hash (0: not computed), and its head if that of an earlier batch is known. */
    uint64_t hash;
    struct ps_syslog_head *known;
    uint32_t last; /* the item that was found or kept last */
    /* What an item must have to be the head of a message: most messages without a kept head touch no item. */
    uint32_t tags[PS_SYSLOG_HEADS];
    struct ps_syslog_head items[PS_SYSLOG_HEADS];
    struct ps_syslog_stem stems[PS_SYSLOG_STEMS]; /* by priority */
};

#define PS_SYSLOG_HEADS_INLINE static inline __attribute__((always_inline))

PS_SYSLOG_HEADS_INLINE uint64_t ps_syslog_heads_equal_16(const char *a, const char *b)
{
#ifdef __SSE2__
    __m128i one = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i other = _mm_loadu_si128((const __m128i *)(const void *)b);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(one, other));
#else
    uint64_t equal = 0;
    for (unsigned i = 0; i < 16; i++)
        equal |= (uint64_t)(a[i] == b[i]) << i;
    return equal;
#endif
}

/* Bit n of the result: byte n of PS_SYSLOG_HEAD_BYTES is the same in both texts. */
PS_SYSLOG_HEADS_INLINE uint64_t ps_syslog_heads_equal(const char *a, const char *b)
{
    return ps_syslog_heads_equal_16(a, b) | ps_syslog_heads_equal_16(a + 16, b + 16) << 16 |
           ps_syslog_heads_equal_16(a + 32, b + 32) << 32 | ps_syslog_heads_equal_16(a + 48, b + 48) << 48;
}

PS_SYSLOG_HEADS_INLINE uint64_t ps_syslog_heads_load(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Returns a hash of the priority and the host with which a message of PS_SYSLOG_HEAD_BYTES bytes and more begins, or 0: it has the shape
 * of no format. Only compares of the whole head decide; a host that is taken for another costs time. The host is the word behind the
 * first blank after an ISO stamp, the second one after version and stamp, and the third or (with a day of one digit) the fourth one
 * after the stamp of RFC 3164. */
PS_SYSLOG_HEADS_INLINE uint64_t ps_syslog_heads_hash(const char *text)
{
    static const char blanks[PS_SYSLOG_HEAD_BYTES + 1] =
        "                                                                ";
    uint64_t left = ps_syslog_heads_equal(text, blanks);
    if (left == 0)
        return 0;
    unsigned first = (unsigned)__builtin_ctzll(left);
    unsigned before = first >= 16                                          ? 1
                      : first > 0 && (uint8_t)(text[first - 1] - '0') < 10 ? 2
                                                                           : 3 + (text[first + 1] == ' ');
    for (; before > 1; before--)
        left &= left - 1;
    unsigned begin = left != 0 ? (unsigned)__builtin_ctzll(left) + 1 : PS_SYSLOG_HEAD_BYTES;
    left &= left - 1;
    if (left == 0)
        return 0;
    unsigned end = (unsigned)__builtin_ctzll(left), length = end - begin;
    if (end < 8)
        return 0;
    uint64_t hash = (ps_syslog_heads_load(text) & 0xffffffffff) * 0x9e3779b97f4a7c15;
    hash += ps_syslog_heads_load(text + end - 8) * 0xd6e8feb86659fd93;
    if (length > 8)
        hash += ps_syslog_heads_load(text + begin) * 0xa0761d6478bd642f;
    if (length > 16)
        hash += ps_syslog_heads_load(text + begin + 8) * 0xe7037ed1a0b428db;
    return hash | 1;
}

/* Returns the first of the two places for heads of this hash; the other one is its neighbour. */
PS_SYSLOG_HEADS_INLINE uint32_t ps_syslog_heads_place(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - PS_SYSLOG_HEADS_BITS));
}

/* `text` has PS_SYSLOG_HEAD_BYTES bytes at least, some of which may be behind the message of `length` bytes. */
PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_fits(const struct ps_syslog_heads *heads,
                                                 const struct ps_syslog_head *head, const char *text,
                                                 uint32_t length)
{
    return head->epoch == heads->epoch && length > head->length &&
           (~ps_syslog_heads_equal(text, head->text) << (PS_SYSLOG_HEAD_BYTES - head->length)) == 0;
}

PS_SYSLOG_HEADS_INLINE uint32_t ps_syslog_heads_tag(const struct ps_syslog_heads *heads, uint64_t hash)
{
    return (uint32_t)(hash >> 8 ^ heads->epoch * 0x9e3779b1) | 1U;
}

PS_SYSLOG_HEADS_INLINE const struct ps_syslog_head *ps_syslog_heads_look(struct ps_syslog_heads *heads,
                                                                         const char *text, uint32_t length)
{
    struct ps_syslog_head *head = &heads->items[heads->last];
    if (head->generation == heads->generation && ps_syslog_heads_fits(heads, head, text, length))
        return head;
    heads->hash = ps_syslog_heads_hash(text);
    uint32_t place = ps_syslog_heads_place(heads->hash), tag = ps_syslog_heads_tag(heads, heads->hash);
    for (unsigned way = 0; way < 2; way++, place ^= 1U) {
        head = &heads->items[place];
        if (heads->tags[place] != tag || !ps_syslog_heads_fits(heads, head, text, length))
            continue;
        heads->last = place;
        if (head->generation == heads->generation)
            return head;
        heads->known = head;
        return NULL;
    }
    return NULL;
}

/* Returns the head of an earlier event of the batch if the message has it, some bytes behind it, and the head still means the same
 * time; or NULL. */
PS_SYSLOG_HEADS_INLINE const struct ps_syslog_head *ps_syslog_heads_find(struct ps_syslog_heads *heads,
                                                                         const struct ps_syslog_time *time,
                                                                         const struct ps_batch *batch,
                                                                         const char *line, uint32_t length)
{
    heads->hash = 0;
    heads->known = NULL;
    if (batch != heads->batch || batch->count == 0 || heads->now_s != time->now_s ||
        heads->into_second != time->into_second)
        return NULL;
    if (PS_LIKELY(length >= PS_SYSLOG_HEAD_BYTES))
        return ps_syslog_heads_look(heads, line, length);
    char text[PS_SYSLOG_HEAD_BYTES] = {0};
    memcpy(text, line, length);
    return ps_syslog_heads_look(heads, text, length);
}

/* Called for each message that is read: forgets the headers of an earlier batch, and heads whose stamps may mean another time now. */
PS_SYSLOG_HEADS_INLINE void ps_syslog_heads_begin(struct ps_syslog_heads *heads,
                                                  const struct ps_syslog_time *time,
                                                  const struct ps_batch *batch)
{
    if (batch->count > 0 && batch == heads->batch && heads->now_s == time->now_s &&
        heads->into_second == time->into_second)
        return;
    heads->epoch += heads->now_s != time->now_s || heads->into_second != time->into_second;
    heads->generation++;
    heads->batch = batch;
    heads->now_s = time->now_s;
    heads->into_second = time->into_second;
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
PS_SYSLOG_HEADS_INLINE bool ps_syslog_heads_add_line(struct ps_syslog_heads *heads,
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

static inline struct ps_syslog_part ps_syslog_part_of(const char *line, struct ps_slice slice)
{
    if (slice.length == 0)
        return (struct ps_syslog_part){0};
    return (struct ps_syslog_part){(uint8_t)(slice.data - line), (uint8_t)slice.length};
}

static inline struct ps_slice ps_syslog_part_slice(const char *line, struct ps_syslog_part part)
{
    return (struct ps_slice){line + part.at, part.length};
}

/* Keeps the text of the head of a message. Called before the message's event is added, which writes the time over the stamp. Returns
 * the head, of which the caller sets the parts and then, with ps_syslog_heads_kept, the headers; or NULL: it is too long, or has the
 * shape of no format. */
static inline struct ps_syslog_head *ps_syslog_heads_keep(struct ps_syslog_heads *heads, const char *line,
                                                          uint32_t length, const char *body)
{
    char text[PS_SYSLOG_HEAD_BYTES] = {0};
    const char *from = line;
    if (body - line > (ptrdiff_t)PS_SYSLOG_HEAD_BYTES)
        return NULL;
    if (length < PS_SYSLOG_HEAD_BYTES)
        from = memcpy(text, line, length);
    uint64_t hash = heads->hash != 0 ? heads->hash : ps_syslog_heads_hash(from);
    if (hash == 0)
        return NULL;
    uint32_t place = ps_syslog_heads_place(hash);
    place ^= heads->items[place].generation == heads->generation;
    struct ps_syslog_head *head = &heads->items[place];
    heads->tags[place] = ps_syslog_heads_tag(heads, hash);
    head->epoch = heads->epoch;
    head->generation = 0;
    head->length = (uint32_t)(body - line);
    memcpy(head->text, from, sizeof text);
    return head;
}

/* Keeps the headers of the event that was added last. */
static inline void ps_syslog_heads_kept(struct ps_syslog_heads *heads, struct ps_syslog_head *head,
                                        const struct ps_batch *batch)
{
    const struct ps_event *event = &batch->events[batch->count - 1];
    head->headers = event->headers;
    head->mask = event->mask;
    head->generation = heads->generation;
    heads->last = (uint32_t)(head - heads->items);
}

/* Returns the stem of a message with a time, or NULL: no priority of RFC 5424. It is valid if ps_syslog_stem_fits returns true;
 * else the caller pushes the headers, and then calls ps_syslog_stem_keep. Both parsers call these for messages that may have a kept head
 * alone. */
static inline struct ps_syslog_stem *ps_syslog_stem_of(struct ps_syslog_heads *heads, unsigned priority)
{
    return priority < PS_SYSLOG_STEMS ? &heads->stems[priority] : NULL;
}

static inline bool ps_syslog_stem_fits(const struct ps_syslog_heads *heads, const struct ps_syslog_stem *stem,
                                       struct ps_slice priority, struct ps_slice version, int64_t ms)
{
    return stem->generation == heads->generation && stem->ms == ms &&
           stem->priority_length == priority.length && stem->priority_first == priority.data[0] &&
           stem->version == (version.length > 0 ? version.data[0] : '\0');
}

static inline void ps_syslog_stem_keep(const struct ps_syslog_heads *heads, struct ps_syslog_stem *stem,
                                       const struct ps_syslog_row *row, struct ps_slice priority,
                                       struct ps_slice version, int64_t ms)
{
    *stem = (struct ps_syslog_stem){.generation = heads->generation,
                                    .ms = ms,
                                    .priority_length = priority.length,
                                    .priority_first = priority.data[0],
                                    .version = '\0',
                                    .headers = row->list,
                                    .mask = row->mask};
    if (version.length > 0)
        stem->version = version.data[0];
}

/* Adds the stem's headers to an event that has none. */
static inline void ps_syslog_stem_push(const struct ps_syslog_stem *stem, struct ps_syslog_row *row,
                                       struct ps_batch *batch)
{
    row->list = stem->headers;
    row->mask = stem->mask;
    batch->lists_shared = true;
}
