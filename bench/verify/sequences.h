/* The set of sequence numbers seen of one source. It is stored in chunks of 65,536 numbers: a bitmap while the chunk's
 * numbers arrive; only the chunk's number when all its numbers were seen; a list of holes for an older chunk in which
 * few numbers are missing. A thousand million numbers in order, with some missing, take kilobytes; the worst order and
 * the worst gaps take one bit per number.
 *
 * Answers are never guesses: when a chunk had to be dropped for lack of memory, the answer for its numbers is UNKNOWN
 * for ever.
 *
 * Thread: one at a time. */
#pragma once

#include "core/base.h"

#define PS_SEQUENCES_CHUNK_BITS 16U
#define PS_SEQUENCES_CHUNK (UINT64_C(1) << PS_SEQUENCES_CHUNK_BITS)

/* The memory that all sets together may use. */
struct ps_memory {
    uint64_t used_bytes, limit_bytes, used_bytes_max;
};

bool ps_memory_take(struct ps_memory *memory, uint64_t bytes);
void ps_memory_give(struct ps_memory *memory, uint64_t bytes);

struct ps_sequences_span;

struct ps_sequences {
    struct ps_memory *memory;
    struct ps_sequences_span *spans; /* sorted, without overlap */
    uint32_t span_count, span_room, hot;
    uint64_t count;     /* distinct numbers seen, without those with the answer UNKNOWN */
    uint64_t end;       /* the highest seen, plus one; 0: none */
    uint64_t forgotten; /* numbers of which it is no longer known whether they were seen */
    uint64_t bytes;     /* share of `memory` that this set uses */
};

enum ps_sequence {
    PS_SEQUENCE_NEW,
    PS_SEQUENCE_AGAIN,
    PS_SEQUENCE_UNKNOWN, /* new or seen before: the set no longer knows this range */
    /* The number was not added; ps_sequences_compact or ps_sequences_forget of some set may free memory. */
    PS_SEQUENCE_NO_MEMORY,
};

void ps_sequences_init(struct ps_sequences *set, struct ps_memory *memory);
void ps_sequences_fini(struct ps_sequences *set);

enum ps_sequence ps_sequences_add(struct ps_sequences *set, uint64_t sequence);

/* Turns all bitmaps but the newest into lists of holes where that is smaller. */
void ps_sequences_compact(struct ps_sequences *set);
/* Drops the older half of the chunks that use memory, never the newest chunk. Returns the bytes freed. */
uint64_t ps_sequences_forget(struct ps_sequences *set);

/* Returns how many numbers below `end` (at least set->end) were not seen, including those in forgotten
 * chunks: their count is known, but not which they are. A number that later got the answer UNKNOWN may be one of
 * them. */
uint64_t ps_sequences_missing(const struct ps_sequences *set, uint64_t end);

/* Reports the missing ranges below `end`, first and last number of each, lowest first, without those in
 * forgotten chunks. Ends when `taker` returns false. */
typedef bool ps_sequences_taker(void *argument, uint64_t first, uint64_t last);
void ps_sequences_ranges(const struct ps_sequences *set, uint64_t end, ps_sequences_taker *taker,
                         void *argument);
