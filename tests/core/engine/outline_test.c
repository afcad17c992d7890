/* The whole text about a plan that has two or three of everything, part by part. */
#include "core/engine/plan.h"

#include "conf/conf.h"
#include "stages/table.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>

static const char agent[] = "a1.sources = r1 r2 r3 r4\n"
                            "a1.channels = c1 c2 c3 c4\n"
                            "a1.sinks = k1 k2 k3 k4 k5 k6\n"
                            "a1.sinkgroups = g1 g2\n"
                            "a1.sinkgroups.g1.sinks = k2 k1\n"
                            "a1.sinkgroups.g1.processor.type = failover\n"
                            "a1.sinkgroups.g1.processor.priority.k1 = 5\n"
                            "a1.sinkgroups.g1.processor.priority.k2 = 10\n"
                            "a1.sinkgroups.g2.sinks = k4 k3\n"
                            "a1.sinkgroups.g2.processor.type = load_balance\n"
                            "a1.penstock.workers = 3\n"
                            "a1.penstock.memory.budget = 64m\n"
                            "a1.sources.r1.type = netcat\n"
                            "a1.sources.r1.bind = 127.0.0.1\n"
                            "a1.sources.r1.port = 4141\n"
                            "a1.sources.r1.channels = c1 c2\n"
                            "a1.sources.r1.interceptors = i1 i2\n"
                            "a1.sources.r1.interceptors.i1.type = regex_filter\n"
                            "a1.sources.r1.interceptors.i1.regex = ^x\n"
                            "a1.sources.r1.interceptors.i2.type = regex_extractor\n"
                            "a1.sources.r1.interceptors.i2.regex = (a+)b\n"
                            "a1.sources.r1.interceptors.i2.serializers = s1\n"
                            "a1.sources.r1.interceptors.i2.serializers.s1.name = n\n"
                            "a1.sources.r1.selector.type = rules\n"
                            "a1.sources.r1.selector.rules.cache = none\n"
                            "a1.sources.r1.selector.rules.file = %s\n"
                            "a1.sources.r1.penstock.deadletter = /letters/r1\n"
                            "a1.sources.r2.type = seq\n"
                            "a1.sources.r2.channels = c3 c1\n"
                            "a1.sources.r3.type = http\n"
                            "a1.sources.r3.bind = 127.0.0.1\n"
                            "a1.sources.r3.port = 4142\n"
                            "a1.sources.r3.channels = c2\n"
                            "a1.sources.r3.penstock.workers = 2\n"
                            "a1.sources.r4.type = org.apache.flume.source.kafka.KafkaSource\n"
                            "a1.sources.r4.kafka.bootstrap.servers = localhost:1\n"
                            "a1.sources.r4.kafka.topics = in\n"
                            "a1.sources.r4.batchSize = 100\n"
                            "a1.sources.r4.channels = c4\n"
                            "a1.channels.c1.type = memory\n"
                            "a1.channels.c1.capacity = 1000\n"
                            "a1.channels.c2.type = file\n"
                            "a1.channels.c2.checkpointDir = /channel/c\n"
                            "a1.channels.c2.dataDirs = /channel/d\n"
                            "a1.channels.c3.type = memory\n"
                            "a1.channels.c4.type = memory\n"
                            "a1.sinks.k1.type = file_roll\n"
                            "a1.sinks.k1.sink.directory = /rolled\n"
                            "a1.sinks.k1.channel = c1\n"
                            "a1.sinks.k2.type = null\n"
                            "a1.sinks.k2.channel = c1\n"
                            "a1.sinks.k3.type = null\n"
                            "a1.sinks.k3.channel = c2\n"
                            "a1.sinks.k4.type = logger\n"
                            "a1.sinks.k4.channel = c2\n"
                            "a1.sinks.k4.penstock.deadletter = /letters/k4\n"
                            "a1.sinks.k5.type = null\n"
                            "a1.sinks.k5.channel = c3\n"
                            "a1.sinks.k6.type = org.apache.flume.sink.kafka.KafkaSink\n"
                            "a1.sinks.k6.channel = c4\n"
                            "a1.sinks.k6.kafka.bootstrap.servers = localhost:1\n"
                            "a1.sinks.k6.kafka.topic = t\n"
                            "a1.sinks.k6.allowTopicOverride = false\n"
                            "a1.sinks.k6.penstock.guarantee = exactly-once\n";

static const char budget[] = "memory budget 64 MiB, 3 workers\n";
static const char components[] =
    "source r1 (netcat) listens on 127.0.0.1:4141 (TCP); into c1 c2; dead letters into /letters/r1\n"
    "source r2 (seq); into c3 c1\n"
    "source r3 (http) listens on 127.0.0.1:4142 (TCP); into c2\n"
    "source r4 (kafka) brokers localhost:1, group flume, topic in, offsets committed by the sink, native "
    "engine; into c4\n"
    "channel c1 (memory) up to 1,000 events\n"
    "channel c2 (file) up to 1,000,000 events in /channel/d; events are acknowledged when they are synced: "
    "they "
    "survive a crash and a power cut\n"
    "channel c3 (memory) up to 100 events\n"
    "channel c4 (memory) up to 100 events\n"
    "sink k1 (file_roll) writes files in /rolled, a new one every 30 s; from c1\n"
    "sink k2 (null); from c1\n"
    "sink k3 (null); from c2\n"
    "sink k4 (logger); from c2; dead letters into /letters/k4\n"
    "sink k5 (null); from c3\n"
    "sink k6 (kafka) brokers localhost:1, topic t, acks all, transactions: exactly once for readers of "
    "committed records, native engine; from c4\n"
    "sink group g1 (failover): k1 k2\n"
    "sink group g2 (load_balance): k3 k4\n";
static const char flows[] = "flow r1 -> c1 -> k1: delivered unless the process is killed; while the channel "
                            "is full the sender is refused\n"
                            "flow r1 -> c1 -> k2: delivered unless the process is killed; while the channel "
                            "is full the sender is refused\n"
                            "flow r1 -> c2 -> k3: at least once: acknowledged events survive a crash in the "
                            "channel; while it is full, the sender is refused\n"
                            "flow r1 -> c2 -> k4: at least once: acknowledged events survive a crash in the "
                            "channel; while it is full, the sender is refused\n"
                            "flow r2 -> c3 -> k5: delivered unless the process is killed; while the channel "
                            "is full the source waits\n"
                            "flow r2 -> c1 -> k1: delivered unless the process is killed; while the channel "
                            "is full the source waits\n"
                            "flow r2 -> c1 -> k2: delivered unless the process is killed; while the channel "
                            "is full the source waits\n"
                            "flow r3 -> c2 -> k3: at least once: acknowledged events survive a crash in the "
                            "channel; while it is full, the sender is refused\n"
                            "flow r3 -> c2 -> k4: at least once: acknowledged events survive a crash in the "
                            "channel; while it is full, the sender is refused\n"
                            "flow r4 -> c4 -> k6: exactly once: the sink commits events and positions in one "
                            "transaction; after a crash the source reads the uncommitted events again\n";
static const char expressions[] =
    "interceptor i1 of source r1: regex \"^x\": Hyperscan, confirmed by PCRE2 where the text is not plain "
    "ASCII\n"
    "interceptor i2 of source r1: regex \"(a+)b\": Hyperscan; PCRE2 finds the groups in events that match\n"
    "selector of source r1: RULES: 2 rules (0 disabled), 2 expressions, the first rule that matches acts; "
    "cache: none\n"
    "  RULES:2:27: body ~ /status=5\\d\\d/: Hyperscan\n"
    "  RULES:3:29: header dc ~ /^(a|b)$/: Hyperscan, confirmed by PCRE2 where the text is not plain ASCII\n";
static const char engine[] = "worker 0: source r1 (netcat), instance 1 of 1, batches of at most 250 events\n"
                             "worker 1: source r2 (seq), instance 1 of 1, batches of at most 25 events\n"
                             "worker 2: source r3 (http), instance 1 of 2, batches of at most 1,024 events\n"
                             "worker 0: source r3 (http), instance 2 of 2, batches of at most 1,024 events\n"
                             "worker 1: source r4 (kafka), instance 1 of 1, batches of at most 25 events\n"
                             "channel c1 (memory): 2 producers, 1 consumer, 2 SPSC rings\n"
                             "channel c2 (file): 3 producers, 1 consumer, 3 SPSC rings\n"
                             "channel c3 (memory): 1 producer, 1 consumer, 1 SPSC ring\n"
                             "channel c4 (memory): 1 producer, 1 consumer, 1 SPSC ring\n"
                             "worker 2: sink k1 (file_roll) from channel c1\n"
                             "worker 2: sink k2 (null) from channel c1\n"
                             "worker 0: sink k3 (null) from channel c2\n"
                             "worker 0: sink k4 (logger) from channel c2\n"
                             "worker 1: sink k5 (null) from channel c3\n"
                             "worker 1: sink k6 (kafka) from channel c4\n";

static char rules_path[256];

/* `warns`: the text has problems, of which none is an error. */
static struct ps_plan *plan_from(const char *text, unsigned cores, bool warns)
{
    const struct ps_machine machine = {.cores = cores > 0 ? cores : 4, .memory_bytes = UINT64_C(1) << 30};
    struct ps_command command;
    struct ps_conf *conf;
    struct ps_err err = {.length = 0};
    char *argv[] = {(char *)(uintptr_t) "agent", (char *)(uintptr_t) "-n", (char *)(uintptr_t) "a1",
                    (char *)(uintptr_t) "-f", (char *)(uintptr_t) "x"};
    assert_int_equal(ps_command_parse(&command, (int)PS_COUNT_OF(argv), argv, &err), PS_OK);
    enum ps_status loaded = ps_conf_load_text(&command, ps_stages, "x", text, strlen(text), &conf);
    if (conf->problems.count > 0 && (loaded != PS_OK || !warns))
        fail_msg("%s", ps_problem_text(conf->arena, &conf->problems.items[0]));
    assert_int_equal(loaded, PS_OK);
    assert_int_equal(conf->problems.count > 0, warns);
    struct ps_plan *plan = ps_plan_create(ps_conf_take_spec(conf), &machine, NULL, &err);
    if (plan == NULL)
        fail_msg("%s", err.text);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    return plan;
}

/* `cores` 0: with the numbers of workers that the file has, else without them. */
static struct ps_plan *plan_of(unsigned cores)
{
    static const char rules[] = "default c2\nrule errors { when body ~ /status=5\\d\\d/ route c1 }\n"
                                "rule two { when header.dc ~ /^(a|b)$/ route c1, c2 }\n";
    static char text[sizeof agent + sizeof rules_path];
    if (ps_test_folder_read("a.rules") == NULL)
        ps_test_folder_append("a.rules", rules, sizeof rules - 1);
    snprintf(rules_path, sizeof rules_path, "%s", ps_test_folder_path("a.rules"));
    snprintf(text, sizeof text, agent, rules_path);
    for (char *at = text; cores > 0 && (at = strstr(at, "a1.")) != NULL; at++) {
        size_t length = strcspn(at, " ");
        if (length >= strlen("penstock.workers") &&
            strncmp(at + length - strlen("penstock.workers"), "penstock.workers", 16) == 0)
            *at = '#';
    }
    return plan_from(text, cores, false);
}

static void take_line(void *argument, const char *text)
{
    char *all = argument;
    const char *path = strstr(text, rules_path);
    if (path != NULL)
        strcat(strcat(strncat(all, text, (size_t)(path - text)), "RULES"), path + strlen(rules_path));
    else
        strcat(all, text);
    strcat(all, "\n");
}

static void assert_part(const struct ps_plan *plan, unsigned parts, const char *expected)
{
    static char text[16384];
    text[0] = '\0';
    ps_plan_describe(plan, parts, take_line, text);
    assert_string_equal(text, expected);
}

static void test_each_part(void **state)
{
    static char all[16384];
    struct ps_plan *plan = plan_of(0);
    assert_part(plan, 0, "");
    assert_part(plan, PS_PLAN_BUDGET, budget);
    assert_part(plan, PS_PLAN_COMPONENTS, components);
    assert_part(plan, PS_PLAN_FLOWS, flows);
    assert_part(plan, PS_PLAN_EXPRESSIONS, expressions);
    assert_part(plan, PS_PLAN_ENGINE, engine);
    snprintf(all, sizeof all, "%s%s%s%s%s", budget, components, flows, expressions, engine);
    assert_part(plan,
                PS_PLAN_BUDGET | PS_PLAN_COMPONENTS | PS_PLAN_FLOWS | PS_PLAN_EXPRESSIONS | PS_PLAN_ENGINE,
                all);
    ps_plan_destroy(plan);
}

/* Without a number in the file: a core less than the machine has, and at most one for each of the ten sources and sinks. */
static void test_workers(void **state)
{
    static const struct {
        unsigned cores;
        const char *expected;
    } cases[] = {
        {1, "memory budget 64 MiB, 1 worker\n"},    {2, "memory budget 64 MiB, 1 worker\n"},
        {3, "memory budget 64 MiB, 2 workers\n"},   {10, "memory budget 64 MiB, 9 workers\n"},
        {11, "memory budget 64 MiB, 10 workers\n"}, {12, "memory budget 64 MiB, 10 workers\n"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_plan *plan = plan_of(cases[i].cores);
        assert_part(plan, PS_PLAN_BUDGET, cases[i].expected);
        ps_plan_destroy(plan);
    }
}

/* The heap of the JVM stands beside the budget, which it does not bound. */
static void test_heap_of_java(void **state)
{
    struct ps_plan *plan = plan_of(3);
    plan->java_heap_bytes = UINT64_C(1536) << 20;
    assert_part(plan, PS_PLAN_BUDGET, "memory budget 64 MiB and a heap of 1.5 GiB for Java, 2 workers\n");
    ps_plan_destroy(plan);
}

static const char kafka_sink[] = "a1.sources = r1\n"
                                 "a1.channels = c1\n"
                                 "a1.sinks = k1\n"
                                 "a1.sources.r1.type = seq\n"
                                 "a1.sources.r1.channels = c1\n"
                                 "a1.channels.c1.type = memory\n"
                                 "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\n"
                                 "a1.sinks.k1.channel = c1\n"
                                 "a1.sinks.k1.kafka.bootstrap.servers = localhost:1\n"
                                 "a1.sinks.k1.kafka.topic = t\n"
                                 "a1.sinks.k1.kafka.producer.%s\n";
static const char kafka_channel[] = "a1.sources = r1\n"
                                    "a1.channels = c1\n"
                                    "a1.sinks = k1\n"
                                    "a1.sources.r1.type = seq\n"
                                    "a1.sources.r1.channels = c1\n"
                                    "a1.channels.c1.type = org.apache.flume.channel.kafka.KafkaChannel\n"
                                    "a1.channels.c1.kafka.bootstrap.servers = localhost:1\n"
                                    "a1.channels.c1.kafka.producer.%s\n"
                                    "a1.sinks.k1.type = null\n"
                                    "a1.sinks.k1.channel = c1\n";
static const char in_memory[] =
    "flow r1 -> c1 -> k1: delivered unless the process is killed; while the channel is full the "
    "source waits%s; exactly once is possible with a channel of type file\n";
static const char in_kafka[] =
    "flow r1 -> c1 -> k1: at least once: acknowledged events survive a crash in the channel; while "
    "it is full, the source waits%s\n";
static const char lost_behind[] =
    "; but with this acks a broker that fails loses events that count as delivered";
static const char lost_inside[] =
    "; but with this acks of the channel a broker that fails loses events that the channel has taken";
static const char twice[] =
    "; but with enable.idempotence = false retries can double events and change their order";

/* Settings that weaken the promise of a flow: those of its sink, and those of its channel. */
static void test_weakness(void **state)
{
    static const struct {
        const char *file, *key, *promise, *weakness;
        bool warns;
    } cases[] = {
        {kafka_sink, "acks = all", in_memory, "", false},
        {kafka_sink, "acks = 1", in_memory, lost_behind, true},
        {kafka_sink, "acks = 0", in_memory, lost_behind, true},
        {kafka_sink, "enable.idempotence = false", in_memory, twice, false},
        {kafka_sink, "enable.idempotence = FALSE", in_memory, twice, false},
        {kafka_channel, "acks = all", in_kafka, "", false},
        {kafka_channel, "acks = 1", in_kafka, lost_inside, true},
        {kafka_channel, "acks = 0", in_kafka, lost_inside, true},
    };
    snprintf(rules_path, sizeof rules_path, "no rules");
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[1024], expected[512];
        snprintf(text, sizeof text, cases[i].file, cases[i].key);
        struct ps_plan *plan = plan_from(text, 0, cases[i].warns);
        snprintf(expected, sizeof expected, cases[i].promise, cases[i].weakness);
        assert_part(plan, PS_PLAN_FLOWS, expected);
        ps_plan_destroy(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weakness),
        cmocka_unit_test_setup_teardown(test_heap_of_java, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_each_part, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_workers, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
