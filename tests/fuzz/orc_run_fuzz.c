/* Integer runs of any values are read back by a reader that knows only the specification. Input: flags (1 byte: signed), then steps: each a byte
 * that says how the value is computed from the last one, and the bytes that this needs. */
#include "stages/lib/orc/integer_run.h"
#include "tests/support/orc_run.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUES_MAX 4096U

/* Makes values of the input. */
static size_t make(const uint8_t *data, size_t size, bool is_signed, int64_t *values)
{
    size_t count = 0;
    uint64_t last = 0;
    for (size_t at = 0; at + 1 < size && count < VALUES_MAX; at += 2) {
        unsigned times = 1 + (data[at] >> 3);
        for (unsigned i = 0; i < times && count < VALUES_MAX; i++) {
            switch (data[at] & 7) {
            case 0:
                last += data[at + 1];
                break;
            case 1:
                last -= data[at + 1];
                break;
            case 2:
                last = (uint64_t)data[at + 1] << (times * 2 % 57);
                break;
            case 3:
                last = last * 6364136223846793005U + data[at + 1];
                break;
            case 4:
                last = data[at + 1];
                break;
            default:
                break;
            }
            values[count++] = (int64_t)(is_signed ? last : last & INT64_MAX);
        }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int64_t values[VALUES_MAX], back[512];
    struct ps_orc_memory memory = {.failed = false};
    struct ps_orc_compressor plain = {.kind = PS_ORC_NONE};
    struct ps_orc_stream stream;
    if (size < 3)
        return 0;
    bool is_signed = data[0] % 2 == 1;
    size_t count = make(data + 1, size - 1, is_signed, values), length, at = 0;
    ps_orc_stream_open(&stream, &plain, &memory);
    struct ps_orc_integer_run run = {.stream = &stream, .is_signed = is_signed};
    for (size_t i = 0; i < count; i++)
        ps_orc_integer_add(&run, values[i]);
    ps_orc_integer_end(&run);
    const uint8_t *bytes = ps_orc_stream_finish(&stream, &length);
    PS_ASSERT(length <= 10 * count + 2);
    struct orc_bytes left = {bytes, bytes + length};
    while (left.at < left.end) {
        unsigned kind;
        size_t read = orc_read_run(&left, is_signed, back, &kind);
        PS_ASSERT(at + read <= count && memcmp(back, values + at, read * sizeof(*back)) == 0);
        at += read;
    }
    PS_ASSERT(at == count);
    ps_orc_stream_close(&stream);
    PS_ASSERT(memory.used_bytes == 0 && memory.room_bytes == 0);
    return 0;
}
