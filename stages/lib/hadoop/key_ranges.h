/* The ranges of keys of one table that a client knows: where each begins and ends, and which server has it (a region of HBase, a tablet of Kudu).
 * Bounded: at most PS_KEY_RANGES_MAX, and PS_KEY_RANGES_BYTES_MAX of their texts; when there are more, all are forgotten.
 *
 * Thread: the worker of the client. */
#pragma once

#include "core/base.h"

#define PS_KEY_RANGES_MAX 65536U
#define PS_KEY_RANGES_BYTES_MAX ((size_t)64 << 20)

struct ps_framed_server;

struct ps_key_range {
    struct ps_framed_server *server;
    const char *name, *start, *end; /* `end` of length 0: the last one. In the range's own memory */
    uint32_t name_length, start_length, end_length;
    /* For the client, while it sorts rows of a batch: */
    struct ps_key_range *next_of_server;
    uint32_t first, last;
    uint32_t rows;
    size_t bytes;
    uint64_t taken_ns; /* when its server has taken a row of it; 0: never */
};

struct ps_key_ranges {
    struct ps_key_range **items; /* by their beginnings; they do not overlap */
    uint32_t count, room;
    size_t bytes; /* of their texts */
};

/* Returns the range that has the key; NULL: not known. */
struct ps_key_range *ps_key_ranges_find(const struct ps_key_ranges *ranges, const char *key, size_t length);
/* Adds a range; forgets those that it overlaps. Copies the texts. Returns false if there is no memory. */
bool ps_key_ranges_add(struct ps_key_ranges *ranges, const struct ps_key_range *range);
/* Forgets the range that has the key. */
void ps_key_ranges_forget(struct ps_key_ranges *ranges, const char *key, size_t length);
/* Forgets those of a server; NULL: all. */
void ps_key_ranges_forget_server(struct ps_key_ranges *ranges, const struct ps_framed_server *server);
void ps_key_ranges_free(struct ps_key_ranges *ranges);
