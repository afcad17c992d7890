/* Reads records of a record batch whose values begin with a number of four bytes, without keys and headers. Written from Kafka's
 * documentation of the format alone, not with the native client's functions. */
#pragma once

#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

static inline int64_t ps_test_record_varint(struct ps_wire_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)ps_wire_get_int8(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Returns the number of record `i` of its batch. */
static inline uint32_t ps_test_record_number(struct ps_wire_in *in, int32_t i)
{
    uint32_t number;
    int64_t length = ps_test_record_varint(in);
    const char *begin = in->at;
    assert_int_equal(ps_wire_get_int8(in), 0);
    (void)ps_test_record_varint(in);
    assert_int_equal(ps_test_record_varint(in), i);  /* offset delta */
    assert_int_equal(ps_test_record_varint(in), -1); /* no key */
    int64_t value_length = ps_test_record_varint(in);
    assert_true(value_length >= (int64_t)sizeof number);
    const char *value = ps_wire_take(in, (size_t)value_length);
    assert_non_null(value);
    memcpy(&number, value, sizeof number);
    assert_int_equal(ps_test_record_varint(in), 0); /* headers */
    assert_int_equal(in->at - begin, length);
    return number;
}
