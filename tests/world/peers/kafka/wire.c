#include "tests/world/peers/kafka/wire.h"

#include <string.h>

const unsigned char *kafka_get_bytes(struct kafka_in *in, int64_t length)
{
    if (length < 0 || length > in->end - in->at) {
        in->bad = true;
        in->at = in->end;
        return NULL;
    }
    const unsigned char *begin = in->at;
    in->at += length;
    return begin;
}

int64_t kafka_get(struct kafka_in *in, unsigned bytes)
{
    const unsigned char *at = kafka_get_bytes(in, bytes);
    if (at == NULL)
        return 0;
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    unsigned unused = 64 - 8 * bytes;
    return (int64_t)(value << unused) >> unused;
}

static uint64_t get_uvarint(struct kafka_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)kafka_get(in, 1);
        value |= (uint64_t)(byte & 127) << shift;
        if ((byte & 128) == 0)
            break;
    }
    return value;
}

int64_t kafka_get_varint(struct kafka_in *in)
{
    uint64_t value = get_uvarint(in);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

int64_t kafka_get_count(struct kafka_in *in)
{
    return in->flexible ? (int64_t)get_uvarint(in) - 1 : kafka_get(in, 4);
}

void kafka_get_tags(struct kafka_in *in)
{
    if (!in->flexible)
        return;
    for (uint64_t tags = get_uvarint(in); tags > 0 && !in->bad; tags--) {
        get_uvarint(in);
        kafka_get_bytes(in, (int64_t)get_uvarint(in));
    }
}

static int get_text(struct kafka_in *in, int length, char *to, size_t room)
{
    to[0] = 0;
    if (length < 0)
        return -1;
    const unsigned char *at = kafka_get_bytes(in, length);
    size_t part = at == NULL ? 0 : (size_t)length < room - 1 ? (size_t)length : room - 1;
    if (part > 0)
        memcpy(to, at, part);
    to[part] = 0;
    return length;
}

int kafka_get_string(struct kafka_in *in, char *to, size_t room)
{
    return get_text(in, (int)kafka_get(in, 2), to, room);
}

int kafka_get_text(struct kafka_in *in, char *to, size_t room)
{
    return get_text(in, (int)(in->flexible ? kafka_get_count(in) : kafka_get(in, 2)), to, room);
}

void kafka_put_bytes(struct kafka_out *out, const void *bytes, size_t length)
{
    if (length > out->room - out->length) {
        out->full = true;
        return;
    }
    if (length > 0) /* `bytes` may be NULL */
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

void kafka_put(struct kafka_out *out, int64_t value, unsigned bytes)
{
    unsigned char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (unsigned char)((uint64_t)value >> 8 * (bytes - 1 - i));
    kafka_put_bytes(out, text, bytes);
}

void kafka_put_string(struct kafka_out *out, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);
    kafka_put(out, text == NULL ? -1 : (int64_t)length, 2);
    kafka_put_bytes(out, text, length);
}

static void put_uvarint(struct kafka_out *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        kafka_put(out, (int64_t)(value & 127) | 128, 1);
    kafka_put(out, (int64_t)value, 1);
}

void kafka_put_varint(struct kafka_out *out, int64_t value)
{
    put_uvarint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void kafka_put_count(struct kafka_out *out, int64_t count)
{
    if (out->flexible)
        put_uvarint(out, (uint64_t)(count + 1));
    else
        kafka_put(out, count, 4);
}

void kafka_put_text(struct kafka_out *out, const char *text)
{
    if (!out->flexible) {
        kafka_put_string(out, text);
        return;
    }
    kafka_put_count(out, text == NULL ? -1 : (int64_t)strlen(text));
    kafka_put_bytes(out, text, text == NULL ? 0 : strlen(text));
}

int64_t kafka_echo_count(struct kafka_in *in, struct kafka_out *out)
{
    int64_t count = kafka_get_count(in);
    kafka_put_count(out, count);
    return count;
}

void kafka_echo_text(struct kafka_in *in, struct kafka_out *out, char *to, size_t room)
{
    kafka_get_text(in, to, room);
    kafka_put_text(out, to);
}

void kafka_put_tags(struct kafka_out *out)
{
    if (out->flexible)
        put_uvarint(out, 0);
}

void kafka_patch_count(struct kafka_out *out, size_t at, int64_t count)
{
    kafka_patch(out, at, out->flexible ? count + 1 : count, out->flexible ? 1 : 4);
}

void kafka_patch(struct kafka_out *out, size_t at, int64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out->bytes[at + i] = (unsigned char)((uint64_t)value >> 8 * (bytes - 1 - i));
}

/* Castagnoli's polynomial, reflected (RFC 3720, appendix B.4) */
uint32_t kafka_crc32c(const unsigned char *bytes, size_t length)
{
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
            table[i] = crc;
        }
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++)
        crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
    return ~crc;
}
