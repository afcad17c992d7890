/* Rows of hbase:meta: the regions of a table. Thread: any; no state. */
#pragma once

#include "stages/lib/hadoop/key_ranges.h"

/* What a row says. The texts point into the answer. */
struct ps_hbase_meta_row {
    struct ps_key_range region; /* `server` is NULL */
    const char *host;           /* NULL: no server has the region now */
    size_t host_length;
    unsigned port;
    bool is_gone;  /* it was split or merged */
    bool is_other; /* it belongs to another table */
};

/* Reads the rows of an answer to ps_hbase_put_meta_scan (a ScanResponse), the first one first. `each` returns false to end. Returns false
 * if the answer is malformed. `table`: "namespace:name" or "name". */
bool ps_hbase_meta_parse(const uint8_t *bytes, size_t length, const char *table,
                         bool (*each)(void *owner, const struct ps_hbase_meta_row *row), void *owner);
