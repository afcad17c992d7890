/* Whose memory an -Xmx bounds: the engine's, or that of the JVM of components in Java. */
#include "tests/support/folder.h"
#include "tests/support/java_conf.h"
#include "tests/support/support.h"

#include "core/engine/plan.h"

#include <stdio.h>

#define FLUME "org/apache/flume/"
#define INTERFACE .more_access = 0x0600

static const struct ps_test_class flume[] = {{.name = FLUME "Source", INTERFACE},
                                             {.name = FLUME "Sink", INTERFACE},
                                             {.name = FLUME "ChannelSelector", INTERFACE},
                                             {.name = FLUME "interceptor/Interceptor", INTERFACE},
                                             {.name = FLUME "interceptor/Interceptor$Builder", INTERFACE},
                                             {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/Source", .interfaces = {FLUME "Source"}},
    {.name = "example/Sink", .interfaces = {FLUME "Sink"}},
    {.name = "example/Interceptor$Builder", .interfaces = {FLUME "interceptor/Interceptor$Builder"}},
    {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

/* Checks the machine of an agent with these types; `interceptor` may be NULL. */
static void check_heap(const char *source, const char *interceptor, const char *sink, bool is_java)
{
    char text[1024], chain[256] = "";
    const struct ps_command command = {.agent = "a1", .heap_bytes = 512 << 20};
    if (interceptor != NULL)
        snprintf(chain, sizeof chain,
                 "a1.sources.r1.interceptors = i1\na1.sources.r1.interceptors.i1.type = %s\n", interceptor);
    snprintf(text, sizeof text,
             "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.type = %s\n"
             "a1.sources.r1.channels = c1\na1.channels.c1.type = memory\na1.sinks.k1.type = %s\n"
             "a1.sinks.k1.channel = c1\n%s",
             source, sink, chain);
    struct ps_conf *conf = ps_test_java_conf_load_with(&command, text);
    assert_int_equal(conf->problems.errors, 0);
    struct ps_machine machine = ps_conf_machine(conf);
    assert_int_equal(machine.java_heap_bytes, is_java ? 512 << 20 : 0);
    assert_int_equal(machine.heap_hint_bytes, is_java ? 0 : 512 << 20);
    assert_true(machine.memory_bytes > 0);
    ps_conf_destroy(conf);
}

static void test_whose_heap(void **state)
{
    check_heap("seq", NULL, "null", false);
    check_heap("seq", "timestamp", "null", false);
    check_heap("example.Source", NULL, "null", true);
    check_heap("seq", NULL, "example.Sink", true);
    check_heap("seq", "example.Interceptor$Builder", "null", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whose_heap, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
