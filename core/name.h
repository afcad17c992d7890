/* Header names. Names known when the plan is built are interned: one object for ever, compared by pointer
 * first. Names from strangers (record headers, HTTP, Avro) are made inside the batch that carries them
 * (core/flow/batch.h, ps_batch_name), so nothing grows without bound. */
#pragma once

#include "core/base.h"

struct ps_name {
    uint64_t
        mask; /* one bit of 64, from the hash: a batch and an event keep the OR of the names they carry */
    uint32_t hash;   /* FNV-1a */
    uint32_t length; /* bytes of text */
    char text[];     /* terminated when interned */
};

/* The object for this name. Thread: control thread and start-up only (a mutex guards the table); lives until
 * the process ends. At most 65,536 names of at most 64 KiB: configuration, not data. */
const struct ps_name *ps_name_intern(const char *text);
const struct ps_name *ps_name_intern_bytes(const char *text, size_t length);
/* The same for names from files that may be read again and again (rules): NULL when there are 65,536 names
 * already, or this one is longer than 64 KiB. Thread: any but workers in `work`. */
const struct ps_name *ps_name_intern_try(const char *text, size_t length);

uint32_t ps_name_hash(const char *text, size_t length);

static inline uint64_t ps_name_mask(uint32_t hash)
{
    return UINT64_C(1) << (hash & 63);
}

bool ps_name_same_text(const struct ps_name *a, const struct ps_name *b);

static inline bool ps_name_equal(const struct ps_name *a, const struct ps_name *b)
{
    return a == b || (a->hash == b->hash && ps_name_same_text(a, b));
}
