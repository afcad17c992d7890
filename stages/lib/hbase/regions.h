/* The regions of one table that a client knows: where each begins and ends, and which server has it. Filled from hbase:meta, row by row, as
 * rows are looked up. Bounded: at most PS_HBASE_REGIONS_MAX, and
 * PS_HBASE_REGIONS_BYTES_MAX of their texts; when there are more, all are forgotten.
 *
 * Thread: the worker of the client. */
#pragma once

#include "core/base.h"

#define PS_HBASE_REGIONS_MAX 65536U
#define PS_HBASE_REGIONS_BYTES_MAX ((size_t)64 << 20)

struct ps_hbase_server;

struct ps_hbase_region {
    struct ps_hbase_server *server;
    const char *name, *start, *end; /* `end` of length 0: the last region. In the region's own memory */
    uint32_t name_length, start_length, end_length;
    /* For the client, while it sorts rows of a batch: */
    struct ps_hbase_region *next_of_server;
    uint32_t first, last;
    uint32_t rows;
    size_t bytes;
};

struct ps_hbase_regions {
    struct ps_hbase_region **items; /* by their beginnings; they do not overlap */
    uint32_t count, room;
    size_t bytes; /* of their texts */
};

/* Returns the region that has the row; NULL: not known. */
struct ps_hbase_region *ps_hbase_regions_find(const struct ps_hbase_regions *regions, const char *row,
                                              size_t length);
/* Adds a region; forgets those that it overlaps. Copies the texts. Returns false if there is no memory. */
bool ps_hbase_regions_add(struct ps_hbase_regions *regions, const struct ps_hbase_region *region);
/* Forgets the region that has the row. */
void ps_hbase_regions_forget(struct ps_hbase_regions *regions, const char *row, size_t length);
/* Forgets those of a server; NULL: all. */
void ps_hbase_regions_forget_server(struct ps_hbase_regions *regions, const struct ps_hbase_server *server);
void ps_hbase_regions_free(struct ps_hbase_regions *regions);

/* ---- a row of hbase:meta ---- */

/* What a row says. The texts point into the answer. */
struct ps_hbase_meta_row {
    struct ps_hbase_region region; /* `server` is NULL */
    const char *host;              /* NULL: no server has the region now */
    size_t host_length;
    unsigned port;
    bool is_gone;  /* it was split or merged */
    bool is_other; /* it belongs to another table */
};

/* Reads the rows of an answer to ps_hbase_put_meta_scan (a ScanResponse), the first one first. `each` returns false to end. Returns false
 * if the answer is malformed. `table`: "namespace:name" or "name". */
bool ps_hbase_meta_parse(const uint8_t *bytes, size_t length, const char *table,
                         bool (*each)(void *owner, const struct ps_hbase_meta_row *row), void *owner);
