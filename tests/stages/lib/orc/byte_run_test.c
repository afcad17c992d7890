/* Byte and boolean runs: the specification's examples, and random ones through a reader that knows only the specification. */
#include "stages/lib/orc/byte_run.h"
#include "tests/support/orc_run.h"
#include "tests/support/support.h"

static struct ps_orc_memory memory;
static struct ps_orc_compressor plain;
static struct ps_orc_stream stream;

static void expect(const uint8_t *bytes, size_t length)
{
    size_t written;
    const uint8_t *data = ps_orc_stream_finish(&stream, &written);
    assert_int_equal(written, length);
    assert_memory_equal(data, bytes, length);
    ps_orc_stream_clear(&stream);
}

static void test_examples_of_the_specification(void **state)
{
    struct ps_orc_byte_run run = {.stream = &stream};
    ps_orc_stream_open(&stream, &plain, &memory);
    for (int i = 0; i < 100; i++)
        ps_orc_byte_add(&run, 0);
    ps_orc_byte_end(&run);
    expect((const uint8_t[]){0x61, 0x00}, 2);
    ps_orc_byte_add(&run, 0x44);
    ps_orc_byte_add(&run, 0x45);
    ps_orc_byte_end(&run);
    expect((const uint8_t[]){0xfe, 0x44, 0x45}, 3);
    struct ps_orc_bits bits = {.bytes.stream = &stream};
    for (int i = 0; i < 16; i++)
        ps_orc_bit_add(&bits, i < 9);
    ps_orc_bits_end(&bits);
    expect((const uint8_t[]){0xfe, 0xff, 0x80}, 3);
    ps_orc_stream_close(&stream);
}

static void there_and_back(const uint8_t *values, size_t count)
{
    uint8_t back[130];
    size_t length, at = 0;
    struct ps_orc_byte_run run = {.stream = &stream};
    ps_orc_stream_open(&stream, &plain, &memory);
    for (size_t i = 0; i < count; i++)
        ps_orc_byte_add(&run, values[i]);
    ps_orc_byte_end(&run);
    const uint8_t *data = ps_orc_stream_finish(&stream, &length);
    struct orc_bytes bytes = {data, data + length};
    while (bytes.at < bytes.end) {
        size_t read = orc_read_bytes(&bytes, back);
        assert_true(at + read <= count);
        assert_memory_equal(back, values + at, read);
        at += read;
    }
    assert_int_equal(at, count);
    ps_orc_stream_close(&stream);
}

static void test_random_bytes(void **state)
{
    static uint8_t values[2000];
    uint64_t random = ps_test_seed() | 1;
    for (unsigned round = 0; round < 300; round++) {
        size_t count = ps_test_random(&random) % sizeof(values);
        unsigned change = 1 + (unsigned)(ps_test_random(&random) % 200); /* one in this number of bytes
                                                                          * differs */
        for (size_t i = 0; i < count; i++)
            values[i] = i > 0 && ps_test_random(&random) % change != 0 ? values[i - 1]
                                                                       : (uint8_t)ps_test_random(&random);
        there_and_back(values, count);
    }
    memset(values, 9, sizeof(values));
    for (size_t count = 0; count < 400; count++)
        there_and_back(values, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_specification),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
