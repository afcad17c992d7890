/* The committed frames of a log: single steps, and random ones against a set of all frames. */
#include "stages/lib/kafka/positions/frames.h"
#include "core/clock.h"
#include "tests/support/support.h"

#include <string.h>

#define NOW_NS UINT64_C(5000000000)
#define LATER_NS (NOW_NS + PS_KAFKA_FRAMES_YOUNG_NS)

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
    ps_kafka_frames_add(&frames, 7, 10, NOW_NS);
    ps_kafka_frames_add(&frames, 7, 11, NOW_NS);
    assert_text("1 7:10-11");
    ps_kafka_frames_add(&frames, 7, 9, NOW_NS);
    ps_kafka_frames_add(&frames, 7, 10, NOW_NS);
    assert_text("1 7:9-11");
    ps_kafka_frames_add(&frames, 7, 13, NOW_NS);
    assert_text("1 7:9-11 7:13-13");
    assert_false(ps_kafka_frames_has(&frames, 7, 12));
    ps_kafka_frames_add(&frames, 7, 12, NOW_NS);
    assert_text("1 7:9-13");
    /* the same numbers in another file are other frames */
    assert_false(ps_kafka_frames_has(&frames, 8, 10));
    ps_kafka_frames_add(&frames, 8, 14, NOW_NS);
    assert_text("1 7:9-13 8:14-14");
    assert_true(ps_kafka_frames_has(&frames, 7, 9) && ps_kafka_frames_has(&frames, 7, 13));
    assert_false(ps_kafka_frames_has(&frames, 7, 8) || ps_kafka_frames_has(&frames, 7, 14));
}

static void test_ends_of_numbers(void **state)
{
    frames.count = 0;
    ps_kafka_frames_add(&frames, UINT32_MAX, UINT64_MAX, NOW_NS);
    ps_kafka_frames_add(&frames, UINT32_MAX, 0, NOW_NS);
    assert_text("1 4294967295:18446744073709551615-18446744073709551615 4294967295:0-0");
    ps_kafka_frames_add(&frames, UINT32_MAX, UINT64_MAX - 1, NOW_NS);
    assert_text("1 4294967295:0-0 4294967295:18446744073709551614-18446744073709551615");
}

static void add_apart(uint32_t count, uint64_t now_ns)
{
    uint64_t first = frames.count > 0 ? frames.ranges[frames.count - 1].last + 2 : 1;
    for (uint32_t i = 0; i < count; i++)
        ps_kafka_frames_add(&frames, 1, first + 2 * i, now_ns);
}

/* More gaps than there is room for: old ranges are dropped, the oldest first; young ones stay. */
static void test_full(void **state)
{
    uint64_t due_ns;
    frames.count = 0;
    assert_int_equal(ps_kafka_frames_room(&frames, NOW_NS, &due_ns), PS_KAFKA_FRAMES_MAX);
    assert_true(due_ns == PS_NEVER);
    add_apart(PS_KAFKA_FRAMES_MAX - 1, NOW_NS);
    assert_int_equal(ps_kafka_frames_room(&frames, NOW_NS, &due_ns), 1);
    add_apart(1, NOW_NS + 1);
    assert_int_equal(ps_kafka_frames_room(&frames, NOW_NS + 1, &due_ns), 0);
    assert_int_equal(due_ns, LATER_NS);
    /* room for the first leases of several starts; nothing is forgotten */
    add_apart(PS_KAFKA_FRAMES_SPARE, NOW_NS + 1);
    assert_int_equal(frames.count, PS_KAFKA_FRAMES_ROOM);
    assert_true(ps_kafka_frames_has(&frames, 1, 1));
    /* a range that grows is young again and is kept; old ones are dropped */
    ps_kafka_frames_add(&frames, 1, 2, LATER_NS);
    assert_true(ps_kafka_frames_has(&frames, 1, 1) && ps_kafka_frames_has(&frames, 1, 3));
    assert_int_equal(frames.count, PS_KAFKA_FRAMES_MAX);
    assert_int_equal(ps_kafka_frames_room(&frames, LATER_NS, &due_ns),
                     PS_KAFKA_FRAMES_MAX - PS_KAFKA_FRAMES_SPARE - 2);
    assert_int_equal(due_ns, LATER_NS + 1);
    ps_kafka_frames_add(&frames, 1, 1000000, LATER_NS);
    assert_int_equal(frames.count, PS_KAFKA_FRAMES_MAX);
    assert_true(ps_kafka_frames_has(&frames, 1, 1) && ps_kafka_frames_has(&frames, 1, 3));
    assert_false(ps_kafka_frames_has(&frames, 1, 5));
}

/* A frame next to an old range makes that one young, so it needs room as a new range does. */
static void test_next(void **state)
{
    frames.count = 0;
    ps_kafka_frames_add(&frames, 1, 10, NOW_NS);
    ps_kafka_frames_add(&frames, 1, 20, NOW_NS + 1);
    assert_true(ps_kafka_frames_is_next(&frames, 1, 10, NOW_NS));
    assert_true(ps_kafka_frames_is_next(&frames, 1, 11, NOW_NS));
    assert_false(ps_kafka_frames_is_next(&frames, 1, 12, NOW_NS));
    assert_false(ps_kafka_frames_is_next(&frames, 2, 11, NOW_NS));
    assert_false(ps_kafka_frames_is_next(&frames, 1, 11, LATER_NS));
    assert_true(ps_kafka_frames_is_next(&frames, 1, 19, LATER_NS));
}

/* The longest text is read back: the ranges are as young as the time of reading, except those that were known
 * before. */
static void test_longest(void **state)
{
    static char text[PS_KAFKA_FRAMES_TEXT_BYTES + 8];
    static struct ps_kafka_frames again;
    uint64_t due_ns;
    frames.count = 0;
    for (uint64_t i = 0; i < PS_KAFKA_FRAMES_ROOM; i++)
        ps_kafka_frames_add(&frames, UINT32_MAX - (uint32_t)i, UINT64_MAX - i, NOW_NS + i);
    uint32_t length = ps_kafka_frames_print(&frames, text);
    assert_true(length < PS_KAFKA_FRAMES_TEXT_BYTES);
    assert_true(ps_kafka_frames_parse(&again, text, length, LATER_NS));
    assert_int_equal(again.count, frames.count);
    for (uint32_t i = 0; i < frames.count; i++) {
        assert_int_equal(again.ranges[i].salt, frames.ranges[i].salt);
        assert_int_equal(again.ranges[i].first, frames.ranges[i].first);
        assert_int_equal(again.ranges[i].last, frames.ranges[i].last);
        assert_int_equal(again.ranges[i].grew_ns, LATER_NS);
    }
    assert_int_equal(ps_kafka_frames_room(&again, LATER_NS, &due_ns), 0);
    frames.ranges[7].last++;
    ps_kafka_frames_age(&again, &frames);
    for (uint32_t i = 0; i < again.count; i++)
        assert_int_equal(again.ranges[i].grew_ns, i == 7 ? LATER_NS : NOW_NS + i);
    assert_false(ps_kafka_frames_parse(&again, strcat(text, " 1:1-1"), length + 6, NOW_NS)); /* one more */
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
        assert_false(ps_kafka_frames_parse(&frames, wrong[i], strlen(wrong[i]), NOW_NS));
    }
    assert_true(ps_kafka_frames_parse(&frames, "1", 1, NOW_NS));
    assert_int_equal(frames.count, 0);
    assert_true(ps_kafka_frames_parse(&frames, "1 7:1-2 8:3-3", 13, NOW_NS));
    assert_text("1 7:1-2 8:3-3");
    assert_false(ps_kafka_frames_parse(&frames, "1 7:1-2\0", 8, NOW_NS));
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
        ps_kafka_frames_add(&frames, salt, number, NOW_NS);
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
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
