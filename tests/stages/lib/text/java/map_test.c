/* stages/lib/text/java/map.h: the order of a real HashMap, from tables that a JDK printed (tests/real/flume_tables). */
#include "stages/lib/text/java/map.h"
#include "tests/support/source_tree.h"
#include "tests/support/stage.h"

#include <stdio.h>

static void test_hash(void **unused)
{
    assert_int_equal(ps_java_hash("", 0), 0);
    assert_int_equal(ps_java_hash("hello", 5), 99162322);
    assert_int_equal((int32_t)ps_java_hash("timestamp", 9), 55126294);
    assert_int_equal(ps_java_hash("\xc3\xa9", 2), 0xe9);
    assert_int_equal(ps_java_hash("\xf0\x9f\x98\x80", 4), 31 * 0xD83D + 0xDE00); /* U+1F600, two units */
    assert_int_equal(ps_java_hash("\xff", 1), 0xFFFD);
    assert_int_equal(ps_java_hash("\xc0\x80", 2), 31 * 0xFFFD + 0xFFFD); /* overlong */
    assert_int_equal(ps_java_hash("\xe2\x82", 2), 31 * 0xFFFD + 0xFFFD); /* cut short */
}

/* Splits at tabs; the first word is dropped. */
static size_t split(char *line, char **words, size_t room)
{
    size_t count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *word = strtok(line, "\t"); word != NULL; word = strtok(NULL, "\t")) {
        assert_true(count < room);
        words[count++] = word;
    }
    assert_true(count > 0);
    return count;
}

static void test_order_of_a_real_one(void **unused)
{
    char own[8192], later[8192], order[8192];
    FILE *file = fopen(ps_test_source_path("tests/stages/data/java_map.txt"), "r");
    assert_non_null(file);
    assert_non_null(fgets(own, sizeof own, file)); /* the comment */
    struct ps_java_map map;
    ps_java_map_init(&map);
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    size_t cases = 0;
    while (fgets(own, sizeof own, file) != NULL) {
        assert_non_null(fgets(later, sizeof later, file));
        assert_non_null(fgets(order, sizeof order, file));
        char *words[128];
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("body", NULL));
        struct ps_event *event = ps_lease_event(lease, 0);
        size_t count = split(own, words, PS_COUNT_OF(words));
        for (size_t i = 1; i < count; i++)
            assert_true(ps_batch_header_add(lease->batch, event, ps_name_intern(words[i]), "x", 1));
        count = split(later, words, PS_COUNT_OF(words));
        for (size_t i = 1; i < count; i++)
            assert_true(ps_batch_shared_set(lease->batch, ps_name_intern(words[i]), "y", 1, false));
        assert_true(ps_java_map_order(&map, lease->batch, event));
        count = split(order, words, PS_COUNT_OF(words));
        assert_int_equal(map.count, count - 1);
        for (size_t i = 1; i < count; i++)
            assert_string_equal(map.entries[i - 1].header->name->text, words[i]);
        ps_test_stage_recycle(&stage);
        cases++;
    }
    assert_int_equal(cases, 150);
    fclose(file);
    ps_java_map_fini(&map);
    ps_test_stage_fini(&stage);
}

static void test_later_put_wins(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    struct ps_java_map map;
    ps_java_map_init(&map);
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("body", "a", "1", "b", "2", "a", "3"));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("b"), "hidden", 6, false));
    assert_true(ps_java_map_order(&map, lease->batch, ps_lease_event(lease, 0)));
    assert_int_equal(map.count, 2);
    assert_memory_equal(map.entries[0].header->value, "3", 1);
    assert_memory_equal(map.entries[1].header->value, "2", 1);
    ps_java_map_fini(&map);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_order_of_a_real_one),
        cmocka_unit_test(test_later_put_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
