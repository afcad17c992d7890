#include "tests/world/peers/hadoop/wire.h"

#include <string.h>

#include "tests/world/shared.h"

enum { VARINT = 0, FIXED_64 = 1, DELIMITED = 2, FIXED_32 = 5 };

uint64_t proto_get_varint(struct proto_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if ((byte & 128) == 0)
            return value;
    }
    in->bad = true;
    return 0;
}

static uint64_t get_fixed(struct proto_in *in, unsigned bytes)
{
    uint64_t value = 0;
    if (in->end - in->at < bytes) {
        in->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in->at[i] << 8 * i;
    in->at += bytes;
    return value;
}

struct proto_in proto_get_message(struct proto_in *in)
{
    uint64_t length = proto_get_varint(in);
    if (in->bad || length > (uint64_t)(in->end - in->at)) {
        in->bad = true;
        in->at = in->end;
        return (struct proto_in){.bad = true};
    }
    struct proto_in message = {.at = in->at, .end = in->at + length};
    in->at += length;
    return message;
}

bool proto_next(struct proto_in *in, struct proto_field *field)
{
    if (in->at == in->end || in->bad)
        return false;
    uint64_t tag = proto_get_varint(in);
    *field = (struct proto_field){.number = (unsigned)(tag >> 3)};
    switch (tag & 7) {
    case VARINT:
        field->value = proto_get_varint(in);
        break;
    case FIXED_64:
        field->value = get_fixed(in, 8);
        break;
    case FIXED_32:
        field->value = get_fixed(in, 4);
        break;
    case DELIMITED:
        field->in = proto_get_message(in);
        field->value = (uint64_t)(field->in.end - field->in.at);
        break;
    default:
        in->bad = true;
    }
    return !in->bad;
}

struct proto_field proto_find(struct proto_in in, unsigned number)
{
    struct proto_field field, found = {0};
    while (proto_next(&in, &field))
        if (field.number == number)
            found = field;
    return found;
}

void proto_text(struct proto_in in, char *to, size_t room)
{
    size_t length = (size_t)(in.end - in.at);
    length = length < room - 1 ? length : room - 1;
    if (length > 0)
        memcpy(to, in.at, length);
    to[length] = 0;
}

int64_t proto_signed(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

void proto_put(struct proto_out *out, const void *bytes, size_t length)
{
    if (length > out->room - out->length)
        world_fatal("an answer of Hadoop's servers is longer than %zu bytes", out->room);
    if (length > 0)
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

void proto_put_varint(struct proto_out *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t length = 0;
    for (; value > 127; value >>= 7)
        bytes[length++] = (unsigned char)(value | 128);
    bytes[length++] = (unsigned char)value;
    proto_put(out, bytes, length);
}

void proto_put_number(struct proto_out *out, unsigned field, uint64_t value)
{
    proto_put_varint(out, field << 3 | VARINT);
    proto_put_varint(out, value);
}

void proto_put_bytes(struct proto_out *out, unsigned field, const void *bytes, size_t length)
{
    proto_put_varint(out, field << 3 | DELIMITED);
    proto_put_varint(out, length);
    proto_put(out, bytes, length);
}

void proto_put_text(struct proto_out *out, unsigned field, const char *text)
{
    proto_put_bytes(out, field, text, strlen(text));
}

void proto_put_fixed(struct proto_out *out, unsigned field, uint64_t value, unsigned bytes)
{
    unsigned char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (unsigned char)(value >> 8 * i);
    proto_put_varint(out, field << 3 | (bytes == 4 ? FIXED_32 : FIXED_64));
    proto_put(out, text, bytes);
}

size_t proto_begin(struct proto_out *out, unsigned field)
{
    if (field != 0)
        proto_put_varint(out, field << 3 | DELIMITED);
    return out->length;
}

void proto_end(struct proto_out *out, size_t begin)
{
    size_t length = out->length - begin;
    unsigned char head[10];
    struct proto_out size = {.bytes = head, .room = sizeof head};
    proto_put_varint(&size, length);
    proto_put(out, head, size.length); /* makes room */
    memmove(out->bytes + begin + size.length, out->bytes + begin, length);
    memcpy(out->bytes + begin, head, size.length);
}
