/* Memory for the headers of a request's events: one area, allocated before the batch is changed, so that either
 * all headers have room or the batch stays unchanged. Thread: the worker's. */
#pragma once

#include "core/flow/batch.h"

struct ps_header_area {
    char *at, *end;
};

/* Return the bytes of the area that a name takes, and that a header takes without its name and value. */
static inline uint32_t ps_header_area_name_bytes(uint32_t length)
{
    return (uint32_t)((sizeof(struct ps_name) + length + 1 + 7) & ~(size_t)7);
}
#define PS_HEADER_AREA_HEADER_BYTES ((uint32_t)sizeof(struct ps_header))

/* Returns an area of `bytes` bytes at `memory`; up to 7 of them are lost for alignment. */
struct ps_header_area ps_header_area(char *memory, uint64_t bytes);

/* Makes a name; `hash` is its ps_name_hash. */
const struct ps_name *ps_header_area_name(struct ps_header_area *area, uint32_t hash, struct ps_slice text);

/* Puts a header at the front of an event's list. */
void ps_header_area_add(struct ps_header_area *area, struct ps_header **list, const struct ps_name *name,
                        struct ps_slice value);
