/* The committed frames of a log: single steps, and drawn ones against a set of all frames. */
#include "stages/lib/kafka/positions/frames.h"
#include "tests/support/support.h"

#include <string.h>

static struct ps_kafka_frames frames;

static void assert_text(const char *expected)
{
    char text[PS_KAFKA_FRAMES_TEXT_BYTES];
    uint32_t length = ps_kafka_frames_print(&frames, text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, expected);
}

static void test_ranges_grow_and_join(void **state)
{
    frames.count = 0;
    assert_text("1");
    ps_kafka_frames_add(&frames, 7, 10);
    ps_kafka_frames_add(&frames, 7, 11);
    assert_text("1 7:10-11");
    ps_kafka_frames_add(&frames, 7, 9);
    ps_kafka_frames_add(&frames, 7, 10);
    assert_text("1 7:9-11");
    ps_kafka_frames_add(&frames, 7, 13);
    assert_text("1 7:9-11 7:13-13");
    assert_false(ps_kafka_frames_has(&frames, 7, 12));
    ps_kafka_frames_add(&frames, 7, 12);
    assert_text("1 7:9-13");
    /* the same numbers in another file are other frames */
    assert_false(ps_kafka_frames_has(&frames, 8, 10));
    ps_kafka_frames_add(&frames, 8, 14);
    assert_text("1 7:9-13 8:14-14");
    assert_true(ps_kafka_frames_has(&frames, 7, 9) && ps_kafka_frames_has(&frames, 7, 13));
    assert_false(ps_kafka_frames_has(&frames, 7, 8) || ps_kafka_frames_has(&frames, 7, 14));
}

static void test_ends_of_numbers(void **state)
{
    frames.count = 0;
    ps_kafka_frames_add(&frames, UINT32_MAX, UINT64_MAX);
    ps_kafka_frames_add(&frames, UINT32_MAX, 0);
    assert_text("1 4294967295:18446744073709551615-18446744073709551615 4294967295:0-0");
    ps_kafka_frames_add(&frames, UINT32_MAX, UINT64_MAX - 1);
    assert_text("1 4294967295:0-0 4294967295:18446744073709551614-18446744073709551615");
}

/* The ranges that grew last stay. */
static void test_full(void **state)
{
    static char text[PS_KAFKA_FRAMES_TEXT_BYTES];
    static struct ps_kafka_frames again;
    frames.count = 0;
    ps_kafka_frames_add(&frames, 1, UINT64_MAX - 1000);
    for (uint64_t i = 0; i < PS_KAFKA_FRAMES_MAX; i++) {
        ps_kafka_frames_add(&frames, UINT32_MAX - (uint32_t)i, UINT64_MAX - i);
        ps_kafka_frames_add(&frames, 1, UINT64_MAX - 999 + i);
    }
    assert_int_equal(frames.count, PS_KAFKA_FRAMES_MAX);
    assert_false(ps_kafka_frames_has(&frames, UINT32_MAX, UINT64_MAX));
    assert_true(ps_kafka_frames_has(&frames, UINT32_MAX - 1, UINT64_MAX - 1));
    assert_true(ps_kafka_frames_has(&frames, 1, UINT64_MAX - 1000));
    uint32_t length = ps_kafka_frames_print(&frames, text);
    assert_true(length < sizeof text);
    assert_true(ps_kafka_frames_parse(&again, text, length));
    assert_int_equal(again.count, frames.count);
    for (uint32_t i = 0; i < frames.count; i++) {
        assert_int_equal(again.ranges[i].salt, frames.ranges[i].salt);
        assert_int_equal(again.ranges[i].first, frames.ranges[i].first);
        assert_int_equal(again.ranges[i].last, frames.ranges[i].last);
    }
    assert_false(ps_kafka_frames_parse(&again, strcat(text, " 1:1-1"), length + 6)); /* one more */
}

static void test_parse(void **state)
{
    static const char *const wrong[] = {
        "",
        "2",
        "1 ",
        "1 7",
        "1 7:1",
        "1 7:1-",
        "1 7:2-1",
        "1 7:1-2 ",
        "1  7:1-2",
        "17:1-2",
        "1 -7:1-2",
        "1 7:1-2x",
        "1 4294967296:1-2",
        "1 7:1-2,7:4-5",
        "1 7:1-18446744073709551616",
        "1 :1-2",
        "1 7:-2",
    };
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        print_message("\"%s\"\n", wrong[i]);
        assert_false(ps_kafka_frames_parse(&frames, wrong[i], strlen(wrong[i])));
    }
    assert_true(ps_kafka_frames_parse(&frames, "1", 1));
    assert_int_equal(frames.count, 0);
    assert_true(ps_kafka_frames_parse(&frames, "1 7:1-2 8:3-3", 13));
    assert_text("1 7:1-2 8:3-3");
    assert_false(ps_kafka_frames_parse(&frames, "1 7:1-2\0", 8));
}

/* Few enough gaps that no range is dropped. */
static void test_drawn(void **state)
{
    static bool model[3][400];
    uint64_t seed = ps_test_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    memset(model, 0, sizeof model);
    frames.count = 0;
    for (unsigned step = 0; step < 600; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        unsigned salt = (unsigned)(random >> 33) % 3, number = (unsigned)(random >> 40) % 150;
        ps_kafka_frames_add(&frames, salt, number);
        model[salt][number] = true;
        for (unsigned s = 0; s < 3; s++)
            for (unsigned n = 0; n < 160; n++)
                assert_int_equal(ps_kafka_frames_has(&frames, s, n), model[s][n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_grow_and_join),
        cmocka_unit_test(test_ends_of_numbers),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
