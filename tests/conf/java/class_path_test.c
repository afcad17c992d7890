/* The class path, Java and its options, from the environment and the command line, in flume-ng's order. */
#include "tests/support/support.h"

#include "conf/java/class_path.h"
#include "conf/java/tools.h"
#include "tests/support/folder.h"
#include "tests/support/no_descriptors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_arena *arena;

static int setup(void **state)
{
    static const char *const variables[] = {"FLUME_HOME",  "FLUME_CLASSPATH", "JAVA_HOME",
                                            "JAVA_OPTS",   "FLUME_JAVA_OPTS", "FLUME_JAVA_LIBRARY_PATH",
                                            "HADOOP_HOME", "HADOOP_PREFIX",   "HBASE_HOME",
                                            "HIVE_HOME",   "HCAT_HOME"};
    for (size_t i = 0; i < PS_COUNT_OF(variables); i++)
        unsetenv(variables[i]);
    arena = ps_arena_create();
    return ps_test_folder_setup(state);
}

static int teardown(void **state)
{
    ps_arena_destroy(arena);
    return ps_test_folder_teardown(state);
}

static void make(const char *name)
{
    assert_int_equal(mkdir(ps_test_folder_path(name), 0700), 0);
}

/* Returns the entries with colons between them, and @ for the test's folder. */
static const char *shown(const struct ps_texts *entries)
{
    size_t length = strlen(ps_test_folder());
    const char *text = "";
    for (size_t i = 0; i < entries->count; i++) {
        const char *entry = entries->items[i];
        bool inside = strncmp(entry, ps_test_folder(), length) == 0;
        text = ps_arena_format(arena, "%s%s%s%s", text, i > 0 ? ":" : "", inside ? "@" : "",
                               entry + (inside ? length : 0));
    }
    return text;
}

static void test_in_the_order_of_flume_ng(void **state)
{
    static const char *const folders[] = {"conf",
                                          "plugins.d",
                                          "plugins.d/b",
                                          "plugins.d/b/lib",
                                          "plugins.d/b/libext",
                                          "plugins.d/b/native",
                                          "plugins.d/a",
                                          "plugins.d/a/lib",
                                          "plugins.d/.c",
                                          "plugins.d/.c/lib",
                                          "more",
                                          "more/z",
                                          "more/z/lib",
                                          "more/z/native",
                                          "hcat",
                                          "hcat/share",
                                          "hcat/share/hcatalog"};
    for (size_t i = 0; i < PS_COUNT_OF(folders); i++)
        make(folders[i]);
    const char *plugins[] = {ps_arena_text(arena, ps_test_folder_path("plugins.d")),
                             ps_arena_text(arena, ps_test_folder_path("absent")),
                             ps_arena_text(arena, ps_test_folder_path("more"))};
    const char *conf = ps_arena_format(arena, "%s/../conf/.", ps_test_folder_path("more"));
    struct ps_command command = {
        .arena = arena, .conf_dir = conf, .plugins = {PS_COUNT_OF(plugins), plugins}};
    setenv("FLUME_HOME", ps_test_folder(), 1);
    setenv("FLUME_CLASSPATH", "/opt/x.jar::y/*", 1);
    setenv("FLUME_JAVA_LIBRARY_PATH", "/opt/native", 1);
    command.classpath = "/opt/first.jar:/opt/classes";
    command.jvm = (struct ps_texts){1, (const char *const[]){"-Xmx1g"}};
    static const char script[] =
        "JAVA_OPTS=\"$JAVA_OPTS -Da=b\"\nHCAT_HOME=$FLUME_HOME/hcat\nHIVE_HOME=/none\n";
    setenv("JAVA_OPTS", "  -Xmx20m\t", 1);
    ps_shell_read(&command.environment, arena, script, strlen(script));
    setenv("FLUME_JAVA_OPTS", "-Dc=d", 1);
    const struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_string_equal(shown(&path->entries), "@/conf:@/lib/*:/opt/first.jar:/opt/classes:/opt/x.jar::y/*:@/"
                                               "plugins.d/a/lib/*:@/plugins.d/b/lib/*:@/more/z/lib/*:"
                                               "@/plugins.d/b/libext/*:@/hcat/share/hcatalog/*");
    assert_string_equal(path->library_path,
                        ps_arena_format(arena, "/opt/native:%s/plugins.d/b/native:%s/more/z/native",
                                        ps_test_folder(), ps_test_folder()));
    assert_string_equal(shown(&path->options), "-Xmx20m:-Da=b:-Dc=d:-Xmx1g");
}

static void program(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
    assert_int_equal(chmod(ps_test_folder_path(name), 0700), 0);
}

/* Returns the lines that the fakes wrote. */
static const char *asked(void)
{
    static char text[4096];
    FILE *file = fopen(ps_test_folder_path("asked"), "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    return text;
}

/* What a command makes of the variables: entries|options|library path|java. */
static const char *outcome_of(const struct ps_command *command)
{
    const struct ps_class_path *path = ps_class_path_make(arena, command);
    return ps_arena_format(arena, "%s|%s|%s|%s", shown(&path->entries), shown(&path->options),
                           path->library_path != NULL ? path->library_path : "",
                           path->java != NULL ? path->java + strlen(ps_test_folder()) : "");
}

/* flume-ng sources flume-env.sh before it looks at a variable: its value counts, with or without one in the environment. */
static void test_each_variable_of_the_script(void **state)
{
    static const char *const folders[] = {"bin", "two", "two/bin", "lib", "share", "share/hcatalog"};
    for (size_t i = 0; i < PS_COUNT_OF(folders); i++)
        make(folders[i]);
    program("bin/java", "#!/bin/sh\n");
    program("two/java", "#!/bin/sh\n");
    const char *folder = ps_test_folder(), *two = ps_arena_text(arena, ps_test_folder_path("two"));
    const struct {
        const char *name, *value, *outcome;
    } rows[] = {
        {"FLUME_HOME", "/opt/flume", "/opt/flume/lib/*|||"},
        {"FLUME_CLASSPATH", "/opt/x.jar:/opt/y", "/opt/x.jar:/opt/y|||"},
        {"JAVA_OPTS", "-Xmx20m -Da=b", "|-Xmx20m:-Da=b||"},
        {"FLUME_JAVA_OPTS", "-Xmx20m -Da=b", "|-Xmx20m:-Da=b||"},
        {"FLUME_JAVA_LIBRARY_PATH", "/opt/native", "||/opt/native|"},
        {"HIVE_HOME", folder, "@/lib/*|||"},
        {"HCAT_HOME", folder, "@/share/hcatalog/*|||"},
        {"JAVA_HOME", folder, "|||/bin/java"},
        {"PATH", two, "|||/two/java"},
    };
    char *before = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        setenv("PATH", "/nonexistent", 1);
        struct ps_command environment = {.arena = arena}, script = {.arena = arena};
        const char *line = ps_arena_format(arena, "%s='%s'\n", rows[i].name, rows[i].value);
        ps_shell_read(&script.environment, arena, line, strlen(line));
        print_message("%s\n", rows[i].name);
        assert_string_equal(outcome_of(&script), rows[i].outcome);
        setenv(rows[i].name, "/of/the/environment", 1);
        assert_string_equal(outcome_of(&script), rows[i].outcome);
        setenv(rows[i].name, rows[i].value, 1);
        assert_string_equal(outcome_of(&environment), rows[i].outcome);
        unsetenv(rows[i].name);
    }
    if (before != NULL)
        setenv("PATH", before, 1);
    free(before);
}

/* A fake program that records its arguments and its environment. */
#define FAKE(TOOL, CLASS_PATH, LIBRARIES)                                                                    \
    "#!/bin/sh\n"                                                                                            \
    "echo \"" TOOL " $* [$" TOOL "_CLASSPATH] $FROM_SCRIPT$OWN\" >>\"$(dirname \"$0\")/../../asked\"\n"      \
    "case $1 in classpath) echo; echo " CLASS_PATH " ;;\n"                                                   \
    "*) echo noise; echo " LIBRARIES " ;; esac\n"

static void test_with_hadoop_and_hbase(void **state)
{
    static const char *const folders[] = {"hadoop", "hadoop/bin", "base", "base/bin", "hive", "hive/lib"};
    for (size_t i = 0; i < PS_COUNT_OF(folders); i++)
        make(folders[i]);
    program("hadoop/bin/hadoop", FAKE("HADOOP", "'/h/etc:/h/lib/*'", "java.library.path=/h/native"));
    program("base/bin/hbase", FAKE("HBASE", "/b/conf:/b/a.jar", "nothing"));
    struct ps_tools_said said = {.asked = false};
    struct ps_command command = {.arena = arena, .classpath = "/opt/x.jar", .tools = &said};
    const char *script = ps_arena_format(arena,
                                         "export FROM_SCRIPT=yes\nOWN=no\nHADOOP_PREFIX=%s/hadoop\n"
                                         "HIVE_HOME=%s/hive\nHBASE_HOME=%s/base\n",
                                         ps_test_folder(), ps_test_folder(), ps_test_folder());
    ps_shell_read(&command.environment, arena, script, strlen(script));
    setenv("HADOOP_CLASSPATH", "/not/for/it", 1);
    struct ps_problems problems;
    ps_problems_init(&problems, arena);

    struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_string_equal(shown(&path->entries), "/opt/x.jar:@/hive/lib/*");
    assert_string_equal(asked(), "");

    ps_class_path_complete(path, arena, &command, &problems);
    static const char expected[] = "/opt/x.jar:/h/etc:/h/lib/*:/b/conf:/b/a.jar:@/base/conf:@/hive/lib/*";
    assert_string_equal(shown(&path->entries), expected);
    assert_null(path->library_path);
    static const char first[] = "HADOOP classpath [] yes\nHBASE classpath [] yes\n";
    assert_string_equal(asked(), first);
    assert_int_equal(problems.count, 2);
    assert_int_equal(problems.items[0].severity, PS_SEVERITY_NOTE);
    assert_non_null(strstr(problems.items[0].what, "/hadoop/bin/hadoop classpath` is appended"));

    /* an agent asks for the libraries as well, once */
    command.ask_classes = true;
    for (int i = 0; i < 2; i++) {
        path = ps_class_path_make(arena, &command);
        ps_class_path_complete(path, arena, &command, NULL);
        assert_string_equal(shown(&path->entries), expected);
        assert_string_equal(path->library_path, "/h/native");
        assert_string_equal(
            asked(),
            ps_arena_format(arena,
                            "%sHADOOP org.apache.flume.tools.GetJavaProperty java.library.path [/opt/x.jar] "
                            "yes\nHBASE org.apache.flume.tools.GetJavaProperty java.library.path "
                            "[/opt/x.jar:/h/etc:/h/lib/*] yes\n",
                            first));
    }
    ps_problems_fini(&problems);
    unsetenv("HADOOP_CLASSPATH");
}

static void test_with_a_hadoop_that_fails(void **state)
{
    make("bin");
    program("bin/hadoop", "#!/bin/sh\necho /h/lib\nexit 3\n");
    program("bin/hbase", "#!/bin/sh\n");
    char *before = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    setenv("PATH", ps_arena_format(arena, "/nonexistent:%s:%s", ps_test_folder_path("bin"), before), 1);
    struct ps_command command = {.arena = arena, .ask_classes = true};
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_class_path *path = ps_class_path_make(arena, &command);
    ps_class_path_complete(path, arena, &command, &problems);
    assert_string_equal(shown(&path->entries), "/conf"); /* of HBASE_HOME, which is not set */
    assert_null(path->library_path);
    assert_int_equal(problems.count, 2);
    assert_int_equal(problems.items[0].severity, PS_SEVERITY_WARNING);
    assert_non_null(strstr(problems.items[0].what, "hadoop exited with status 3"));
    assert_non_null(strstr(problems.items[1].what, "it printed nothing"));
    ps_problems_fini(&problems);
    setenv("PATH", before, 1);
    free(before);
}

static void test_nothing_is_set(void **state)
{
    struct ps_command command = {.arena = arena};
    const struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_int_equal(path->entries.count, 0);
    assert_int_equal(path->options.count, 0);
    assert_null(path->library_path);
}

static void test_which_java(void **state)
{
    struct ps_command command = {.arena = arena};
    make("bin");
    const char *java = ps_arena_text(arena, ps_test_folder_path("bin/java"));
    char *before = getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    setenv("PATH", ps_arena_format(arena, ":/nonexistent:%s", ps_test_folder_path("bin")), 1);
    const struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_null(path->java);
    assert_non_null(strstr(path->java_lacks, "default-jre-headless"));
    ps_test_folder_append("bin/java", "#!/bin/sh\n", 10);
    assert_int_equal(chmod(java, 0700), 0);
    path = ps_class_path_make(arena, &command);
    assert_string_equal(path->java, java);
    setenv("JAVA_HOME", "/nonexistent", 1);
    path = ps_class_path_make(arena, &command);
    assert_null(path->java);
    assert_non_null(strstr(path->java_lacks, "JAVA_HOME is /nonexistent, which has no bin/java"));
    setenv("JAVA_HOME", ps_test_folder(), 1);
    path = ps_class_path_make(arena, &command);
    assert_string_equal(path->java, java);
    assert_int_equal(chmod(java, 0600), 0);
    path = ps_class_path_make(arena, &command);
    assert_null(path->java);
    assert_non_null(strstr(path->java_lacks, "bin/java is not executable; make it so"));
    assert_int_equal(remove(java), 0);
    make("bin/java"); /* a folder */
    path = ps_class_path_make(arena, &command);
    assert_null(path->java);
    assert_non_null(strstr(path->java_lacks, ", which has no bin/java"));
    if (before != NULL)
        setenv("PATH", before, 1);
    free(before);
}

/* Java takes the name of such a folder for two. */
static void test_a_folder_with_a_colon(void **state)
{
    make("conf:1"); /* without it on the class path, classes run as well */
    struct ps_command command = {.arena = arena,
                                 .conf_dir = ps_arena_text(arena, ps_test_folder_path("conf:1"))};
    make("bin");
    const char *java = ps_arena_text(arena, ps_test_folder_path("bin/java"));
    ps_test_folder_append("bin/java", "#!/bin/sh\n", 10);
    assert_int_equal(chmod(java, 0700), 0);
    setenv("JAVA_HOME", ps_test_folder(), 1);
    setenv("FLUME_CLASSPATH", "/opt/one.jar:/opt/two/*", 1);
    assert_string_equal(ps_class_path_make(arena, &command)->java, java);
    setenv("FLUME_HOME", "/opt/flume:1", 1);
    const struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_null(path->java);
    assert_non_null(strstr(path->java_lacks, "the folder /opt/flume:1/lib cannot be on Java's class path"));
    assert_non_null(strstr(path->java_lacks, "a symbolic link without a colon"));
}

/* The plug-ins of a folder that cannot be read now are not known. */
static void test_without_descriptors(void **state)
{
    struct rlimit before;
    make("plugins.d");
    make("plugins.d/a");
    make("plugins.d/a/lib");
    const char *folder = ps_test_folder_path("plugins.d");
    const struct ps_command command = {.arena = arena, .plugins = {1, &folder}};
    ps_test_no_descriptors(&before);
    struct ps_class_path *path = ps_class_path_make(arena, &command);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(path->error, EMFILE);
    assert_non_null(strstr(path->blocked, "/plugins.d: Too many open files"));
    assert_null(ps_class_path_make(arena, &command)->blocked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_the_order_of_flume_ng, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_variable_of_the_script, setup, teardown),
        cmocka_unit_test_setup_teardown(test_with_hadoop_and_hbase, setup, teardown),
        cmocka_unit_test_setup_teardown(test_with_a_hadoop_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_which_java, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_with_a_colon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_descriptors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
