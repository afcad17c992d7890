/* Which flows may have a transactional sink, and what `check` says of the others. */
#include "tests/support/support.h"

#include "tests/support/folder.h"
#include "tests/support/java_conf.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    static const struct ps_test_class none[] = {{.name = NULL}};
    static const struct ps_test_class flume[] = {
        {.name = "org/apache/flume/Sink", .more_access = 0x0600},
        {.name = "org/apache/flume/sink/kafka/KafkaSink", .interfaces = {"org/apache/flume/Sink"}},
        {.name = NULL}};
    ps_test_java_conf_setup(state, flume, none);
    return 0;
}

/* Loads a good flow, and then these lines, which replace its lines with the same keys. */
static struct ps_conf *load(const char *lines)
{
    char text[2048];
    snprintf(text, sizeof text,
             "a1.sources = r1 r2\na1.channels = c1 c2\na1.sinks = k1 k2\n"
             "a1.sources.r1.type = kafka\na1.sources.r1.kafka.bootstrap.servers = b:9092\n"
             "a1.sources.r1.kafka.topics = in\na1.sources.r1.channels = c1\n"
             "a1.sources.r2.type = seq\na1.sources.r2.channels = c2\n"
             "a1.channels.c1.type = memory\na1.channels.c2.type = memory\n"
             "a1.channels.c1.transactionCapacity = 1000\na1.channels.c2.transactionCapacity = 1000\n"
             "a1.channels.c1.capacity = 5000\na1.channels.c2.capacity = 5000\n"
             "a1.sinks.k1.type = kafka\na1.sinks.k1.kafka.bootstrap.servers = b:9092\n"
             "a1.sinks.k1.allowTopicOverride = false\na1.sinks.k1.channel = c1\n"
             "a1.sinks.k1.penstock.guarantee = exactly-once\n"
             "a1.sinks.k2.type = null\na1.sinks.k2.channel = c2\n%s",
             lines);
    return ps_test_java_conf_load(text);
}

static bool says(const struct ps_conf *conf, const char *what)
{
    for (size_t i = 0; i < conf->problems.count; i++)
        if (strstr(conf->problems.items[i].what, what) != NULL &&
            conf->problems.items[i].severity <= PS_SEVERITY_DROPPED)
            return true;
    return false;
}

static void test_flows_that_cannot(void **state)
{
    static const struct {
        const char *lines, *what;
    } rows[] = {
        {"a1.sinks.k2.channel = c1\n", "exactly once: sink k2 also takes from channel c1"},
        {"a1.sinkgroups = g\na1.sinkgroups.g.sinks = k1 k2\na1.sinkgroups.g.processor.type = failover\n",
         "exactly once: it is in the sink group g"},
        {"a1.channels.c1.type = jdbc\n",
         "exactly once: channel c1 of type jdbc stores neither the position of the source"},
        {"a1.sources.r1.type = spooldir\na1.sources.r1.spoolDir = /tmp\na1.sources.r2.channels = c1\n"
         "a1.sources.r2.type = taildir\na1.sources.r2.filegroups = g\na1.sources.r2.filegroups.g = /tmp/x\n",
         "exactly once: source r1 shares channel c1 with other sources"},
        {"a1.sources.r1.type = spooldir\na1.sources.r1.spoolDir = /tmp\na1.sources.r1.deserializer = "
         "INEXACT\n",
         "exactly once: source r1 has deserializer = inexact, which may give events again"},
        {"a1.channels.c1.type = file\na1.sinks.k2.channel = c1\n",
         "exactly once: sink k2 also takes from channel c1"},
        {"a1.sinks.k1.penstock.positions.topic = a/b\n", "a/b is not a legal name of a topic"},
        {"a1.sinks.k1.penstock.positions.topic = default-flume-topic\n",
         "default-flume-topic is the topic of the events"},
        {"a1.channels.c1.type = spillablememory\n", "exactly once: channel c1 of type spillablememory"},
        {"a1.sources.r2.channels = c1 c2\n", "exactly once: source r2 of type seq has no positions"},
        {"a1.sources.r1.channels = c1 c2\n", "exactly once: source r1 has 2 channels"},
        {"a1.sources.r1.selector.optional = c1\n", "exactly once: channel c1 is optional for source r1"},
        {"a1.sources.r1.selector.type = multiplexing\na1.sources.r1.selector.header = h\n"
         "a1.sources.r1.selector.default = c1\na1.sources.r1.selector.optional.x = c1\n",
         "exactly once: channel c1 is optional for source r1"},
        {"a1.sources.r1.kafka.consumer.isolation.level = read_uncommitted\n",
         "exactly once: source r1 has kafka.consumer.isolation.level = read_uncommitted"},
        {"a1.sources.r1.kafka.consumer.partition.assignment.strategy = cooperative-sticky\n",
         "exactly once: source r1 has kafka.consumer.partition.assignment.strategy"},
        {"a1.sources.r1.kafka.consumer.partition.assignment.strategy = "
         "org.apache.kafka.clients.consumer.StickyAssignor\n",
         "StickyAssignor, which is used as cooperative-sticky"},
        {"a1.sources.r1.kafka.consumer.partition.assignment.strategy = "
         "org.apache.kafka.clients.consumer.CooperativeStickyAssignor,"
         "org.apache.kafka.clients.consumer.StickyAssignor\n",
         "StickyAssignor, which is used as cooperative-sticky"},
        {"a1.sources.r1.kafka.consumer.isolation.level = Read_Uncommitted\n",
         "isolation.level = Read_Uncommitted: unknown"},
        {"a1.sources.r2.penstock.deadletter = c1\n",
         "exactly once: source r2 writes its dead letters into channel c1"},
        {"a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.k1.penstock.engine = java\n",
         "exactly once: it is Flume's own class"},
        {"a1.sinks.k1.penstock.transaction.timeout = 1000\na1.sinks.k1.penstock.transaction.interval = 501\n",
         "exactly-once is not possible with this setting: penstock.transaction.interval is above half"},
        {"a1.sinks.k1.kafka.producer.acks = 1\n",
         "exactly-once is not possible with this setting: kafka.producer.acks"},
        {"a1.sinks.k1.kafka.producer.acks = \\u0020 1\n",
         "exactly-once is not possible with this setting: kafka.producer.acks"},
        {"a1.sinks.k1.kafka.producer.request.required.acks = 0\n",
         "exactly-once is not possible with this setting: kafka.producer.acks"},
        {"a1.sinks.k1.requiredAcks = \\u0020 1\n",
         "exactly-once is not possible with this setting: kafka.producer.acks"},
        {"a1.sinks.k1.kafka.producer.enable.idempotence = \\u0020 FALSE\n",
         "exactly-once is not possible with this setting: kafka.producer.enable.idempotence = false"},
        {"a1.sinks.k1.kafka.producer.enable.idempotence = false\n",
         "exactly-once is not possible with this setting: kafka.producer.enable.idempotence = false"},
        {"a1.sinks.k1.kafka.producer.enable.idempotence = False\n",
         "exactly-once is not possible with this setting: kafka.producer.enable.idempotence = false"},
        {"a1.sinks.k1.kafka.producer.broker.address.family = v4\n",
         "exactly-once is not possible with this setting: broker.address.family"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_conf *conf = load(rows[i].lines);
        print_message("%s", rows[i].lines);
        if (!says(conf, rows[i].what))
            for (size_t p = 0; p < conf->problems.count; p++)
                print_message("  said: %s\n", conf->problems.items[p].what);
        assert_true(says(conf, rows[i].what));
        ps_conf_destroy(conf);
    }
}

static const char *positions_of(const struct ps_conf *conf, size_t source)
{
    return ps_pairs_get(&conf->agent.sources[source].part.pairs, "penstock.positions");
}

/* The source commits no offsets; a reload sees that it is another one than before. */
static void test_a_flow_that_can(void **state)
{
    struct ps_conf *conf = load("");
    assert_int_equal(conf->problems.errors, 0);
    assert_string_equal(positions_of(conf, 0), "sink");
    assert_null(positions_of(conf, 1));
    ps_conf_destroy(conf);
    conf = load("a1.sinks.k1.penstock.guarantee = at-least-once\n");
    assert_int_equal(conf->problems.errors, 0);
    assert_null(positions_of(conf, 0));
    ps_conf_destroy(conf);
    /* what the client makes of a value counts, and not how it is written */
    static const char *const good[] = {
        "a1.sources.r1.kafka.consumer.isolation.level = \\u0020 read_committed\n",
        "a1.sources.r1.kafka.consumer.partition.assignment.strategy = "
        "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.StickyAssignor\n",
        "a1.sources.r1.kafka.consumer.partition.assignment.strategy = "
        "org.apache.kafka.clients.consumer.RoundRobinAssignor\n",
        "a1.sinks.k1.kafka.producer.acks = -1\n",
        "a1.sinks.k1.kafka.producer.enable.idempotence = TRUE\n",
    };
    for (size_t i = 0; i < PS_COUNT_OF(good); i++) {
        conf = load(good[i]);
        assert_int_equal(conf->problems.errors, 0);
        assert_string_equal(positions_of(conf, 0), "sink");
        ps_conf_destroy(conf);
    }
    /* several sources of one channel */
    conf = load("a1.sources.r2.type = kafka\na1.sources.r2.kafka.bootstrap.servers = b:9092\n"
                "a1.sources.r2.kafka.topics = other\na1.sources.r2.channels = c1\n"
                "a1.sources.r1.kafka.consumer.isolation.level = read_committed\n");
    assert_int_equal(conf->problems.errors, 0);
    assert_string_equal(positions_of(conf, 0), "sink");
    assert_string_equal(positions_of(conf, 1), "sink");
    ps_conf_destroy(conf);
}

static void test_a_spooling_directory(void **state)
{
    static const char *const deserializers[] = {
        "LINE", "AVRO", "BLOB", "org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder"};
    char lines[512];
    for (size_t i = 0; i < PS_COUNT_OF(deserializers); i++) {
        snprintf(
            lines, sizeof lines,
            "a1.sources.r1.type = spooldir\na1.sources.r1.spoolDir = /tmp\na1.sources.r1.deserializer = %s\n",
            deserializers[i]);
        struct ps_conf *conf = load(lines);
        for (size_t p = 0; p < conf->problems.count; p++)
            print_message("  said: %s\n", conf->problems.items[p].what);
        assert_int_equal(conf->problems.errors, 0);
        assert_string_equal(positions_of(conf, 0), "sink");
        assert_string_equal(ps_pairs_get(&conf->agent.sinks[0].part.pairs, "penstock.positions"), "topic");
        ps_conf_destroy(conf);
    }
}

/* The sink itself keeps the positions of a channel on disk, so any source is accepted, and dead letters are, too. */
static void test_a_channel_on_disk(void **state)
{
    struct ps_conf *conf = load("a1.channels.c1.type = file\na1.sources.r2.channels = c1 c2\n"
                                "a1.sources.r2.penstock.deadletter = c1\n");
    for (size_t p = 0; p < conf->problems.count; p++)
        print_message("  said: %s\n", conf->problems.items[p].what);
    assert_int_equal(conf->problems.errors, 0);
    assert_null(positions_of(conf, 0));
    assert_string_equal(ps_pairs_get(&conf->agent.sinks[0].part.pairs, "penstock.positions"), "topic");
    assert_null(ps_pairs_get(&conf->agent.sinks[1].part.pairs, "penstock.positions"));
    ps_conf_destroy(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flows_that_cannot, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_flow_that_can, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_spooling_directory, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_channel_on_disk, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
