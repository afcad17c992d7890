/* Names of file_roll's files: DefaultPathManager and RollTimePathManager. */
#include "stages/lib/text/path_manager.h"
#include "tests/support/support.h"

static struct ps_arena *arena;
static const struct ps_time_zone *zone;

static void test_words(void **unused)
{
    enum ps_path_style style;
    assert_true(ps_path_style_parse("DEFAULT", &style));
    assert_int_equal(style, PS_PATH_DEFAULT);
    assert_true(ps_path_style_parse("rollTime", &style));
    assert_int_equal(style, PS_PATH_ROLL_TIME);
    assert_true(ps_path_style_parse("org.apache.flume.formatter.output.RollTimePathManager$Builder", &style));
    assert_false(ps_path_style_parse("other", &style));
}

static void test_default(void **unused)
{
    struct ps_path_manager names;
    char name[64];
    ps_path_manager_init(&names, PS_PATH_DEFAULT, "", "", zone, 1700000000123);
    assert_true(ps_path_manager_next(&names, 1700000000123, name, sizeof name));
    assert_string_equal(name, "1700000000123-1");
    assert_true(ps_path_manager_next(&names, 1700009999999, name, sizeof name));
    assert_string_equal(name, "1700000000123-2");
    ps_path_manager_init(&names, PS_PATH_DEFAULT, "log-", "txt", zone, 7);
    assert_true(ps_path_manager_next(&names, 8, name, sizeof name));
    assert_string_equal(name, "log-7-1.txt");
    assert_false(ps_path_manager_next(&names, 8, name, 11)); /* "log-7-2.txt" and the NUL need 12 */
}

/* The number starts again with every second. */
static void test_roll_time(void **unused)
{
    struct ps_path_manager names;
    char name[64];
    ps_path_manager_init(&names, PS_PATH_ROLL_TIME, "p", "avro", zone, 0);
    static const struct {
        int64_t ms;
        const char *name;
    } rolls[] = {
        {1700000000000, "p20231114221320-1.avro"}, {1700000000999, "p20231114221320-2.avro"},
        {1700000001000, "p20231114221321-1.avro"}, {1709164800000, "p20240229000000-1.avro"},
        {1709164800001, "p20240229000000-2.avro"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rolls); i++) {
        assert_true(ps_path_manager_next(&names, rolls[i].ms, name, sizeof name));
        assert_string_equal(name, rolls[i].name);
    }
}

int main(void)
{
    bool known;
    arena = ps_arena_create();
    zone = ps_time_zone_load(arena, "UTC", &known);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_roll_time),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_arena_destroy(arena);
    return failed;
}
