/* The request Multi and its answer: the mutations of a batch that one server gets, by region.
 *
 * Source: HBase's Client.proto. Thread: the worker of the client; no state. */
#pragma once

#include "stages/lib/hbase/batch.h"
#include "stages/lib/hadoop/key_ranges.h"

/* Appends a Multi with the mutations of the regions in server->ranges (linked by their `next`). Sets `action` and `call` of the
 * mutations. Returns the bytes of the request; 0: no memory. */
size_t ps_hbase_multi_put(struct ps_hbase_batch *batch, struct ps_framed_server *server, uint32_t call,
                          uint64_t nonce_group);

/* Notes that the mutation goes to this region. */
void ps_hbase_multi_add(struct ps_hbase_batch *batch, struct ps_key_range *region, uint32_t number);

/* What the answer says of one mutation, or (number UINT32_MAX) of all in the list of a region. class NULL: it is delivered. */
struct ps_hbase_result {
    uint32_t number, action;
    const char *class, *text;
    size_t class_length, text_length;
};

/* Reads a MultiResponse. Returns false if it is malformed; `each` may have been called before. */
bool ps_hbase_multi_parse(const uint8_t *bytes, size_t length,
                          void (*each)(void *owner, const struct ps_hbase_result *result), void *owner);
