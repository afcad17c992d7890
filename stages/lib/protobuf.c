#include "stages/lib/protobuf.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Reads a number of so many bytes, the lowest first. */
static bool take_fixed(struct ps_protobuf_reader *reader, size_t bytes)
{
    if ((size_t)(reader->end - reader->at) < bytes)
        return false;
    for (size_t i = bytes; i > 0; i--)
        reader->number = reader->number << 8 | reader->at[i - 1];
    reader->at += bytes;
    return true;
}

static bool take_varint(struct ps_protobuf_reader *reader, uint64_t *value)
{
    size_t taken = ps_varint_get(reader->at, (size_t)(reader->end - reader->at), value);
    reader->at += taken;
    return taken > 0;
}

static bool take_bytes(struct ps_protobuf_reader *reader)
{
    uint64_t length;
    if (!take_varint(reader, &length) || length > (size_t)(reader->end - reader->at))
        return false;
    reader->is_bytes = true;
    reader->bytes = reader->at;
    reader->length = (size_t)length;
    reader->at += length;
    return true;
}

static bool take_value(struct ps_protobuf_reader *reader, unsigned wire)
{
    switch (wire) {
    case WIRE_VARINT:
        return take_varint(reader, &reader->number);
    case WIRE_64:
        return take_fixed(reader, 8);
    case WIRE_BYTES:
        return take_bytes(reader);
    case WIRE_32:
        return take_fixed(reader, 4);
    default: /* groups are not in use any more */
        return false;
    }
}

bool ps_protobuf_next(struct ps_protobuf_reader *reader)
{
    uint64_t head;
    if (reader->invalid || reader->at == reader->end)
        return false;
    reader->is_bytes = false;
    reader->number = 0;
    reader->bytes = NULL;
    reader->length = 0;
    bool good = take_varint(reader, &head) && head >> 3 > 0 && head >> 3 <= UINT32_MAX >> 3;
    if (good) {
        reader->field = (uint32_t)(head >> 3);
        good = take_value(reader, (unsigned)(head & 7));
    }
    reader->invalid = !good;
    return good;
}
