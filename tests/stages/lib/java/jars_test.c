/* The changes of the class path that count. */
#include "stages/lib/java/jars.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state_of(const char *path)
{
    const char *const argv[] = {"java", "-Xmx1g", "-cp", path, "Main", NULL};
    return ps_java_jars_state(argv);
}

static void test_state(void **unused)
{
    char path[512];
    ps_test_folder_append("a.jar", "a", 1);
    ps_test_folder_append("b.jar", "b", 1);
    snprintf(path, sizeof path, "%s:%s:", ps_test_folder_path("a.jar"), ps_test_folder_path("b.jar"));
    uint64_t before = state_of(path);
    assert_true(state_of(path) == before);
    ps_test_folder_append("b.jar", "b", 1); /* its size */
    uint64_t larger = state_of(path);
    assert_true(larger != before);
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("a.jar"), times, 0), 0);
    uint64_t older = state_of(path);
    assert_true(older != larger);
    times[1].tv_nsec = 2;
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("a.jar"), times, 0), 0);
    assert_true(state_of(path) != older);
    assert_int_equal(remove(ps_test_folder_path("a.jar")), 0);
    uint64_t missing = state_of(path);
    assert_true(missing != older);
    ps_test_folder_append("a.jar", "a", 1); /* it is there again */
    assert_true(state_of(path) != missing);
}

/* Flume's class path has entries like plugins.d/NAME/lib/ with an asterisk behind them. */
static void test_folder(void **unused)
{
    char path[512];
    assert_int_equal(mkdir(ps_test_folder_path("lib"), 0755), 0);
    snprintf(path, sizeof path, "%s:%s/*", ps_test_folder_path("none.jar"), ps_test_folder_path("lib"));
    uint64_t empty = state_of(path);
    ps_test_folder_append("lib/a.jar", "a", 1);
    uint64_t one = state_of(path);
    assert_true(one != empty);
    ps_test_folder_append("lib/a.jar", "a", 1); /* its size */
    uint64_t larger = state_of(path);
    assert_true(larger != one);
    ps_test_folder_append("lib/notes.txt", "a", 1); /* the JVM does not read it */
    assert_true(state_of(path) == larger);
    ps_test_folder_append("lib/b.JAR", "b", 1);
    uint64_t two = state_of(path);
    assert_true(two != larger);
    assert_int_equal(remove(ps_test_folder_path("lib/b.JAR")), 0);
    assert_true(state_of(path) == larger);
    snprintf(path, sizeof path, "%s/*", ps_test_folder_path("gone"));
    assert_true(state_of(path) != state_of(""));
}

static void test_no_class_path(void **unused)
{
    const char *const none[] = {"java", "Main", NULL}, *const torn[] = {"java", "-cp", NULL};
    assert_true(ps_java_jars_state(none) == ps_java_jars_state(torn));
    assert_true(state_of("") == ps_java_jars_state(none));
}

static void test_equal(void **unused)
{
    const char *const one[] = {"a", "b", NULL}, *const longer[] = {"a", "b", "c", NULL},
                      *const other[] = {"a", "c", NULL};
    const char *const *copy = ps_java_argv_copy(one);
    assert_true(ps_java_argv_equal(one, copy));
    assert_false(ps_java_argv_equal(one, longer));
    assert_false(ps_java_argv_equal(longer, one));
    assert_false(ps_java_argv_equal(one, other));
    ps_java_argv_free(copy);
    assert_null(ps_java_argv_copy(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_state), cmocka_unit_test(test_folder),
                                       cmocka_unit_test(test_no_class_path), cmocka_unit_test(test_equal)};
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
