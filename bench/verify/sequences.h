/* Which sequence numbers of one source were seen. Kept in chunks of 65,536 numbers: a bitmap while they come,
 * nothing but its number once all were seen, a list of holes when it lies behind and misses few. A thousand
 * million numbers in order, with some missing, cost kilobytes; the worst order and the worst gaps cost a bit
 * a number.
 *
 * Never says more than it knows: what had to be forgotten for lack of memory answers UNKNOWN for ever.
 *
 * Thread: one at a time. */
#pragma once

#include "core/base.h"

#define PS_SEQUENCES_CHUNK_BITS 16U
#define PS_SEQUENCES_CHUNK (UINT64_C(1) << PS_SEQUENCES_CHUNK_BITS)

/* What all sets together may use. */
struct ps_memory {
    uint64_t used_bytes, limit_bytes, used_bytes_max;
};

bool ps_memory_take(struct ps_memory *memory, uint64_t bytes);
void ps_memory_give(struct ps_memory *memory, uint64_t bytes);

struct ps_sequences_span;

struct ps_sequences {
    struct ps_memory *memory;
    struct ps_sequences_span *spans; /* sorted, none overlap */
    uint32_t span_count, span_room, hot;
    uint64_t count;     /* distinct numbers seen, without those that answered UNKNOWN */
    uint64_t end;       /* the highest seen, plus one; 0: none */
    uint64_t forgotten; /* numbers of which is not known any more whether they were seen */
    uint64_t bytes;     /* of `memory` */
};

enum ps_sequence {
    PS_SEQUENCE_NEW,
    PS_SEQUENCE_AGAIN,
    PS_SEQUENCE_UNKNOWN,   /* new or again: it lies where the set had to forget */
    PS_SEQUENCE_NO_MEMORY, /* not taken; ps_sequences_compact or _forget, somewhere, may help */
};

void ps_sequences_init(struct ps_sequences *set, struct ps_memory *memory);
void ps_sequences_fini(struct ps_sequences *set);

enum ps_sequence ps_sequences_add(struct ps_sequences *set, uint64_t sequence);

/* Makes lists of holes of all bitmaps but the newest, where that is smaller. */
void ps_sequences_compact(struct ps_sequences *set);
/* Forgets the older half of what costs memory, never the newest chunk. Returns the bytes given back. */
uint64_t ps_sequences_forget(struct ps_sequences *set);

/* Of the numbers below `end` (at least set->end), how many were not seen; those in forgotten chunks included:
 * their number is known, only not which. An UNKNOWN since may have been one of them. */
uint64_t ps_sequences_missing(const struct ps_sequences *set, uint64_t end);

/* The ranges that are missing below `end`, first and last number of each, lowest first, without those in
 * forgotten chunks. False from `taker` ends it. */
typedef bool ps_sequences_taker(void *argument, uint64_t first, uint64_t last);
void ps_sequences_ranges(const struct ps_sequences *set, uint64_t end, ps_sequences_taker *taker,
                         void *argument);
