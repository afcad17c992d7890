/* Properties that a component names: the longest file, one byte more, and none. */
#include "conf/properties/properties.h"

#include <stdlib.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static void test_lengths(void **state)
{
    static const char first[] = "a = 1\n";
    char *lines = malloc(PS_PROPERTIES_BYTES_MAX + 1);
    assert_non_null(lines);
    memset(lines, '\n', PS_PROPERTIES_BYTES_MAX + 1);
    memcpy(lines, first, sizeof first - 1);
    for (size_t i = 0; i < 3; i++) {
        struct ps_arena *arena = ps_arena_create();
        struct ps_pairs pairs = {.count = 0};
        struct ps_err err = {0};
        ps_test_folder_append(i == 0   ? "short"
                              : i == 1 ? "longest"
                                       : "longer",
                              lines, PS_PROPERTIES_BYTES_MAX - 1 + i);
        enum ps_status status = ps_properties_read(arena,
                                                   ps_test_folder_path(i == 0   ? "short"
                                                                       : i == 1 ? "longest"
                                                                                : "longer"),
                                                   &pairs, &err);
        assert_int_equal(status, i < 2 ? PS_OK : PS_FAIL);
        assert_int_equal(pairs.count, i < 2);
        if (i < 2)
            assert_string_equal(pairs.items[0].value, "1");
        else
            assert_true(err.length > 0);
        ps_arena_destroy(arena);
    }
    free(lines);
}

static void test_no_file(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_pairs pairs;
    struct ps_err err = {0};
    assert_int_equal(ps_properties_read(arena, ps_test_folder_path("none"), &pairs, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No such file or directory"));
    ps_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
