/* Reading Avro's binary encoding from bytes that were received: a cursor that never leaves these bytes. After
 * the first mistake every read returns zero. Thread: any. */
#pragma once

#include "stages/lib/avro/binary.h"

struct ps_avro_reader {
    const uint8_t *at, *end;
    bool bad; /* a read made a mistake; permanent */
};

static inline int64_t ps_avro_read_long(struct ps_avro_reader *in)
{
    int64_t number = 0;
    in->bad = in->bad || !ps_avro_get_long(&in->at, in->end, &number);
    return in->bad ? 0 : number;
}

/* Returns where `length` bytes are, and moves past them. */
static inline const uint8_t *ps_avro_read_fixed(struct ps_avro_reader *in, int64_t length)
{
    const uint8_t *bytes = in->at;
    in->bad = in->bad || length < 0 || length > in->end - in->at;
    if (!in->bad)
        in->at += length;
    return bytes;
}

/* Returns where bytes or a string begin, and sets `*length`. */
static inline const uint8_t *ps_avro_read_bytes(struct ps_avro_reader *in, size_t *length)
{
    int64_t count = ps_avro_read_long(in);
    const uint8_t *bytes = ps_avro_read_fixed(in, count);
    *length = in->bad ? 0 : (size_t)count;
    return bytes;
}

/* Reads the branch of a union(null, something). */
static inline bool ps_avro_read_is_set(struct ps_avro_reader *in)
{
    int64_t branch = ps_avro_read_long(in);
    in->bad = in->bad || branch < 0 || branch > 1;
    return branch == 1 && !in->bad;
}

/* Reads the head of a block of a map or an array: the number of its items, 0 after the last block. After a
 * negative count the block's size in bytes follows. */
static inline int64_t ps_avro_read_block(struct ps_avro_reader *in)
{
    int64_t count = ps_avro_read_long(in);
    if (count >= 0)
        return count;
    (void)ps_avro_read_long(in);
    in->bad = in->bad || count == INT64_MIN;
    return in->bad ? 0 : -count;
}

/* Skips a map of strings to bytes or strings. */
static inline void ps_avro_skip_map(struct ps_avro_reader *in)
{
    int64_t count;
    while ((count = ps_avro_read_block(in)) > 0) {
        for (; count > 0 && !in->bad; count--) {
            size_t length;
            ps_avro_read_bytes(in, &length);
            ps_avro_read_bytes(in, &length);
        }
    }
}
