/* Messages of protocols with protobuf in frames of a length in four bytes (HBase, Kudu): a model's answers are put together here. */
#pragma once

#include <endian.h>
#include <string.h>

#include "stages/lib/protobuf.h"
#include "tests/world/peers/connections.h"
#include "tests/world/shared.h"

struct out {
    uint8_t bytes[64 << 10];
    size_t length;
};

static inline void put_raw(struct out *out, const void *bytes, size_t length)
{
    if (out->length + length > sizeof out->bytes)
        world_fatal("an answer of a model is too long");
    if (length > 0)
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

static inline void put_number(struct out *out, uint32_t field, uint64_t value)
{
    uint8_t bytes[24];
    put_raw(out, bytes, (size_t)(ps_protobuf_put_number(bytes, field, value) - bytes));
}

static inline void put_bytes(struct out *out, uint32_t field, const void *bytes, size_t length)
{
    uint8_t head[24];
    put_raw(out, head, (size_t)(ps_protobuf_put_head(head, field, length) - head));
    put_raw(out, bytes, length);
}

static inline void put_text(struct out *out, uint32_t field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

static inline uint32_t big_endian(const char *from)
{
    uint32_t number;
    memcpy(&number, from, sizeof number);
    return be32toh(number);
}

static inline void put_big_endian(struct out *out, uint32_t number)
{
    number = htobe32(number);
    put_raw(out, &number, sizeof number);
}

/* Sends a frame. */
static inline void answer(struct connection *connection, const struct out *out)
{
    uint32_t length = htobe32((uint32_t)out->length);
    memcpy(connection->out, &length, sizeof length);
    memcpy(connection->out + 4, out->bytes, out->length);
    connection->out_length = 4 + out->length;
    connection->answers_ns = server_draw_answer_ns();
}
