/* The slots of a source in the Java host: the size of an event at its limit. tests/stages/sources/java_test.c tests the rest. */
#include "stages/lib/java/slots.h"

#include "tests/support/stage.h"

/* The largest event of the largest budget has an area, with the note after it. */
static void test_largest_event_has_an_area(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_java_area area;
    struct ps_java_region *region = ps_java_region_create(&err);
    uint64_t most = ps_java_slots_event_max(UINT64_C(1) << 40);
    assert_non_null(region);
    assert_int_equal(most + sizeof(struct ps_java_promised), UINT64_C(1) << 30);
    assert_true(ps_java_area_take(region, most + sizeof(struct ps_java_promised), &area, &err));
    const struct ps_java_slot slot = {.area = area};
    assert_true(ps_java_slot_holds(&slot, most, 1));
    assert_false(ps_java_slot_holds(&slot, most + 1, 1));
    ps_java_area_give(&area);
    ps_java_region_release(region);
}

static void test_half_of_the_budget(void **unused)
{
    assert_int_equal(ps_java_slots_event_max(UINT64_C(2) << 20), 1 << 20);
    assert_int_equal(ps_java_slots_event_max(UINT64_C(1) << 31), (1 << 30) - 24);
    assert_int_equal(ps_java_slots_event_max((UINT64_C(1) << 31) - 48), (1 << 30) - 24);
    assert_int_equal(ps_java_slots_event_max((UINT64_C(1) << 31) - 50), (1 << 30) - 25);
}

/* The component has ended. Unread calls that wait for an answer are refused, because it would be lost; promised calls
 * are still read. The queue keeps the order of the calls across the end of the ring. */
static void test_left(void **unused)
{
    struct ps_counters counters = {.values = {0}};
    struct ps_port port = {.counters = &counters};
    struct ps_java_component component = {.port = &port};
    struct ps_java_credit credit = {.most = 0};
    struct ps_java_slots slots = {.component = &component, .credit = &credit, .first = PS_JAVA_SLOTS - 2};
    for (unsigned i = 0; i < 4; i++) {
        slots.items[i].calls = 1;
        slots.items[i].promised = i % 2 == 0;
        ps_java_slots_put(&slots, &slots.items[i], 100, 10 + i);
    }
    for (unsigned round = 0; round < 2; round++) { /* called until everything is read */
        ps_java_slots_take_left(&slots);
        assert_int_equal(slots.count, 4);
        assert_int_equal(ps_java_slots_unread(&slots), 10 + 12);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(slots.items[i].refused, i % 2 != 0);
    }
}

/* regression: a slot without events made the agent forget the promised events of all others, which it had acknowledged. */
static void test_promised_behind_a_lie(void **unused)
{
    static struct ps_event_headers headers;
    static char wrong[64], good[] = "\x18\0\0\0\xff\xff\xff\xff\3\0\0\0\4\0\0\0\0\0\0\0body";
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_java); /* for its port and its memory */
    struct ps_java_component component = {.port = &stage.port};
    struct ps_java_credit credit = {.most = 0};
    struct ps_java_slots slots = {.component = &component, .credit = &credit};
    for (unsigned i = 0; i < 4; i++) {
        slots.items[i].area.memory = i == 0 ? wrong : good;
        slots.items[i].promised = i % 2 == 0;
        ps_java_slots_put(&slots, &slots.items[i], sizeof good - 1, 1);
    }
    struct ps_batch *batch = ps_test_stage_take_batch(&stage);
    ps_event_headers_begin(&headers);
    assert_int_equal(ps_java_slots_read(&slots, batch, &headers), PS_JAVA_READ_WRONG);
    assert_int_equal(ps_java_slots_unread(&slots), 1);
    while (ps_java_slots_next(&slots) != NULL)
        assert_int_equal(ps_java_slots_read(&slots, batch, &headers), PS_JAVA_READ_ALL);
    assert_int_equal(batch->count, 1); /* calls that wait for their answer are forgotten */
    assert_memory_equal(batch->events[0].body, "body", 4);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_event_has_an_area),
        cmocka_unit_test(test_half_of_the_budget),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_promised_behind_a_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
