#include "tests/support/avro_rpc.h"

#include "stages/lib/avro/binary.h"

#include <stdlib.h>
#include <string.h>

void ps_test_avro_call_bytes(struct ps_test_avro_call *call, const void *bytes, size_t length)
{
    if (call->length + length > call->room) {
        call->room = 2 * (call->length + length);
        call->bytes = realloc(call->bytes, call->room);
        assert_non_null(call->bytes);
    }
    if (length > 0)
        memcpy(call->bytes + call->length, bytes, length);
    call->length += length;
}

void ps_test_avro_call_long(struct ps_test_avro_call *call, int64_t number)
{
    uint8_t bytes[PS_AVRO_LONG_BYTES_MAX];
    ps_test_avro_call_bytes(call, bytes, ps_avro_put_long(bytes, number));
}

void ps_test_avro_call_text(struct ps_test_avro_call *call, const char *text)
{
    ps_test_avro_call_long(call, (int64_t)strlen(text));
    ps_test_avro_call_bytes(call, text, strlen(text));
}

void ps_test_avro_call_handshake(struct ps_test_avro_call *call, const uint8_t *md5, const char *text,
                                 const uint8_t *server)
{
    ps_test_avro_call_bytes(call, md5, 16);
    ps_test_avro_call_long(call, text != NULL);
    if (text != NULL)
        ps_test_avro_call_text(call, text);
    ps_test_avro_call_bytes(call, server, 16);
    ps_test_avro_call_long(call, 0);
}

void ps_test_avro_call_name(struct ps_test_avro_call *call, const char *name)
{
    ps_test_avro_call_long(call, 0);
    ps_test_avro_call_text(call, name);
}

void ps_test_avro_call_event(struct ps_test_avro_call *call, const char *body, size_t length,
                             const char *const *headers)
{
    int64_t count = 0;
    while (headers != NULL && headers[2 * count] != NULL)
        count++;
    if (count > 0)
        ps_test_avro_call_long(call, count);
    for (int64_t i = 0; i < 2 * count; i++)
        ps_test_avro_call_text(call, headers[i]);
    ps_test_avro_call_long(call, 0);
    ps_test_avro_call_long(call, (int64_t)length);
    ps_test_avro_call_bytes(call, body, length);
}

void ps_test_avro_call_clear(struct ps_test_avro_call *call)
{
    call->length = 0;
}

void ps_test_avro_call_free(struct ps_test_avro_call *call)
{
    free(call->bytes);
    *call = (struct ps_test_avro_call){.length = 0};
}

uint8_t *ps_test_avro_message(const struct ps_test_avro_call *call, uint32_t serial, size_t piece,
                              size_t *length)
{
    size_t pieces = call->length / piece + (call->length % piece > 0);
    uint8_t *message = malloc(8 + 4 * pieces + call->length);
    assert_non_null(message);
    size_t to = ps_avro_put_int32(message, serial);
    to += ps_avro_put_int32(message + to, (uint32_t)pieces);
    for (size_t at = 0; at < call->length; at += piece) {
        size_t some = call->length - at < piece ? call->length - at : piece;
        to += ps_avro_put_int32(message + to, (uint32_t)some);
        memcpy(message + to, call->bytes + at, some);
        to += some;
    }
    *length = to;
    return message;
}
