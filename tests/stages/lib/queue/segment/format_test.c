/* A head or a state is read if its numbers are consistent; otherwise it is damaged, even with a correct checksum. */
#include "stages/lib/queue/segment/format.h"

#include "tests/support/support.h"

#include <string.h>

static void test_heads_count_from_one(void **state)
{
    char bytes[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    struct ps_segment_head head = {.log = 9, .segment = 1, .first = 1, .salt = 5}, read;
    ps_segment_head_write(bytes, &head);
    assert_true(ps_segment_head_read(bytes, &read));
    assert_true(read.log == 9 && read.segment == 1 && read.first == 1 && read.salt == 5);
    head.first = 0;
    ps_segment_head_write(bytes, &head);
    assert_false(ps_segment_head_read(bytes, &read));
    head.first = 1;
    head.segment = 0;
    ps_segment_head_write(bytes, &head);
    assert_false(ps_segment_head_read(bytes, &read));
}

static bool is_read(uint64_t low, uint64_t next, const struct ps_taken_range *ranges, uint32_t count)
{
    static char slot[PS_STATE_SLOT_BYTES];
    static struct ps_taken_range read_ranges[PS_STATE_RANGES_MAX];
    struct ps_taken_range copy[2] = {{.first = 0}};
    memcpy(copy, ranges, count * sizeof *ranges);
    struct ps_segment_state state = {.generation = 1,
                                     .log = 9,
                                     .low = low,
                                     .next = next,
                                     .segment = 1,
                                     .offset = 64,
                                     .range_count = count,
                                     .ranges = copy};
    struct ps_segment_state read = {.ranges = read_ranges};
    ps_segment_state_write(slot, &state);
    bool is = ps_segment_state_read(slot, &read);
    if (is)
        assert_memory_equal(copy, read_ranges, count * sizeof *copy);
    return is;
}

static void test_states_are_sound(void **state)
{
    const struct ps_taken_range good[2] = {{3, 4, 2, 20}, {6, 6, 1, 10}}, backwards[2] = {{4, 3, 0, 0}},
                                overlap[2] = {{3, 6, 0, 0}, {5, 7, 0, 0}}, low[2] = {{2, 3, 0, 0}},
                                ahead[2] = {{3, 9, 0, 0}};
    assert_true(is_read(1, 1, good, 0));
    assert_true(is_read(2, 9, good, 2));
    assert_false(is_read(0, 9, good, 0));
    assert_false(is_read(9, 8, good, 0));
    assert_false(is_read(2, 9, backwards, 1));
    assert_false(is_read(2, 9, overlap, 2));
    assert_false(is_read(2, 9, low, 1));
    assert_false(is_read(2, 9, ahead, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_count_from_one),
        cmocka_unit_test(test_states_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
