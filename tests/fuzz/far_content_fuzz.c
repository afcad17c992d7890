/* Contents of a file: lines, Avro containers (schema, codecs, blocks), gzip. Reading it whole and in pieces
 * gives the same records. Input: size of the pieces (1 byte), then the file. */
#include <stdlib.h>
#include <string.h>

#include "bench/support/stamp.h"
#include "bench/verify/far/content.h"
#include "core/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    uint64_t count, bytes;
    uint32_t crc;
};

static void take(void *sum_, const struct ps_far_record *record)
{
    struct sum *sum = sum_;
    PS_ASSERT(record->data != NULL);
    sum->count++;
    sum->bytes += record->length;
    sum->crc = ps_crc32c(sum->crc, record->data, record->length); /* every byte is read */
}

static struct sum feed(const char *data, size_t size, size_t piece)
{
    struct sum sum = {.count = 0};
    struct ps_far_content content;
    struct ps_far_notes notes = {.count = 0};
    struct ps_far_hand hand = {.taker = take, .argument = &sum};
    ps_far_content_init(&content);
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        char *copy = malloc(length); /* exact size: a sanitizer detects reads past the end */
        PS_ASSERT(copy != NULL);
        memcpy(copy, data + at, length);
        ps_far_content_feed(&content, "file", copy, length, &hand, &notes);
        free(copy);
    }
    ps_far_content_end(&content, "file", &hand, &notes);
    ps_far_content_fini(&content);
    PS_ASSERT(hand.count == sum.count);
    (void)ps_far_notes_text(&notes, "");
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *file = (const char *)data + 1;
    struct sum whole = feed(file, size - 1, size - 1), pieces = feed(file, size - 1, data[0] + 1U);
    PS_ASSERT(whole.count == pieces.count && whole.bytes == pieces.bytes && whole.crc == pieces.crc);
    return 0;
}
