/* See container.h. */
#include "stages/lib/avro/container.h"

#include "stages/lib/avro/binary.h"

#include <string.h>

static const uint8_t magic[4] = {'O', 'b', 'j', 1};

/* Reads a long. Returns SHORT for an incomplete long that can still become valid, else BAD. */
static enum ps_avro_container_result take_long(const uint8_t **at, const uint8_t *end, int64_t *number)
{
    const uint8_t *start = *at;
    if (ps_avro_get_long(at, end, number))
        return PS_AVRO_CONTAINER_OK;
    return (size_t)(end - start) >= PS_AVRO_LONG_BYTES_MAX ? PS_AVRO_CONTAINER_BAD : PS_AVRO_CONTAINER_SHORT;
}

/* Reads a string or bytes of the header. */
static enum ps_avro_container_result take_text(const uint8_t **at, const uint8_t *end, struct ps_slice *text)
{
    int64_t length;
    enum ps_avro_container_result result = take_long(at, end, &length);
    if (result != PS_AVRO_CONTAINER_OK)
        return result;
    if (length < 0 || length > PS_AVRO_HEADER_BYTES_MAX)
        return PS_AVRO_CONTAINER_BAD;
    if (end - *at < length)
        return PS_AVRO_CONTAINER_SHORT;
    *text = (struct ps_slice){(const char *)*at, (uint32_t)length};
    *at += length;
    return PS_AVRO_CONTAINER_OK;
}

/* Walks through the map at *at; stops at `key` (NULL: nowhere) with its value in *value and *found set. */
static enum ps_avro_container_result walk(const uint8_t **at, const uint8_t *end, const char *key,
                                          struct ps_slice *value, bool *found)
{
    for (;;) {
        int64_t count, bytes;
        enum ps_avro_container_result result = take_long(at, end, &count);
        if (result != PS_AVRO_CONTAINER_OK || count == 0)
            return result;
        if (count < 0) { /* the block's length in bytes follows */
            result = take_long(at, end, &bytes);
            if (result != PS_AVRO_CONTAINER_OK)
                return result;
            if (count == INT64_MIN)
                return PS_AVRO_CONTAINER_BAD;
            count = -count;
        }
        for (; count > 0; count--) {
            struct ps_slice name, text;
            if ((result = take_text(at, end, &name)) != PS_AVRO_CONTAINER_OK ||
                (result = take_text(at, end, &text)) != PS_AVRO_CONTAINER_OK)
                return result;
            if (key != NULL && strlen(key) == name.length && memcmp(key, name.data, name.length) == 0) {
                *value = text;
                *found = true;
                return PS_AVRO_CONTAINER_OK;
            }
        }
    }
}

enum ps_avro_container_result ps_avro_container_open(const uint8_t *bytes, size_t length,
                                                     struct ps_avro_container *container)
{
    size_t head = length < sizeof magic ? length : sizeof magic;
    if (head > 0 && memcmp(bytes, magic, head) != 0)
        return PS_AVRO_CONTAINER_BAD;
    if (length < sizeof magic)
        return PS_AVRO_CONTAINER_SHORT;
    const uint8_t *at = bytes + sizeof magic, *end = bytes + length;
    enum ps_avro_container_result result = walk(&at, end, NULL, NULL, NULL);
    if (result == PS_AVRO_CONTAINER_OK && end - at < (ptrdiff_t)PS_AVRO_SYNC_BYTES)
        result = PS_AVRO_CONTAINER_SHORT;
    if (result == PS_AVRO_CONTAINER_SHORT && length > PS_AVRO_HEADER_BYTES_MAX)
        result = PS_AVRO_CONTAINER_BAD;
    if (result != PS_AVRO_CONTAINER_OK)
        return result;
    container->metadata = bytes + sizeof magic;
    container->metadata_length = (size_t)(at - container->metadata);
    memcpy(container->sync, at, PS_AVRO_SYNC_BYTES);
    container->length = (size_t)(at - bytes) + PS_AVRO_SYNC_BYTES;
    return PS_AVRO_CONTAINER_OK;
}

bool ps_avro_container_meta(const struct ps_avro_container *container, const char *key,
                            struct ps_slice *value)
{
    bool found = false;
    const uint8_t *at = container->metadata;
    (void)walk(&at, at + container->metadata_length, key, value, &found);
    return found;
}

enum ps_avro_container_result ps_avro_container_block(const struct ps_avro_container *container,
                                                      const uint8_t *bytes, size_t length, size_t data_max,
                                                      struct ps_avro_block *block)
{
    const uint8_t *at = bytes, *end = bytes + length;
    int64_t data_length;
    *block = (struct ps_avro_block){.length = 0};
    enum ps_avro_container_result result = take_long(&at, end, &block->record_count);
    if (result != PS_AVRO_CONTAINER_OK)
        return result;
    if (block->record_count < 0)
        return PS_AVRO_CONTAINER_BAD;
    if ((result = take_long(&at, end, &data_length)) != PS_AVRO_CONTAINER_OK)
        return result;
    if (data_length < 0 || (uint64_t)data_length > data_max)
        return PS_AVRO_CONTAINER_BAD;
    block->data = at;
    block->data_length = (size_t)data_length;
    block->length = (size_t)(at - bytes) + block->data_length + PS_AVRO_SYNC_BYTES;
    if (length < block->length)
        return PS_AVRO_CONTAINER_SHORT;
    return memcmp(at + data_length, container->sync, PS_AVRO_SYNC_BYTES) == 0 ? PS_AVRO_CONTAINER_OK
                                                                              : PS_AVRO_CONTAINER_BAD;
}

const uint8_t *ps_avro_container_sync(const struct ps_avro_container *container, const uint8_t *bytes,
                                      size_t length)
{
    const uint8_t *found = memmem(bytes, length, container->sync, PS_AVRO_SYNC_BYTES);
    return found != NULL ? found + PS_AVRO_SYNC_BYTES : NULL;
}

size_t ps_avro_container_header_write(const char *const *pairs, const uint8_t sync[PS_AVRO_SYNC_BYTES],
                                      char *out, size_t room)
{
    size_t count = 0, most = sizeof magic + PS_AVRO_LONG_BYTES_MAX + 1 + PS_AVRO_SYNC_BYTES;
    for (; pairs[count] != NULL; count++)
        most += PS_AVRO_LONG_BYTES_MAX + strlen(pairs[count]);
    if (most > room)
        return 0;
    char *at = out;
    memcpy(at, magic, sizeof magic);
    at += sizeof magic;
    if (count > 0)
        at += ps_avro_put_long(at, (int64_t)(count / 2));
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(pairs[i]);
        at += ps_avro_put_long(at, (int64_t)length);
        memcpy(at, pairs[i], length);
        at += length;
    }
    *at++ = 0;
    memcpy(at, sync, PS_AVRO_SYNC_BYTES);
    return (size_t)(at - out) + PS_AVRO_SYNC_BYTES;
}
