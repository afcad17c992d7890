/* Integer runs, read back by a reader that knows only the specification, and the specification's own examples. */
#include "stages/lib/orc/integer_run.h"
#include "stages/lib/random.h"
#include "tests/support/orc_run.h"
#include "tests/support/support.h"

#include <stdlib.h>

static struct ps_orc_memory memory;
static struct ps_orc_compressor plain;
static struct ps_orc_stream stream;
static struct ps_orc_integer_run run;
static unsigned kinds[4]; /* number of runs of each kind */

static void begin(bool is_signed)
{
    memory = (struct ps_orc_memory){.failed = false};
    ps_orc_stream_open(&stream, &plain, &memory);
    run = (struct ps_orc_integer_run){.stream = &stream, .is_signed = is_signed};
}

static void end(void)
{
    ps_orc_stream_close(&stream);
    assert_int_equal(memory.used_bytes, 0);
    assert_int_equal(memory.room_bytes, 0);
}

static void expect_bytes(bool is_signed, const int64_t *values, size_t count, const uint8_t *bytes,
                         size_t length)
{
    size_t written;
    begin(is_signed);
    for (size_t i = 0; i < count; i++)
        ps_orc_integer_add(&run, values[i]);
    ps_orc_integer_end(&run);
    const uint8_t *data = ps_orc_stream_finish(&stream, &written);
    assert_int_equal(written, length);
    assert_memory_equal(data, bytes, length);
    end();
}

static void there_and_back(bool is_signed, const int64_t *values, size_t count)
{
    int64_t back[512];
    size_t length, at = 0;
    begin(is_signed);
    for (size_t i = 0; i < count; i++)
        ps_orc_integer_add(&run, values[i]);
    ps_orc_integer_end(&run);
    const uint8_t *data = ps_orc_stream_finish(&stream, &length);
    struct orc_bytes bytes = {data, data + length};
    while (bytes.at < bytes.end) {
        unsigned kind;
        size_t read = orc_read_run(&bytes, is_signed, back, &kind);
        kinds[kind]++;
        assert_true(at + read <= count);
        assert_memory_equal(back, values + at, read * sizeof(*back));
        at += read;
    }
    assert_int_equal(at, count);
    end();
}

static void test_examples_of_the_specification(void **state)
{
    const int64_t repeat[] = {10000, 10000, 10000, 10000, 10000};
    expect_bytes(false, repeat, 5, (const uint8_t[]){0x0a, 0x27, 0x10}, 3);
    const int64_t direct[] = {23713, 43806, 57005, 48879};
    expect_bytes(false, direct, 4,
                 (const uint8_t[]){0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef}, 10);
    const int64_t delta[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29};
    expect_bytes(false, delta, 10, (const uint8_t[]){0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46}, 8);
    const int64_t patched[] = {2030, 2000, 2020, 1000000, 2040, 2050, 2060, 2070, 2080, 2090,
                               2100, 2110, 2120, 2130,    2140, 2150, 2160, 2170, 2180, 2190};
    expect_bytes(false, patched, 20,
                 (const uint8_t[]){0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70,
                                   0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a, 0x64, 0x6e, 0x78, 0x82,
                                   0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8},
                 28);
}

static void test_extreme_values(void **state)
{
    const int64_t values[] = {INT64_MIN, INT64_MAX, 0,         INT64_MIN, INT64_MIN, INT64_MIN, -1, 1,
                              INT64_MAX, INT64_MIN, INT64_MAX, -1,        INT64_MIN, 0,         0,  0};
    for (size_t count = 1; count <= PS_COUNT_OF(values); count++)
        there_and_back(true, values, count);
}

static void test_patches_far_apart(void **state)
{
    static int64_t values[512];
    for (size_t last = 500; last < 512; last++) {
        for (size_t i = 0; i < 512; i++)
            values[i] = (int64_t)(i * 7 % 3) - 5;
        values[last] = INT64_MAX / 4;
        there_and_back(true, values, 512);
        values[0] = INT64_MAX / 4;
        there_and_back(true, values, 512);
    }
}

/* Values of few bits; one of them, or as many as a patch list has room for, or one more, is larger by one bit. Bases
 * are around the largest base of a patched run, and runs have lengths around each limit. */
static void test_each_width_of_patches(void **state)
{
    static const size_t counts[] = {1, 2, 3, 9, 10, 11, 19, 20, 21, 39, 40, 510, 511, 512, 513, 1024, 1025};
    static const int64_t bases[] = {0,
                                    -1,
                                    100,
                                    (INT64_C(1) << 56) - 1,
                                    INT64_C(1) << 56,
                                    1 - (INT64_C(1) << 56),
                                    -(INT64_C(1) << 56),
                                    -(INT64_C(1) << 56) - 1,
                                    127,
                                    128,
                                    -127,
                                    -128,
                                    -129};
    static int64_t values[1025];
    for (size_t c = 0; c < PS_COUNT_OF(counts); c++) {
        for (size_t b = 0; b < PS_COUNT_OF(bases); b++) {
            for (unsigned bits = 0; bits < 62; bits++) {
                size_t count = counts[c], large = bits % 3 == 0   ? 1
                                                  : bits % 3 == 1 ? count / 20
                                                                  : count / 20 + 1;
                for (size_t i = 0; i < count; i++)
                    values[i] = bases[b] + (int64_t)(i * 7 % (bits % 2 == 0 ? 2 : 5));
                for (size_t i = 1; i <= large && i < count; i++)
                    values[i * (count / (large + 1))] = bases[b] + (INT64_C(1) << bits);
                there_and_back(true, values, count);
            }
        }
    }
}

/* Steps in one direction, of each width, in runs of each length. */
static void test_each_width_of_steps(void **state)
{
    static const size_t counts[] = {2, 3, 4, 9, 10, 11, 511, 512, 513, 1025};
    static int64_t values[1025];
    for (size_t c = 0; c < PS_COUNT_OF(counts); c++) {
        for (unsigned bits = 0; bits < 54; bits++) {
            for (int direction = -1; direction <= 1; direction += 2) {
                for (size_t i = 0; i < counts[c]; i++)
                    values[i] = i == 0 ? 0
                                       : values[i - 1] +
                                             direction * (int64_t)(i % 3 == 0 ? UINT64_C(1) << bits : i % 3);
                there_and_back(true, values, counts[c]);
            }
        }
    }
}

/* A step of 2^63 does not fit into a delta run. */
static void test_the_largest_step(void **state)
{
    const int64_t values[] = {5, 0, INT64_MIN}, more[] = {1, 0, INT64_MIN, INT64_MIN};
    size_t length;
    there_and_back(true, values, PS_COUNT_OF(values));
    there_and_back(true, more, PS_COUNT_OF(more));
    begin(true);
    for (size_t i = 0; i < PS_COUNT_OF(values); i++)
        ps_orc_integer_add(&run, values[i]);
    ps_orc_integer_end(&run);
    assert_int_not_equal(*ps_orc_stream_finish(&stream, &length) >> 6, 3);
    end();
}

/* Draws one value in this manner, after `last`. */
static int64_t draw(struct ps_random *random, unsigned manner, int64_t last)
{
    uint64_t bits = ps_random_next(random);
    switch (manner) {
    case 0:
        return (int64_t)(bits >> 1);
    case 1:
        return last + (int64_t)(bits % 50);
    case 2:
        return ps_random_below(random, 30) == 0 ? (int64_t)(bits >> 8) : (int64_t)(bits % 100);
    case 3:
        return ps_random_below(random, 4) == 0 ? (int64_t)(bits % 9) : last;
    case 4:
        return last + 3;
    case 5:
        return (int64_t)(bits >> (1 + ps_random_below(random, 63)));
    default:
        return 7;
    }
}

static void test_random_values(void **state)
{
    struct ps_random random;
    static int64_t values[3000];
    ps_random_init(&random);
    random.words[0] = ps_test_seed();
    random.words[1] = random.words[2] = 1;
    random.words[3] = 2;
    for (unsigned round = 0; round < 400; round++) {
        unsigned manner = 0;
        bool is_signed = round % 2 == 0;
        size_t count = 1 + ps_random_below(&random, PS_COUNT_OF(values));
        for (size_t i = 0; i < count; i++) {
            if (i % 64 == 0)
                manner = ps_random_below(&random, 7);
            int64_t last = i == 0 || values[i - 1] > INT64_MAX / 2 ? 0 : values[i - 1];
            values[i] = draw(&random, manner, last);
            if (is_signed && manner < 6 && round % 4 == 0)
                values[i] = -values[i];
        }
        there_and_back(is_signed, values, count);
    }
    for (size_t kind = 0; kind < 4; kind++)
        assert_int_not_equal(kinds[kind], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_specification),
        cmocka_unit_test(test_extreme_values),
        cmocka_unit_test(test_patches_far_apart),
        cmocka_unit_test(test_each_width_of_patches),
        cmocka_unit_test(test_each_width_of_steps),
        cmocka_unit_test(test_the_largest_step),
        cmocka_unit_test(test_random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
