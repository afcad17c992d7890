/* The bytes of a connection, split into lines or frames, in pieces and whole; and the elements of a JSON
 * array. Input: framing (1 byte), size of the pieces (1 byte), then the bytes. */
#include <stdlib.h>
#include <string.h>

#include "bench/support/stamp.h"
#include "bench/verify/far/records.h"
#include "core/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    uint64_t count, bytes;
    uint32_t crc;
};

static void take(void *sum_, const struct ps_far_record *record)
{
    struct sum *sum = sum_;
    PS_ASSERT(record->length > 0 && record->length <= PS_FAR_RECORD_BYTES_MAX);
    sum->count++;
    sum->bytes += record->length;
    sum->crc = ps_crc32c(sum->crc, record->data, record->length);
}

static struct sum feed(enum ps_far_framing framing, const char *data, size_t size, size_t piece)
{
    struct sum sum = {.count = 0};
    struct ps_far_text text;
    struct ps_far_hand hand = {.taker = take, .argument = &sum};
    ps_far_text_init(&text, framing);
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        char *copy = malloc(length);
        PS_ASSERT(copy != NULL);
        memcpy(copy, data + at, length);
        ps_far_text_feed(&text, copy, length, &hand);
        free(copy);
    }
    ps_far_text_end(&text, &hand);
    ps_far_text_fini(&text);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    enum ps_far_framing framing = (enum ps_far_framing)(data[0] % 3);
    const char *bytes = (const char *)data + 2;
    size -= 2;
    struct sum whole = feed(framing, bytes, size, size), pieces = feed(framing, bytes, size, data[1] + 1U);
    PS_ASSERT(whole.count == pieces.count && whole.bytes == pieces.bytes && whole.crc == pieces.crc);
    PS_ASSERT(whole.bytes <= size + 10);

    struct sum elements = {.count = 0};
    struct ps_far_hand hand = {.taker = take, .argument = &elements};
    if (!ps_far_json_array(bytes, size, &hand))
        PS_ASSERT(elements.count == 0);
    PS_ASSERT(elements.bytes < size);
    return 0;
}
