#include "tests/world/agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/peers/kafka/cluster.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/rpc/rpc.h"

#define EVENTS_MAX 600U
#define PORT 4141
#define SERVER_PORT 8080

static void put(struct drawn_agent *agent, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct drawn_agent *agent, const char *format, ...)
{
    size_t length = strlen(agent->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(agent->text + length, sizeof agent->text - length, format, arguments);
    va_end(arguments);
}

static unsigned one_of(unsigned a, unsigned b, unsigned c)
{
    return world_below(3) == 0 ? a : world_below(2) == 0 ? b : c;
}

#define BROKERS "kafka1:9092,kafka2:9092,kafka3:9092"

static void put_kafka_source(struct drawn_agent *agent)
{
    put(agent,
        "a.sources.s.type = org.apache.flume.source.kafka.KafkaSource\n"
        "a.sources.s.kafka.bootstrap.servers = " BROKERS "\na.sources.s.kafka.topics = in\n"
        "a.sources.s.kafka.consumer.group.id = g\na.sources.s.kafka.consumer.auto.offset.reset = earliest\n"
        "a.sources.s.batchSize = %u\na.sources.s.setTopicHeader = %s\n",
        one_of(1, 10, 100), agent->sink == SINK_KAFKA ? "false" : "true");
    if (agent->reader.committed_only && !agent->exactly_once)
        put(agent, "a.sources.s.kafka.consumer.isolation.level = read_committed\n");
    if (agent->reader.is_static)
        put(agent, "a.sources.s.kafka.consumer.group.instance.id = i\n");
    if (agent->reader.assignor != NULL)
        put(agent, "a.sources.s.kafka.consumer.partition.assignment.strategy = %s\n", agent->reader.assignor);
    if (world_below(3) == 0)
        put(agent, "a.sources.s.kafka.consumer.fetch.max.wait.ms = %u\n", one_of(10, 100, 2000));
}

static void put_source(struct drawn_agent *agent)
{
    put(agent, "a.sources = s\na.sources.s.channels = c\n");
    switch (agent->source) {
    case SOURCE_TAILDIR:
        put(agent,
            "a.sources.s.type = TAILDIR\na.sources.s.filegroups = g\na.sources.s.filegroups.g = "
            "/w/logs/a.log.*\n"
            "a.sources.s.positionFile = /w/positions.json\na.sources.s.batchSize = %u\n",
            one_of(1, 10, 100));
        break;
    case SOURCE_SPOOLDIR:
        put(agent,
            "a.sources.s.type = spooldir\na.sources.s.spoolDir = /w/spool\na.sources.s.batchSize = %u\n",
            one_of(1, 10, 100));
        put(agent, "a.sources.s.deletePolicy = %s\n", world_below(2) == 0 ? "never" : "immediate");
        break;
    case SOURCE_NETCAT:
        put(agent,
            "a.sources.s.type = netcat\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n"
            "a.sources.s.max-line-length = %u\n",
            PORT, one_of(2048, 4096, 8192));
        break;
    case SOURCE_AVRO:
    case SOURCE_THRIFT:
        put(agent, "a.sources.s.type = %s\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n",
            agent->names[0], PORT);
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        put(agent, "a.sources.s.type = %s\na.sources.s.host = 0.0.0.0\na.sources.s.port = %d\n",
            agent->names[0], PORT);
        break;
    case SOURCE_MULTIPORT:
        put(agent, "a.sources.s.type = multiport_syslogtcp\na.sources.s.ports = %d %d\n", PORT, PORT + 1);
        break;
    case SOURCE_KAFKA:
        put_kafka_source(agent);
        break;
    default:
        put(agent, "a.sources.s.type = http\na.sources.s.bind = 0.0.0.0\na.sources.s.port = %d\n", PORT);
        break;
    }
}

static void put_channel(struct drawn_agent *agent)
{
    unsigned capacity = one_of(100, 1000, 10000);
    put(agent, "a.channels = c\n");
    switch (agent->channel) {
    case CHANNEL_MEMORY:
        put(agent,
            "a.channels.c.type = memory\na.channels.c.capacity = %u\na.channels.c.transactionCapacity = "
            "100\n",
            capacity);
        break;
    case CHANNEL_JDBC:
        put(agent, "a.channels.c.type = jdbc\na.channels.c.sysprop.user.home = /w\n");
        break;
    default:
        put(agent,
            "a.channels.c.type = file\na.channels.c.checkpointDir = /w/checkpoint\na.channels.c.dataDirs = "
            "/w/data%s\n"
            "a.channels.c.maxFileSize = 1048576\na.channels.c.minimumRequiredSpace = "
            "1048576\na.channels.c.capacity = %u\n"
            "a.channels.c.transactionCapacity = 100\n",
            agent->two_directories ? ",/w/data2" : "", capacity);
        break;
    }
}

static void put_sink(struct drawn_agent *agent)
{
    put(agent, "a.sinks = k\na.sinks.k.channel = c\n");
    switch (agent->sink) {
    case SINK_KAFKA:
        put(agent,
            "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\n"
            "a.sinks.k.kafka.bootstrap.servers = " BROKERS "\na.sinks.k.kafka.topic = t\n"
            "a.sinks.k.flumeBatchSize = %u\n",
            one_of(1, 10, 100));
        if (agent->exactly_once)
            put(agent, "a.sinks.k.penstock.guarantee = exactly-once\na.sinks.k.allowTopicOverride = false\n");
        break;
    case SINK_HTTP:
        put(agent,
            "a.sinks.k.type = http\na.sinks.k.endpoint = http://localhost:%d/\na.sinks.k.connectTimeout = "
            "2000\n"
            "a.sinks.k.requestTimeout = %u\na.sinks.k.acceptHeader = */*\na.sinks.k.contentTypeHeader = "
            "text/plain\n"
            "a.sinks.k.defaultBackoff = true\na.sinks.k.defaultRollback = true\na.sinks.k.backoff.200 = "
            "false\n"
            "a.sinks.k.rollback.200 = false\n",
            SERVER_PORT, one_of(1000, 5000, 20000));
        break;
    case SINK_AVRO:
    case SINK_THRIFT:
        put(agent,
            "a.sinks.k.type = %s\na.sinks.k.hostname = localhost\na.sinks.k.port = %d\na.sinks.k.batch-size "
            "= "
            "%u\na.sinks.k.request-timeout = %u\n",
            agent->names[2], SERVER_PORT, one_of(1, 10, 100), one_of(1000, 5000, 20000));
        if (world_below(3) == 0)
            put(agent, "a.sinks.k.reset-connection-interval = 1\n");
        if (agent->sink == SINK_THRIFT)
            put(agent, "a.sinks.k.protocol = %s\n", world_below(2) == 0 ? "compact" : "binary");
        break;
    default:
        put(agent,
            "a.sinks.k.type = file_roll\na.sinks.k.sink.directory = /w/out\na.sinks.k.sink.rollInterval = "
            "%u\n"
            "a.sinks.k.sink.batchSize = %u\n",
            one_of(0, 1, 30), one_of(1, 10, 100));
        break;
    }
}

void agent_redraw(struct drawn_agent *agent)
{
    agent->text[0] = 0;
    put_source(agent);
    put_channel(agent);
    put_sink(agent);
    put(agent, "a.penstock.memory.budget = 67108864\n");
    disk_put("/w/agent.properties", agent->text, strlen(agent->text));
}

static uint32_t draw_events(void)
{
    return 200 + (uint32_t)world_below(EVENTS_MAX - 200);
}

/* A reader of committed records has a writer with transactions. */
static void draw_kafka(struct drawn_agent *agent)
{
    static const char *const assignors[] = {NULL, "org.apache.kafka.clients.consumer.RoundRobinAssignor",
                                            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"};
    agent->reader = (struct kafka_reader){.committed_only = agent->exactly_once || world_below(2) == 0,
                                          .is_static = world_below(3) == 0,
                                          .assignor = assignors[world_below(agent->exactly_once ? 2 : 3)]};
    struct kafka_cluster *cluster = kafka_add();
    if (agent->exactly_once && cluster->generation == 0)
        cluster->generation = 1;
    if (agent->source != SOURCE_KAFKA)
        return;
    cluster->checks_delivery =
        agent->channel == CHANNEL_MEMORY && (agent->sink == SINK_HTTP || agent->sink == SINK_KAFKA);
    kafka_writer_add(cluster, draw_events(), agent->reader.committed_only);
    world->ledger->more_headers = true;
    ledger_expect_header(HEADER_TIME, "timestamp", NULL);
    if (agent->sink != SINK_KAFKA)
        ledger_expect_header(HEADER_TEXT, "topic", "in");
}

static void make_source_peer(const struct drawn_agent *agent)
{
    uint32_t events = draw_events();
    switch (agent->source) {
    case SOURCE_TAILDIR:
        disk_put("/w/logs/a.log", "", 0);
        writer_add("/w/logs", events);
        break;
    case SOURCE_SPOOLDIR:
        disk_put("/w/spool/.none", "", 0);
        disk_put("/w/beside/.none", "", 0);
        spooler_add("/w/spool", events);
        break;
    case SOURCE_NETCAT:
        netcat_add(PORT, events);
        break;
    case SOURCE_AVRO:
        rpc_avro_client_add(PORT, events);
        break;
    case SOURCE_THRIFT:
        rpc_thrift_client_add(PORT, events);
        break;
    case SOURCE_SYSLOGTCP:
    case SOURCE_SYSLOGUDP:
        syslog_add((uint16_t[]){PORT, PORT}, agent->source == SOURCE_SYSLOGUDP, events);
        break;
    case SOURCE_MULTIPORT:
        syslog_add((uint16_t[]){PORT, PORT + 1}, false, events);
        break;
    case SOURCE_KAFKA: /* draw_kafka makes its writer */
        break;
    default:
        http_client_add(PORT, events);
        ledger_expect_header(HEADER_NUMBER, "n", NULL);
        break;
    }
}

void agent_draw(struct drawn_agent *agent)
{
    static const char *const sources[SOURCES] = {"taildir",   "spooldir", "netcat",    "http",
                                                 "avro",      "thrift",   "syslogtcp", "multiport_syslogtcp",
                                                 "syslogudp", "kafka"};
    static const char *const channels[CHANNELS] = {"memory", "jdbc", "file"};
    static const char *const sinks[SINKS] = {"file_roll", "http", "kafka", "avro", "thrift"};
    *agent = (struct drawn_agent){.source = (enum agent_source)world_below(SOURCES),
                                  .channel = (enum agent_channel)world_below(CHANNELS),
                                  .sink = (enum agent_sink)world_below(SINKS),
                                  .two_directories = world_below(3) == 0};
    if (agent->source == SOURCE_KAFKA && world_below(3) == 0) {
        agent->exactly_once = true;
        agent->channel = CHANNEL_MEMORY;
        agent->sink = SINK_KAFKA;
    }
    agent->names[0] = sources[agent->source];
    agent->names[1] = channels[agent->channel];
    agent->names[2] = sinks[agent->sink];
    agent->survives_kills =
        agent->source <= SOURCE_SPOOLDIR || agent->source == SOURCE_KAFKA || agent->channel != CHANNEL_MEMORY;
    if (agent->source == SOURCE_KAFKA || agent->sink == SINK_KAFKA)
        draw_kafka(agent);
    make_source_peer(agent);
    if (agent->sink == SINK_HTTP)
        http_server_add(SERVER_PORT);
    else if (agent->sink == SINK_AVRO)
        rpc_server_add(SERVER_PORT, rpc_avro_take);
    else if (agent->sink == SINK_THRIFT)
        rpc_server_add(SERVER_PORT, rpc_thrift_take);
    disk_put("/w/out/.none", "", 0);
    agent_redraw(agent);
}
