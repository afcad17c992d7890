/* Events that a Java host has sent, in batches: for the fuzz targets java_*. */
#pragma once

#include "core/flow/batch.h"
#include "core/flow/bump.h"
#include "core/flow/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_BLOCKS 32U

struct fuzz_memory {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_block_cache cache;
    struct ps_block *taken[FUZZ_BLOCKS];
    unsigned count;
};

/* Returns memory that is used up by nobody: the same one for each input, because it is large. */
static inline struct fuzz_memory *fuzz_memory_begin(void)
{
    static struct fuzz_memory memory;
    struct ps_err err = {.length = 0};
    if (memory.depot == NULL) {
        memory.depot = ps_depot_create((uint64_t)FUZZ_BLOCKS * PS_BLOCK_BYTES, &err);
        PS_ASSERT(memory.depot != NULL);
        memory.pool = ps_pool_create(memory.depot, 0);
        PS_ASSERT(memory.pool != NULL);
        ps_block_cache_init(&memory.cache, memory.depot);
    }
    ps_bump_init(&memory.bump, memory.pool);
    return &memory;
}

/* Odd: from here on the depot has no block. */
static inline void fuzz_memory_short(struct fuzz_memory *memory, unsigned odd)
{
    while (odd % 2 != 0 && memory->count < FUZZ_BLOCKS &&
           (memory->taken[memory->count] = ps_block_take(&memory->cache)) != NULL)
        memory->count++;
}

static inline void fuzz_memory_plenty(struct fuzz_memory *memory)
{
    while (memory->count > 0)
        ps_block_drop(&memory->cache, memory->taken[--memory->count]);
}

static inline void fuzz_memory_end(struct fuzz_memory *memory)
{
    fuzz_memory_plenty(memory);
    ps_bump_fini(&memory->bump);
    PS_ASSERT(ps_pool_out_count(memory->pool) == 0);
}

/* Returns the bytes in memory that ends behind them, where AddressSanitizer looks. */
static inline char *fuzz_copy(const void *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    PS_ASSERT(copy != NULL);
    memcpy(copy, bytes, length);
    return copy;
}

/* Reads the whole event, and asserts that it is within the limits of one. */
static inline void fuzz_check_event(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_header_sizes sizes = {.count = 0};
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    volatile unsigned sum = 0;
    for (const struct ps_header *header; (header = ps_headers_next(&cursor)) != NULL;) {
        ps_header_sizes_add(&sizes, header->name->length, header->value_length);
        for (uint32_t i = 0; i < header->name->length; i++)
            sum += (unsigned char)header->name->text[i];
        for (uint32_t i = 0; i < header->value_length; i++)
            sum += (unsigned char)header->value[i];
    }
    for (uint32_t i = 0; i < event->body_length; i++)
        sum += (unsigned char)event->body[i];
    PS_ASSERT(ps_header_sizes_refusal(&sizes) == NULL && event->body_length <= PS_BODY_BYTES_MAX);
    (void)sum;
}
