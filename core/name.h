/* Header names. Names known when the plan is built are interned: one object for ever, compared by pointer
 * first. Names that come with data (record headers, HTTP, Avro) are made inside the batch that carries them
 * (core/flow/batch.h, ps_batch_name), so nothing grows without bound. */
#pragma once

#include "core/base.h"

struct ps_name {
    /* One of 64 bits, chosen by the hash. A batch and an event keep the OR of the bits of their names. */
    uint64_t mask;
    uint32_t hash;   /* FNV-1a */
    uint32_t length; /* bytes of text */
    char text[];     /* terminated when interned */
};

/* Returns the object for this name; it lives until the process ends. For names from the configuration, not
 * from data. A name of more than 65,535 bytes ends the process: PS_OPTION_HEADER refuses it before. Thread: control
 * thread and start-up only (a mutex guards the table). */
const struct ps_name *ps_name_intern(const char *text);
const struct ps_name *ps_name_intern_bytes(const char *text, size_t length);
/* The same for names from files that are read again on every change (rules). Returns NULL when there are
 * 65,536 names already, or this one is longer than 65,535 bytes. Thread: any, except workers in `work`. */
const struct ps_name *ps_name_intern_try(const char *text, size_t length);

uint32_t ps_name_hash(const char *text, size_t length);
/* A hash for tables of names that come from outside. The key is a random number, made at the first call, so that
 * nobody can choose names that collide. Thread: any. */
uint64_t ps_name_keyed_hash(const char *text, size_t length);

/* The lower 32 bits of the keyed hash, for tables that keep or mask no more. Thread: any. */
static inline uint32_t ps_name_keyed_hash32(const char *text, size_t length)
{
    return (uint32_t)ps_name_keyed_hash(text, length);
}

static inline uint64_t ps_name_mask(uint32_t hash)
{
    return UINT64_C(1) << (hash & 63);
}

bool ps_name_same_text(const struct ps_name *a, const struct ps_name *b);

static inline bool ps_name_equal(const struct ps_name *a, const struct ps_name *b)
{
    return a == b || (a->hash == b->hash && ps_name_same_text(a, b));
}
