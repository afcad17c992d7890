/* The report of `check` about components that are Java classes: where the class is, its mistakes and the cures. */
#include "tests/support/support.h"

#include "core/class_path.h"
#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUME "org/apache/flume/"

static const struct ps_test_class flume[] = {
    {.name = FLUME "Sink", .more_access = 0x0600},
    {.name = FLUME "Source", .more_access = 0x0600},
    {.name = FLUME "ChannelSelector", .more_access = 0x0600},
    {.name = FLUME "sink/AbstractSink", .interfaces = {FLUME "Sink"}, .more_access = 0x0400},
    {.name = FLUME "sink/hbase2/HBase2Sink", .super = FLUME "sink/AbstractSink"},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/MySink", .super = FLUME "sink/AbstractSink"},
    {.name = "example/Hidden", .super = FLUME "sink/AbstractSink", .hidden = true},
    {.name = "example/Needy", .super = FLUME "sink/AbstractSink", .no_constructor = true},
    {.name = "example/Base", .super = FLUME "sink/AbstractSink", .more_access = 0x0400},
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

static void what_is_said(void **state)
{
    static const struct {
        const char *type, *said;
    } rows[] = {
        {"example.MySink", "note: a1.sinks.k1.type: the class `example.MySink` of @/own.jar runs in Java"},
        {"hbase2", "note: a1.sinks.k1.type: the class `org.apache.flume.sink.hbase2.HBase2Sink` of "
                   "@/lib/flume.jar runs in Java"},
        {"example.Hidden", "dropped: a1.sinks.k1.type: the class `example.Hidden` of @/own.jar is not "
                           "public, so that Flume cannot use it"},
        {"example.Needy", "dropped: a1.sinks.k1.type: the class `example.Needy` of @/own.jar has no public "
                          "constructor without "
                          "parameters, so that Flume cannot use it"},
        {"example.Base", "dropped: a1.sinks.k1.type: the class `example.Base` of @/own.jar is abstract: a "
                         "class that extends it can be used"},
        {"example.Orphan", "dropped: a1.sinks.k1.type: the class `example.Orphan` of @/own.jar extends or "
                           "implements `example.Absent`, "
                           "which is in none of the 2 jars of the class path; put the jar that has it on the "
                           "class path as well"},
        {"example.MySource", "dropped: a1.sinks.k1.type: the class `example.MySource` of @/own.jar is no "
                             "sink: it does not implement "
                             "org.apache.flume.Sink; it is another kind: source"},
        {"example.MySnik", "dropped: a1.sinks.k1.type: `example.MySnik` is no sink of Flume's, and none of "
                           "the 2 jars of the class path "
                           "has it; did you mean example.MySink?"},
        {"example.Else", "dropped: a1.sinks.k1.type: `example.Else` is no sink of Flume's, and none of the 2 "
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
    struct ps_conf *conf = load("HBase2", "");
    assert_string_equal(ps_pairs_get(&conf->class_path->classes, "sink HBase2"),
                        "org.apache.flume.sink.hbase2.HBase2Sink");
    ps_conf_destroy(conf);
}

static void without_java_or_flume(void **state)
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(without_java_or_flume, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
