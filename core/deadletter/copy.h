/* A dead letter that waits to become an event of a channel: the body and the headers of the event that was given up,
 * and headers with the reason (docs/DEADLETTERS.md). It is a copy outside the memory budget, because the original
 * event may be gone before there is a block for it. Thread: any, one at a time. */
#pragma once

#include "core/deadletter/dead_letter.h"

/* Prefix of the name of every header that a letter adds. Such a header replaces one of the same name in the event. */
#define PS_DEAD_LETTER_HEADER_PREFIX "penstock.deadletter."

struct ps_dead_letter_copy {
    struct ps_dead_letter_copy *next; /* next letter in the owner's list, which is in order */
    size_t bytes;                     /* of the whole copy */
    const char *headers;              /* names and values, each with its length before it */
    uint32_t header_count;
    const char *body;
    uint32_t body_length;
};

/* Copies the letter. A body longer than `body_max` is cut to that length; headers are not cut. Returns NULL without
 * memory. The caller frees the copy with free(). */
struct ps_dead_letter_copy *ps_dead_letter_copy_make(const struct ps_dead_letter *letter, uint32_t body_max);

/* Adds the dead letter to an open batch as a row. Returns false, with the batch as it was, when the batch has no
 * room for it or there is no memory. */
bool ps_dead_letter_copy_add(const struct ps_dead_letter_copy *copy, struct ps_batch *batch);
