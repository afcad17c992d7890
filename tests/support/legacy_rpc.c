#include "tests/support/legacy_rpc.h"

#include "stages/lib/avro/binary.h"
#include "stages/lib/thrift/protocol.h"
#include "tests/support/support.h"

#include <stdio.h>

#define HOST "old.example"
#define TIMESTAMP 1300000000123
#define NANOS (-7)
#define PRIORITY 2 /* WARN */

static struct ps_thrift_writer begin(uint8_t *to, enum ps_thrift_message_type type, uint32_t number,
                                     const char *name)
{
    struct ps_thrift_writer out = {.at = to};
    const struct ps_thrift_message message = {type, number, {name, (uint32_t)strlen(name)}};
    ps_thrift_put_message(&out, &message);
    return out;
}

static void put_i64(struct ps_thrift_writer *out, int64_t number)
{
    ps_thrift_put_i32(out, (int32_t)(number >> 32)); /* of the binary encoding, in two halves */
    ps_thrift_put_i32(out, (int32_t)(uint32_t)number);
}

static void put_text(struct ps_thrift_writer *out, const char *text)
{
    ps_thrift_put_text(out, text, strlen(text));
}

size_t ps_test_legacy_thrift(uint8_t *to, uint32_t number, const char *body, size_t length)
{
    struct ps_thrift_writer out = begin(to, PS_THRIFT_ONEWAY, number, "append");
    ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 1, 0);
    ps_thrift_put_field(&out, PS_THRIFT_I64, 1, 0);
    put_i64(&out, TIMESTAMP);
    ps_thrift_put_field(&out, PS_THRIFT_I32, 2, 1);
    ps_thrift_put_i32(&out, PRIORITY);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 3, 2);
    ps_thrift_put_text(&out, body, length);
    ps_thrift_put_field(&out, PS_THRIFT_I64, 4, 3);
    put_i64(&out, NANOS);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 5, 4);
    put_text(&out, HOST);
    ps_thrift_put_field(&out, PS_THRIFT_MAP, 6, 5);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 1);
    put_text(&out, "k");
    put_text(&out, "v");
    ps_thrift_put_stop(&out);
    ps_thrift_put_stop(&out);
    return (size_t)(out.at - to);
}

size_t ps_test_scribe(uint8_t *to, uint32_t number, const char *body, size_t length)
{
    struct ps_thrift_writer out = begin(to + PS_THRIFT_FRAME_BYTES, PS_THRIFT_CALL, number, "Log");
    ps_thrift_put_field(&out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(&out, PS_THRIFT_STRUCT, 1);
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 1, 0);
    put_text(&out, "web");
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 1);
    ps_thrift_put_text(&out, body, length);
    ps_thrift_put_stop(&out);
    ps_thrift_put_stop(&out);
    ps_big_endian_put_32(to, (uint32_t)(out.at - to) - PS_THRIFT_FRAME_BYTES);
    return (size_t)(out.at - to);
}

/* ---- avro ---- */

static uint8_t *avro_bytes(uint8_t *at, const char *bytes, size_t length)
{
    at += ps_avro_put_long(at, (int64_t)length);
    if (length > 0)
        memcpy(at, bytes, length);
    return at + length;
}

/* Writes a handshake without the protocol's text, and the call. */
static size_t avro_call(uint8_t *to, const char *body, size_t length)
{
    uint8_t *at = to;
    for (unsigned i = 0; i < 2; i++) {
        memset(at, 'c', 16); /* the client's hash, the server's hash */
        at += 16;
        *at++ = 0; /* no protocol, no metadata */
    }
    *at++ = 0; /* no metadata */
    at = avro_bytes(at, "append", 6);
    at += ps_avro_put_long(at, TIMESTAMP);
    at += ps_avro_put_long(at, PRIORITY);
    at = avro_bytes(at, body, length);
    at += ps_avro_put_long(at, NANOS);
    at = avro_bytes(at, HOST, sizeof HOST - 1);
    at += ps_avro_put_long(at, 1);
    at = avro_bytes(at, "k", 1);
    at = avro_bytes(at, "v", 1);
    *at++ = 0; /* no more blocks */
    return (size_t)(at - to);
}

size_t ps_test_legacy_avro(uint8_t *to, const char *body, size_t length, unsigned pieces)
{
    uint8_t *call = malloc(512 + length);
    assert_non_null(call);
    size_t call_length = avro_call(call, body, length), at = 0;
    at += (size_t)sprintf(
        (char *)to,
        "POST / HTTP/1.1\r\nHost: old\r\nContent-Type: avro/binary\r\nContent-Length: %zu\r\n\r\n",
        call_length + (pieces + 1) * 4);
    for (unsigned i = 0; i < pieces; i++) {
        size_t from = call_length * i / pieces, behind = call_length * (i + 1) / pieces;
        ps_big_endian_put_32(to + at, (uint32_t)(behind - from));
        memcpy(to + at + 4, call + from, behind - from);
        at += 4 + behind - from;
    }
    memset(to + at, 0, 4);
    free(call);
    return at + 4;
}
