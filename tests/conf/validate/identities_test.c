/* Which sources are asked to give their events identities: those whose events reach a sink that reads them, as they are. */
#include "tests/support/support.h"

#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    static const struct ps_test_class none[] = {{.name = NULL}};
    ps_test_java_conf_setup(state, none, none);
    return 0;
}

static struct ps_conf *load(const char *channel, const char *sink_lines)
{
    char text[2048];
    snprintf(text, sizeof text,
             "a1.sources = r1 r2 r3\na1.channels = c1 c2\na1.sinks = k1 k2\n"
             "a1.sources.r1.type = taildir\na1.sources.r1.filegroups = g\n"
             "a1.sources.r1.filegroups.g = /tmp/logs/.*\na1.sources.r1.positionFile = /tmp/positions\n"
             "a1.sources.r1.channels = c1\n"
             "a1.sources.r2.type = spooldir\na1.sources.r2.spoolDir = /tmp\na1.sources.r2.channels = c2 c1\n"
             "a1.sources.r3.type = seq\na1.sources.r3.channels = c1\n"
             "a1.channels.c1.type = %s\na1.channels.c2.type = memory\n"
             "a1.sinks.k1.type = logger\na1.sinks.k1.channel = c1\n"
             "a1.sinks.k2.type = logger\na1.sinks.k2.channel = c2\n%s",
             channel, sink_lines);
    return ps_test_java_conf_load(text);
}

/* Asserts that exactly these of the sources r1, r2, r3 are asked: a bit for each. A reload sees that they are others than before. */
static void expect(const char *channel, const char *sink_lines, unsigned asked)
{
    struct ps_conf *conf = load(channel, sink_lines);
    assert_int_equal(conf->problems.errors, 0);
    assert_int_equal(conf->agent.source_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const char *note = ps_pairs_get(&conf->agent.sources[i].part.pairs, "penstock.identities");
        if ((note != NULL) != ((asked >> i & 1) != 0))
            fail_msg("r%u, %s, %s", i + 1, channel, sink_lines);
    }
    ps_conf_destroy(conf);
}

static void test_who_is_asked(void **state)
{
    static const char first[] = "a1.sinks.k1.penstock.identity = true\n";
    static const char second[] = "a1.sinks.k2.penstock.identity = true\n";
    static const char both[] = "a1.sinks.k1.penstock.identity = true\na1.sinks.k2.penstock.identity = true\n";
    expect("memory", "", 0);
    expect("memory", "a1.sinks.k1.penstock.identity = false\n", 0);
    expect("memory", first, 3);
    expect("memory", second, 2);
    expect("memory", both, 3);
    expect("spillablememory", first, 3);
    expect("file", first, 0); /* a channel that stores events gives them its own */
    expect("file", both, 2);
    expect("jdbc", first, 0);
    expect("memory", "a1.sinks.k1.type = null\na1.sinks.k1.penstock.identity = true\n", 0);
#define STORE "a1.sinks.k1.type = elasticsearch\na1.sinks.k1.hostNames = h\n"
    expect("memory", STORE, 3);
    expect("memory", STORE "a1.sinks.k1.penstock.ids = Identity\n", 3);
    expect("memory", STORE "a1.sinks.k1.penstock.ids = none\n", 0);
    expect("memory", STORE "a1.sinks.k1.penstock.ids = header:h\n", 0);
    expect("file", STORE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_asked, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
