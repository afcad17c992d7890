/* The command of the Java process: the collector and the other options that it gets unless the user names them. */
#include "core/arena.h"
#include "stages/lib/java/class_path.h"
#include "stages/lib/java/launch.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#define SERIAL "-XX:+UseSerialGC"
#define NO_BEANS "-Dlog4j2.disable.jmx=true"
#define NO_SAMPLES "-XX:-UsePerfData"

/* Returns whether the command with this option of the user has the wanted one. */
static bool has(const char *option, const char *wanted)
{
    struct ps_err err = {.length = 0};
    const struct ps_class_path path = {.java = "/bin/java", .options = {.items = &option, .count = 1}};
    struct ps_arena *arena = ps_arena_create();
    const char *const *argv = ps_java_launch_alone(arena, &path, "org.example.Main", &err);
    if (argv == NULL)
        fail_msg("%s", err.text);
    bool found = false;
    for (; *argv != NULL; argv++)
        found |= strcmp(*argv, wanted) == 0;
    ps_arena_destroy(arena);
    return found;
}

static bool has_default(const char *option)
{
    return has(option, SERIAL);
}

static void without_variables(void)
{
    static const char *const names[] = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        unsetenv(names[i]);
}

static void test_user_names_collector(void **unused)
{
    without_variables();
    assert_false(has_default("-XX:+UseG1GC"));
    assert_false(has_default("-XX:+UseConcMarkSweepGC"));
    assert_true(has_default("-XX:-UseG1GC"));
}

/* These options begin like the name of a collector. */
static void test_other_options(void **unused)
{
    without_variables();
    assert_true(has_default("-XX:+UseStringDeduplication"));
    assert_true(has_default("-XX:+UseNUMA"));
    assert_true(has_default("-XX:+UseGCOverheadLimit"));
    assert_true(has_default("-XX:+UseAdaptiveSizePolicyWithSystemGC"));
    assert_true(has_default("-XX:+UseMaximumCompactionOnSystemGC"));
}

/* The JVM reads these variables by itself, and ends at once if there are two collectors. */
static void test_variables(void **unused)
{
    without_variables();
    setenv("JDK_JAVA_OPTIONS", "-Xmx1g\t-XX:+UseZGC -ea", 1);
    assert_false(has_default("-Xmx1g"));
    setenv("JDK_JAVA_OPTIONS", "-Xmx1g -XX:+UseStringDeduplication", 1);
    assert_true(has_default("-Xmx1g"));
    setenv("_JAVA_OPTIONS", " -XX:+UseParallelGC", 1);
    assert_false(has_default("-Xmx1g"));
    without_variables();
}

/* Beans of log4j take a tenth of the time of a start, so they are off unless the user asks for them. */
static void test_beans_of_log4j(void **unused)
{
    without_variables();
    assert_true(has("-Xmx1g", NO_BEANS));
    assert_false(has("-Dlog4j2.disable.jmx=false", NO_BEANS));
}

/* The JVM's samples for jstat cost CPU time for ever, so they are off unless the user asks for them. */
static void test_samples_for_jstat(void **unused)
{
    without_variables();
    assert_true(has("-Xmx1g", NO_SAMPLES));
    assert_false(has("-XX:+UsePerfData", NO_SAMPLES));
}

/* The levels of the user's log4j files, unless the user configures the logging library of the classes. */
static void test_levels_of_loggers(void **unused)
{
    static const char *const levels[] = {"=WARN", "com.acme=DEBUG"};
    static const char wanted[] = "-Dpenstock.log.levels=";
    static const struct {
        const char *option, *levels; /* NULL: none */
        size_t count;
    } rows[] = {{"-Xmx1g", NULL, 0},
                {"-Xmx1g", "=WARN", 1},
                {"-Xmx1g", "=WARN,com.acme=DEBUG", 2},
                {"-Dlog4j2.configurationFile=/own.xml", NULL, 2},
                {"-Dlog4j.configurationFile=/own.xml", NULL, 2},
                {"-Dlog4j.configuration=/own.properties", NULL, 2}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {.length = 0};
        const struct ps_class_path path = {.java = "/bin/java",
                                           .options = {.items = &rows[i].option, .count = 1},
                                           .log_levels = {.items = levels, .count = rows[i].count}};
        struct ps_arena *arena = ps_arena_create();
        const char *const *argv = ps_java_launch_alone(arena, &path, "org.example.Main", &err);
        assert_non_null(argv);
        while (*argv != NULL && strncmp(*argv, wanted, sizeof wanted - 1) != 0)
            argv++;
        assert_true((*argv != NULL) == (rows[i].levels != NULL));
        if (*argv != NULL)
            assert_string_equal(*argv + sizeof wanted - 1, rows[i].levels);
        ps_arena_destroy(arena);
    }
}

/* Returns the arguments with a blank behind each. */
static const char *joined(struct ps_arena *arena, const char *const *argv)
{
    const char *text = "";
    for (; *argv != NULL; argv++)
        text = ps_arena_format(arena, "%s%s ", text, *argv);
    return text;
}

/* The program comes first, the main class last, our jar before the user's. Options that only one JVM can have are those of the host. */
static void test_order(void **unused)
{
    static const char *const options[] = {
        "-Da=b",  "-agentlib:jdwp=x",         "-agentpath:/y", "-javaagent:z.jar", "-Xrunhprof",
        "-Xmx1g", "-Dcom.sun.management.x=1", "-Dcom.sun.x=1"};
    static const char *const entries[] = {"/one.jar", "/two/*"};
    static const char only[] = "-agentlib:jdwp=x -agentpath:/y -javaagent:z.jar -Xrunhprof ";
    struct ps_class_path path = {.java = "/bin/java",
                                 .options = {PS_COUNT_OF(options), options},
                                 .entries = {PS_COUNT_OF(entries), entries},
                                 .library_path = "/native"};
    struct ps_err err = {.length = 0};
    struct ps_arena *arena = ps_arena_create();
    without_variables();
    const char *const *argv = ps_java_launch_alone(arena, &path, "org.example.Main", &err);
    assert_non_null(argv);
    const char *alone = joined(arena, argv), *host = joined(arena, ps_java_launch_command(arena, &path));
    assert_int_equal(strncmp(alone, "/bin/java -Da=b -Xmx1g -Dcom.sun.x=1 ", 37), 0);
    assert_non_null(
        strstr(alone, "/penstock-java.jar:/one.jar:/two/* -Djava.library.path=/native org.example.Main "));
    assert_string_equal(strstr(alone, "org.example.Main"), "org.example.Main ");
    assert_int_equal(strncmp(host, "/bin/java -Da=b ", 16), 0);
    assert_int_equal(strncmp(host + 16, only, sizeof only - 1), 0);
    assert_non_null(strstr(host, " -Dcom.sun.management.x=1 "));
    assert_string_equal(strstr(host, "penstock.host."), "penstock.host.Host ");
    path.library_path = NULL;
    assert_null(strstr(joined(arena, ps_java_launch_command(arena, &path)), "java.library.path"));
    path.java = NULL;
    path.java_lacks = "there is none";
    assert_null(ps_java_launch_alone(arena, &path, "org.example.Main", &err));
    assert_string_equal(err.text, "there is none");
    ps_arena_destroy(arena);
}

/* More options than a command can have are an error; without it, the class would be missing. */
static void test_too_many_options(void **unused)
{
    const char *options[300];
    struct ps_arena *arena = ps_arena_create();
    size_t most = 0;
    for (size_t i = 0; i < PS_COUNT_OF(options); i++)
        options[i] = "-Da=b";
    for (size_t count = 200; count <= PS_COUNT_OF(options); count++) {
        struct ps_err err = {.length = 0};
        const struct ps_class_path path = {.java = "/bin/java",
                                           .options = {.items = options, .count = count}};
        const char *const *argv = ps_java_launch_alone(arena, &path, "org.example.Main", &err);
        if (argv == NULL) {
            assert_non_null(strstr(err.text, "too many options for Java"));
            continue;
        }
        assert_int_equal(most, count > 200 ? count - 1 : 0); /* none is refused before */
        most = count;
        while (argv[1] != NULL)
            argv++;
        assert_string_equal(*argv, "org.example.Main");
    }
    assert_in_range(most, 240, 256);
    ps_arena_destroy(arena);
}

int main(void)
{
    struct ps_err none = {.length = 0};
    if (!ps_java_launch_check(&none)) /* a build without a JDK has no jar */
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_names_collector),
        cmocka_unit_test(test_other_options),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_beans_of_log4j),
        cmocka_unit_test(test_samples_for_jstat),
        cmocka_unit_test(test_levels_of_loggers),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_too_many_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
