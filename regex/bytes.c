/* See bytes.h. Called while matchers are created, never by workers. */
#include "regex/bytes.h"

#include <errno.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

void ps_bytes_put(struct ps_bytes *bytes, const void *data, size_t length)
{
    if (length == 0)
        return;
    PS_ASSERT(length <= SIZE_MAX / 2 - bytes->length);
    if (bytes->room - bytes->length < length) {
        size_t room = bytes->room < 4096 ? 4096 : bytes->room;
        while (room - bytes->length < length)
            room *= 2;
        bytes->data = ps_must_realloc(bytes->data, room, "a matcher");
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

void ps_bytes_put_u32(struct ps_bytes *bytes, uint32_t number)
{
    unsigned char text[4];
    for (unsigned i = 0; i < 4; i++)
        text[i] = (unsigned char)(number >> 8 * i);
    ps_bytes_put(bytes, text, sizeof text);
}

void ps_bytes_put_u64(struct ps_bytes *bytes, uint64_t number)
{
    ps_bytes_put_u32(bytes, (uint32_t)number);
    ps_bytes_put_u32(bytes, (uint32_t)(number >> 32));
}

void ps_bytes_put_block(struct ps_bytes *bytes, const void *data, size_t length)
{
    ps_bytes_put_u64(bytes, length);
    ps_bytes_put(bytes, data, length);
}

bool ps_bytes_write(int fd, const struct ps_bytes *bytes)
{
    for (size_t at = 0; at < bytes->length;) {
        ssize_t n = write(fd, bytes->data + at, bytes->length - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

void ps_bytes_fini(struct ps_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct ps_bytes){0};
}

static const unsigned char *take(struct ps_bytes_reader *reader, uint64_t length)
{
    if (reader->failed || length > (uint64_t)(reader->end - reader->at)) {
        reader->failed = true;
        return NULL;
    }
    const unsigned char *at = reader->at;
    reader->at += length;
    return at;
}

uint32_t ps_bytes_take_u32(struct ps_bytes_reader *reader)
{
    const unsigned char *at = take(reader, 4);
    if (at == NULL)
        return 0;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t ps_bytes_take_u64(struct ps_bytes_reader *reader)
{
    uint64_t low = ps_bytes_take_u32(reader);
    return low | (uint64_t)ps_bytes_take_u32(reader) << 32;
}

const unsigned char *ps_bytes_take_block(struct ps_bytes_reader *reader, size_t *length)
{
    uint64_t size = ps_bytes_take_u64(reader);
    const unsigned char *at = take(reader, size);
    *length = reader->failed ? 0 : (size_t)size;
    return at;
}

/* Mixes eight bytes at a time with the step of splitmix64. */
uint64_t ps_bytes_hash(const void *data, size_t length)
{
    const unsigned char *at = data;
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ length;
    while (length > 0) {
        uint64_t word = 0;
        size_t take_bytes = length < 8 ? length : 8;
        memcpy(&word, at, take_bytes);
        at += take_bytes;
        length -= take_bytes;
        hash ^= word;
        hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
        hash ^= hash >> 31;
    }
    return hash;
}
