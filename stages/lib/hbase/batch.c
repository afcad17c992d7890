#include "stages/lib/hbase/batch.h"

#include "core/big_endian.h"
#include "stages/lib/protobuf.h"

#include <stdio.h>
#include <stdlib.h>

#define KEPT_BYTES (4U << 20)

enum {
    MUTATION_ROW = 1,
    MUTATION_TYPE = 2,
    MUTATION_COLUMN = 3,
    MUTATION_TIMESTAMP = 4,
    MUTATION_DURABILITY = 6
};
enum { MUTATION_NONCE = 9, TYPE_INCREMENT = 1, TYPE_PUT = 2, DURABILITY_SKIP_WAL = 1 };
enum { COLUMN_FAMILY = 1, COLUMN_VALUE = 2, VALUE_QUALIFIER = 1, VALUE_VALUE = 2, VALUE_TIMESTAMP = 3 };

void ps_hbase_batch_clear(struct ps_hbase_batch *batch)
{
    ps_byte_buffer_clear(&batch->bytes, KEPT_BYTES);
    batch->count = 0;
    batch->framed.reason_count = 0;
    batch->framed.reached = batch->busy = false;
}

void ps_hbase_batch_free(struct ps_hbase_batch *batch)
{
    ps_byte_buffer_clear(&batch->bytes, 0);
    free(batch->mutations);
    batch->mutations = NULL;
    batch->count = batch->room = 0;
}

static bool has_room(struct ps_hbase_batch *batch)
{
    uint32_t room = batch->room > 0 ? 2 * batch->room : 256;
    if (batch->count < batch->room)
        return true;
    struct ps_hbase_mutation *mutations = realloc(batch->mutations, room * sizeof *mutations);
    if (mutations == NULL)
        return false;
    batch->mutations = mutations;
    batch->room = room;
    return true;
}

/* The lengths of the parts of a message, from the inside out. */
struct lengths {
    size_t column, total;
};

static size_t value_length(const struct ps_hbase_cell *cell, int64_t timestamp)
{
    return ps_protobuf_bytes_length(VALUE_QUALIFIER, cell->qualifier_length) +
           ps_protobuf_bytes_length(VALUE_VALUE, cell->value_length) +
           (timestamp >= 0 ? ps_protobuf_number_length(VALUE_TIMESTAMP, (uint64_t)timestamp) : 0);
}

static struct lengths measure(const struct ps_hbase_batch *batch, size_t key_length,
                              const struct ps_hbase_cell *cells, unsigned count, int64_t timestamp,
                              uint64_t nonce)
{
    struct lengths lengths = {.column = ps_protobuf_bytes_length(COLUMN_FAMILY, strlen(batch->family))};
    for (unsigned i = 0; i < count; i++)
        lengths.column += ps_protobuf_bytes_length(COLUMN_VALUE, value_length(&cells[i], timestamp));
    lengths.total =
        ps_protobuf_bytes_length(MUTATION_ROW, key_length) + ps_protobuf_number_length(MUTATION_TYPE, 1) +
        ps_protobuf_bytes_length(MUTATION_COLUMN, lengths.column) +
        (timestamp >= 0 ? ps_protobuf_number_length(MUTATION_TIMESTAMP, (uint64_t)timestamp) : 0) +
        (batch->skips_log ? ps_protobuf_number_length(MUTATION_DURABILITY, DURABILITY_SKIP_WAL) : 0) +
        (nonce != 0 ? ps_protobuf_number_length(MUTATION_NONCE, nonce) : 0);
    return lengths;
}

static uint8_t *put_column(uint8_t *to, const char *family, size_t length, const struct ps_hbase_cell *cells,
                           unsigned count, int64_t timestamp)
{
    to = ps_protobuf_put_head(to, MUTATION_COLUMN, length);
    to = ps_protobuf_put_bytes(to, COLUMN_FAMILY, family, strlen(family));
    for (unsigned i = 0; i < count; i++) {
        to = ps_protobuf_put_head(to, COLUMN_VALUE, value_length(&cells[i], timestamp));
        to = ps_protobuf_put_bytes(to, VALUE_QUALIFIER, cells[i].qualifier, cells[i].qualifier_length);
        to = ps_protobuf_put_bytes(to, VALUE_VALUE, cells[i].value, cells[i].value_length);
        if (timestamp >= 0)
            to = ps_protobuf_put_number(to, VALUE_TIMESTAMP, (uint64_t)timestamp);
    }
    return to;
}

static bool add(struct ps_hbase_batch *batch, uint32_t event, const char *key, size_t key_length,
                unsigned type, const struct ps_hbase_cell *cells, unsigned count, int64_t timestamp,
                uint64_t nonce)
{
    struct lengths lengths = measure(batch, key_length, cells, count, timestamp, nonce);
    if (!has_room(batch) || !ps_byte_buffer_reserve(&batch->bytes, lengths.total))
        return false;
    uint8_t *begin = (uint8_t *)batch->bytes.data + batch->bytes.length;
    uint8_t *to = ps_protobuf_put_bytes(begin, MUTATION_ROW, key, key_length);
    uint32_t key_at = (uint32_t)((size_t)(to - (uint8_t *)batch->bytes.data) - key_length);
    to = ps_protobuf_put_number(to, MUTATION_TYPE, type);
    to = put_column(to, batch->family, lengths.column, cells, count, timestamp);
    if (timestamp >= 0)
        to = ps_protobuf_put_number(to, MUTATION_TIMESTAMP, (uint64_t)timestamp);
    if (batch->skips_log)
        to = ps_protobuf_put_number(to, MUTATION_DURABILITY, DURABILITY_SKIP_WAL);
    if (nonce != 0)
        (void)ps_protobuf_put_number(to, MUTATION_NONCE, nonce);
    batch->mutations[batch->count++] = (struct ps_hbase_mutation){.event = event,
                                                                  .key_at = key_at,
                                                                  .key_length = (uint32_t)key_length,
                                                                  .at = (uint32_t)batch->bytes.length,
                                                                  .length = (uint32_t)lengths.total};
    batch->bytes.length += lengths.total;
    return true;
}

bool ps_hbase_batch_put(struct ps_hbase_batch *batch, uint32_t event, const char *key, size_t key_length,
                        const struct ps_hbase_cell *cells, unsigned count, int64_t timestamp)
{
    return add(batch, event, key, key_length, TYPE_PUT, cells, count, timestamp, 0);
}

size_t ps_hbase_put_overhead(const char *family, unsigned cells)
{
    return 96 + strlen(family) + (size_t)cells * 48;
}

bool ps_hbase_batch_increment(struct ps_hbase_batch *batch, uint32_t event, const char *key,
                              size_t key_length, const char *qualifier, size_t qualifier_length,
                              int64_t amount, uint64_t nonce)
{
    char number[8];
    ps_big_endian_put_64(number, (uint64_t)amount);
    const struct ps_hbase_cell cell = {qualifier, number, qualifier_length, sizeof number};
    return add(batch, event, key, key_length, TYPE_INCREMENT, &cell, 1, -1, nonce);
}

void ps_hbase_batch_set(struct ps_hbase_batch *batch, struct ps_hbase_mutation *mutation,
                        enum ps_remote_part_state state, const char *reason)
{
    mutation->state = state;
    if (reason != NULL)
        mutation->reason = ps_framed_batch_note(&batch->framed, reason);
}
