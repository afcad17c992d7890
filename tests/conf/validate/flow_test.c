/* Which components run in Java as a whole, because a channel, selector or sink processor exists only there. */
#include "tests/support/support.h"

#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUME "org/apache/flume/"
#define INTERFACE .more_access = 0x0600
#define IN_JAVA "in-java" /* the name of what runs there as a whole */

static const struct ps_test_class flume[] = {
    {.name = FLUME "Sink", INTERFACE},
    {.name = FLUME "Source", INTERFACE},
    {.name = FLUME "Channel", INTERFACE},
    {.name = FLUME "ChannelSelector", INTERFACE},
    {.name = FLUME "SinkProcessor", INTERFACE},
    {.name = FLUME "sink/LoadBalancingSinkProcessor$SinkSelector", INTERFACE},
    {.name = FLUME "source/SequenceGeneratorSource", .interfaces = {FLUME "Source"}},
    {.name = FLUME "sink/NullSink", .interfaces = {FLUME "Sink"}},
    {.name = FLUME "channel/MemoryChannel", .interfaces = {FLUME "Channel"}},
    {.name = FLUME "sink/FailoverSinkProcessor", .interfaces = {FLUME "SinkProcessor"}},
    {.name = FLUME "sink/LoadBalancingSinkProcessor", .interfaces = {FLUME "SinkProcessor"}},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "example/Channel", .interfaces = {FLUME "Channel"}},
    {.name = "example/Selector", .interfaces = {FLUME "ChannelSelector"}},
    {.name = "example/Processor", .interfaces = {FLUME "SinkProcessor"}},
    {.name = "example/Order", .interfaces = {FLUME "sink/LoadBalancingSinkProcessor$SinkSelector"}},
    {.name = NULL}};

static int setup(void **state)
{
    ps_test_java_conf_setup(state, flume, own);
    return 0;
}

/* Two sources, two channels and three sinks: r1 into c1, r2 into c2; k1 from c1, k2 and k3 from c2. */
static struct ps_conf *load(const char *lines)
{
    char text[2048];
    snprintf(text, sizeof text,
             "a1.sources = r1 r2\na1.channels = c1 c2\na1.sinks = k1 k2 k3\na1.sinkgroups = g1\n"
             "a1.sources.r1.type = seq\na1.sources.r2.type = seq\na1.sources.r1.channels = c1\n"
             "a1.channels.c1.capacity = 200\na1.channels.c2.capacity = 200\na1.sinks.k1.type = null\n"
             "a1.sinks.k2.type = null\na1.sinks.k3.type = null\na1.sinks.k1.channel = c1\n"
             "a1.sinks.k2.channel = c2\na1.sinks.k3.channel = c2\n%s",
             lines);
    return ps_test_java_conf_load(text);
}

#define R2 "a1.sources.r2.channels = c2\n"
#define MEMORY(name) "a1.channels." name ".type = memory\n"

/* Returns the components that the agent runs, and the lists of what runs in Java. */
static const char *runs(const struct ps_conf *conf)
{
    static char text[500];
    const struct ps_conf_agent *agent = &conf->agent;
    const char *flow = "";
    text[0] = '\0';
    for (size_t i = 0; i < agent->source_count; i++) {
        const struct ps_conf_part *part = &agent->sources[i].part;
        if (strcmp(part->name, IN_JAVA) == 0) {
            const char *groups = ps_pairs_get(&part->pairs, "sinkgroups");
            flow =
                ps_arena_format(conf->arena, "| %s %s %s%s%s", ps_pairs_get(&part->pairs, "sources"),
                                ps_pairs_get(&part->pairs, "channels"), ps_pairs_get(&part->pairs, "sinks"),
                                groups != NULL ? " " : "", groups != NULL ? groups : "");
            assert_string_equal(part->ops->name, "java");
            assert_int_equal(agent->sources[i].channels.count, 0);
            continue;
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", part->name);
    }
    for (size_t i = 0; i < agent->channel_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", agent->channels[i].part.name);
    for (size_t i = 0; i < agent->sink_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", agent->sinks[i].part.name);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s", flow);
    return text;
}

static void test_what_runs_together(void **state)
{
    static const struct {
        const char *lines, *runs;
    } rows[] = {
        {MEMORY("c1") MEMORY("c2") R2, "r1 r2 c1 c2 k1 k2 k3 "},
        {"a1.channels.c1.type = example.Channel\n" MEMORY("c2") R2, "r2 c2 k2 k3 | r1 c1 k1"},
        {"a1.channels.c1.penstock.engine = java\n" MEMORY("c1") MEMORY("c2") R2, "r2 c2 k2 k3 | r1 c1 k1"},
        {"a1.sources.r2.channels = c1 c2\na1.channels.c1.type = example.Channel\n" MEMORY("c2"),
         "| r1 r2 c1 c2 k1 k2 k3"},
        {"a1.sources.r2.selector.type = example.Selector\n" MEMORY("c1") MEMORY("c2") R2,
         "r1 c1 k1 | r2 c2 k2 k3"},
        {"a1.sinkgroups.g1.sinks = k2 k3\na1.sinkgroups.g1.processor.type = example.Processor\n" MEMORY("c1")
             MEMORY("c2") R2,
         "r1 c1 k1 | r2 c2 k2 k3 g1"},
        {"a1.sinkgroups.g1.sinks = k2 k3\na1.sinkgroups.g1.processor.type = load_balance\n"
         "a1.sinkgroups.g1.processor.selector = example.Order\n" MEMORY("c1") MEMORY("c2") R2,
         "r1 c1 k1 | r2 c2 k2 k3 g1"},
        {"a1.sinkgroups.g1.sinks = k1 k2\na1.sinkgroups.g1.processor.type = failover\n"
         "a1.channels.c1.type = example.Channel\n" MEMORY("c2") R2,
         "| r1 r2 c1 c2 k1 k2 k3 g1"}, /* a group joins its sinks */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(rows[i].lines);
        print_message("%s", rows[i].lines);
        assert_string_equal(runs(conf), rows[i].runs);
        assert_int_equal(conf->problems.errors, 0);
        ps_conf_destroy(conf);
    }
}

/* Returns whether one of the problems has this text. */
static bool is_said(struct ps_conf *conf, const char *text)
{
    for (size_t i = 0; i < conf->problems.count; i++)
        if (strstr(ps_problem_text(conf->arena, &conf->problems.items[i]), text) != NULL)
            return true;
    return false;
}

/* A part without a class in Java keeps the agent from starting; a class that nobody has is dropped as in Flume. */
static void test_what_cannot_run(void **state)
{
    static const struct {
        const char *lines, *said;
        bool starts;
    } rows[] = {
        {"a1.channels.c1.type = example.Channel\na1.sources.r1.type = "
         "org.apache.flume.source.scribe.ScribeSource\n" MEMORY("c2") R2,
         "it runs in Java together with a component that exists only there, and "
         "Flume has no source `org.apache.flume.source.scribe.ScribeSource`, and none of the 2 jars",
         false},
        {"a1.channels.c1.type = example.Chanel\n" MEMORY("c2") R2,
         "Flume has no channel `example.Chanel`, and none of the 2 jars of the class path has it; did "
         "you mean "
         "example.Channel?",
         true},
        {"a1.sinkgroups.g1.sinks = k2 k3\na1.sinkgroups.g1.processor.type = example.Procesor\n" MEMORY("c1")
             MEMORY("c2") R2,
         "Flume has no sink processor `example.Procesor`, and none of the 2 jars of the class path has "
         "it; did you "
         "mean example.Processor?",
         false}, /* both sinks of c2 go with the group */
        {"a1.sinkgroups.g1.sinks = k2 k3\na1.sinkgroups.g1.processor.type = load_balance\n"
         "a1.sinkgroups.g1.processor.selector = example.Processor\n" MEMORY("c1") MEMORY("c2") R2,
         "cannot be used as the sink selector: it does not implement "
         "org.apache.flume.sink.LoadBalancingSinkProcessor$SinkSelector",
         true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(rows[i].lines);
        print_message("%s", rows[i].lines);
        if (!is_said(conf, rows[i].said)) {
            for (size_t k = 0; k < conf->problems.count; k++)
                print_message("%s\n", ps_problem_text(conf->arena, &conf->problems.items[k]));
            fail_msg("lacks: %s", rows[i].said);
        }
        assert_int_equal(conf->problems.errors == 0, rows[i].starts);
        ps_conf_destroy(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_runs_together, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_run, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
