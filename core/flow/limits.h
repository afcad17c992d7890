/* Limits of one event, whatever its source. A source refuses a larger event in the way of its protocol; a file's
 * event is split. The limits let every codec write every event of a batch: a frame of the durable channels has 16
 * bits for the length of a name and less than 1 GiB for an event, and a value of SQLite is at most 10^9 bytes long. */
#pragma once

#include "core/base.h"

#define PS_HEADER_NAME_BYTES_MAX 65535U
/* Maximum number of headers of one event. The limit exists because a batch has copies of the names, and at most
 * PS_BATCH_BLOCKS_MAX blocks. */
#define PS_EVENT_HEADERS_MAX 4096U
#define PS_EVENT_NAMES_BYTES_MAX (1U << 20)
#define PS_EVENT_VALUES_BYTES_MAX (32U << 20)
#define PS_BODY_BYTES_MAX (896U << 20)
/* Limit of the payload of a frame with one event, in bytes. It leaves room for headers that the events of a batch
 * share. */
#define PS_EVENT_FRAME_BYTES_MAX ((1U << 30) - 65536U)

/* A source's counts while it reads the headers of an event. */
struct ps_header_sizes {
    uint32_t count, longest_name;
    uint64_t names_bytes, values_bytes;
};

static inline void ps_header_sizes_add(struct ps_header_sizes *sizes, uint32_t name_length,
                                       uint32_t value_length)
{
    sizes->count++;
    if (name_length > sizes->longest_name)
        sizes->longest_name = name_length;
    sizes->names_bytes += name_length;
    sizes->values_bytes += value_length;
}

/* Returns NULL, or the reason why an event cannot have such headers: a sentence that begins with "an event has". */
static inline const char *ps_header_sizes_refusal(const struct ps_header_sizes *sizes)
{
    if (PS_UNLIKELY(sizes->count > PS_EVENT_HEADERS_MAX))
        return "an event has more than 4096 headers";
    if (PS_UNLIKELY(sizes->longest_name > PS_HEADER_NAME_BYTES_MAX))
        return "an event has a header whose name is longer than 65535 bytes";
    if (PS_UNLIKELY(sizes->names_bytes > PS_EVENT_NAMES_BYTES_MAX))
        return "an event has more than 1 MiB of header names";
    if (PS_UNLIKELY(sizes->values_bytes > PS_EVENT_VALUES_BYTES_MAX))
        return "an event has more than 32 MiB of header values";
    return NULL;
}
