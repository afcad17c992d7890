/* The folders in which the agent looks for plug-ins. */
#include "conf/command/command.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void expect(const char *path, const char *home, size_t count, const char *const *expected)
{
    struct ps_texts folders = ps_command_plugins(ps_test_arena(), path, home);
    assert_int_equal(folders.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(folders.items[i], expected[i]);
}

#define FOLDERS(...)                                                                                         \
    PS_COUNT_OF(((const char *const[]){__VA_ARGS__})), (const char *const[])                                 \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

/* A path that is given is used as it is, without its empty parts. */
static void test_path(void **unused)
{
    expect("/a:b", "/home", FOLDERS("/a", "b"));
    expect(":/a::b:", NULL, FOLDERS("/a", "b"));
    expect("/a", "", FOLDERS("/a"));
    expect("", "/home", 0, NULL);
    expect(":", "/home", 0, NULL);
}

/* Without a path the folder is plugins.d of FLUME_HOME; without FLUME_HOME the folders are plugins.d and
 * lib/penstock/plugins.d beside the program's folder. */
static void test_home(void **unused)
{
    char program[4096], one[4200], two[4200];
    expect(NULL, "/home", FOLDERS("/home/plugins.d"));
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    const char *prefix = dirname(dirname(program));
    snprintf(one, sizeof one, "%s/plugins.d", prefix);
    snprintf(two, sizeof two, "%s/lib/penstock/plugins.d", prefix);
    expect(NULL, NULL, FOLDERS(one, two));
    expect(NULL, "", FOLDERS(one, two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_path, ps_test_arena_setup, ps_test_arena_teardown),
        cmocka_unit_test_setup_teardown(test_home, ps_test_arena_setup, ps_test_arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
