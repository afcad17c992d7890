/* Changes of the class path that are reported, and those that are not. */
#include "stages/lib/java/jars.h"

#include "tests/support/folder.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_java_jars *read_path(const char *path)
{
    const char *const argv[] = {"java", "-Xmx1g", "-cp", path, "Main", NULL};
    return ps_java_jars_read(argv);
}

/* Compares with the previous list, which is freed, and returns the present one. `name`: the file of the test's folder
 * that changed, and how; NULL: none. */
static struct ps_java_jars *expect(struct ps_java_jars *before, const char *path, const char *name,
                                   const char *what)
{
    char text[600] = "", expected[600] = "";
    struct ps_java_jars *now = read_path(path);
    bool changed = ps_java_jars_changed(before, now, text, sizeof text);
    if (name != NULL)
        snprintf(expected, sizeof expected, "%s %s", ps_test_folder_path(name), what);
    assert_string_equal(text, expected);
    assert_int_equal(changed, name != NULL);
    ps_java_jars_free(before);
    return now;
}

static void test_files(void **unused)
{
    char path[512];
    ps_test_folder_append("a.jar", "a", 1);
    ps_test_folder_append("b.jar", "b", 1);
    snprintf(path, sizeof path, "%s:%s:", ps_test_folder_path("b.jar"), ps_test_folder_path("a.jar"));
    struct ps_java_jars *jars = expect(read_path(path), path, NULL, NULL);
    ps_test_folder_append("b.jar", "b", 1); /* its size changed */
    jars = expect(jars, path, "b.jar", "has changed");
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("a.jar"), times, 0), 0);
    jars = expect(jars, path, "a.jar", "has changed");
    times[1].tv_nsec = 2;
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("a.jar"), times, 0), 0);
    jars = expect(jars, path, "a.jar", "has changed");
    assert_int_equal(remove(ps_test_folder_path("a.jar")), 0);
    jars = expect(jars, path, "a.jar", "is gone");
    ps_test_folder_append("a.jar", "a", 1);
    jars = expect(jars, path, "a.jar", "is new");
    ps_java_jars_free(expect(jars, path, NULL, NULL));
}

/* Flume's class path has entries like plugins.d/NAME/lib/ followed by an asterisk. */
static void test_folder(void **unused)
{
    char path[512];
    snprintf(path, sizeof path, "%s:%s/*", ps_test_folder_path("none.jar"), ps_test_folder_path("lib"));
    struct ps_java_jars *jars = read_path(path); /* there is no such folder yet */
    assert_int_equal(mkdir(ps_test_folder_path("lib"), 0755), 0);
    jars = expect(jars, path, NULL, NULL);
    ps_test_folder_append("lib/a.jar", "a", 1);
    jars = expect(jars, path, "lib/a.jar", "is new");
    ps_test_folder_append("lib/a.jar", "a", 1); /* its size changed */
    jars = expect(jars, path, "lib/a.jar", "has changed");
    ps_test_folder_append("lib/notes.txt", "a", 1); /* the JVM does not read it */
    jars = expect(jars, path, NULL, NULL);
    ps_test_folder_append("lib/b.JAR", "b", 1);
    jars = expect(jars, path, "lib/b.JAR", "is new");
    assert_int_equal(remove(ps_test_folder_path("lib/b.JAR")), 0);
    jars = expect(jars, path, "lib/b.JAR", "is gone");
    ps_java_jars_free(jars);
}

/* The agent's own file lies in the configuration directory, which is on the class path, and is often written under another name
 * and renamed: the Java process goes on. */
static void test_folder_of_classes(void **unused)
{
    char path[512];
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(mkdir(ps_test_folder_path("conf"), 0755), 0);
    assert_int_equal(mkdir(ps_test_folder_path("conf/org"), 0755), 0);
    ps_test_folder_append("conf/site.xml", "<a/>", 4);
    ps_test_folder_append("conf/agent.properties", "a", 1);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("conf"));
    struct ps_java_jars *jars = read_path(path);
    ps_test_folder_append("conf/agent.properties", "b", 1);
    ps_test_folder_append("conf/new", "a", 1);
    char to[512];
    snprintf(to, sizeof to, "%s", ps_test_folder_path("conf/agent.properties"));
    assert_int_equal(rename(ps_test_folder_path("conf/new"), to), 0);
    ps_test_folder_append("conf/.hidden", "a", 1);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    jars = expect(jars, path, NULL, NULL);
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("conf/site.xml"), times, 0),
                     0); /* the same bytes */
    jars = expect(jars, path, NULL, NULL);
    ps_test_folder_append("conf/site.xml", "<b/>", 4);
    jars = expect(jars, path, "conf/site.xml", "has changed");
    ps_test_folder_append("conf/Main.class", "a", 1);
    jars = expect(jars, path, "conf/Main.class", "is new");
    ps_test_folder_append("conf/Main.class", "a", 1);
    jars = expect(jars, path, "conf/Main.class", "has changed");
    assert_int_equal(mkdir(ps_test_folder_path("conf/com"), 0755), 0);
    jars = expect(jars, path, "conf/com", "is new");
    assert_int_equal(rmdir(ps_test_folder_path("conf/com")), 0);
    jars = expect(jars, path, "conf/com", "is gone");
    /* A link to itself cannot be read by the JVM either: other changes are still seen. */
    assert_int_equal(symlink("loop.xml", ps_test_folder_path("conf/loop.xml")), 0);
    jars = expect(jars, path, NULL, NULL);
    assert_null(ps_java_jars_blocked(jars));
    ps_test_folder_append("conf/Other.class", "a", 1);
    jars = expect(jars, path, "conf/Other.class", "is new");
    ps_java_jars_free(jars);
}

/* A change of any byte of a longer file of settings is seen. */
static void test_long_settings(void **unused)
{
    static char text[3 * 4096 + 100];
    static const off_t places[] = {0, 1, 4095, 4096, 8191, 8192, sizeof text - 1};
    char path[512];
    memset(text, 'a', sizeof text);
    assert_int_equal(mkdir(ps_test_folder_path("long"), 0755), 0);
    ps_test_folder_append("long/site.xml", text, sizeof text);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("long"));
    struct ps_java_jars *jars = expect(read_path(path), path, NULL, NULL);
    int fd = open(ps_test_folder_path("long/site.xml"), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < PS_COUNT_OF(places); i++) {
        assert_int_equal(pwrite(fd, "b", 1, places[i]), 1);
        jars = expect(jars, path, "long/site.xml", "has changed");
        jars = expect(jars, path, NULL, NULL);
    }
    close(fd);
    ps_java_jars_free(jars);
}

static void test_no_class_path(void **unused)
{
    const char *const none[] = {"java", "Main", NULL}, *const torn[] = {"java", "-cp", NULL};
    struct ps_java_jars *without = ps_java_jars_read(none);
    without = expect(without, "", NULL, NULL);
    struct ps_java_jars *of_torn = ps_java_jars_read(torn);
    char text[600];
    assert_false(ps_java_jars_changed(without, of_torn, text, sizeof text));
    ps_java_jars_free(without);
    ps_java_jars_free(of_torn);
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

/* A folder that cannot be read at the moment is not reported as having lost or got a jar. */
static void test_no_descriptor(void **unused)
{
    char path[512];
    struct rlimit before;
    assert_int_equal(mkdir(ps_test_folder_path("full"), 0700), 0);
    ps_test_folder_append("full/a.jar", "a", 1);
    snprintf(path, sizeof path, "%s/*", ps_test_folder_path("full"));
    struct ps_java_jars *jars = read_path(path);
    assert_null(ps_java_jars_blocked(jars));
    ps_test_no_descriptors(&before);
    struct ps_java_jars *unknown = read_path(path);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(strstr(ps_java_jars_blocked(unknown), "/full: Too many open files"));
    char text[600] = "";
    assert_false(ps_java_jars_changed(jars, unknown, text, sizeof text));
    assert_false(ps_java_jars_changed(unknown, unknown, text, sizeof text));
    ps_java_jars_free(expect(unknown, path, "full/a.jar", "is new")); /* the host began without it */
    ps_test_folder_append("full/a.jar", "a", 1);
    ps_java_jars_free(expect(jars, path, "full/a.jar", "has changed"));
}

/* Of several places that cannot be read, the first one is named. A place that is not there, also below a file, is none of them. */
static void test_first_that_is_blocked(void **unused)
{
    char path[600];
    struct rlimit before;
    assert_int_equal(mkdir(ps_test_folder_path("first"), 0700), 0);
    assert_int_equal(mkdir(ps_test_folder_path("second"), 0700), 0);
    ps_test_folder_append("file", "a", 1);
    snprintf(path, sizeof path, "%s/no.jar:%s/*", ps_test_folder_path("file"), ps_test_folder_path("file"));
    struct ps_java_jars *jars = read_path(path);
    assert_null(ps_java_jars_blocked(jars));
    ps_java_jars_free(jars);
    snprintf(path, sizeof path, "%s/*:%s/*", ps_test_folder_path("first"), ps_test_folder_path("second"));
    ps_test_no_descriptors(&before);
    jars = read_path(path);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(strstr(ps_java_jars_blocked(jars), "/first: Too many open files"));
    ps_java_jars_free(jars);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_folder),
                                       cmocka_unit_test(test_folder_of_classes),
                                       cmocka_unit_test(test_long_settings),
                                       cmocka_unit_test(test_no_class_path),
                                       cmocka_unit_test(test_equal),
                                       cmocka_unit_test(test_no_descriptor),
                                       cmocka_unit_test(test_first_that_is_blocked)};
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
