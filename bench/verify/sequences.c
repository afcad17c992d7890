/* Stores the set as spans of chunks in a sorted array. */
#include "bench/verify/sequences.h"
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_WORDS (PS_SEQUENCES_CHUNK / 64)
#define WORDS_MIN 8U
/* a list of this number of holes takes half of a bitmap's size; with one more it becomes a bitmap again */
#define HOLES_MAX 1024U
#define BEHIND 4U /* few late numbers are expected in a span that is so many spans before the last */

enum kind { FULL, BITS, HOLES, FORGOTTEN };

struct hole {
    uint16_t first, last;
};

struct ps_sequences_span {
    uint64_t first, chunks; /* in chunk numbers; BITS and HOLES have one chunk */
    enum kind kind;
    uint32_t room; /* allocated words or holes */
    union {
        uint64_t seen; /* BITS: bits that are set */
        uint64_t hole_count;
        uint64_t missing; /* FORGOTTEN */
    };
    union {
        uint64_t *words;
        struct hole *holes;
    };
};

bool ps_memory_take(struct ps_memory *memory, uint64_t bytes)
{
    if (bytes > memory->limit_bytes - memory->used_bytes)
        return false;
    memory->used_bytes += bytes;
    if (memory->used_bytes > memory->used_bytes_max)
        memory->used_bytes_max = memory->used_bytes;
    return true;
}

void ps_memory_give(struct ps_memory *memory, uint64_t bytes)
{
    PS_ASSERT(bytes <= memory->used_bytes);
    memory->used_bytes -= bytes;
}

/* realloc within the memory limit; when there is no memory, returns NULL and leaves `old` unchanged. */
static void *resize(struct ps_sequences *set, void *old, size_t old_bytes, size_t bytes)
{
    if (bytes > old_bytes && !ps_memory_take(set->memory, bytes - old_bytes))
        return NULL;
    void *data = realloc(old, bytes);
    if (data == NULL && bytes > old_bytes)
        ps_memory_give(set->memory, bytes - old_bytes);
    if (data == NULL)
        return NULL;
    set->bytes += bytes;
    set->bytes -= old_bytes;
    if (bytes < old_bytes)
        ps_memory_give(set->memory, old_bytes - bytes);
    return data;
}

static void release(struct ps_sequences *set, void *data, size_t bytes)
{
    free(data);
    set->bytes -= bytes;
    ps_memory_give(set->memory, bytes);
}

static size_t storage_bytes(const struct ps_sequences_span *span)
{
    if (span->kind == BITS)
        return span->room * sizeof(uint64_t);
    return span->kind == HOLES ? span->room * sizeof(struct hole) : 0;
}

static void storage_release(struct ps_sequences *set, struct ps_sequences_span *span)
{
    if (span->kind == BITS)
        release(set, span->words, storage_bytes(span));
    else if (span->kind == HOLES)
        release(set, span->holes, storage_bytes(span));
}

void ps_sequences_init(struct ps_sequences *set, struct ps_memory *memory)
{
    memset(set, 0, sizeof *set);
    set->memory = memory;
}

void ps_sequences_fini(struct ps_sequences *set)
{
    for (uint32_t i = 0; i < set->span_count; i++)
        storage_release(set, &set->spans[i]);
    release(set, set->spans, set->span_room * sizeof *set->spans);
    PS_ASSERT(set->bytes == 0);
    memset(set, 0, sizeof *set);
}

/* Returns the first span that ends after this chunk. */
static uint32_t span_find(const struct ps_sequences *set, uint64_t chunk)
{
    uint32_t low = 0, high = set->span_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->spans[middle].first + set->spans[middle].chunks <= chunk)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void span_remove(struct ps_sequences *set, uint32_t at)
{
    ps_array_remove(set->spans, set->span_count--, at, sizeof *set->spans);
}

/* Merges neighbours of the same kind without storage. */
static void span_merge(struct ps_sequences *set, uint32_t at)
{
    struct ps_sequences_span *span = &set->spans[at];
    if (at + 1 < set->span_count && span[1].kind == span->kind &&
        span->first + span->chunks == span[1].first) {
        span->chunks += span[1].chunks;
        span->missing += span[1].missing;
        span_remove(set, at + 1);
    }
    if (at > 0 && span[-1].kind == span->kind && span[-1].first + span[-1].chunks == span->first) {
        span[-1].chunks += span->chunks;
        span[-1].missing += span->missing;
        span_remove(set, at);
    }
}

static void span_full(struct ps_sequences *set, uint32_t at)
{
    storage_release(set, &set->spans[at]);
    set->spans[at].kind = FULL;
    set->spans[at].missing = 0;
    span_merge(set, at);
}

/* Returns the next bit from `from` on that is (not) set; PS_SEQUENCES_CHUNK when there is none. */
static uint32_t next_bit(const struct ps_sequences_span *span, uint32_t from, bool set)
{
    for (uint32_t word = from / 64; word < span->room; word++, from = word * 64) {
        uint64_t bits = (set ? span->words[word] : ~span->words[word]) >> from % 64;
        if (bits != 0)
            return from + (uint32_t)__builtin_ctzll(bits);
    }
    return set || span->room == CHUNK_WORDS ? (uint32_t)PS_SEQUENCES_CHUNK : from;
}

/* Turns a bitmap into a list of its holes if that is at most half as large. */
static void span_compact(struct ps_sequences *set, struct ps_sequences_span *span)
{
    struct hole holes[HOLES_MAX];
    uint32_t count = 0, first = 0, next;
    while ((first = next_bit(span, first, false)) < PS_SEQUENCES_CHUNK) {
        next = next_bit(span, first, true);
        if (count == HOLES_MAX || (count + 1) * sizeof *holes > storage_bytes(span) / 2)
            return;
        holes[count++] = (struct hole){(uint16_t)first, (uint16_t)(next - 1)};
        first = next;
    }
    void *data = malloc(count * sizeof *holes);
    if (data == NULL || count == 0) {
        free(data);
        return;
    }
    memcpy(data, holes, count * sizeof *holes);
    storage_release(set, span);
    PS_ASSERT(ps_memory_take(set->memory, count * sizeof *holes)); /* less than was just released */
    set->bytes += count * sizeof *holes;
    span->kind = HOLES;
    span->hole_count = span->room = count;
    span->holes = data;
}

/* Turns a list of holes back into a bitmap. */
static bool span_expand(struct ps_sequences *set, struct ps_sequences_span *span)
{
    uint64_t *words = resize(set, NULL, 0, CHUNK_WORDS * sizeof *words), missing = 0;
    if (words == NULL)
        return false;
    memset(words, 0xff, CHUNK_WORDS * sizeof *words);
    for (uint64_t i = 0; i < span->hole_count; i++)
        for (uint32_t bit = span->holes[i].first; bit <= span->holes[i].last; bit++, missing++)
            words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
    storage_release(set, span);
    span->kind = BITS;
    span->seen = PS_SEQUENCES_CHUNK - missing;
    span->room = CHUNK_WORDS;
    span->words = words;
    return true;
}

/* Inserts a bitmap as span `at`, for a chunk that no span covers. */
static bool span_insert(struct ps_sequences *set, uint32_t at, uint64_t chunk)
{
    if (set->span_count == set->span_room) {
        uint32_t room = set->span_room == 0 ? 4 : set->span_room * 2;
        void *spans = resize(set, set->spans, set->span_room * sizeof *set->spans, room * sizeof *set->spans);
        if (spans == NULL)
            return false;
        set->spans = spans;
        set->span_room = room;
    }
    uint64_t *words = resize(set, NULL, 0, WORDS_MIN * sizeof *words);
    if (words == NULL)
        return false;
    memset(words, 0, WORDS_MIN * sizeof *words);
    struct ps_sequences_span *span = &set->spans[at];
    memmove(span + 1, span, (set->span_count - at) * sizeof *span);
    set->span_count++;
    *span = (struct ps_sequences_span){.first = chunk, .chunks = 1, .kind = BITS, .room = WORDS_MIN};
    span->words = words;
    if (at + 1 == set->span_count && at >= BEHIND && span[-(int)BEHIND].kind == BITS)
        span_compact(set, span - BEHIND);
    return true;
}

static enum ps_sequence bits_add(struct ps_sequences *set, uint32_t at, uint32_t bit)
{
    struct ps_sequences_span *span = &set->spans[at];
    if (PS_UNLIKELY(bit / 64 >= span->room)) {
        uint32_t room = span->room;
        while (room <= bit / 64)
            room *= 2;
        uint64_t *words = resize(set, span->words, storage_bytes(span), room * sizeof *words);
        if (words == NULL)
            return PS_SEQUENCE_NO_MEMORY;
        memset(words + span->room, 0, (room - span->room) * sizeof *words);
        span->words = words;
        span->room = room;
    }
    uint64_t *word = &span->words[bit / 64], mask = UINT64_C(1) << bit % 64;
    if (*word & mask)
        return PS_SEQUENCE_AGAIN;
    *word |= mask;
    if (PS_UNLIKELY(++span->seen == PS_SEQUENCES_CHUNK))
        span_full(set, at);
    return PS_SEQUENCE_NEW;
}

/* Adds a late number: its hole shrinks, closes or splits. */
static enum ps_sequence holes_add(struct ps_sequences *set, uint32_t at, uint16_t bit)
{
    struct ps_sequences_span *span = &set->spans[at];
    uint64_t low = 0, high = span->hole_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (span->holes[middle].last < bit)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == span->hole_count || span->holes[low].first > bit)
        return PS_SEQUENCE_AGAIN;
    struct hole *hole = &span->holes[low];
    if (hole->first == bit && hole->last == bit) {
        span->hole_count--;
        memmove(hole, hole + 1, (span->hole_count - low) * sizeof *hole);
        if (span->hole_count == 0)
            span_full(set, at);
        return PS_SEQUENCE_NEW;
    }
    if (hole->first == bit || hole->last == bit) {
        hole->first = (uint16_t)(hole->first + (hole->first == bit));
        hole->last = (uint16_t)(hole->last - (hole->last == bit));
        return PS_SEQUENCE_NEW;
    }
    if (span->hole_count == span->room) {
        if (span->room >= HOLES_MAX)
            return span_expand(set, span) ? bits_add(set, at, bit) : PS_SEQUENCE_NO_MEMORY;
        uint32_t room = span->room + 8;
        void *holes = resize(set, span->holes, storage_bytes(span), room * sizeof *hole);
        if (holes == NULL)
            return PS_SEQUENCE_NO_MEMORY;
        span->holes = holes;
        span->room = room;
        hole = &span->holes[low];
    }
    memmove(hole + 1, hole, (span->hole_count - low) * sizeof *hole);
    span->hole_count++;
    hole[0].last = (uint16_t)(bit - 1);
    hole[1].first = (uint16_t)(bit + 1);
    return PS_SEQUENCE_NEW;
}

static enum ps_sequence add(struct ps_sequences *set, uint64_t chunk, uint32_t bit)
{
    uint32_t at = set->hot;
    if (PS_UNLIKELY(at >= set->span_count || set->spans[at].first != chunk || set->spans[at].kind != BITS)) {
        at = span_find(set, chunk);
        if ((at == set->span_count || set->spans[at].first > chunk) && !span_insert(set, at, chunk))
            return PS_SEQUENCE_NO_MEMORY;
        set->hot = at;
    }
    switch (set->spans[at].kind) {
    case BITS:
        return bits_add(set, at, bit);
    case HOLES:
        return holes_add(set, at, (uint16_t)bit);
    case FULL:
        return PS_SEQUENCE_AGAIN;
    case FORGOTTEN:
        break;
    }
    return PS_SEQUENCE_UNKNOWN;
}

enum ps_sequence ps_sequences_add(struct ps_sequences *set, uint64_t sequence)
{
    enum ps_sequence result =
        add(set, sequence >> PS_SEQUENCES_CHUNK_BITS, (uint32_t)(sequence & (PS_SEQUENCES_CHUNK - 1)));
    if (PS_LIKELY(result == PS_SEQUENCE_NEW)) {
        set->count++;
        if (sequence >= set->end)
            set->end = sequence + 1;
    }
    return result;
}

void ps_sequences_compact(struct ps_sequences *set)
{
    for (uint32_t i = 0; i + 1 < set->span_count; i++)
        if (set->spans[i].kind == BITS)
            span_compact(set, &set->spans[i]);
}

uint64_t ps_sequences_forget(struct ps_sequences *set)
{
    uint64_t before = set->bytes, costly = 0;
    for (uint32_t i = 0; i + 1 < set->span_count; i++)
        costly += storage_bytes(&set->spans[i]) > 0;
    uint64_t left = costly - costly / 2;
    for (uint32_t i = 0; i + 1 < set->span_count && costly > 0 && left > 0;) {
        struct ps_sequences_span *span = &set->spans[i];
        uint64_t missing = PS_SEQUENCES_CHUNK - span->seen;
        if (storage_bytes(span) == 0) {
            i++;
            continue;
        }
        if (span->kind == HOLES) {
            missing = 0;
            for (uint64_t k = 0; k < span->hole_count; k++)
                missing += span->holes[k].last - span->holes[k].first + 1U;
        }
        storage_release(set, span);
        span->kind = FORGOTTEN;
        span->missing = missing;
        set->forgotten += PS_SEQUENCES_CHUNK;
        uint32_t count = set->span_count;
        span_merge(set, i);
        i = i + 1 - (count - set->span_count);
        left--;
    }
    return before - set->bytes;
}

uint64_t ps_sequences_missing(const struct ps_sequences *set, uint64_t end)
{
    PS_ASSERT(end >= set->end);
    return end - set->count;
}

/* Joins ranges that touch. */
struct joiner {
    ps_sequences_taker *taker;
    void *argument;
    uint64_t first, last, end;
    bool open;
};

static bool join(struct joiner *joiner, uint64_t first, uint64_t last)
{
    if (first >= joiner->end)
        return true;
    last = last < joiner->end ? last : joiner->end - 1;
    if (joiner->open && joiner->last + 1 == first) {
        joiner->last = last;
        return true;
    }
    bool more = !joiner->open || joiner->taker(joiner->argument, joiner->first, joiner->last);
    joiner->open = true;
    joiner->first = first;
    joiner->last = last;
    return more;
}

static bool span_ranges(struct joiner *joiner, const struct ps_sequences_span *span)
{
    uint64_t base = span->first << PS_SEQUENCES_CHUNK_BITS;
    bool more = true;
    if (span->kind == HOLES)
        for (uint64_t i = 0; more && i < span->hole_count; i++)
            more = join(joiner, base + span->holes[i].first, base + span->holes[i].last);
    uint32_t first = 0, next;
    while (span->kind == BITS && more && (first = next_bit(span, first, false)) < PS_SEQUENCES_CHUNK) {
        next = next_bit(span, first, true);
        more = join(joiner, base + first, base + next - 1);
        first = next;
    }
    return more;
}

void ps_sequences_ranges(const struct ps_sequences *set, uint64_t end, ps_sequences_taker *taker,
                         void *argument)
{
    struct joiner joiner = {.taker = taker, .argument = argument, .end = end};
    uint64_t chunk = 0;
    bool more = true;
    for (uint32_t i = 0; more && i < set->span_count; i++) {
        const struct ps_sequences_span *span = &set->spans[i];
        if (span->first > chunk)
            more =
                join(&joiner, chunk << PS_SEQUENCES_CHUNK_BITS, (span->first << PS_SEQUENCES_CHUNK_BITS) - 1);
        more = more && span_ranges(&joiner, span);
        chunk = span->first + span->chunks;
    }
    if (more && chunk << PS_SEQUENCES_CHUNK_BITS < end)
        more = join(&joiner, chunk << PS_SEQUENCES_CHUNK_BITS, end - 1);
    if (more && joiner.open)
        taker(argument, joiner.first, joiner.last);
}
