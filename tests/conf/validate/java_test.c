/* The report of `check` about components that are Java classes: where the class is, its mistakes and the cures. */
#include "tests/support/support.h"

#include "stages/lib/java/class_path.h"
#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUME "org/apache/flume/"

static const struct ps_test_class flume[] = {
    {.name = FLUME "Sink", .more_access = 0x0600},
    {.name = FLUME "Source", .more_access = 0x0600},
    {.name = FLUME "ChannelSelector", .more_access = 0x0600},
    {.name = FLUME "sink/AbstractSink", .interfaces = {FLUME "Sink"}, .more_access = 0x0400},
    {.name = FLUME "sink/solr/morphline/MorphlineSolrSink", .super = FLUME "sink/AbstractSink"},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/MySink", .super = FLUME "sink/AbstractSink"},
    {.name = "example/Hidden", .super = FLUME "sink/AbstractSink", .hidden = true},
    {.name = "example/Needy", .super = FLUME "sink/AbstractSink", .no_constructor = true},
    {.name = "example/Base", .super = FLUME "sink/AbstractSink", .more_access = 0x0400},
    {.name = "example/Outer$Inner", .super = FLUME "sink/AbstractSink", .constructor = "(Lexample/Outer;)V"},
    {.name = "example/Newer", .super = FLUME "sink/AbstractSink", .version = 65},
    {.name = "example/Orphan", .super = "example/Absent"},
    {.name = "example/MySource", .interfaces = {FLUME "Source"}},
    {.name = "example/Selector", .interfaces = {FLUME "ChannelSelector"}},
    {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

static struct ps_conf *load(const char *sink, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text,
             "a1.sources = r1\na1.channels = c1\na1.sinks = k1 k2\na1.sources.r1.type = "
             "seq\na1.sources.r1.channels = c1\n"
             "a1.channels.c1.type = memory\na1.sinks.k2.type = null\na1.sinks.k2.channel = "
             "c1\na1.sinks.k1.channel = c1\n"
             "a1.sinks.k1.type = %s\n%s",
             sink, more);
    return ps_test_java_conf_load(text);
}

/* The same, with the plug-ins of plugins.d. */
static struct ps_conf *load_with_plugins(const char *sink)
{
    char text[512];
    const char *folder = ps_test_folder_path("plugins.d");
    snprintf(text, sizeof text,
             "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.type = "
             "seq\na1.sources.r1.channels = c1\n"
             "a1.channels.c1.type = memory\n\n\na1.sinks.k1.channel = c1\n"
             "a1.sinks.k1.type = %s\n",
             sink);
    return ps_test_java_conf_load_with(&(struct ps_command){.agent = "a1", .plugins = {1, &folder}}, text);
}

static void test_what_is_said(void **state)
{
    static const struct {
        const char *type, *said;
    } rows[] = {
        {"example.MySink", "note: a1.sinks.k1.type: the class `example.MySink` of @/own.jar runs in Java"},
        {"morphline_solr",
         "note: a1.sinks.k1.type: the class `org.apache.flume.sink.solr.morphline.MorphlineSolrSink` of "
         "@/lib/flume.jar runs in Java"},
        {"example.Hidden", "dropped: a1.sinks.k1.type: the class `example.Hidden` of @/own.jar is not "
                           "public, so that Flume cannot use it; declare it `public`"},
        {"example.Needy",
         "dropped: a1.sinks.k1.type: the class `example.Needy` of @/own.jar has no public "
         "constructor without "
         "parameters, so that Flume cannot use it; give it one; its settings come by configure(Context)"},
        {"example.Outer$Inner", "dropped: a1.sinks.k1.type: the class `example.Outer$Inner` of @/own.jar has "
                                "no public constructor without "
                                "parameters, so that Flume cannot use it; declare it `static`: without that, "
                                "an object of the class around it is needed"},
        {"example.Base", "dropped: a1.sinks.k1.type: the class `example.Base` of @/own.jar is abstract: a "
                         "class that extends it can be used"},
        {"example.Orphan", "dropped: a1.sinks.k1.type: the class `example.Orphan` of @/own.jar extends or "
                           "implements `example.Absent`, "
                           "which is in none of the 2 jars of the class path; put the jar that has it on the "
                           "class path as well"},
        {"example.MySource", "dropped: a1.sinks.k1.type: the class `example.MySource` of @/own.jar cannot "
                             "be used as the sink: it does not implement "
                             "org.apache.flume.Sink; it is another kind: source; use it for a component of "
                             "that kind, and name a class that implements org.apache.flume.Sink here"},
        {"MySink", "dropped: a1.sinks.k1.type: Flume has no sink `MySink`; did you mean example.MySink?"},
        {"example.MySnik", "dropped: a1.sinks.k1.type: Flume has no sink `example.MySnik`, and none of "
                           "the 2 jars of the class path "
                           "has it; did you mean example.MySink?"},
        {"example.Else", "dropped: a1.sinks.k1.type: Flume has no sink `example.Else`, and none of the 2 "
                         "jars of the class path has "
                         "it; put its jar into plugins.d/NAME/lib, or name it in FLUME_CLASSPATH"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(rows[i].type, "");
        assert_string_equal(ps_test_java_conf_said(conf, 10),
                            ps_arena_format(conf->arena, "a.properties:10: %s", rows[i].said));
        bool runs = i < 2;
        assert_int_equal(conf->agent.sink_count, runs ? 2 : 1);
        assert_int_equal(conf->problems.errors, 0);
        ps_conf_destroy(conf);
    }
    struct ps_conf *conf = load("Morphline_Solr", "");
    assert_string_equal(ps_pairs_get(&conf->class_path->classes, "sink Morphline_Solr"),
                        "org.apache.flume.sink.solr.morphline.MorphlineSolrSink");
    ps_conf_destroy(conf);
}

/* `check` names jars in a folder that is not on the class path, with the cure, and a class that two jars have. */
static void test_where_its_jar_is(void **state)
{
    static const struct ps_test_class other[] = {
        {.name = "example/Other", .super = FLUME "sink/AbstractSink"}, {.name = NULL}};
    static const struct {
        const char *folder, *cure;
    } rows[] = {
        {"", "move it to @/plugins.d/NAME/lib"},
        {"/lib/more", "move it to @/lib"},
        {"/plugins.d", "move it to @/plugins.d/NAME/lib"},
        {"/plugins.d/mine", "move it to @/plugins.d/mine/lib"},
        {"/plugins.d/mine/libs", "move it to @/plugins.d/mine/lib"},
        {"/plugins.d/mine/lib/more", "move it to @/plugins.d/mine/lib"},
    };
    static const char *const folders[] = {
        "lib/more",           "plugins.d",           "plugins.d/mine",
        "plugins.d/mine/lib", "plugins.d/mine/libs", "plugins.d/mine/lib/more"};
    for (size_t i = 0; i < PS_COUNT_OF(folders); i++)
        assert_int_equal(mkdir(ps_test_folder_path(folders[i]), 0700), 0);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/other.jar", rows[i].folder);
        ps_test_jar_write(ps_test_folder_path(path + 1), other, NULL);
        struct ps_conf *conf = load_with_plugins("example.Other");
        const char *cure = ps_arena_format(conf->arena, "; @%s has it, and is not on the class path: %s",
                                           path, rows[i].cure);
        assert_non_null(strstr(ps_test_java_conf_said(conf, 10), cure));
        ps_conf_destroy(conf);
        assert_int_equal(unlink(ps_test_folder_path(path + 1)), 0);
    }
    ps_test_jar_write(ps_test_folder_path("plugins.d/mine/lib/again.jar"), own, NULL);
    struct ps_conf *conf = load_with_plugins("example.MySink");
    assert_non_null(strstr(ps_test_java_conf_said(conf, 10),
                           "of @/own.jar runs in Java; @/plugins.d/mine/lib/again.jar also has it"));
    ps_conf_destroy(conf);
}

/* `check` names a class that was compiled for a newer Java than that of JAVA_HOME, if the version of that Java is
 * known. */
static void test_a_class_of_a_newer_java(void **state)
{
    static const struct {
        const char *release, *said;
    } rows[] = {{NULL, "runs in Java"},
                {"JAVA_VERSION=\"21\"\n", "runs in Java"},
                {"IMPLEMENTOR=\"A\"\nJAVA_VERSION=\"17.0.15\"\n",
                 "was compiled for Java 21, and @/bin/java is Java 17; set JAVA_HOME to Java 21 or newer, or "
                 "compile it with --release 17"},
                {"JAVA_VERSION=\"1.8.0_392\"\n", "is Java 8; set JAVA_HOME to Java 21 or newer"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        unlink(ps_test_folder_path("release"));
        if (rows[i].release != NULL)
            ps_test_folder_append("release", rows[i].release, strlen(rows[i].release));
        struct ps_conf *conf = load("example.Newer", "");
        assert_non_null(strstr(ps_test_java_conf_said(conf, 10), rows[i].said));
        assert_int_equal(conf->problems.errors, i > 1);
        ps_conf_destroy(conf);
    }
}

static void test_without_java_or_flume(void **state)
{
    setenv("JAVA_HOME", "/nonexistent", 1);
    struct ps_conf *conf = load("example.MySink", "");
    assert_non_null(
        strstr(ps_test_java_conf_said(conf, 10),
               "runs in Java: JAVA_HOME is /nonexistent, which has no bin/java; install a Java runtime"));
    assert_int_equal(conf->problems.errors, 1);
    ps_conf_destroy(conf);
    setenv("JAVA_HOME", ps_test_folder(), 1);
    unsetenv("FLUME_HOME");
    conf = load("example.MySink", "");
    assert_non_null(strstr(ps_test_java_conf_said(conf, 10),
                           "`org.apache.flume.sink.AbstractSink`, which is in none of the 1 "
                           "jar of the class path; set FLUME_HOME to"));
    ps_conf_destroy(conf);
    unsetenv("FLUME_CLASSPATH");
    conf = load("example.MySink", "");
    assert_non_null(strstr(ps_test_java_conf_said(conf, 10),
                           "there are no jars in which to look for it; set FLUME_HOME"));
    ps_conf_destroy(conf);
    setenv("FLUME_HOME", "/nonexistent", 1);
    conf = load("example.MySink", "");
    assert_non_null(strstr(ps_test_java_conf_said(conf, 10),
                           "there are no jars in which to look for it: FLUME_HOME is /nonexistent, and "
                           "/nonexistent/lib has no jars; set FLUME_HOME to"));
    ps_conf_destroy(conf);
    setenv("FLUME_CLASSPATH", ps_test_folder_path("own.jar"), 1);
    conf = load("example.MySink", "");
    assert_non_null(strstr(ps_test_java_conf_said(conf, 10),
                           "which is in none of the 1 jar of the class path (FLUME_HOME is /nonexistent, and "
                           "/nonexistent/lib has no jars); set FLUME_HOME to the folder of Flume, which has "
                           "its jars in lib"));
    ps_conf_destroy(conf);
    unsetenv("FLUME_CLASSPATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_said, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_where_its_jar_is, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_class_of_a_newer_java, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_without_java_or_flume, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
