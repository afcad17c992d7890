/* Components that the agent runs without: the lines for /readyz, and whether a channel has none of its sources or sinks. */
#include "conf/validate/dropped.h"
#include "tests/support/support.h"

#include "tests/support/java_conf.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <string.h>

static const struct ps_test_class flume[] = {{.name = "org/apache/flume/Source", .more_access = 0x0600},
                                             {.name = NULL}};
static const struct ps_test_class own[] = {{.name = "example/Neither"}, {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

/* Two sources and two sinks at one channel, another flow beside them; the lines of `more` come last and win. */
static const char agent[] = "a1.sources = r1 r2 r3\na1.channels = c1 c2\na1.sinks = k1 k2 k3\n"
                            "a1.sources.r1.type = seq\na1.sources.r1.channels = c1\n"
                            "a1.sources.r2.type = seq\na1.sources.r2.channels = c1\n"
                            "a1.sources.r3.type = seq\na1.sources.r3.channels = c2\n"
                            "a1.channels.c1.type = memory\na1.channels.c2.type = memory\n"
                            "a1.sinks.k1.type = null\na1.sinks.k1.channel = c1\n"
                            "a1.sinks.k2.type = null\na1.sinks.k2.channel = c1\n"
                            "a1.sinks.k3.type = null\na1.sinks.k3.channel = c2\n";
#define LINE_1 "a.properties:18: dropped: a1."

static const struct {
    const char *what, *more;
    const char *said[3]; /* beginnings of the lines */
    const char *cut;
    const char *refuses; /* the channel for which the agent does not start, or NULL */
} rows[] = {
    {"nothing is dropped", "", {NULL}, NULL},
    {"a channel that nothing uses", "a1.channels = c1 c2 c3\na1.channels.c3.type = memory\n", {NULL}, NULL},
    {"a source of two",
     "a1.sources.r1.batchSize = x\n",
     {"source r1 is left out: " LINE_1 "sources.r1.batchSize: \"x\" is not a whole number"},
     NULL},
    {"a sink of two, by its type",
     "a1.sinks.k2.type = nul\n",
     {"sink k2 is left out: " LINE_1 "sinks.k2.type: Flume has no sink `nul`; did you mean null?"},
     NULL},
    {"a class that is missing",
     "a1.sources.r2.type = example.None\n",
     {"source r2 is left out: " LINE_1 "sources.r2.type: Flume has no source `example.None`, and none of"},
     NULL},
    {"the only source of a channel, by its interceptor",
     "a1.sources.r3.interceptors = i\na1.sources.r3.interceptors.i.type = statik\n",
     {"source r3 is left out: a.properties:19: dropped: a1.sources.r3.interceptors.i.type: Flume has no"},
     "channel c2 would have none of its sources"},
    {"the only sink of a channel",
     "a1.sinks.k3.type = nul\n",
     {"sink k3 is left out: " LINE_1 "sinks.k3.type: "},
     "channel c2 would have none of its sinks",
     "c2"},
    {"the only sink of a channel, with a class that no jar has",
     "a1.sinks.k3.type = example.None\n",
     {"sink k3 is left out: " LINE_1 "sinks.k3.type: "},
     "channel c2 would have none of its sinks",
     "c2"},
    {"the only sink of a channel, with a class that is no sink",
     "a1.sinks.k3.type = example.Neither\n",
     {"sink k3 is left out: " LINE_1 "sinks.k3.type: "},
     "channel c2 would have none of its sinks",
     "c2"},
    {"the only sink of a channel, by a batch that is too large",
     "a1.sinks.k3.batchSize = 101\n",
     {"sink k3 is left out: " LINE_1 "sinks.k3.batchSize: "},
     "channel c2 would have none of its sinks",
     "c2"},
    {"the only sink of a channel, whose channel is misspelt",
     "a1.sinks.k3.channel = c9\n",
     {"sink k3 is left out: " LINE_1 "sinks.k3.channel: channel \"c9\" is not declared"},
     NULL,
     "c2"},
    {"the only sink of a channel, whose name is misspelt",
     "a1.sinks = k1 k2 k4\n",
     {"sink k4 is left out: " LINE_1 "sinks: sink \"k4\" is listed, but has no keys"},
     NULL,
     "c2"},
    {"the only sink of a channel, which the file allows to lack",
     "a1.penstock.allow.unsupported = true\na1.sinks.k3.type = asynchbase\n",
     {"sink k3 is left out: a.properties:19: dropped: a1.sinks.k3.type: Flume's sink `asynchbase`"},
     "channel c2 would have none of its sinks"},
    {"the only sink of a channel, which was taken out of the list", "a1.sinks = k1 k2\n", {NULL}, NULL},
    {"the only sink of dead letters",
     "a1.channels = c1 c2 c4\na1.channels.c4.type = memory\na1.sinks.k3.penstock.deadletter = c4\n"
     "a1.sinks = k1 k2 k3 k4\na1.sinks.k4.type = nul\na1.sinks.k4.channel = c4\n",
     {"sink k4 is left out: a.properties:22: dropped: a1.sinks.k4.type: "},
     "channel c4 would have none of its sinks",
     "c4"},
    {"a source without keys",
     "a1.sources = r1 r2 r3 r4\n",
     {"source r4 is left out: a.properties:18: dropped: a1.sources: source \"r4\" is listed, but has no "
      "keys; remove r4 from a1.sources, or add"},
     NULL},
    {"a channel, with all that it has",
     "a1.channels.c2.type = memry\n",
     {"source r3 is left out: a.properties:", "channel c2 is left out: " LINE_1 "channels.c2.type: ",
      "sink k3 is left out: a.properties:"},
     "channel c2 would have none of its sources"},
    {"both sinks of a channel, with their group",
     "a1.sinkgroups = g\na1.sinkgroups.g.sinks = k1 k2\na1.sinkgroups.g.processor.type = non\n",
     {"sink k1 is left out: a.properties:20: dropped: a1.sinkgroups.g.processor.type: ",
      "sink k2 is left out: a.properties:20: dropped: a1.sinkgroups.g.processor.type: "},
     "channel c1 would have none of its sinks",
     "c1"},
};

/* The error names the channel, and the problem that dropped the sink decides. */
static void expect_refusal(const char *what, const struct ps_conf *conf, const char *channel)
{
    char said[128];
    snprintf(said, sizeof said, "no sink is left that takes from channel %s:", channel);
    bool found = false, decides = false;
    for (size_t i = 0; i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        found |= problem->severity == PS_SEVERITY_ERROR && strncmp(problem->what, said, strlen(said)) == 0;
        decides |= problem->decides && problem->severity == PS_SEVERITY_DROPPED;
    }
    if (!found || !decides)
        fail_msg("%s: %s", what, found ? "no problem decides" : "not refused");
}

static void test_rows(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s", agent, rows[i].more);
        struct ps_conf *conf = ps_test_java_conf_load(text);
        const char *line = conf->dropped != NULL ? conf->dropped : "";
        for (size_t k = 0; k < 3 && rows[i].said[k] != NULL; k++) {
            if (strncmp(line, rows[i].said[k], strlen(rows[i].said[k])) != 0)
                fail_msg("%s: %s", rows[i].what, line);
            line = strchr(line, '\n') + 1;
        }
        if (*line != '\0')
            fail_msg("%s: a line more: %s", rows[i].what, line);
        const char *cut = rows[i].cut != NULL ? rows[i].cut : "", *got = conf->cut != NULL ? conf->cut : "";
        if (strcmp(cut, got) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].what, got, cut);
        if (rows[i].refuses != NULL) {
            expect_refusal(rows[i].what, conf, rows[i].refuses);
            ps_conf_destroy(conf);
            continue;
        }
        struct ps_agent_spec *spec = ps_conf_take_spec(conf);
        assert_int_equal(spec->cut, rows[i].cut != NULL);
        assert_int_equal(spec->dropped != NULL, rows[i].said[0] != NULL);
        ps_conf_destroy(conf);
        ps_arena_destroy(spec->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, setup, ps_test_folder_teardown);
}
