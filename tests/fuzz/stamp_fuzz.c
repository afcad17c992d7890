/* Any bytes as a record. Then a stamp that covers the rest is written into them and must be found; then
 * one byte is changed, and a stamp that is still accepted must be correct. */
#include "bench/support/stamp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_stamp stamp = {0}, found = {0};
    size_t at = SIZE_MAX;
    if (size > 65536)
        return 0;
    enum ps_stamp_state state = ps_stamp_find((const char *)data, size, &found, &at);
    PS_ASSERT(state == PS_STAMP_NONE || (at + 2 <= size && memcmp(data + at, "~1", 2) == 0));
    PS_ASSERT(state != PS_STAMP_GOOD || at + PS_STAMP_BYTES + found.covered <= size);
    PS_ASSERT(state != PS_STAMP_CUT || at + PS_STAMP_BYTES + found.covered > size);
    if (size < 24)
        return 0;
    size_t before = data[0] < size - 24 ? data[0] : 0, length = size - 24 + PS_STAMP_BYTES;
    memcpy(&stamp.run, data + 1, 3);
    memcpy(&stamp.source, data + 4, 2);
    memcpy(&stamp.sequence, data + 6, 5);
    memcpy(&stamp.due_us, data + 11, 6);
    stamp.covered = (uint32_t)(length - before - PS_STAMP_BYTES);
    stamp.last = data[17] & 1;
    char *text = malloc(length);
    PS_ASSERT(text != NULL);
    memcpy(text, data + 24, before);
    memcpy(text + before + PS_STAMP_BYTES, data + 24 + before, stamp.covered);
    ps_stamp_write(&stamp, text + before);
    if (memchr(text, '~', before) == NULL) {
        PS_ASSERT(ps_stamp_find(text, length, &found, &at) == PS_STAMP_GOOD && at == before);
        PS_ASSERT(found.run == stamp.run && found.source == stamp.source && found.sequence == stamp.sequence);
        PS_ASSERT(found.due_us == stamp.due_us && found.covered == stamp.covered && found.last == stamp.last);
        size_t where = before + (size_t)(data[18] | data[19] << 8) % (length - before);
        text[where] = (char)(text[where] ^ (data[20] | 1));
        state = ps_stamp_find(text, length, &found, &at);
        PS_ASSERT(state != PS_STAMP_GOOD || at != before); /* or of a stamp among the input */
        if (state == PS_STAMP_CHANGED && at == before)
            PS_ASSERT(found.sequence == stamp.sequence && found.source == stamp.source);
    }
    free(text);
    return 0;
}
